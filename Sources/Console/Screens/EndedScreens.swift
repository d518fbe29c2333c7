import Relay

/// WebRTC sessions that have ended: what became of each, and why.
extension ConsoleModel {
    var attemptColumns: [Column<AttemptSnapshot>] {
        [
            Column("ENDED", 8, priority: 0, left: true) {
                Span(Format.clock($0.endedAt, utcOffset: configuration.utcOffset), .dim)
            },
            Column("VIEWER", 7, priority: 1, left: true) { Span(Wording.viewer($0.viewer), .strong) },
            Column(
                "CAMERA",
                12,
                priority: 3,
                left: true,
                growth: growth(for: attempts.lazy.map(\.camera), beyond: 12, atMost: 14),
                keepsEnd: true
            ) { Span($0.camera) },
            Column("LASTED", 6, priority: 4) { Span(Format.calmAge($0.duration)) },
            Column("REACHED", 11, priority: 2, left: true) { attempt in
                let step = attempt.ladder.furthest?.name ?? "-"
                return Span(step == ViewerSnapshot.LadderStep.firstDecodedFrame ? "first frame" : step)
            },
            Column("CHK", 5, priority: 6) { attempt in
                let checked = attempt.pairs.count { $0.checksReceived > 0 }
                return Span("\(checked)/\(attempt.pairs.count)", checked == 0 ? .warning : .text)
            },
            Column("TIMES", 5, priority: 7) { Span("\($0.repeats + 1)", $0.repeats > 0 ? .text : .dim) },
            Column("CLIENT", 11, priority: 8, left: true) { Span($0.client, .dim) },
            Column(
                "ADDRESS",
                15,
                priority: 9,
                left: true,
                growth: growth(for: attempts.lazy.map(\.remote), beyond: 15, atMost: 24)
            ) { Span($0.remote, .dim) },
            Column("VERDICT", 24, priority: 0, left: true, growth: 200) {
                Span($0.verdict.text, Role($0.verdict.severity))
            },
        ]
    }

    func attemptTable() -> Table<AttemptSnapshot> {
        let state = table(.ended)
        return Table(
            columns: attemptColumns,
            mark: { Span(Wording.mark($0.verdict.severity), Role($0.verdict.severity)) },
            count: state.rows.count,
            row: { position in attempts.indices.contains(state.rows[position]) ? attempts[state.rows[position]] : nil },
            selected: state.index,
            isStale: isStale,
            emptyText: emptyText(state, "no WebRTC session has ended in the last hour")
        )
    }

    /// The peers or the ICE screen, as far as it is over.
    func drawEnded(_ rect: Rect, on canvas: inout Canvas) {
        let kind = frameKind(canvas)
        let (list, inspector) = divided(rect, inspector: kind == .box ? 16 : 8)
        let isPairs = pane == .endedPairs
        let frame = Frame(
            title: listTitle(isPairs ? "Ended candidate pairs" : "Ended WebRTC sessions", pane),
            remark: [Span("last hour  ", .dim), Span("e", .key), Span(" back", .dim)],
            isFocused: true,
            kind: kind
        )
        let inside = frame.draw(list, on: &canvas)
        if isPairs {
            pairTable(.endedPairs).draw(inside, on: &canvas)
        } else {
            attemptTable().draw(inside, on: &canvas)
        }
        guard let attempt = subjectAttempt, inspector.height > 2 else { return }
        guard kind == .box else { return drawAttemptFacts(attempt, inspector, kind, on: &canvas) }
        let left = Rect(inspector.x, inspector.y, inspector.width * 55 / 100, inspector.height)
        drawAttemptFacts(attempt, left, kind, on: &canvas)
        let right = Rect(left.right, inspector.y, inspector.width - left.width, inspector.height)
        drawAttemptLadder(attempt, right, kind, on: &canvas)
    }

