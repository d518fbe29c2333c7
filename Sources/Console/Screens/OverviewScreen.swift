import Relay

/// Everything at a glance: cameras, viewers, candidate pairs, HLS latency, bitrates, events.
extension ConsoleModel {
    func drawOverview(_ rect: Rect, on canvas: inout Canvas) {
        let notices = drawAddress(rect, on: &canvas)
        let body = rect.inset(top: notices)
        let kind = frameKind(canvas)
        let isNarrow = rect.width < 76
        let leftWidth = isNarrow ? rect.width : rect.width * (rect.width >= 130 ? 65 : 62) / 100
        let separator = kind == .rule && !isNarrow ? 1 : 0
        let first = body.height * 45 / 100
        let second = body.height * 30 / 100
        let heights = [first, second, body.height - first - second]
        let left = rows(Rect(body.x, body.y, leftWidth, body.height), heights)
        drawCameraPane(left[0], kind, on: &canvas)
        drawViewerPane(left[1], kind, on: &canvas)
        drawPairPane(left[2], kind, on: &canvas)
        guard !isNarrow else { return }
        let right = rows(
            Rect(body.x + leftWidth + separator, body.y, rect.width - leftWidth - separator, body.height),
            heights
        )
        drawBitratePane(right[0], kind, on: &canvas)
        drawStreamPane(right[1], kind, on: &canvas)
        drawEventPane(right[2], kind, on: &canvas)
        if separator > 0 {
            for y in body.y..<body.bottom {
                let isRule = left.contains { $0.y == y }
                canvas.text(isRule ? (y == body.y ? "┬" : "┼") : "│", leftWidth, y, .border)
            }
        }
    }

    private func rows(_ rect: Rect, _ heights: [Int]) -> [Rect] {
        var y = rect.y
        return heights.map { height in
            defer { y += height }
            return Rect(rect.x, y, rect.width, height)
        }
    }

    /// The address to open, and what the operator should know.
    ///
    /// - Returns: Rows taken.
    private func drawAddress(_ rect: Rect, on canvas: inout Canvas) -> Int {
        guard let node = shown?.node else { return 0 }
        var x = rect.x + 1
        let notices = node.notices
        if let url = node.pageURL { x = canvas.spans([Span("open ", .dim), Span(url, .link)], x, rect.y) }
        // Other addresses of the same page where there is room beside what has to be told; help has them all.
        let room = rect.right - (notices.isEmpty ? 1 : 48)
        for url in node.otherPageURLs where x + 4 + displayWidth(url) <= room {
            x = canvas.spans([Span(" or ", .dim), Span(url, .link)], x, rect.y)
        }
        if node.pageURL != nil { x += 3 }
        guard let first = notices.first else { return node.pageURL == nil ? 0 : 1 }
        let isRoomy = canvas.bounds.height >= 40
        let more = notices.count > 1 && !isRoomy ? " (+\(notices.count - 1): ?)" : ""
        canvas.spans(
            [Span("! ", .warning), Span(fitted(first, rect.right - x - 3 - more.count), .text), Span(more, .dim)],
            x,
            rect.y
        )
        guard isRoomy else { return 1 }
        let others = notices.dropFirst().prefix(3)
        for (line, notice) in others.enumerated() {
            canvas.spans([Span("! ", .warning), Span(fitted(notice, rect.right - x - 3))], x, rect.y + 1 + line)
        }
        return 1 + others.count
    }

    private func drawCameraPane(_ rect: Rect, _ kind: Frame.Kind, on canvas: inout Canvas) {
        let isFocused = focus == .cameras
        let frame = Frame(
            title: listTitle("Cameras", .cameras, key: "2"),
            remark: sortRemark(.cameras),
            isFocused: isFocused,
            kind: kind
        )
        cameraTable(isActive: isFocused).draw(frame.draw(rect, on: &canvas), on: &canvas)
    }

