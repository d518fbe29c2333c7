/// Names of initialization segments, segments and parts: `PREFIX_init1.mp4`, `PREFIX_s41.m4s`, `PREFIX_s41_p2.m4s`.
enum ResourceName: Equatable, Sendable {
    case initSegment(Int)
    case segment(Int)
    case part(segment: Int, part: Int)

    /// Reads a name; `nil` unless it is spelled exactly as we write it.
    init?(_ name: String, prefix: String) {
        guard name.utf8.count <= 96, name.utf8.starts(with: prefix.utf8) else { return nil }
        let fields = name.utf8.dropFirst(prefix.utf8.count).split(
            separator: UInt8(ascii: "_"),
            maxSplits: 3,
            omittingEmptySubsequences: false
        )
        guard fields.count >= 2, fields[0].isEmpty else { return nil }
        func number(_ field: Substring.UTF8View, after start: String, before end: String) -> Int? {
            guard field.starts(with: start.utf8), field.count > start.utf8.count + end.utf8.count,
                field.suffix(end.utf8.count).elementsEqual(end.utf8)
            else { return nil }
            let digits = field.dropFirst(start.utf8.count).dropLast(end.utf8.count)
            guard digits.count == 1 || digits.first != UInt8(ascii: "0") else { return nil }
            return decimal(digits)
        }
        if fields.count == 3 {
            guard let segment = number(fields[1], after: "s", before: ""),
                let part = number(fields[2], after: "p", before: ".m4s")
            else { return nil }
            self = .part(segment: segment, part: part)
        } else if fields.count == 2, let index = number(fields[1], after: "init", before: ".mp4") {
            self = .initSegment(index)
        } else if fields.count == 2, let segment = number(fields[1], after: "s", before: ".m4s") {
            self = .segment(segment)
        } else {
            return nil
        }
    }

    /// The name as it stands in playlists.
    func text(prefix: String) -> String {
        switch self {
        case .initSegment(let index): "\(prefix)_init\(index).mp4"
        case .segment(let segment): "\(prefix)_s\(segment).m4s"
        case .part(let segment, let part): "\(prefix)_s\(segment)_p\(part).m4s"
        }
    }
}
