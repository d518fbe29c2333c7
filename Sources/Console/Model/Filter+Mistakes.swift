/// What is wrong with a filter, and where.
struct Mistake: Equatable, Sendable {
    /// Cells before the word that is meant.
    var column: Int
    /// What is wrong and what would be right.
    var text: String
}

/// The fields by which the rows of a table can be told apart.
struct Vocabulary: Sendable {
    /// Fields with text: `field:text`.
    var texts: [String]
    /// Fields with numbers: `field>1`.
    var numbers: [String]
}

extension Pane {
    /// The fields of this list's rows.
    var vocabulary: Vocabulary {
        switch self {
        case .cameras:
            Vocabulary(
                texts: ["camera", "state", "codec", "tag", "source", "transport"],
                numbers: ["rate", "loss", "fps", "jitter", "viewers", "key", "sev", "reconnects"]
            )
        case .viewers, .cameraViewers:
            Vocabulary(
                texts: ["viewer", "camera", "state", "delivery", "client", "path", "ip", "control", "cause"],
                numbers: ["score", "rate", "loss", "rtt", "jitter", "behind", "nack", "pli", "sev", "age"]
            )
        case .ended:
            Vocabulary(
                texts: ["viewer", "camera", "client", "ip", "rule", "cause"],
                numbers: ["sev", "lasted", "times"]
            )
        case .pairs, .viewerPairs, .endedPairs, .attemptPairs:
            Vocabulary(texts: ["viewer", "camera", "state", "transport"], numbers: ["rtt", "checks"])
        case .hls:
            Vocabulary(texts: ["camera", "codecs"], numbers: ["viewers", "latency", "max", "sev", "blocked"])
        case .events: Vocabulary(texts: ["camera", "viewer"], numbers: ["sev"])
        }
    }
}

extension Filter {
    /// The first word that cannot mean what it looks like; `nil` when all is well.
    func mistake(in vocabulary: Vocabulary) -> Mistake? {
        for word in text.split(separator: " ") {
            guard let problem = problem(word.lowercased(), vocabulary) else { continue }
            return Mistake(column: displayWidth(String(text[..<word.startIndex])), text: problem)
        }
        return nil
    }

    private func problem(_ word: String, _ vocabulary: Vocabulary) -> String? {
        let word = word.hasPrefix("!") ? word.dropFirst() : word[...]
        let name = word.prefix { ("a"..."z").contains($0) }
        let rest = word.dropFirst(name.count)
        guard !name.isEmpty else { return nil }
        let field = String(name)
        let isNumber = vocabulary.numbers.contains(field)
        if let comparison = Comparison.allCases.first(where: { rest.hasPrefix($0.rawValue) }) {
            guard isNumber else {
                return vocabulary.texts.contains(field) ? "\(field) is text: \(field):…" : unknown(field, vocabulary)
            }
            let value = String(rest.dropFirst(comparison.rawValue.count))
            if value.isEmpty { return "\(field)\(comparison.rawValue) wants a number, such as \(field)>1" }
            return parseNumber(value) == nil ? "\(value) is no number; k, M, G or % may follow one" : nil
        }
        guard rest.first == ":" else { return nil }
        let value = rest.dropFirst()
        // The scheme of a URL, part of an IPv6 address, a host and its port.
        if value.hasPrefix("/") || value.hasPrefix(":") { return nil }
        if !value.isEmpty, value.allSatisfy({ ("0"..."9").contains($0) }), !isNumber { return nil }
        if isNumber { return "\(field) is a number: \(field)>1" }
        guard vocabulary.texts.contains(field) else { return unknown(field, vocabulary) }
        return value.isEmpty ? "\(field): wants some text" : nil
    }

    private func unknown(_ field: String, _ vocabulary: Vocabulary) -> String {
        let all = vocabulary.texts + vocabulary.numbers
        if let near = all.first(where: { $0.hasPrefix(field) || field.hasPrefix($0) }) {
            return "no field \(field) here: \(near)?"
        }
        return "no field \(field) here; there are \(all.joined(separator: " "))"
    }
}
