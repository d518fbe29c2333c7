/// Which characters a terminal can show.
public enum Glyphs: String, Sendable, CaseIterable {
    /// UTF-8 with a font that has braille patterns.
    case braille
    /// UTF-8 without braille (the Linux console): eighth blocks.
    case block
    /// Nothing beyond ASCII.
    case ascii

    /// The character to draw for `scalar`.
    func rendered(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        guard self == .ascii, scalar.value > 0x7E else { return scalar }
        return switch scalar {
        case "─", "━", "╌", "╴", "╶": "-"
        case "│", "┃", "╎": "|"
        case "╭", "╮", "╰", "╯", "┌", "┐", "└", "┘", "├", "┤", "┬", "┴", "┼": "+"
        case "█", "▇", "▆", "▅": "#"
        case "▄", "▃": ":"
        case "▂", "▁": "."
        case "▌", "▐": "|"
        case "→", "▸", "›": ">"
        case "←", "‹": "<"
        case "↑", "▲": "^"
        case "↓", "▼": "v"
        case "≥": ">"
        case "≤": "<"
        case "·", "•": "."
        case "…": "~"
        case "×": "x"
        case "µ": "u"
        default: "?"
        }
    }
}
