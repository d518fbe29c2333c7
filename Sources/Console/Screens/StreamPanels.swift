import Relay

extension ConsoleModel {
    /// Segment by segment: how long each took from the camera to the playlist.
    func drawSegments(_ stream: HLSSnapshot, _ rect: Rect, _ kind: Frame.Kind, on canvas: inout Canvas) {
        let frame = Frame(
            title: [Span(stream.id, .title), Span(" publication latency by segment", .dim)],
            remark: [Span(stream.isLowLatency ? "low latency" : "plain HLS", .dim)],
            kind: kind
        )
        let inside = frame.draw(rect, on: &canvas)
        let facts = streamFacts(stream)
        let chart = inside.inset(bottom: min(facts.count, max(0, inside.height - 4)))
        drawBars(stream.segments, chart, on: &canvas)
        Fact.draw(facts, Rect(inside.x, chart.bottom, inside.width, inside.bottom - chart.bottom), on: &canvas)
    }

    private func streamFacts(_ stream: HLSSnapshot) -> [Fact] {
        var facts: [Fact] = []
        if !stream.why.isEmpty { facts.append(Fact("why", stream.why, Role(stream.severity))) }
        facts.append(
            Fact(
                "parts",
                [
                    Span("median \(Format.milliseconds(stream.latencyMedian)) ms", latencyRole(stream.latencyMedian)),
                    Span(
                        "  worst \(Format.milliseconds(stream.latencyMaximum)) ms",
                        latencyRole(stream.latencyMaximum)
                    ),
                    Span("  of the last minute, newest \(Format.calmAge(stream.lastPartAge)) ago", .dim),
                ]
            )
        )
        facts.append(
            Fact(
                "playlist",
                "part \(stream.partTarget.map { Format.fixed($0, 2) + " s" } ?? "-")  target \(stream.targetDuration.map { Format.fixed($0, 1) + " s" } ?? "-")  discontinuities \(stream.discontinuities)  \(stream.codecs)"
            )
        )
        facts.append(
            Fact(
                "served",
                [
                    Span("\(Format.plural(stream.viewers, "viewer"))", .hls),
                    Span(
                        "  \(Format.plain(stream.requestRate)) requests/s  \(stream.blocked) waiting  \(Format.bitrate(stream.bitrateOut)) out  \(Format.bytes(Double(stream.bytesHeld))) held"
                    ),
                ]
            )
        )
        return facts
    }

    /// One bar per segment with its number above and its latency below.
    private func drawBars(_ segments: [HLSSnapshot.Segment], _ rect: Rect, on canvas: inout Canvas) {
        guard rect.height >= 3 else { return }
        let cellWidth = 6
        let shownSegments = segments.suffix(max(0, (rect.width - 9) / cellWidth))
        let labels = rect.height >= 5 ? 2 : 1
        let bars = rect.inset(left: 8, bottom: labels)
        guard !shownSegments.isEmpty else {
            canvas.text("no segment yet", rect.x + 1, rect.y, .dim)
            return
        }
        let top = Graph.scale(above: shownSegments.compactMap(\.latency).max() ?? 0, atLeast: 50)
        canvas.text(Format.right(Format.plain(top), 5) + "ms", rect.x, rect.y, .axis)
        let eighths = canvas.glyphs == .ascii ? 2 : 8
        for (position, segment) in shownSegments.enumerated() {
            let x = bars.x + position * cellWidth
            let height = segment.latency.map { barHeight($0 / top, of: bars.height * eighths) } ?? 0
            for row in 0..<bars.height {
                let part = min(max(0, height - row * eighths), eighths)
                guard part > 0 else { continue }
                let scalar =
                    canvas.glyphs == .ascii
                    ? (part > 1 ? ":" : ".") : Unicode.Scalar(0x2580 + UInt32(part)) ?? "#"
                let level = UInt8(bars.height > 1 ? row * (Style.levels - 1) / (bars.height - 1) : 4)
                for column in 0..<cellWidth - 2 {
                    canvas.cell(scalar, x + column, bars.bottom - 1 - row, .graphLatency, level: level)
                }
            }
            canvas.text(
                Format.milliseconds(segment.latency),
                x,
                bars.bottom,
                latencyRole(segment.latency),
                width: cellWidth - 1
            )
            if labels > 1 {
                canvas.text(Format.fixed(segment.duration, 2) + "s", x, bars.bottom + 1, .dim, width: cellWidth - 1)
            }
        }
        canvas.text(Format.right("ms", 7), rect.x, bars.bottom, .dim)
        if labels > 1 { canvas.text(Format.right("length", 7), rect.x, bars.bottom + 1, .dim) }
    }