    /// One ended session with all its pairs.
    func drawAttemptDetail(_ rect: Rect, on canvas: inout Canvas) {
        guard let attempt = openedAttempt else { return }
        let kind = frameKind(canvas)
        let pairRows = kind == .box ? rect.height * 40 / 100 : min(attempt.pairs.count + 2, rect.height / 3)
        let upper = rect.inset(bottom: pairRows)
        if kind == .box {
            let left = Rect(upper.x, upper.y, upper.width * 55 / 100, upper.height)
            drawAttemptFacts(attempt, left, kind, on: &canvas)
            let right = Rect(left.right, upper.y, upper.width - left.width, upper.height)
            drawAttemptLadder(attempt, right, kind, on: &canvas)
        } else {
            let half = upper.height / 2
            drawAttemptFacts(attempt, Rect(upper.x, upper.y, upper.width, half), kind, on: &canvas)
            drawAttemptLadder(attempt, upper.inset(top: half), kind, on: &canvas)
        }
        let frame = Frame(title: listTitle("ICE candidate pairs", .attemptPairs), isFocused: true, kind: kind)
        let bottom = Rect(rect.x, rect.bottom - pairRows, rect.width, pairRows)
        pairTable(.attemptPairs).draw(frame.draw(bottom, on: &canvas), on: &canvas)
    }

    private func drawAttemptLadder(
        _ attempt: AttemptSnapshot,
        _ rect: Rect,
        _ kind: Frame.Kind,
        on canvas: inout Canvas
    ) {
        drawLadder(
            attempt.ladder,
            [Span(Wording.viewer(attempt.viewer), .title), Span(" from its offer", .dim)],
            Span(attempt.verdict.text, Role(attempt.verdict.severity)),
            rect,
            kind,
            on: &canvas
        )
    }

    private func drawAttemptFacts(
        _ attempt: AttemptSnapshot,
        _ rect: Rect,
        _ kind: Frame.Kind,
        on canvas: inout Canvas
    ) {
        let frame = Frame(
            title: [Span(Wording.viewer(attempt.viewer), .title), Span("  \(attempt.camera)", .text)],
            remark: [Span(attempt.remote, .dim)],
            kind: kind
        )
        let inside = frame.draw(rect, on: &canvas)
        let used = drawWhy(
            attempt.verdict.severity,
            attempt.verdict.text,
            attempt.verdict.remedy,
            inside.inset(left: 1),
            on: &canvas
        )
        Fact.draw(facts(attempt), inside.inset(top: used), on: &canvas)
    }

    private func facts(_ attempt: AttemptSnapshot) -> [Fact] {
        var facts = attempt.verdict.evidence.enumerated().map { Fact($0.offset == 0 ? "seen" : "", $0.element) }
        if let cause = attempt.verdict.cause { facts.append(Fact("cause", cause.rawValue)) }
        facts.append(
            Fact(
                "session",
                [
                    Span("\(Format.age(attempt.duration)) until \(clock(attempt.endedAt))"),
                    Span(attempt.repeats > 0 ? ", the last of \(attempt.repeats + 1) like it" : "", .strong),
                ]
            )
        )
        facts.append(Fact("client", "\(attempt.client) by \(attempt.control.rawValue), offer \(attempt.number)", .dim))
        facts.append(Fact("id", attempt.viewer, .dim))
        if !attempt.verdict.evidence.contains(attempt.end) { facts.append(Fact("end", attempt.end, .dim)) }
        if let ice = attempt.ice {
            let security = [attempt.dtls.map { "DTLS \($0)" }, attempt.srtp].compactMap { $0 }.joined(separator: "  ")
            facts.append(Fact("reached", "ICE \(ice)  \(security)  path \(attempt.path ?? "-")", .dim))
            facts.append(
                Fact(
                    "sent",
                    "\(Format.bytes(Double(attempt.bytes)))  rtt \(Format.milliseconds(attempt.roundTrip)) ms  loss \(Format.percent(attempt.loss)) %",
                    .dim
                )
            )
        }
        return facts
    }

    private func clock(_ milliseconds: Int64) -> String {
        Format.clock(milliseconds, utcOffset: configuration.utcOffset)
    }
}
