import SDP

/// The digest algorithms of RFC 7616 that cameras use.
public enum DigestAlgorithm: String, Sendable, Codable {
    /// The default when none is named (RFC 2617 §3.2.1).
    case md5 = "MD5"
    /// RFC 7616.
    case sha256 = "SHA-256"
}

/// One challenge of a `WWW-Authenticate` header (RFC 7235 §4.1, RFC 7616 §3.3).
public enum AuthenticationChallenge: Equatable, Sendable {
    /// User and password in the clear.
    case basic(realm: String)
    /// A digest over both.
    case digest(DigestChallenge)

    /// All challenges we can answer, in the order they stand in the header values. One value may hold several.
    ///
    /// Digests with an unknown algorithm, without a nonce, or with no `qop` but `auth-int` are left out.
    public static func parse(_ values: [String]) -> [AuthenticationChallenge] {
        var found: [(scheme: String, parameters: AuthenticationParameters)] = []
        for value in values {
            for part in splitOutsideQuotes(value) {
                let (scheme, parameter) = schemeAndParameter(part)
                if let scheme { found.append((scheme.lowercased(), AuthenticationParameters())) }
                if !found.isEmpty, !parameter.isEmpty { found[found.count - 1].parameters.add(parameter) }
            }
        }
        return found.compactMap { scheme, parameters in
            switch scheme {
            case "basic": .basic(realm: parameters["realm"] ?? "")
            case "digest": DigestChallenge(parameters).map(AuthenticationChallenge.digest)
            default: nil
            }
        }
    }
}

/// A Digest challenge.
public struct DigestChallenge: Equatable, Sendable {
    /// The protection space, as it stands between the quotes.
    public var realm: String
    /// The server's nonce, as it stands between the quotes.
    public var nonce: String
    /// To be sent back as it is.
    public var opaque: String?
    /// The algorithm.
    public var algorithm: DigestAlgorithm
    /// Whether the server named the algorithm; if so it is named back.
    public var namesAlgorithm: Bool
    /// Whether `qop=auth` is offered and must therefore be used.
    public var offersAuth: Bool
    /// Whether the refusal was about the nonce's age, not the password.
    public var isStale: Bool

    init?(_ parameters: AuthenticationParameters) {
        guard let nonce = parameters["nonce"] else { return nil }
        let name = parameters["algorithm"]
        switch name?.uppercased() {
        case nil, "", "MD5": algorithm = .md5
        case "SHA-256": algorithm = .sha256
        default: return nil
        }
        let qop = (parameters["qop"] ?? "").utf8.split { $0 == 0x2C || $0 == 0x20 }
            .map { String(decoding: $0, as: UTF8.self).lowercased() }
        guard qop.isEmpty || qop.contains("auth") else { return nil }
        realm = parameters["realm"] ?? ""
        self.nonce = nonce
        opaque = parameters["opaque"]
        namesAlgorithm = name != nil
        offersAuth = qop.contains("auth")
        isStale = parameters["stale"].map { $0.equalsIgnoringASCIICase("true") } ?? false
    }
}

/// `name=value` parameters; values as they stand between the quotes, backslashes included (RFC 7616's `unq`).
struct AuthenticationParameters {
    /// Most parameters kept; real headers have about ten.
    private static let maximumCount = 32

    private var values: [String: String] = [:]

    init() {}

    /// Parses a whole list.
    init(parsing text: String) {
        for part in splitOutsideQuotes(text) { add(part) }
    }

    subscript(name: String) -> String? { values[name] }

    /// Adds `name="value"` or `name=value`. The first value of a name wins.
    mutating func add(_ parameter: String) {
        guard let (name, value) = parameter.splitOnce(at: 0x3D), values.count < Self.maximumCount else { return }
        let key = name.trimmingBlanks.lowercased()
        if values[key] == nil { values[key] = unquoted(value.trimmingBlanks) }
    }
}

/// Splits at commas that stand outside quotes; the parts are trimmed.
private func splitOutsideQuotes(_ text: String) -> [String] {
    var parts: [String] = []
    var current: [UInt8] = []
    var isQuoted = false
    var isEscaped = false
    for byte in text.utf8 {
        if byte == 0x2C, !isQuoted {
            parts.append(String(decoding: current, as: UTF8.self).trimmingBlanks)
            current = []
            continue
        }
        current.append(byte)
        if isEscaped {
            isEscaped = false
        } else if byte == 0x5C, isQuoted {
            isEscaped = true
        } else if byte == 0x22 {
            isQuoted.toggle()
        }
    }
    parts.append(String(decoding: current, as: UTF8.self).trimmingBlanks)
    return parts
}

/// Splits `Digest realm="x"` into scheme and first parameter; `realm="x"` has no scheme.
private func schemeAndParameter(_ part: String) -> (scheme: String?, parameter: String) {
    let bytes = part.utf8
    guard let end = bytes.firstIndex(where: { $0 == 0x20 || $0 == 0x09 || $0 == 0x3D }) else {
        return part.isEmpty ? (nil, "") : (part, "")
    }
    let rest = String(part[end...]).trimmingBlanks
    // "realm = x" is a parameter although a blank follows the word.
    return rest.hasPrefix("=") ? (nil, part) : (String(part[..<end]), rest)
}

/// What stands between the quotes. The result can be put between quotes again: a value that is not well formed loses its
/// quotes and backslashes.
private func unquoted(_ text: String) -> String {
    var bytes = text.utf8.filter { $0 >= 0x20 && $0 != 0x7F }
    if bytes.count >= 2, bytes.first == 0x22, bytes.last == 0x22 { bytes = Array(bytes[1..<(bytes.count - 1)]) }
    var isEscaped = false
    var isWellFormed = true
    for byte in bytes {
        if isEscaped {
            isEscaped = false
        } else if byte == 0x5C {
            isEscaped = true
        } else if byte == 0x22 {
            isWellFormed = false
        }
    }
    if !isWellFormed || isEscaped { bytes.removeAll { $0 == 0x22 || $0 == 0x5C } }
    return String(decoding: bytes, as: UTF8.self)
}
