import Relay

/// Small multiples: the node, then the cameras, all cameras on one scale.
extension ConsoleModel {
    func drawGraphs(_ rect: Rect, on canvas: inout Canvas) {
        let columns = rect.width >= 200 ? 3 : rect.width >= 70 ? 2 : 1
        let wantedHeight = rect.height >= 40 ? 10 : rect.height >= 24 ? 8 : 6
        let lines = max(1, rect.height / wantedHeight)
        let selected = table(.cameras).selected
        let perPage = max(1, lines * columns - 2)
        let state = table(.cameras)
        let top = (state.index ?? 0) / perPage * perPage
        let cameras = Array(state.order.dropFirst(top).prefix(perPage))
        let shared = Graph.scale(
            above: cameras.compactMap { history[.camera($0, graphMetric)]?.summary(graphWindow)?.maximum }.max() ?? 0,
            atLeast: metricFloor
        )
        var panels: [(title: [Span], remark: [Span], panel: GraphPanel, isSelected: Bool)] = [
            nodePanel("Relay in", .bitrateIn, .graphIn), nodePanel("Relay out", .bitrateOut, .graphOut),
        ]
        for id in cameras { panels.append(cameraPanel(id, shared, isSelected: id == selected)) }
        let kind = frameKind(canvas)
        for (position, item) in panels.enumerated() {
            let (line, column) = (position / columns, position % columns)
            let y = rect.y + line * rect.height / lines
            let x = rect.x + column * rect.width / columns
            let area = Rect(
                x,
                y,
                rect.x + (column + 1) * rect.width / columns - x - (kind == .rule && column + 1 < columns ? 1 : 0),
                rect.y + (line + 1) * rect.height / lines - y
            )
            let frame = Frame(title: item.title, remark: item.remark, isFocused: item.isSelected, kind: kind)
            item.panel.draw(frame.draw(area, on: &canvas), on: &canvas)
        }
    }

    private func nodePanel(
        _ name: String,
        _ metric: SeriesKey.NodeMetric,
        _ role: Role
    ) -> (title: [Span], remark: [Span], panel: GraphPanel, isSelected: Bool) {
        let panel = bitratePanel(.node(metric), role)
        let summary = history[.node(metric)]?.summary(graphWindow)
        let remark = [
            Span(Format.bitrate(summary?.last ?? nil), role), Span("  max \(Format.bitrate(summary?.maximum))", .dim),
        ]
        return ([Span(name, .title), Span(" \(graphWindow / 60) min", .dim)], remark, panel, false)
    }

    private func cameraPanel(
        _ id: String,
        _ shared: Double,
        isSelected: Bool
    ) -> (title: [Span], remark: [Span], panel: GraphPanel, isSelected: Bool) {
        var panel = metricPanel(id, graphMetric)
        panel.sharedMaximum = shared
        let last = history[.camera(id, graphMetric)]?.summary(graphWindow)?.last ?? nil
        let severity = camera(id)?.severity ?? .ok
        let title = [
            Span(severity > .info ? Wording.mark(severity) + " " : "", Role(severity)),
            Span((isSelected ? "> " : "") + id, .title), Span(" \(graphMetric.rawValue)", .dim),
        ]
        return (title, [Span(panel.label(last), panel.role)], panel, isSelected)
    }

    var metricFloor: Double {
        switch graphMetric {
        case .bitrate, .egress: 100_000
        case .loss: 1
        case .fps: 10
        }
    }

    func metricPanel(_ id: String, _ metric: SeriesKey.CameraMetric) -> GraphPanel {
        let series = history[.camera(id, metric)] ?? .awaited
        switch metric {
        case .bitrate:
            return GraphPanel(
                series: series,
                window: graphWindow,
                role: .graphIn,
                floor: 100_000,
                label: { Format.bitrate($0) }
            )
        case .egress:
            return GraphPanel(
                series: series,
                window: graphWindow,
                role: .graphOut,
                floor: 100_000,
                label: { Format.bitrate($0) }
            )
        case .loss:
            return GraphPanel(
                series: series,
                window: graphWindow,
                name: "%",
                role: .graphLoss,
                fold: .worst,
                floor: 1,
                label: { Format.percent($0) }
            )
        case .fps:
            return GraphPanel(
                series: series,
                window: graphWindow,
                name: "fps",
                role: .graphFrames,
                floor: 10,
                label: { Format.plain($0) }
            )
        }
    }
}
