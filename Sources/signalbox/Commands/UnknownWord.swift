/// A word on the command line that is neither a command nor a camera's address.
enum UnknownWord {
    /// Says so, with what was probably meant.
    static func failure(_ word: String, commands: [String]) -> StartFailure {
        var remedy = "Commands: \(commands.joined(separator: ", ")); a camera's address begins with rtsp:// or rtsps://"
        if let near = nearest(to: word, among: commands) {
            remedy = "Did you mean `signalbox \(near)`? \(remedy)"
        } else if word.contains(where: { $0 == "." || $0 == ":" || $0 == "/" }), !word.contains("://") {
            remedy = "Did you mean rtsp://\(word)? \(remedy)"
        }
        return StartFailure(
            problem: "`\(word)` is neither a command nor a camera's address",
            remedy: remedy,
            exitCode: 2
        )
    }

    /// The command that is at most two letters away, or that the word begins.
    private static func nearest(to word: String, among commands: [String]) -> String? {
        let word = word.lowercased()
        guard word.utf8.count <= 32 else { return nil }
        let near = commands.map { (name: $0, distance: distance(word, $0)) }.min { $0.distance < $1.distance }
        if let near, near.distance <= 2, near.distance < near.name.count - 1 { return near.name }
        return word.count >= 2 ? commands.first { $0.hasPrefix(word) } : nil
    }

    /// Letters to put in, leave out or replace (Levenshtein).
    private static func distance(_ one: String, _ other: String) -> Int {
        let (one, other) = (Array(one.utf8), Array(other.utf8))
        var row = Array(0...other.count)
        for (line, letter) in one.enumerated() {
            var previous = row[0]
            row[0] = line + 1
            for column in other.indices {
                let replaced = previous + (letter == other[column] ? 0 : 1)
                previous = row[column + 1]
                row[column + 1] = min(replaced, previous + 1, row[column] + 1)
            }
        }
        return row[other.count]
    }
}
