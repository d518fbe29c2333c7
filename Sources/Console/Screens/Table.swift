/// A column of a ``Table``.
struct Column<Row> {
    var title: String
    /// Cells it needs.
    var width: Int
    /// Lower stays longer when the screen is narrow; 0 always stays.
    var priority: Int
    var isRight = true
    /// Cells it may take beyond `width` when there is room.
    var growth = 0
    /// Cut in the middle instead of at the end.
    var keepsEnd = false
    var cell: (Row) -> Span

    init(
        _ title: String,
        _ width: Int,
        priority: Int,
        left: Bool = false,
        growth: Int = 0,
        keepsEnd: Bool = false,
        cell: @escaping (Row) -> Span
    ) {
        self.title = title
        self.width = width
        self.priority = priority
        isRight = !left
        self.growth = growth
        self.keepsEnd = keepsEnd
        self.cell = cell
    }
}

/// Cells that the longest of `texts` needs beyond `width`, at most `limit`.
func growth(for texts: some Sequence<String>, beyond width: Int, atMost limit: Int) -> Int {
    let longest = texts.reduce(0) { max($0, displayWidth($1)) }
    return min(max(0, longest - width), limit)
}

/// Rows under a header, with a mark for severity, a cursor that is a character as well as a colour, and a scroll bar.
struct Table<Row> {
    var columns: [Column<Row>]
    /// The mark in front of a row.
    var mark: (Row) -> Span
    var count: Int
    var row: (Int) -> Row?
    var selected: Int?
    var selection = Style.Selection.active
    /// All values are too old to be believed.
    var isStale = false
    /// What an empty table says.
    var emptyText: String

    /// Cells before the first column (mark, cursor) and after the last (scroll bar).
    static var margins: Int { 3 }

    func draw(_ rect: Rect, on canvas: inout Canvas) {
        guard rect.height > 0, rect.width > 4 else { return }
        let layout = Table.layout(columns, width: rect.width - Table.margins)
        drawHeader(layout, rect, on: &canvas)
        let body = rect.inset(top: 1)
        guard body.height > 0 else { return }
        guard count > 0 else {
            canvas.text(fitted(emptyText, body.width - 3), body.x + 2, body.y, .dim)
            return
        }
        let top = Table.firstRow(selected: selected, count: count, height: body.height)
        for line in 0..<min(body.height, count - top) {
            guard let row = row(top + line) else { continue }
            draw(row, at: body.y + line, isSelected: top + line == selected, layout, rect, on: &canvas)
        }
        drawScrollBar(top: top, body, on: &canvas)
    }

    private func draw(
        _ row: Row,
        at y: Int,
        isSelected: Bool,
        _ layout: [(column: Column<Row>, width: Int)],
        _ rect: Rect,
        on canvas: inout Canvas
    ) {
        let mark = isStale ? Span("?", .unknown) : mark(row)
        canvas.text(mark.text, rect.x, y, mark.role, width: 1)
        if isSelected, selection == .active { canvas.text(">", rect.x + 1, y, .key) }
        var x = rect.x + 2
        for (column, width) in layout {
            let span = column.cell(row)
            let text = fitted(span.text, width, keepingEnd: column.keepsEnd)
            let start = column.isRight ? x + max(0, width - displayWidth(text)) : x
            canvas.text(text, start, y, isStale ? .unknown : span.role, width: width - (start - x))
            x += width + 1
        }
        if isSelected { canvas.select(Rect(rect.x, y, rect.width - 1, 1), selection) }
    }

    private func drawHeader(_ layout: [(column: Column<Row>, width: Int)], _ rect: Rect, on canvas: inout Canvas) {
        var x = rect.x + 2
        for (column, width) in layout {
            let title = fitted(column.title, width)
            canvas.text(title, column.isRight ? x + width - displayWidth(title) : x, rect.y, .tableHeader)
            x += width + 1
        }
    }

    private func drawScrollBar(top: Int, _ body: Rect, on canvas: inout Canvas) {
        guard count > body.height, body.height > 1 else { return }
        let length = max(1, body.height * body.height / count)
        let start = (body.height - length) * top / max(1, count - body.height)
        for line in 0..<body.height {
            let isThumb = line >= start && line < start + length
            canvas.text(isThumb ? "█" : "│", body.right - 1, body.y + line, isThumb ? .dim : .border)
        }
    }

    /// The columns that fit, in their order, and their widths.
    static func layout(_ columns: [Column<Row>], width: Int) -> [(column: Column<Row>, width: Int)] {
        var chosen: Set<Int> = []
        var used = 0
        for (index, column) in columns.enumerated().sorted(by: {
            ($0.element.priority, $0.offset) < ($1.element.priority, $1.offset)
        }) {
            guard used + column.width <= width || column.priority == 0 else { break }
            chosen.insert(index)
            used += column.width + 1
        }
        var result = columns.enumerated().filter { chosen.contains($0.offset) }.map { ($0.element, $0.element.width) }
        var spare = width - used + 1
        // Columns that take whatever there is come last, or nothing would be left for the others.
        func turn(_ index: Int) -> (Int, Int, Int) {
            (result[index].0.growth >= 100 ? 1 : 0, result[index].0.priority, index)
        }
        for index in result.indices.sorted(by: { turn($0) < turn($1) }) {
            let extra = min(spare, result[index].0.growth)
            result[index].1 += extra
            spare -= extra
        }
        return result
    }

    /// The first row shown: the cursor stays in the middle until the list ends.
    static func firstRow(selected: Int?, count: Int, height: Int) -> Int {
        guard count > height, let selected else { return 0 }
        return (selected - height / 2).clamped(to: 0...max(0, count - height))
    }
}