    private func drawViewerPane(_ rect: Rect, _ kind: Frame.Kind, on canvas: inout Canvas) {
        let isFocused = focus == .viewers
        let webrtc = shown?.viewers.count { $0.delivery == .webrtc } ?? 0
        let hls = (shown?.viewers.count ?? 0) - webrtc
        let frame = Frame(
            title: listTitle("Peers", .viewers, key: "3"),
            remark: [Span("\(webrtc) WebRTC", .webrtc), Span(" · ", .dim), Span("\(hls) HLS", .hls)],
            isFocused: isFocused,
            kind: kind
        )
        viewerTable(.viewers, isActive: isFocused).draw(frame.draw(rect, on: &canvas), on: &canvas)
    }

    private func drawPairPane(_ rect: Rect, _ kind: Frame.Kind, on canvas: inout Canvas) {
        let isFocused = focus == .pairs
        let frame = Frame(
            title: listTitle("ICE candidate pairs", .pairs, key: "4"),
            remark: rect.width < 70 ? pairSummary : joined(pairSummary, turnSummary),
            isFocused: isFocused,
            kind: kind
        )
        pairTable(.pairs, isActive: isFocused).draw(frame.draw(rect, on: &canvas), on: &canvas)
    }

    var pairSummary: [Span] {
        guard let pairs = shown?.pairs, !pairs.isEmpty else { return [] }
        let nominated = pairs.count { $0.isNominated }
        let failed = pairs.count { $0.state == "failed" }
        return [Span("\(nominated) in use", .ok)]
            + (failed > 0 ? [Span(" · ", .dim), Span("\(failed) failed", .critical)] : [])
    }

    /// Two summaries, and a dot between them if there are two.
    func joined(_ first: [Span], _ second: [Span]) -> [Span] {
        first.isEmpty || second.isEmpty ? first + second : first + [Span(" · ", .dim)] + second
    }

    private func drawBitratePane(_ rect: Rect, _ kind: Frame.Kind, on canvas: inout Canvas) {
        let node = shown?.node
        let frame = Frame(
            title: [Span("6 ", .key), Span("Bitrate", .title)],
            remark: [
                Span("in ", .dim), Span(Format.bitrate(node?.bitrateIn), .graphIn),
                Span("  out ", .dim), Span(Format.bitrate(node?.bitrateOut), .graphOut),
            ],
            kind: kind
        )
        let inside = frame.draw(rect, on: &canvas)
        let upper = Rect(inside.x, inside.y, inside.width, inside.height / 2)
        let lower = Rect(inside.x, inside.y + upper.height, inside.width, inside.height - upper.height)
        bitratePanel(.node(.bitrateIn), .graphIn, "in").draw(upper, on: &canvas)
        bitratePanel(.node(.bitrateOut), .graphOut, "out").draw(lower, on: &canvas)
    }

    func bitratePanel(_ key: SeriesKey, _ role: Role, _ name: String = "") -> GraphPanel {
        GraphPanel(
            series: history[key] ?? .awaited,
            window: graphWindow,
            name: name,
            role: role,
            floor: 100_000,
            label: { Format.bitrate($0) }
        )
    }

    private func drawStreamPane(_ rect: Rect, _ kind: Frame.Kind, on canvas: inout Canvas) {
        let isFocused = focus == .hls
        let frame = Frame(
            title: listTitle("HLS segment latency", .hls, key: "5"),
            remark: [Span("ms", .dim)],
            isFocused: isFocused,
            kind: kind
        )
        streamTable(isActive: isFocused).draw(frame.draw(rect, on: &canvas), on: &canvas)
    }

    private func drawEventPane(_ rect: Rect, _ kind: Frame.Kind, on canvas: inout Canvas) {
        let isFocused = focus == .events
        let open = eventLog.count { $0.endedAt == nil && $0.severity >= .warning }
        let frame = Frame(
            title: [Span("7 ", .key), Span("Events", .title)],
            remark: open > 0 ? [Span("\(open) open", .warning)] : [],
            isFocused: isFocused,
            kind: kind
        )
        eventTable(isCompact: true, isActive: isFocused).draw(frame.draw(rect, on: &canvas), on: &canvas)
    }
}