    private func barHeight(_ part: Double, of available: Int) -> Int {
        guard part.isFinite else { return 0 }
        return Int((part * Double(available)).rounded().clamped(to: 1...Double(max(1, available))))
    }

    func drawLatencyGraph(_ stream: HLSSnapshot, _ rect: Rect, _ kind: Frame.Kind, on canvas: inout Canvas) {
        let series = history[.hlsLatency(stream.id)] ?? .awaited
        let summary = series.summary(graphWindow)
        let frame = Frame(
            title: [Span("Part latency", .title), Span(" last \(graphWindow / 60) min", .dim)],
            remark: [
                Span("max ", .dim), Span("\(Format.milliseconds(summary?.maximum)) ms", latencyRole(summary?.maximum)),
            ],
            kind: kind
        )
        latencyPanel(stream.id).draw(frame.draw(rect, on: &canvas), on: &canvas)
    }

    func latencyPanel(_ id: String) -> GraphPanel {
        GraphPanel(
            series: history[.hlsLatency(id)] ?? .awaited,
            window: graphWindow,
            name: "ms",
            role: .graphLatency,
            fold: .worst,
            floor: 50,
            label: { Format.plain($0) }
        )
    }

    /// The steps to the first decoded frame, from the offer or with HLS from joining, as a waterfall, with what the
    /// pairs say about the network.
    func drawLadder(_ viewer: ViewerSnapshot, _ rect: Rect, _ kind: Frame.Kind, on canvas: inout Canvas) {
        drawLadder(
            viewer.ladder,
            [
                Span(Wording.viewer(viewer.id), .title),
                Span(
                    " from \(viewer.delivery == .webrtc ? "its offer" : "starting HLS") to the first decoded frame",
                    .dim
                ),
            ],
            verdict(viewer),
            rect,
            kind,
            on: &canvas
        )
    }

    func drawLadder(
        _ ladder: [ViewerSnapshot.LadderStep],
        _ title: [Span],
        _ verdict: Span,
        _ rect: Rect,
        _ kind: Frame.Kind,
        on canvas: inout Canvas
    ) {
        // What the title speaks of, or how far it has come.
        let end = ladder.furthest
        let frame = Frame(
            title: title,
            remark: end.map { [Span("\(Format.milliseconds($0.after)) ms", .strong)] } ?? [],
            kind: kind
        )
        let inside = frame.draw(rect, on: &canvas)
        let steps = inside.inset(bottom: inside.height > 2 ? 1 : 0)
        drawSteps(ladder, steps, on: &canvas)
        guard inside.height > 2 else { return }
        canvas.spans(
            [Span(" verdict ", .dim), Span(fitted(verdict.text, inside.width - 10), verdict.role)],
            inside.x,
            inside.bottom - 1
        )
    }

    private func drawSteps(_ ladder: [ViewerSnapshot.LadderStep], _ rect: Rect, on canvas: inout Canvas) {
        guard !ladder.isEmpty else {
            canvas.text("no step reached yet", rect.x + 1, rect.y, .dim)
            return
        }
        let total = max(1, ladder.map(\.after).max() ?? 1)
        // As wide as the longest name, `first decoded frame`.
        let names = min(19, max(14, rect.width / 3))
        let start = rect.x + names + 2
        let width = max(1, rect.width - names - 2 - 10)
        // Where steps outnumber rows the first ones give way: the last say where it stands.
        let skipped = max(0, ladder.count - rect.height)
        for (line, step) in ladder.dropFirst(skipped).prefix(rect.height).enumerated() {
            let position = skipped + line
            let from = position > 0 ? ladder[position - 1].after : 0
            let left = cells(from, of: total, width)
            let right = max(left + 1, cells(step.after, of: total, width))
            canvas.text(fitted(step.name, names), rect.x + 1, rect.y + line, .text)
            canvas.text(String(repeating: "─", count: left), start, rect.y + line, .border, width: left)
            canvas.text(
                String(repeating: "█", count: right - left),
                start + left,
                rect.y + line,
                .graphOut,
                width: right - left,
                level: 4
            )
            canvas.text(Format.right(Format.milliseconds(step.after) + " ms", 9), start + width, rect.y + line, .dim)
        }
    }

    private func cells(_ value: Double, of total: Double, _ width: Int) -> Int {
        guard value.isFinite else { return 0 }
        return Int((value / total * Double(width)).rounded().clamped(to: 0...Double(width)))
    }
}
