/// Columns and rows of a screen.
public struct Size: Hashable, Sendable {
    /// Cells from left to right.
    public var columns: Int
    /// Cells from top to bottom.
    public var rows: Int

    /// Creates a size; negative values count as zero.
    public init(columns: Int, rows: Int) {
        self.columns = max(0, columns)
        self.rows = max(0, rows)
    }
}

/// A rectangle of cells.
struct Rect: Hashable, Sendable {
    var x: Int
    var y: Int
    var width: Int
    var height: Int

    init(_ x: Int, _ y: Int, _ width: Int, _ height: Int) {
        self.x = x
        self.y = y
        self.width = max(0, width)
        self.height = max(0, height)
    }

    var right: Int { x + width }
    var bottom: Int { y + height }

    /// The part of both.
    func clipped(to other: Rect) -> Rect {
        let left = max(x, other.x)
        let top = max(y, other.y)
        return Rect(left, top, min(right, other.right) - left, min(bottom, other.bottom) - top)
    }

    /// The rectangle without the given margins.
    func inset(left: Int = 0, top: Int = 0, right: Int = 0, bottom: Int = 0) -> Rect {
        Rect(x + left, y + top, width - left - right, height - top - bottom)
    }
}

/// How a cell looks, without saying in which colours: theme and colour depth are applied when it is shown.
public struct Style: Hashable, Sendable {
    /// How a row is marked.
    public enum Selection: UInt8, Sendable {
        /// Not marked.
        case none
        /// The cursor of a pane that does not have the keyboard.
        case resting
        /// The cursor.
        case active
    }

    /// What the cell means.
    public var role: Role
    /// Position in the role's colour gradient, 0 (low) … ``levels`` − 1 (high).
    public var level: UInt8
    /// Whether the cell is part of the cursor row.
    public var selection: Selection

    /// Steps of a gradient.
    public static let levels = 8

    /// Creates a style.
    public init(_ role: Role, level: UInt8 = 0, selection: Selection = .none) {
        self.role = role
        self.level = level
        self.selection = selection
    }
}

/// One character position of the screen.
public struct Cell: Hashable, Sendable {
    /// The base character; never a control or format character. Zero in the second half of a wide character.
    public var scalar: UInt32
    /// A combining mark on it, or zero.
    public var mark: UInt32
    /// How it looks.
    public var style: Style

    /// Creates a cell.
    public init(scalar: UInt32, mark: UInt32 = 0, style: Style) {
        self.scalar = scalar
        self.mark = mark
        self.style = style
    }

    /// The right half of a wide character.
    public var isContinuation: Bool { scalar == 0 }
}
