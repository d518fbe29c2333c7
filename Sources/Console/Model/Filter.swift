/// What the operator typed after `/`: every word must match somewhere in the row.
///
/// `word`, `!word`, `field:text`, and for numbers `field>value`, `<`, `>=`, `<=`, `=` with `k`, `M`, `G` or `%`
/// behind them, such as `loss>1` or `rate<500k`. Addresses with colons can be typed as they are; what looks like a field
/// and is none, or is not finished, is a ``Mistake``.
struct Filter: Equatable, Sendable {
    /// Longest filter that is kept, in characters.
    static let limit = 120

    var text = ""
    private(set) var terms: [Term] = []

    struct Term: Equatable, Sendable {
        enum Test: Equatable, Sendable {
            case word(String)
            case field(String, String)
            case number(String, Comparison, Double)
        }
        var isNegated: Bool
        var test: Test
        /// The whole word, for tables that do not have the field.
        var word: String
    }

    enum Comparison: String, CaseIterable, Sendable {
        case atLeast = ">="
        case atMost = "<="
        case more = ">"
        case less = "<"
        case equal = "="

        func holds(_ value: Double, _ limit: Double) -> Bool {
            switch self {
            case .atLeast: value >= limit
            case .atMost: value <= limit
            case .more: value > limit
            case .less: value < limit
            case .equal: abs(value - limit) < 1e-9
            }
        }
    }

    init(_ text: String = "") {
        self.text = String(text.prefix(Filter.limit))
        terms = self.text.lowercased().split(separator: " ").compactMap { Term(word: String($0)) }
    }

    var isEmpty: Bool { terms.isEmpty }

    func matches(_ row: Searchable) -> Bool {
        terms.allSatisfy { term in term.isNegated != term.holds(row) }
    }
}

/// A row as a ``Filter`` sees it; all text in lower case.
struct Searchable {
    var words: String
    var fields: [String: String] = [:]
    var numbers: [String: Double] = [:]

    init(_ words: [String?], fields: [String: String] = [:], numbers: [String: Double?] = [:]) {
        self.words = words.compactMap { $0 }.joined(separator: " ").lowercased()
        self.fields = fields.mapValues { $0.lowercased() }
        self.numbers = numbers.compactMapValues { $0 }
    }
}

extension Filter.Term {
    init?(word: String) {
        isNegated = word.count > 1 && word.hasPrefix("!")
        let word = isNegated ? String(word.dropFirst()) : word
        guard !word.isEmpty, word != "!" else { return nil }
        self.word = word
        test = .word(word)
        if let colon = word.firstIndex(of: ":"), colon > word.startIndex {
            let value = word[word.index(after: colon)...]
            if !value.isEmpty { test = .field(String(word[..<colon]), String(value)) }
        }
        for comparison in Filter.Comparison.allCases {
            guard let parts = split(word, at: comparison.rawValue), let value = parseNumber(parts.value) else {
                continue
            }
            test = .number(parts.name, comparison, value)
            break
        }
    }

    func holds(_ row: Searchable) -> Bool {
        switch test {
        case .word(let word): return row.words.contains(word)
        case .field(let name, let value):
            guard let field = row.fields[name] else { return row.words.contains(word) }
            return field.contains(value)
        case .number(let name, let comparison, let value):
            guard let number = row.numbers[name] else { return false }
            return comparison.holds(number, value)
        }
    }
}

private func split(_ word: String, at separator: String) -> (name: String, value: String)? {
    guard let start = word.firstRange(of: separator), start.lowerBound > word.startIndex else { return nil }
    return (String(word[..<start.lowerBound]), String(word[start.upperBound...]))
}

private let severityNames: [String: Double] = [
    "ok": 0, "info": 1, "unknown": 2, "warn": 3, "warning": 3, "crit": 4, "critical": 4,
]

func parseNumber(_ text: String) -> Double? {
    if let severity = severityNames[text] { return severity }
    let text = text[...]
    var factor = 1.0
    switch text.last {
    case "k": factor = 1e3
    case "m": factor = 1e6
    case "g": factor = 1e9
    case "%": break
    default: return decimal(text)
    }
    return decimal(text.dropLast()).map { $0 * factor }
}

private func decimal(_ text: Substring) -> Double? {
    guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2E }) else { return nil }
    return Double(text)
}
