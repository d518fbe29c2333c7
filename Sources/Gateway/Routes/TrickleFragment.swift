/// The body of a trickle PATCH: `application/trickle-ice-sdpfrag` (RFC 8840 §9).
struct TrickleFragment: Equatable {
    /// The ICE user name fragment the candidates belong to.
    var ufrag: String?
    /// The password that goes with it; there in an ICE restart.
    var pwd: String?
    /// Candidate attributes without `a=`.
    var candidates: [String] = []

    /// Candidates taken from one fragment; a browser has fewer interfaces.
    static let candidateLimit = 64

    /// Reads `text`; lines that say nothing to us are skipped.
    init(parsing text: String) {
        for line in text.utf8.split(whereSeparator: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }) {
            let line = String(decoding: line, as: UTF8.self)
            if line.hasPrefix("a=ice-ufrag:") { ufrag = ufrag ?? String(line.dropFirst("a=ice-ufrag:".count)) }
            if line.hasPrefix("a=ice-pwd:") { pwd = pwd ?? String(line.dropFirst("a=ice-pwd:".count)) }
            if line.hasPrefix("a=candidate:"), candidates.count < Self.candidateLimit {
                candidates.append(String(line.dropFirst("a=".count)))
            }
        }
    }
}
