import Relay

/// What goes through the relay's TURN server, and what it has refused.
extension ConsoleModel {
    func drawTURN(_ turn: TURNSnapshot, _ rect: Rect, _ kind: Frame.Kind, on canvas: inout Canvas) {
        let frame = Frame(
            title: [Span("TURN", .title)],
            remark: [Span(Format.plural(turn.allocations.count, "allocation"), .strong)],
            kind: kind
        )
        let inside = frame.draw(rect, on: &canvas)
        let facts = [
            Fact(
                "made",
                "\(Format.count(turn.allocated)) allocations, \(Format.count(turn.challenged)) asked for credentials"
            ),
            Fact("refused", [refusals(turn.refused)]),
            Fact("out", [Span(words(turn.toClients), .graphOut), dropped(turn.toClients)]),
            Fact("in", [Span(words(turn.fromClients), .graphIn), dropped(turn.fromClients)]),
        ]
        Fact.draw(facts, inside, on: &canvas)
        let list = inside.inset(top: facts.count)
        // The newest are those that somebody asks about.
        for (line, allocation) in turn.allocations.reversed().prefix(max(0, list.height)).enumerated() {
            let viewer = allocation.viewer.map(Wording.viewer) ?? "-"
            canvas.spans(
                [Span(" " + viewer + String(repeating: " ", count: 8 - viewer.count), .strong)] + spans(allocation),
                list.x,
                list.y + line,
                width: list.width
            )
        }
    }

    /// A viewer's allocations, one line each.
    func turnFacts(_ viewer: ViewerSnapshot) -> [Fact] {
        let own = shown?.turn?.allocations.filter { $0.viewer == viewer.id } ?? []
        return own.prefix(3).enumerated().map { Fact($0.offset == 0 ? "turn" : "", spans($0.element)) }
    }

    /// How much TURN is in use, for a title; empty when it never was.
    var turnSummary: [Span] {
        guard let turn = shown?.turn, turn.allocated > 0 else { return [] }
        return [Span(Format.plural(turn.allocations.count, "TURN allocation"), .text)]
    }

    private func spans(_ allocation: AllocationSnapshot) -> [Span] {
        [
            Span("\(allocation.transport.dropFirst(5)) ", .webrtc), Span(allocation.client),
            Span("  out \(Format.bytes(Double(allocation.toClient.bytes)))", .graphOut),
            Span("  in \(Format.bytes(Double(allocation.fromClient.bytes)))", .graphIn),
            dropped(allocation.toClient), dropped(allocation.fromClient),
            Span(
                "  ends in \(Format.calmAge(allocation.remaining))",
                allocation.remaining < 30 ? .warning : .dim
            ),
            Span(
                "  \(Format.plural(allocation.permissions, "permission")), \(Format.plural(allocation.channels, "channel"))",
                .dim
            ),
        ]
    }

    private func words(_ traffic: TURNSnapshot.Traffic) -> String {
        "\(Format.bytes(Double(traffic.bytes))) in \(Format.count(traffic.packets)) packets"
    }

    private func dropped(_ traffic: TURNSnapshot.Traffic) -> Span {
        traffic.dropped == 0 ? Span("") : Span("  \(Format.count(traffic.dropped)) over the ceiling", .warning)
    }

    private func refusals(_ refused: TURNSnapshot.Refusals) -> Span {
        let reasons: [(UInt64, String)] = [
            (refused.expired, "expired"), (refused.unauthorized, "unauthorized"), (refused.forbidden, "forbidden peer"),
            (refused.overQuota, "over quota"), (refused.overCapacity, "server full"), (refused.invalid, "invalid"),
            (refused.ignored, "ignored"), (refused.staleNonce, "stale nonce"),
        ]
        let words = reasons.filter { $0.0 > 0 }.map { "\(Format.count($0.0)) \($0.1)" }
        guard !words.isEmpty else { return Span("nobody", .ok) }
        return Span(words.joined(separator: ", "), refused.total > 0 ? .warning : .text)
    }
}
