import Relay

/// One camera, or one viewer, with everything that is known of it.
extension ConsoleModel {
    func drawCameraDetail(_ id: String, _ rect: Rect, on canvas: inout Canvas) {
        guard let camera = camera(id) else {
            canvas.text("\(id) is no longer configured", rect.x + 1, rect.y, .dim)
            return
        }
        let kind = frameKind(canvas)
        if kind == .rule {
            drawNarrowCamera(camera, rect, on: &canvas)
            return
        }
        let half = rect.width / 2
        let top = rect.height * 36 / 100
        let middle = rect.height * 30 / 100
        let facts = Rect(rect.x, rect.y, half, top)
        let inside = Frame(
            title: [Span("Ingest", .title)],
            remark: [Span("generation \(camera.generation)", .dim)],
            kind: kind
        ).draw(facts, on: &canvas)
        let used = drawWhy(camera.severity, camera.reason, camera.remedy, inside.inset(left: 1), on: &canvas)
        Fact.draw(self.facts(camera), inside.inset(top: used), on: &canvas)
        drawCameraGraph(camera, Rect(facts.right, rect.y, rect.width - half, top), kind, on: &canvas)
        let second = rect.y + top
        let third = rect.width / 3
        drawMetric(camera.id, .fps, "Frames per second", Rect(rect.x, second, third, middle), kind, on: &canvas)
        drawMetric(camera.id, .loss, "Loss %", Rect(rect.x + third, second, third, middle), kind, on: &canvas)
        let last = Rect(rect.x + 2 * third, second, rect.width - 2 * third, middle)
        if let stream = stream(id) {
            drawLatencyGraph(stream, last, kind, on: &canvas)
        } else {
            drawMetric(camera.id, .egress, "To viewers", last, kind, on: &canvas)
        }
        let bottom = Rect(rect.x, second + middle, rect.width, rect.height - top - middle)
        drawCameraViewers(bottom.inset(right: bottom.width * 38 / 100), kind, on: &canvas)
        drawOwnEvents(
            { $0.camera == id },
            Rect(bottom.right - bottom.width * 38 / 100, bottom.y, bottom.width * 38 / 100, bottom.height),
            kind,
            on: &canvas
        )
    }

    private func drawNarrowCamera(_ camera: CameraSnapshot, _ rect: Rect, on canvas: inout Canvas) {
        let why = [camera.reason, camera.remedy].filter { !$0.isEmpty }
        var y = rect.y
        for (line, text) in why.prefix(2).enumerated() {
            canvas.text(
                fitted(text, rect.width - 2),
                rect.x + 1,
                y,
                line == 0 && camera.severity > .info ? Role(camera.severity) : .text
            )
            y += 1
        }
        let rest = Rect(rect.x, y, rect.width, rect.bottom - y)
        let all = facts(camera)
        let factRows = min(all.count, max(3, rest.height - 11))
        Fact.draw(all, Rect(rest.x, rest.y, rest.width, factRows), on: &canvas)
        let viewerRows = min(5, max(3, rest.height - factRows - 6))
        let graph = Rect(rest.x, rest.y + factRows, rest.width, rest.height - factRows - viewerRows)
        drawCameraGraph(camera, graph, .rule, on: &canvas)
        drawCameraViewers(Rect(rest.x, graph.bottom, rest.width, viewerRows), .rule, on: &canvas)
    }

    private func drawMetric(
        _ id: String,
        _ metric: SeriesKey.CameraMetric,
        _ name: String,
        _ rect: Rect,
        _ kind: Frame.Kind,
        on canvas: inout Canvas
    ) {
        let panel = metricPanel(id, metric)
        let summary = panel.series.summary(graphWindow)
        let frame = Frame(
            title: [Span(name, .title)],
            remark: [
                Span("now ", .dim), Span(panel.label(summary?.last ?? nil), panel.role),
                Span("  max \(panel.label(summary?.maximum))", .dim),
            ],
            kind: kind
        )
        panel.draw(frame.draw(rect, on: &canvas), on: &canvas)
    }

    private func drawCameraViewers(_ rect: Rect, _ kind: Frame.Kind, on canvas: inout Canvas) {
        let frame = Frame(
            title: listTitle("Viewers", .cameraViewers),
            remark: sortRemark(.cameraViewers),
            isFocused: true,
            kind: kind
        )
        viewerTable(.cameraViewers).draw(frame.draw(rect, on: &canvas), on: &canvas)
    }

