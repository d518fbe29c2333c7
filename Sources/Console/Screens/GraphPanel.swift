/// A graph with its axis: labels on the left, time below where there is room.
struct GraphPanel {
    var series: Series
    var window: Int
    /// Written beside the axis.
    var name = ""
    var role: Role
    var fold = Graph.Fold.mean
    /// Smallest full scale, so that noise around zero does not fill the screen.
    var floor: Double
    /// A full scale shared with other graphs.
    var sharedMaximum: Double?
    /// Formats a value in the metric's unit.
    var label: (Double?) -> String

    /// Full scale for the values shown.
    var maximum: Double {
        sharedMaximum ?? Graph.scale(above: series.summary(window)?.maximum ?? 0, atLeast: floor)
    }

    /// Cells of the axis on the left.
    static let axisWidth = 6

    func draw(_ rect: Rect, on canvas: inout Canvas) {
        guard rect.height > 0, rect.width > GraphPanel.axisWidth + 4 else { return }
        let hasTimes = rect.height >= 5
        let plot = rect.inset(left: GraphPanel.axisWidth, bottom: hasTimes ? 1 : 0)
        let maximum = maximum
        for y in plot.y..<plot.bottom {
            let isTop = y == plot.y
            let isBottom = y == plot.bottom - 1
            let isName = y == plot.y + 1 && !isBottom
            let text = isTop ? series.isAwaited ? "" : label(maximum) : isBottom ? "0" : isName ? name : ""
            canvas.text(Format.right(text, GraphPanel.axisWidth - 1), rect.x, y, isName ? role : .axis)
            canvas.text(isTop || isBottom ? "┤" : "│", rect.x + GraphPanel.axisWidth - 1, y, .axis)
        }
        Graph(series: series, window: window, maximum: maximum, role: role, fold: fold).draw(plot, on: &canvas)
        if hasTimes { drawTimes(plot, on: &canvas) }
        if series.values.isEmpty, !series.isAwaited {
            canvas.text("no samples yet", plot.x + 2, plot.y + plot.height / 2, .dim)
        }
    }

    private func drawTimes(_ plot: Rect, on canvas: inout Canvas) {
        // As many round times as fit.
        let unit = window <= 120 ? 10 : 60
        let marks = [6, 5, 4, 3, 2, 1].first { window % ($0 * unit) == 0 && plot.width / $0 >= 10 } ?? 1
        for mark in 0..<marks {
            let seconds = window * (marks - mark) / marks
            let text = "-" + (seconds % 60 == 0 ? "\(seconds / 60)m" : "\(seconds)s")
            canvas.text(text, plot.x + plot.width * mark / marks, plot.bottom, .axis)
        }
        canvas.text("now", endingAt: plot.right, plot.bottom, .axis)
    }
}
