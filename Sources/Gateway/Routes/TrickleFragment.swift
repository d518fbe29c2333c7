import ICE

/// The body of a trickle PATCH: `application/trickle-ice-sdpfrag` (RFC 8840 §9).
struct TrickleFragment: Equatable {
    /// Why text is no fragment.
    struct Malformed: Error, Equatable {
        /// One sentence.
        var problem: String
    }

    /// The ICE user name fragment the candidates belong to.
    var ufrag: String?
    /// The password that goes with it; there in an ICE restart.
    var pwd: String?
    /// Candidate attributes without `a=`.
    var candidates: [String] = []

    /// Candidates taken from one fragment; a browser has fewer interfaces.
    static let candidateLimit = 64
    /// Foundation, component, transport, priority, address, port, `typ` and the type (RFC 8839 §5.1).
    private static let candidateWords = 8

    /// Reads `text`. Lines that mean nothing to us are skipped, but every line has to be one of SDP, and something of
    /// ICE has to be among them.
    init(parsing text: String) throws(Malformed) {
        var saysSomething = false
        for (number, line) in Self.lines(text).enumerated() where !line.isEmpty {
            let bytes = line.utf8
            guard let type = bytes.first, (0x61...0x7A).contains(type), bytes.dropFirst().first == UInt8(ascii: "=")
            else { throw Malformed(problem: "Line \(number + 1) of the fragment is no line of SDP.") }
            if let value = Self.value(of: "a=ice-ufrag:", in: line) {
                guard ICECredentials.isUfrag(value) else {
                    throw Malformed(problem: "The fragment's ice-ufrag is malformed.")
                }
                ufrag = ufrag ?? value
            } else if let value = Self.value(of: "a=ice-pwd:", in: line) {
                guard ICECredentials.isPassword(value) else {
                    throw Malformed(problem: "The fragment's ice-pwd is malformed.")
                }
                pwd = pwd ?? value
            } else if let value = Self.value(of: "a=candidate:", in: line) {
                let words = value.utf8.split(separator: UInt8(ascii: " "))
                guard words.count >= Self.candidateWords, words[6].elementsEqual("typ".utf8) else {
                    throw Malformed(problem: "The candidate in line \(number + 1) of the fragment is malformed.")
                }
                if candidates.count < Self.candidateLimit { candidates.append("candidate:\(value)") }
            } else if line != "a=end-of-candidates" {
                continue
            }
            saysSomething = true
        }
        guard saysSomething else {
            throw Malformed(problem: "The fragment has neither candidates nor ICE credentials in it.")
        }
    }

    /// The ICE user name fragment of a whole session description; `nil` where there is none.
    static func ufrag(in sdp: String) -> String? {
        lines(sdp).lazy.compactMap { value(of: "a=ice-ufrag:", in: $0) }.first
    }

    private static func lines(_ text: String) -> [String] {
        text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { line in
            String(decoding: line.last == UInt8(ascii: "\r") ? line.dropLast() : line, as: UTF8.self)
        }
    }

    private static func value(of attribute: String, in line: String) -> String? {
        line.utf8.starts(with: attribute.utf8)
            ? String(decoding: line.utf8.dropFirst(attribute.utf8.count), as: UTF8.self) : nil
    }
}
