import Foundation

/// Rows in columns as wide as their widest cell.
struct Table {
    private var rows: [[String]]

    init(_ titles: String...) { rows = [titles] }

    /// Adds a row; what is not known is shown as `-`.
    mutating func add(_ cells: String?...) {
        rows.append(cells.map { cell in cell.map(printable) ?? "-" })
    }

    var text: String {
        let count = rows.map(\.count).max() ?? 0
        let widths = (0..<count).map { column in
            rows.map { $0.indices.contains(column) ? $0[column].count : 0 }.max() ?? 0
        }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                line += cell
                if column < row.count - 1 { line += String(repeating: " ", count: widths[column] - cell.count + 2) }
            }
            return line
        }.joined(separator: "\n")
    }
}

/// Text from outside without anything a terminal would obey.
private func printable(_ text: String) -> String {
    String(
        String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory.isVisible ? $0 : "\u{FFFD}" })
    )
}

extension Unicode.GeneralCategory {
    fileprivate var isVisible: Bool {
        switch self {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
        default: true
        }
    }
}

/// A size for people: `2.10 MB`.
func bytes(_ count: UInt64) -> String {
    switch Double(count) {
    case 1e9...: String(format: "%.2f GB", Double(count) / 1e9)
    case 1e6...: String(format: "%.2f MB", Double(count) / 1e6)
    case 1e3...: String(format: "%.0f kB", Double(count) / 1e3)
    default: "\(count) B"
    }
}

/// A rate for people: `2.10M`.
func bits(_ rate: Double) -> String {
    switch rate {
    case 1e9...: String(format: "%.2fG", rate / 1e9)
    case 1e6...: String(format: "%.2fM", rate / 1e6)
    case 1e3...: String(format: "%.0fk", rate / 1e3)
    default: String(format: "%.0f", rate)
    }
}
