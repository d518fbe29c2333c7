import Relay

/// The numbered screens with one list each: the list above, what is known of its selected row below (or beside it).
extension ConsoleModel {
    /// Divides a list screen: the inspector goes below, with more room on tall screens.
    func divided(_ rect: Rect, inspector wanted: Int) -> (list: Rect, inspector: Rect) {
        let height = rect.height < 12 ? 0 : min(wanted, rect.height * 55 / 100)
        return (rect.inset(bottom: height), Rect(rect.x, rect.bottom - height, rect.width, height))
    }

    func drawCameras(_ rect: Rect, on canvas: inout Canvas) {
        let kind = frameKind(canvas)
        let (list, inspector) = divided(rect, inspector: kind == .box ? 16 : 8)
        let frame = Frame(
            title: listTitle("Cameras", .cameras),
            remark: sortRemark(.cameras),
            isFocused: true,
            kind: kind
        )
        cameraTable().draw(frame.draw(list, on: &canvas), on: &canvas)
        guard let camera = subjectCamera, inspector.height > 2 else { return }
        drawCameraInspector(camera, inspector, kind, on: &canvas)
    }

    private func drawCameraInspector(
        _ camera: CameraSnapshot,
        _ rect: Rect,
        _ kind: Frame.Kind,
        on canvas: inout Canvas
    ) {
        if kind == .box {
            let left = Rect(rect.x, rect.y, rect.width / 2, rect.height)
            let right = Rect(left.right, rect.y, rect.width - left.width, rect.height)
            let inside = Frame(title: [Span(camera.id, .title)], kind: kind).draw(left, on: &canvas)
            let used = drawWhy(camera.severity, camera.reason, camera.remedy, inside.inset(left: 1), on: &canvas)
            Fact.draw(facts(camera), inside.inset(top: used), on: &canvas)
            drawCameraGraph(camera, right, kind, on: &canvas)
        } else {
            let lines = camera.reason.isEmpty ? 0 : camera.remedy.isEmpty ? 1 : 2
            let graph = Rect(rect.x, rect.y, rect.width, rect.height - lines)
            drawCameraGraph(camera, graph, kind, on: &canvas)
            let text = Rect(rect.x, graph.bottom, rect.width, lines)
            if lines > 0 {
                canvas.spans(
                    [Span(" why ", .dim), Span(fitted(camera.reason, rect.width - 7), Role(camera.severity))],
                    text.x,
                    text.y
                )
            }
            if lines > 1 {
                canvas.spans(
                    [Span(" do  ", .dim), Span(fitted(camera.remedy, rect.width - 7), .text)],
                    text.x,
                    text.y + 1
                )
            }
        }
    }

    func drawCameraGraph(_ camera: CameraSnapshot, _ rect: Rect, _ kind: Frame.Kind, on canvas: inout Canvas) {
        let key = SeriesKey.camera(camera.id, .bitrate)
        let panel = bitratePanel(key, .graphIn)
        let summary = history[key]?.summary(graphWindow)
        let frame = Frame(
            title: kind == .box
                ? [Span("Input", .title), Span(" last \(graphWindow / 60) min", .dim)]
                : [Span(camera.id, .title), Span(" input, last \(graphWindow / 60) min", .dim)],
            remark: [
                Span("now ", .dim), Span(Format.bitrate(camera.bitrate), .graphIn),
                Span("  min ", .dim), Span(Format.bitrate(summary?.minimum)),
                Span("  max ", .dim), Span(Format.bitrate(summary?.maximum)),
            ],
            kind: kind
        )
        panel.draw(frame.draw(rect, on: &canvas), on: &canvas)
    }

    /// Reason and remedy over as many lines as they need.
    ///
    /// - Returns: Rows taken.
    func drawWhy(_ severity: Severity, _ reason: String, _ remedy: String, _ rect: Rect, on canvas: inout Canvas) -> Int
    {
        var used = 0
        for (text, role) in [(reason, Role(severity)), (remedy, Role.text)] where !text.isEmpty && used < rect.height {
            used += drawWrapped(text, rect.inset(top: used), severity <= .info ? .text : role, on: &canvas)
        }
        return used
    }

