/// Draws into a rectangle of a grid and nowhere else.
struct Canvas {
    private(set) var grid: CellGrid
    /// Which characters the terminal can show.
    let glyphs: Glyphs
    /// Drawing outside of it has no effect.
    var clip: Rect

    init(size: Size, glyphs: Glyphs) {
        grid = CellGrid(size: size)
        self.glyphs = glyphs
        clip = Rect(0, 0, size.columns, size.rows)
    }

    /// Where in a gradient text stands: bright enough to be read.
    static let textLevel: UInt8 = 5

    var bounds: Rect { Rect(0, 0, grid.size.columns, grid.size.rows) }

    /// Draws `text` from `x` on, cut at `limit` cells.
    ///
    /// - Returns: The column after the text.
    @discardableResult
    mutating func text(
        _ text: String,
        _ x: Int,
        _ y: Int,
        _ role: Role = .text,
        width: Int = .max,
        level: UInt8 = Canvas.textLevel
    ) -> Int {
        let end = min(clip.right, width >= clip.right - x ? clip.right : x + width)
        guard y >= clip.y, y < clip.bottom else { return x }
        var column = x
        let style = Style(role, level: level)
        for scalar in text.unicodeScalars {
            if column >= end, CharacterKind(scalar) != .mark { break }
            if column < clip.x {
                column += 1
                continue
            }
            column += grid.put(glyphs.rendered(scalar), column, y, style: style, limit: end)
        }
        return column
    }

    /// Draws `text` so that it ends before column `right`.
    mutating func text(_ text: String, endingAt right: Int, _ y: Int, _ role: Role = .text) {
        self.text(text, right - displayWidth(text), y, role)
    }

    /// Draws pieces one after the other; a `~` at the end says that there is more than fits.
    @discardableResult
    mutating func spans(_ spans: [Span], _ x: Int, _ y: Int, width: Int = .max) -> Int {
        let end = min(clip.right, width >= clip.right - x ? clip.right : x + width)
        var column = x
        for span in spans.fitted(end - x) { column = text(span.text, column, y, span.role, width: end - column) }
        return column
    }

    /// Fills a rectangle with one character.
    mutating func fill(_ rect: Rect, _ role: Role = .text, _ scalar: Unicode.Scalar = " ") {
        let area = rect.clipped(to: clip)
        let style = Style(role)
        for y in area.y..<max(area.y, area.bottom) {
            for x in area.x..<max(area.x, area.right) {
                _ = grid.put(scalar, x, y, style: style, limit: area.right)
            }
        }
    }

    /// One cell, for graphs.
    mutating func cell(_ scalar: Unicode.Scalar, _ x: Int, _ y: Int, _ role: Role, level: UInt8 = 0) {
        guard x >= clip.x, x < clip.right, y >= clip.y, y < clip.bottom else { return }
        _ = grid.put(scalar, x, y, style: Style(role, level: level), limit: clip.right)
    }

    /// Marks cells as the cursor's.
    mutating func select(_ rect: Rect, _ selection: Style.Selection) {
        let area = rect.clipped(to: clip)
        for y in area.y..<max(area.y, area.bottom) {
            for x in area.x..<max(area.x, area.right) { grid.restyle(x, y) { $0.selection = selection } }
        }
    }

    /// Gives all cells of a rectangle the same role, as behind a dialog or for data that is too old.
    mutating func shade(_ rect: Rect, _ role: Role) {
        let area = rect.clipped(to: clip)
        for y in area.y..<max(area.y, area.bottom) {
            for x in area.x..<max(area.x, area.right) {
                grid.restyle(x, y) { $0 = Style(role, selection: $0.selection) }
            }
        }
    }

    /// Runs `body` with drawing limited to `rect`.
    mutating func clipped(to rect: Rect, _ body: (inout Canvas) -> Void) {
        let outer = clip
        clip = rect.clipped(to: outer)
        body(&self)
        clip = outer
    }
}

/// A piece of a line with one role.
struct Span: Equatable, Sendable {
    var text: String
    var role: Role

    init(_ text: String, _ role: Role = .text) {
        self.text = text
        self.role = role
    }
}

extension [Span] {
    /// Cells that all spans take together.
    var width: Int { reduce(0) { $0 + displayWidth($1.text) } }

    /// As much as fits into `room` cells, with a mark at the end where that is not all there is to read.
    func fitted(_ room: Int) -> [Span] {
        guard width > room else { return self }
        var result = self
        // What is cut of blanks is no loss.
        while let last = result.last, last.text.allSatisfy({ $0 == " " }) { result.removeLast() }
        if let last = result.last, last.text.hasSuffix(" ") {
            result[result.count - 1].text = last.text.withoutLastBlanks
        }
        guard result.width > room else { return result }
        var (kept, left) = ([Span](), room)
        for span in result {
            let cells = displayWidth(span.text)
            guard cells < left else {
                kept.append(Span(Console.fitted(span.text + " ", left), span.role))
                break
            }
            kept.append(span)
            left -= cells
        }
        return kept
    }
}

extension String {
    fileprivate var withoutLastBlanks: String {
        var text = self[...]
        while text.last == " " { text = text.dropLast() }
        return String(text)
    }
}
