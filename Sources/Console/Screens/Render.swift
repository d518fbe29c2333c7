import Relay

extension ConsoleModel {
    /// The screen as it should look now.
    public func render(size: Size) -> CellGrid {
        var canvas = Canvas(size: size, glyphs: configuration.glyphs)
        guard size.columns > 0, size.rows > 0 else { return canvas.grid }
        if size.columns < 60 || size.rows < 16 {
            drawTiny(on: &canvas)
        } else {
            drawFull(on: &canvas)
        }
        drawOverlay(on: &canvas)
        return canvas.grid
    }

    private func drawFull(on canvas: inout Canvas) {
        let width = canvas.bounds.width
        let height = canvas.bounds.height
        drawHeader(0, on: &canvas)
        drawTabs(1, on: &canvas)
        drawKeys(height - 1, on: &canvas)
        drawContent(Rect(0, 2, width, height - 4), on: &canvas)
        drawActions(height - 2, on: &canvas)
    }

    private func drawContent(_ content: Rect, on canvas: inout Canvas) {
        if place == .screen(.overview) {
            drawOverview(content, on: &canvas)
            return
        }
        drawTicker(content.bottom - 1, on: &canvas)
        let room = content.inset(bottom: 1)
        switch place {
        case .screen(.overview): break
        case .screen(.cameras): drawCameras(room, on: &canvas)
        case .screen(.peers): drawPeers(room, on: &canvas)
        case .screen(.pairs): drawPairs(room, on: &canvas)
        case .screen(.hls): drawStreams(room, on: &canvas)
        case .screen(.graphs): drawGraphs(room, on: &canvas)
        case .screen(.events): drawEvents(room, on: &canvas)
        case .camera(let id): drawCameraDetail(id, room, on: &canvas)
        case .viewer(let id): drawViewerDetail(id, room, on: &canvas)
        case .attempt: drawAttemptDetail(room, on: &canvas)
        }
    }

    /// Below 60×16: one list and one line, never a refusal.
    private func drawTiny(on canvas: inout Canvas) {
        let width = canvas.bounds.width
        let height = canvas.bounds.height
        let live = shown.map { $0.cameras.count { $0.state == .live || $0.state == .starting } } ?? 0
        canvas.fill(Rect(0, 0, width, 1), .header)
        let name = fitted(shown?.node.name ?? "signalbox", max(5, width / 3))
        var x = canvas.text(" \(name) ", 0, 0, .brand)
        if let shown { x = drawBadges(x, 0, shown, on: &canvas) }
        var summary: [Span] = []
        if shown == nil { summary.append(Span(" no data", .warning)) }
        if isStale { summary.append(Span(" STALE", .critical)) }
        if pausedAt != nil { summary.append(Span(" PAUSED", .warning)) }
        x = canvas.spans(summary, x, 0, width: width - x)
        let cameras = Format.plural(shown?.cameras.count ?? 0, "cam")
        for text in [" \(live)/\(cameras)", "  \(Format.plural(shown?.viewers.count ?? 0, "viewer"))"] {
            guard x + displayWidth(text) <= width else { break }
            x = canvas.text(text, x, 0, .header)
        }
        guard height >= 5, width >= 20 else { return }
        let body = Rect(0, 1, width, height - 3)
        switch pane {
        case .cameras: cameraTable().draw(body, on: &canvas)
        case .viewers, .cameraViewers: viewerTable(pane).draw(body, on: &canvas)
        case .pairs, .viewerPairs, .endedPairs, .attemptPairs: pairTable(pane).draw(body, on: &canvas)
        case .ended: attemptTable().draw(body, on: &canvas)
        case .hls: streamTable().draw(body, on: &canvas)
        case .events: eventTable(isCompact: true).draw(body, on: &canvas)
        }
        if flash == nil, requests.isEmpty, shown?.operations.isEmpty ?? true, overlay == nil {
            drawTicker(height - 2, on: &canvas)
        } else {
            drawActions(height - 2, on: &canvas)
        }
        drawKeys(height - 1, on: &canvas)
    }

    /// Boxes where there is room for them, title lines where every row counts.
    func frameKind(_ canvas: Canvas) -> Frame.Kind {
        canvas.bounds.height >= 32 && canvas.bounds.width >= 100 ? .box : .rule
    }

    /// Title of a list: its name, how many, and the filter.
    func listTitle(_ name: String, _ pane: Pane, key: String = "") -> [Span] {
        let state = table(pane)
        var spans: [Span] = key.isEmpty ? [] : [Span(key + " ", .key)]
        spans += [Span(name, .title), Span(" \(state.order.count)", .text)]
        if !state.applied.text.isEmpty { spans.append(Span("/\(state.total)  /\(state.applied.text)", .filter)) }
        return spans
    }

    func sortRemark(_ pane: Pane) -> [Span] { [Span(table(pane).sort.title, .dim)] }
}
