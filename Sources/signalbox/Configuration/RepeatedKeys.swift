import Yams

/// Reads YAML in which keys are there twice.
///
/// The parser ends at the first such key, while one run is to tell every mistake of a file. So the key is noted, renamed
/// in a copy of the text, and the copy is read: what stands below it is checked like everything else.
struct RepeatedKeys {
    /// A key that stands in its mapping more than once.
    struct Repetition: Equatable {
        var name: String
        /// 1-based, as in the file.
        var line: Int
        var column: Int
    }

    private(set) var found: [Repetition] = []
    private var insertions: [(line: Int, column: Int, length: Int)] = []

    /// The text is read anew for each; past this many the first that is left ends the reading.
    private static let limit = 50
    /// Stands on both sides of the number that makes a name unique; a private-use character is in no sensible key.
    private static let marker: Unicode.Scalar = "\u{E000}"

    /// Reads `text` and notes the repetitions in it.
    ///
    /// - Returns: The root, and the parser, which holds what the nodes refer to.
    /// - Throws: `YamlError` for what is wrong besides.
    mutating func parse(_ text: String) throws -> (parser: Parser, root: Node?) {
        var text = text
        while true {
            do {
                let parser = try Parser(yaml: text)
                return (parser, try parser.singleRoot())
            } catch YamlError.duplicatedKeysInMapping(let names, let context) {
                let error = YamlError.duplicatedKeysInMapping(duplicates: names, context: context)
                guard found.count < Self.limit, let name = names.first, let position = position(context.mark, in: text),
                    let renamed = rename(name, at: position, in: text)
                else { throw error }
                let place = original(context.mark)
                found.append(Repetition(name: Self.name(name), line: place.line, column: place.column))
                insertions.append((place.line, place.column, renamed.unicodeScalars.count - text.unicodeScalars.count))
                text = renamed
            }
        }
    }

    /// Where a mark of the copy is in the file.
    func original(_ mark: Mark) -> (line: Int, column: Int) {
        let before = insertions.filter { $0.line == mark.line }.sorted { $0.column < $1.column }
        return (
            mark.line,
            before.reduce(mark.column) { column, insertion in
                column > insertion.column ? max(insertion.column, column - insertion.length) : column
            }
        )
    }

    /// A key as it stands in the file.
    static func name(_ key: String) -> String {
        guard key.unicodeScalars.first == marker else { return key }
        let rest = key.unicodeScalars.dropFirst().drop { $0 != marker }
        return String(String.UnicodeScalarView(rest.dropFirst()))
    }

    /// `text` with the key at `position` renamed; `nil` where that would change more than a name.
    private func rename(_ name: String, at position: String.Index, in text: String) -> String? {
        var position = position
        let scalars = text.unicodeScalars
        if scalars[position] == "\"" || scalars[position] == "'" { position = scalars.index(after: position) }
        guard let first = name.unicodeScalars.first, first.properties.isAlphabetic || ("0"..."9").contains(first),
            text[position...].hasPrefix(name)
        else { return nil }
        return text[..<position] + "\(Self.marker)\(found.count)\(Self.marker)" + text[position...]
    }

    /// The place of a mark, lines counted as YAML counts them.
    private func position(_ mark: Mark, in text: String) -> String.Index? {
        let scalars = text.unicodeScalars
        var index = scalars.startIndex
        var line = 1
        while line < mark.line, index < scalars.endIndex {
            let scalar = scalars[index]
            index = scalars.index(after: index)
            switch scalar {
            case "\r":
                if index < scalars.endIndex, scalars[index] == "\n" { index = scalars.index(after: index) }
                line += 1
            case "\n", "\u{85}", "\u{2028}", "\u{2029}": line += 1
            default: break
            }
        }
        guard mark.column > 0 else { return nil }
        let place = scalars.index(index, offsetBy: mark.column - 1, limitedBy: scalars.endIndex)
        return place.flatMap { $0 < scalars.endIndex ? $0 : nil }
    }
}
