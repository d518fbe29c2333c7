/// What is wrong with a theme file, and where.
public struct ThemeError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file as the caller named it.
    public var file: String
    /// Line, counted from 1.
    public var line: Int
    /// What is wrong and what would be right.
    public var problem: String

    /// `themes/night.theme:12: unknown colour "blu"…`
    public var description: String { "\(file):\(line): \(problem)" }
}

extension Theme {
    /// Longest theme text that is read, in bytes.
    public static let textLimit = 64 * 1024

    /// Reads a theme. The grammar, one statement a line, `#` at its start or after a blank begins a comment (unless six
    /// hexadecimal digits follow):
    ///
    ///     name         = night
    ///     variant      = dark                  # dark | light
    ///     palette.red  = #ff5f5f               # names a colour for the lines below
    ///     background   = #10151c               # the screen; leave out for the terminal's own
    ///     select       = #2d3f58               # cursor row; select.resting: in a pane without the keyboard
    ///     status.critical      = red bold      # ROLE = [COLOUR] [on COLOUR] [bold] [dim] [underline] [reverse]
    ///     status.critical@16   = brightred bold          # for 8 and 16 colours: the terminal's own names
    ///     status.critical@mono = reverse bold            # without colours: attributes only
    ///     graph.in     = #1f6f5f .. #4fc7a1 .. #c8f7dc   # gradient from low to high, two to four colours
    ///
    /// - Parameters:
    ///   - text: The file's contents.
    ///   - file: Its name, for errors.
    public init(parsing text: String, file: String) throws(ThemeError) {
        guard text.utf8.count <= Theme.textLimit else {
            throw ThemeError(file: file, line: 1, problem: "the file is longer than \(Theme.textLimit) bytes")
        }
        var parser = ThemeParser(file: file)
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            parser.line = index + 1
            try parser.read(line)
        }
        guard parser.theme.entries[.text] != nil else {
            throw ThemeError(
                file: file,
                line: parser.line,
                problem: "the role \"text\" is missing; every other role may be left out"
            )
        }
        self = parser.theme
    }
}

private struct ThemeParser {
    var theme = Theme(name: "", isDark: true)
    var palette: [String: RGB] = [:]
    var seen: Set<String> = []
    var line = 0
    let file: String

    init(file: String) {
        self.file = file
        theme.name = String(file.split(separator: "/").last?.split(separator: ".").first ?? "theme")
    }

    private static let roles = Dictionary(uniqueKeysWithValues: Role.allCases.map { ($0.name, $0) })

    func failure(_ problem: String) -> ThemeError { ThemeError(file: file, line: line, problem: problem) }

    mutating func read(_ source: Substring) throws(ThemeError) {
        let words = significantWords(source)
        guard let key = words.first else { return }
        guard words.count >= 3, words[1] == "=" else { throw failure("expected: NAME = VALUE") }
        let value = Array(words[2...])
        guard seen.insert(key).inserted else { throw failure("\"\(key)\" is set twice") }
        switch key {
        case "name": theme.name = value.joined(separator: " ")
        case "variant":
            guard value.count == 1, value[0] == "dark" || value[0] == "light" else {
                throw failure("variant is dark or light")
            }
            theme.isDark = value[0] == "dark"
        case "background": theme.background = try single(value)
        case "select": theme.selection = try single(value)
        case "select.resting": theme.restingSelection = try single(value)
        default: try readRole(key, value)
        }
    }

    private mutating func readRole(_ key: String, _ value: [String]) throws(ThemeError) {
        if key.hasPrefix("palette.") {
            palette[String(key.dropFirst("palette.".count))] = try single(value)
            return
        }
        let parts = key.split(separator: "@", omittingEmptySubsequences: false).map(String.init)
        guard let role = Self.roles[parts[0]] else { throw failure("unknown name \"\(parts[0])\"") }
        switch parts.count == 2 ? parts[1] : parts.count == 1 ? "" : "?" {
        case "": theme.entries[role] = try entry(value)
        case "16": theme.sixteen[role] = try looks(value, ansi: true)
        case "mono":
            let looks = try looks(value, ansi: true)
            guard looks.foreground == nil, looks.background == nil else {
                throw failure("@mono takes only bold, dim, underline and reverse")
            }
            theme.mono[role] = looks
        default: throw failure("after a name stands nothing, @16 or @mono")
        }
    }

    private func entry(_ value: [String]) throws(ThemeError) -> ThemeEntry {
        guard value.contains("..") else { return ThemeEntry(looks: try looks(value, ansi: false)) }
        var gradient: [RGB] = []
        for (index, word) in value.enumerated() {
            if index % 2 == 1 {
                guard word == ".." else { throw failure("expected \"..\" between the colours of a gradient") }
            } else {
                gradient.append(try colour(word))
            }
        }
        guard value.count % 2 == 1, (2...4).contains(gradient.count) else {
            throw failure("a gradient has two to four colours")
        }
        return ThemeEntry(looks: Appearance(foreground: .rgb(gradient[0])), gradient: gradient)
    }

    private func looks(_ value: [String], ansi: Bool) throws(ThemeError) -> Appearance {
        var looks = Appearance()
        var index = 0
        var takesColour = true
        while index < value.count {
            switch value[index] {
            case "bold": looks.isBold = true
            case "dim": looks.isDim = true
            case "underline": looks.isUnderlined = true
            case "reverse": looks.isReversed = true
            case "default" where takesColour: break
            case "on":
                index += 1
                guard index < value.count else { throw failure("a colour is missing after \"on\"") }
                if value[index] != "default" { looks.background = try paint(value[index], ansi: ansi) }
            case let word:
                guard takesColour else { throw failure("unexpected \"\(word)\"") }
                looks.foreground = try paint(word, ansi: ansi)
            }
            takesColour = false
            index += 1
        }
        return looks
    }

    private func paint(_ word: String, ansi: Bool) throws(ThemeError) -> Paint {
        guard ansi else { return .rgb(try colour(word)) }
        guard let index = Paint.names.firstIndex(of: word) else {
            throw failure("unknown colour \"\(word)\": one of \(Paint.names.joined(separator: ", "))")
        }
        return .ansi(UInt8(index))
    }

    private func single(_ value: [String]) throws(ThemeError) -> RGB {
        guard value.count == 1 else { throw failure("expected one colour") }
        return try colour(value[0])
    }

    private func colour(_ word: String) throws(ThemeError) -> RGB {
        if let colour = RGB(hex: word) ?? palette[word] { return colour }
        throw failure(
            "unknown colour \"\(word)\": write #rrggbb, or name it in a line above: palette.\(word) = #rrggbb"
        )
    }

    /// The words of a line up to its comment.
    private func significantWords(_ line: Substring) -> [String] {
        var words: [String] = []
        for word in line.split(whereSeparator: { $0 == " " || $0 == "\t" }) {
            if word.hasPrefix("#"), RGB(hex: word) == nil { break }
            words.append(String(word))
        }
        // "#rrggbb" at the start of a line is a comment that happens to look like a colour.
        return words.first?.hasPrefix("#") == true ? [] : words
    }
}