    func drawOwnEvents(_ isOwn: (EventSnapshot) -> Bool, _ rect: Rect, _ kind: Frame.Kind, on canvas: inout Canvas) {
        let inside = Frame(title: [Span("Events", .title)], kind: kind).draw(rect, on: &canvas)
        let own = eventLog.filter(isOwn)
        if own.isEmpty {
            canvas.text("nothing has happened yet", inside.x + 1, inside.y, .dim, width: inside.width - 1)
        }
        for (line, event) in own.prefix(inside.height).enumerated() {
            canvas.spans(
                [
                    Span(Format.clock(event.at, utcOffset: configuration.utcOffset) + " ", .dim),
                    Span(Wording.mark(event.severity) + " ", Role(event.severity)),
                    Span(fitted(event.text, inside.width - 13), eventRole(event)),
                ],
                inside.x + 1,
                inside.y + line,
                width: inside.width - 1
            )
        }
    }

    func drawViewerDetail(_ id: String, _ rect: Rect, on canvas: inout Canvas) {
        guard let viewer = viewer(id) else {
            canvas.text("\(id) has left", rect.x + 1, rect.y, .dim)
            return
        }
        let kind = frameKind(canvas)
        if kind == .rule {
            let factRows = min(9, max(4, rect.height - 10))
            drawViewerFacts(viewer, Rect(rect.x, rect.y, rect.width, factRows), kind, on: &canvas)
            let rest = rect.inset(top: factRows)
            let pairRows = viewer.delivery == .webrtc ? min(4, rest.height / 2) : 0
            drawLadder(viewer, rest.inset(bottom: pairRows), kind, on: &canvas)
            if pairRows > 1 {
                drawViewerPairs(Rect(rest.x, rest.bottom - pairRows, rest.width, pairRows), kind, on: &canvas)
            }
            return
        }
        let top = rect.height * 36 / 100
        let left = Rect(rect.x, rect.y, rect.width * 55 / 100, top)
        drawViewerFacts(viewer, left, kind, on: &canvas)
        drawLadder(viewer, Rect(left.right, rect.y, rect.width - left.width, top), kind, on: &canvas)
        let middle = rect.height * 28 / 100
        let quarter = rect.width / 4
        for (position, metric) in SeriesKey.ViewerMetric.allCases.enumerated() {
            let x = rect.x + position * quarter
            let width = position == 3 ? rect.right - x : quarter
            drawViewerMetric(id, metric, Rect(x, rect.y + top, width, middle), kind, on: &canvas)
        }
        let bottom = rect.inset(top: top + middle)
        let eventWidth = bottom.width * 38 / 100
        drawViewerPairs(bottom.inset(right: eventWidth), kind, on: &canvas)
        drawOwnEvents(
            { $0.viewer == id },
            Rect(bottom.right - eventWidth, bottom.y, eventWidth, bottom.height),
            kind,
            on: &canvas
        )
    }

    private func drawViewerPairs(_ rect: Rect, _ kind: Frame.Kind, on canvas: inout Canvas) {
        let frame = Frame(title: listTitle("ICE candidate pairs", .viewerPairs), isFocused: true, kind: kind)
        pairTable(.viewerPairs).draw(frame.draw(rect, on: &canvas), on: &canvas)
    }

    private func drawViewerMetric(
        _ id: String,
        _ metric: SeriesKey.ViewerMetric,
        _ rect: Rect,
        _ kind: Frame.Kind,
        on canvas: inout Canvas
    ) {
        let series = history[.viewer(id, metric)] ?? .awaited
        let (name, panel): (String, GraphPanel) =
            switch metric {
            case .bitrate:
                (
                    "Sent",
                    GraphPanel(
                        series: series,
                        window: graphWindow,
                        role: .graphOut,
                        floor: 100_000,
                        label: { Format.bitrate($0) }
                    )
                )
            case .roundTrip:
                (
                    "Round trip ms",
                    GraphPanel(
                        series: series,
                        window: graphWindow,
                        role: .graphFrames,
                        fold: .worst,
                        floor: 20,
                        label: { Format.plain($0) }
                    )
                )
            case .loss:
                (
                    "Loss %",
                    GraphPanel(
                        series: series,
                        window: graphWindow,
                        role: .graphLoss,
                        fold: .worst,
                        floor: 1,
                        label: { Format.percent($0) }
                    )
                )
            case .behindLive:
                (
                    "Behind live s",
                    GraphPanel(
                        series: series,
                        window: graphWindow,
                        role: .graphLatency,
                        floor: 1,
                        label: { Format.plain($0) }
                    )
                )
            }
        let summary = series.summary(graphWindow)
        let frame = Frame(
            title: [Span(name, .title)],
            remark: [
                Span(panel.label(summary?.last ?? nil), panel.role),
                Span("  max \(panel.label(summary?.maximum))", .dim),
            ],
            kind: kind
        )
        panel.draw(frame.draw(rect, on: &canvas), on: &canvas)
    }
}