    func drawPeers(_ rect: Rect, on canvas: inout Canvas) {
        if showsEnded { return drawEnded(rect, on: &canvas) }
        let kind = frameKind(canvas)
        let (list, inspector) = divided(rect, inspector: kind == .box ? 16 : 7)
        let frame = Frame(
            title: listTitle("Peers", .viewers),
            remark: sortRemark(.viewers),
            isFocused: true,
            kind: kind
        )
        viewerTable(.viewers).draw(frame.draw(list, on: &canvas), on: &canvas)
        guard let viewer = subjectViewer, inspector.height > 2 else { return }
        if kind == .box {
            let left = Rect(inspector.x, inspector.y, inspector.width * 55 / 100, inspector.height)
            drawViewerFacts(viewer, left, kind, on: &canvas)
            let right = Rect(left.right, inspector.y, inspector.width - left.width, inspector.height)
            drawLadder(viewer, right, kind, on: &canvas)
        } else {
            drawViewerFacts(viewer, inspector, kind, on: &canvas)
        }
    }

    func drawViewerFacts(_ viewer: ViewerSnapshot, _ rect: Rect, _ kind: Frame.Kind, on canvas: inout Canvas) {
        let frame = Frame(
            title: [Span(Wording.viewer(viewer.id), .title), Span("  \(viewer.camera)", .text)],
            remark: [Span(viewer.remote, .dim)],
            kind: kind
        )
        let inside = frame.draw(rect, on: &canvas)
        var used = 0
        if !viewer.why.isEmpty, inside.height > 2 {
            canvas.spans(
                [Span(" why ", .dim), Span(fitted(viewer.why, inside.width - 6), Role(viewer.severity))],
                inside.x,
                inside.y
            )
            used = 1
            if !viewer.hint.isEmpty {
                canvas.spans(
                    [Span(" do  ", .dim), Span(fitted(viewer.hint, inside.width - 6))],
                    inside.x,
                    inside.y + 1
                )
                used = 2
            }
        }
        // Title and address already say who it is; with few rows they would only repeat it.
        let all = facts(viewer)
        let rest = inside.inset(top: used)
        Fact.draw(
            rest.height < all.count ? Array(all.dropFirst(rest.height < all.count - 1 ? 2 : 1)) : all,
            rest,
            on: &canvas
        )
    }

    func drawPairs(_ rect: Rect, on canvas: inout Canvas) {
        if showsEnded { return drawEnded(rect, on: &canvas) }
        let kind = frameKind(canvas)
        let (list, inspector) = divided(rect, inspector: kind == .box ? 14 : 8)
        let frame = Frame(
            title: listTitle("ICE candidate pairs", .pairs),
            remark: joined(pairSummary, turnSummary),
            isFocused: true,
            kind: kind
        )
        pairTable(.pairs).draw(frame.draw(list, on: &canvas), on: &canvas)
        guard inspector.height > 2 else { return }
        var ladder = inspector
        if kind == .box, let turn = shown?.turn {
            ladder.width = inspector.width * 45 / 100
            drawTURN(turn, inspector.inset(left: ladder.width), kind, on: &canvas)
        }
        if let viewer = subjectViewer { drawLadder(viewer, ladder, kind, on: &canvas) }
    }

    func drawStreams(_ rect: Rect, on canvas: inout Canvas) {
        let kind = frameKind(canvas)
        let (list, inspector) = divided(rect, inspector: kind == .box ? 18 : 9)
        let frame = Frame(title: listTitle("HLS streams", .hls), remark: sortRemark(.hls), isFocused: true, kind: kind)
        streamTable().draw(frame.draw(list, on: &canvas), on: &canvas)
        guard let stream = stream(table(.hls).selected), inspector.height > 2 else { return }
        if kind == .box {
            let left = Rect(inspector.x, inspector.y, inspector.width * 55 / 100, inspector.height)
            drawSegments(stream, left, kind, on: &canvas)
            drawLatencyGraph(
                stream,
                Rect(left.right, left.y, inspector.width - left.width, left.height),
                kind,
                on: &canvas
            )
        } else {
            drawSegments(stream, inspector, kind, on: &canvas)
        }
    }

    func drawEvents(_ rect: Rect, on canvas: inout Canvas) {
        let kind = frameKind(canvas)
        let open = eventLog.count { $0.endedAt == nil && $0.severity >= .warning }
        let frame = Frame(
            title: listTitle("Events", .events),
            remark: [Span(open > 0 ? "\(open) open" : "all quiet", open > 0 ? .warning : .ok)],
            isFocused: true,
            kind: kind
        )
        eventTable(isCompact: false).draw(frame.draw(rect, on: &canvas), on: &canvas)
    }
}
