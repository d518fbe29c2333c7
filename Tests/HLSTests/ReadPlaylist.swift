/// A media playlist as a client reads it; strict about what RFC 8216bis demands.
struct ReadPlaylist {
    var attributes: [String: String] = [:]
    var segments: [Segment] = []
    var hints: [String] = []
    var skipped = 0
    var mediaSequence = 0
    var discontinuitySequence = 0
    var targetDuration = 0
    /// Parts after the last complete segment.
    var openParts: [Part] = []
    var openDate: String?
    var openMap: String?

    struct Part: Equatable {
        var duration: Double
        var uri: String
        var isIndependent: Bool
    }

    struct Segment: Equatable {
        var duration: Double
        var uri: String
        var parts: [Part]
        var isDiscontinuity: Bool
        var map: String?
        var date: String?
    }

    var partTarget: Double? { attributes["PART-TARGET"].flatMap(Double.init) }
    var allParts: [Part] { segments.flatMap(\.parts) + openParts }

    init?(_ text: String?) {
        guard let text, text.hasPrefix("#EXTM3U\n"), text.hasSuffix("\n") else { return nil }
        var parts: [Part] = []
        var duration: Double?
        var isDiscontinuity = false
        var map: String?
        var date: String?
        for line in text.split(separator: "\n") {
            guard line.hasPrefix("#") else {
                guard let length = duration else { return nil }
                segments.append(
                    Segment(
                        duration: length,
                        uri: String(line),
                        parts: parts,
                        isDiscontinuity: isDiscontinuity,
                        map: map,
                        date: date
                    )
                )
                parts = []
                duration = nil
                isDiscontinuity = false
                date = nil
                continue
            }
            let pair = line.dropFirst().split(separator: ":", maxSplits: 1)
            let value = pair.count == 2 ? String(pair[1]) : ""
            var fields: [String: String] = [:]
            for field in value.split(separator: ",") {
                let sides = field.split(separator: "=", maxSplits: 1)
                if sides.count == 2 { fields[String(sides[0])] = sides[1].filter { $0 != "\"" } }
            }
            switch pair[0] {
            case "EXT-X-SERVER-CONTROL", "EXT-X-PART-INF": attributes.merge(fields) { $1 }
            case "EXT-X-TARGETDURATION": targetDuration = Int(value) ?? -1
            case "EXT-X-MEDIA-SEQUENCE": mediaSequence = Int(value) ?? -1
            case "EXT-X-DISCONTINUITY-SEQUENCE": discontinuitySequence = Int(value) ?? -1
            case "EXT-X-SKIP": skipped = fields["SKIPPED-SEGMENTS"].flatMap { Int($0) } ?? -1
            case "EXT-X-MAP": map = fields["URI"]
            case "EXT-X-DISCONTINUITY": isDiscontinuity = true
            case "EXT-X-PROGRAM-DATE-TIME": date = value
            case "EXT-X-PRELOAD-HINT": hints.append(fields["URI"] ?? "")
            case "EXTINF": duration = Double(value.dropLast())
            case "EXT-X-PART":
                guard let length = fields["DURATION"].flatMap(Double.init), let uri = fields["URI"] else { return nil }
                parts.append(Part(duration: length, uri: uri, isIndependent: fields["INDEPENDENT"] == "YES"))
            case "EXT-X-ENDLIST": return nil
            default: break
            }
        }
        openParts = parts
        openDate = date
        openMap = map
    }
}
