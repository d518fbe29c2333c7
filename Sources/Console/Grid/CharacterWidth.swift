/// How text from outside becomes cells.
///
/// Every character that reaches a ``CellGrid`` goes through ``CharacterKind/init(_:)``: nothing that a terminal would
/// obey (controls, escape sequences) or that would reorder or hide neighbours (bidirectional and format characters)
/// can get into a cell, wherever the text came from.
enum CharacterKind: Equatable {
    /// Takes one cell.
    case narrow
    /// Takes two cells.
    case wide
    /// Sits on the character before it.
    case mark
    /// Takes no room and means nothing here (variation selectors).
    case nothing
    /// Must not be shown; a visible replacement takes its cell.
    case unsafe

    init(_ scalar: Unicode.Scalar) {
        let value = scalar.value
        if value < 0x7F {
            self = value >= 0x20 ? .narrow : .unsafe
            return
        }
        // Box drawing, blocks and braille are what our own screens are made of: keep them off the slow path.
        if (0x2500...0x259F).contains(value) || (0x2800...0x28FF).contains(value) {
            self = .narrow
            return
        }
        if (0xFE00...0xFE0F).contains(value) || (0xE0100...0xE01EF).contains(value) {
            self = .nothing
            return
        }
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator:
            self = .unsafe
        case .nonspacingMark, .enclosingMark:
            self = .mark
        default:
            self = isWide(value) || scalar.properties.isEmojiPresentation ? .wide : .narrow
        }
    }
}

/// East Asian Wide and Fullwidth (UAX #11), as whole blocks.
private let wideRanges: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x2329...0x232A, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF,
    0xA000...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE10...0xFE19, 0xFE30...0xFE6F,
    0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x16FE0...0x18CFF, 0x1AFF0...0x1B2FF, 0x1F200...0x1F320,
    0x1F32D...0x1F64F, 0x1F680...0x1F6FF, 0x1F900...0x1F9FF, 0x1FA70...0x1FAFF, 0x20000...0x3FFFD,
]

private func isWide(_ value: UInt32) -> Bool {
    guard value >= 0x1100 else { return false }
    var low = 0
    var high = wideRanges.count - 1
    while low <= high {
        let middle = (low + high) / 2
        if value < wideRanges[middle].lowerBound {
            high = middle - 1
        } else if value > wideRanges[middle].upperBound {
            low = middle + 1
        } else {
            return true
        }
    }
    return false
}

/// Cells that `text` takes when it is drawn.
func displayWidth(_ text: String) -> Int {
    var width = 0
    for scalar in text.unicodeScalars {
        switch CharacterKind(scalar) {
        case .narrow, .unsafe: width += 1
        case .wide: width += 2
        case .mark, .nothing: break
        }
    }
    return width
}

/// `text` cut to `width` cells; what was cut leaves a `~`.
///
/// - Parameter keepingEnd: Cut in the middle, so that the end stays readable (names differ at their end).
func fitted(_ text: String, _ width: Int, keepingEnd: Bool = false) -> String {
    guard width > 0 else { return "" }
    // Counting bytes is enough in the usual case: a string never has more cells than bytes.
    guard text.utf8.count > width, displayWidth(text) > width else { return text }
    guard width > 1 else { return "~" }
    let tail = keepingEnd && width >= 6 ? (width - 1) / 2 : 0
    return prefix(of: text, cells: width - 1 - tail) + "~" + (tail > 0 ? suffix(of: text, cells: tail) : "")
}

private func prefix(of text: String, cells: Int) -> String {
    var result = String.UnicodeScalarView()
    var width = 0
    for scalar in text.unicodeScalars {
        width += cellCount(scalar)
        if width > cells { break }
        result.append(scalar)
    }
    return String(result)
}

private func suffix(of text: String, cells: Int) -> String {
    var result: [Unicode.Scalar] = []
    var width = 0
    for scalar in text.unicodeScalars.reversed() {
        width += cellCount(scalar)
        if width > cells { break }
        result.append(scalar)
    }
    var view = String.UnicodeScalarView()
    view.append(contentsOf: result.reversed())
    return String(view)
}

private func cellCount(_ scalar: Unicode.Scalar) -> Int {
    switch CharacterKind(scalar) {
    case .narrow, .unsafe: 1
    case .wide: 2
    case .mark, .nothing: 0
    }
}
