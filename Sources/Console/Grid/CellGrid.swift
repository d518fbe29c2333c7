/// A screenful of cells: what the console wants to be seen.
public struct CellGrid: Equatable, Sendable {
    /// Columns and rows.
    public let size: Size
    /// Row by row, `size.columns × size.rows` of them.
    public private(set) var cells: [Cell]

    /// Creates a grid of blanks.
    public init(size: Size) {
        self.size = size
        cells = Array(repeating: Cell(scalar: 0x20, style: Style(.text)), count: size.columns * size.rows)
    }

    /// The cells of a row; empty outside the grid.
    public func row(_ y: Int) -> ArraySlice<Cell> {
        guard y >= 0, y < size.rows else { return [] }
        return cells[y * size.columns..<(y + 1) * size.columns]
    }

    /// Puts a character, or its visible replacement, at a position; outside the grid nothing happens.
    ///
    /// - Returns: The number of cells taken: 0 for combining marks and what did not fit before `limit`.
    mutating func put(_ scalar: Unicode.Scalar, _ x: Int, _ y: Int, style: Style, limit: Int) -> Int {
        let kind = CharacterKind(scalar)
        switch kind {
        case .nothing:
            return 0
        case .mark:
            // One mark per cell is enough for every name a person reads; more is an attack on the lines around it.
            guard let index = index(x - 1, y), cells[index].scalar > 0x20, cells[index].mark == 0 else { return 0 }
            cells[index].mark = scalar.value
            return 0
        case .narrow, .unsafe:
            guard x < limit, let index = index(x, y) else { return 1 }
            separate(index, x)
            cells[index] = Cell(scalar: kind == .unsafe ? replacement : scalar.value, style: style)
            return 1
        case .wide:
            guard x + 1 < limit, let left = index(x, y), let right = index(x + 1, y) else {
                if x < limit, let left = index(x, y) {
                    separate(left, x)
                    cells[left] = Cell(scalar: 0x7E, style: style)
                }
                return 2
            }
            separate(left, x)
            separate(right, x + 1)
            cells[left] = Cell(scalar: scalar.value, style: style)
            cells[right] = Cell(scalar: 0, style: style)
            return 2
        }
    }

    /// Gives a cell another look and leaves its character.
    mutating func restyle(_ x: Int, _ y: Int, _ change: (inout Style) -> Void) {
        if let index = index(x, y) { change(&cells[index].style) }
    }

    /// What is shown, one line per row, without trailing blanks.
    public var text: String {
        (0..<size.rows).map { y in
            var line = String.UnicodeScalarView()
            for cell in row(y) where !cell.isContinuation {
                line.append(Unicode.Scalar(cell.scalar) ?? "?")
                if cell.mark != 0, let mark = Unicode.Scalar(cell.mark) { line.append(mark) }
            }
            return trimmedEnd(String(line))
        }.joined(separator: "\n")
    }

    /// The roles of all cells as letters, one line per row; selected cells of a row are told by a `>` at its end.
    public var stylePlane: String {
        (0..<size.rows).map { y in
            let cells = row(y)
            let letters = String(cells.map { $0.scalar == 0x20 && $0.style.role == .text ? " " : $0.style.role.letter })
            let mark =
                switch cells.map(\.style.selection.rawValue).max() ?? 0 {
                case 2: " >"
                case 1: " -"
                default: ""
                }
            return trimmedEnd(letters) + mark
        }.joined(separator: "\n")
    }

    private func index(_ x: Int, _ y: Int) -> Int? {
        guard x >= 0, y >= 0, x < size.columns, y < size.rows else { return nil }
        return y * size.columns + x
    }

    /// Overwriting half of a wide character blanks its other half.
    private mutating func separate(_ index: Int, _ x: Int) {
        if cells[index].isContinuation, x > 0 {
            cells[index - 1].scalar = 0x20
            cells[index - 1].mark = 0
        }
        if x + 1 < size.columns, cells[index + 1].isContinuation { cells[index + 1].scalar = 0x20 }
    }
}

/// U+25AF WHITE VERTICAL RECTANGLE: narrow everywhere, and nobody takes it for part of a name.
private let replacement: UInt32 = 0x25AF

private func trimmedEnd(_ line: String) -> String {
    var line = line[...]
    while line.last == " " { line = line.dropLast() }
    return String(line)
}
