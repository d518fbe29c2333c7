import Digests
import SDP
import Wire

/// The digest calculation shared by both sides (RFC 2617 §3.2.2, RFC 7616 §3.4).
public struct DigestCalculation: Sendable {
    /// The algorithm.
    public var algorithm: DigestAlgorithm
    /// H(user:realm:password) in hexadecimal.
    private let secretHash: String

    /// Prepares the calculation for one user in one realm.
    public init(_ algorithm: DigestAlgorithm, user: String, realm: String, password: Secret) {
        self.algorithm = algorithm
        secretHash = Self.hash("\(user):\(realm):\(password.reveal())", algorithm)
    }

    /// What `qop=auth` adds to a digest.
    public struct Quality: Equatable, Sendable {
        /// How many requests have used the nonce, this one included.
        public var nonceCount: UInt32
        /// The client's nonce.
        public var clientNonce: String

        /// Creates the values.
        public init(nonceCount: UInt32, clientNonce: String) {
            self.nonceCount = nonceCount
            self.clientNonce = clientNonce
        }

        /// Eight hexadecimal digits.
        var countText: String {
            let digits = String(nonceCount, radix: 16)
            return String(repeating: "0", count: 8 - digits.utf8.count) + digits
        }
    }

    /// The response for one request.
    ///
    /// - Parameters:
    ///   - uri: The request URI, byte for byte as in the request line.
    ///   - quality: `nil` gives the RFC 2069 form, which servers expect that offer no `qop`.
    public func response(method: String, uri: String, nonce: String, quality: Quality?) -> String {
        let requestHash = Self.hash("\(method):\(uri)", algorithm)
        let middle = quality.map { "\(nonce):\($0.countText):\($0.clientNonce):auth" } ?? nonce
        return Self.hash("\(secretHash):\(middle):\(requestHash)", algorithm)
    }

    private static func hash(_ text: String, _ algorithm: DigestAlgorithm) -> String {
        let bytes = Array(text.utf8)
        return (algorithm == .md5 ? Digest.md5(bytes) : Digest.sha256(bytes)).hexadecimal
    }
}

/// Answers a camera's challenges with one user's credentials.
struct RTSPAuthenticator: Sendable {
    /// What to do after a 401.
    enum Decision: Equatable {
        /// Send the request again; it now carries an answer.
        case retry
        /// The camera wants credentials and none are configured.
        case noCredentials(realm: String)
        /// The camera refuses these credentials.
        case rejected
        /// Nothing in the challenge can be answered, or only in a way that is not allowed.
        case unsupported
    }

    private let user: String?
    private let password: Secret?
    private let allowsBasic: Bool
    private let clientNonce: String

    private var challenge: AuthenticationChallenge?
    private var calculation: DigestCalculation?
    private var nonceCount: UInt32 = 0
    /// A request with these credentials was answered with something else than 401.
    private var wasAccepted = false
    /// Basic is never used after a digest was offered: that would be a downgrade.
    private var sawDigest = false

    init(user: String?, password: Secret?, allowsBasic: Bool, clientNonce: String) {
        self.user = user
        self.password = password
        self.allowsBasic = allowsBasic
        self.clientNonce = clientNonce
    }

    /// The scheme in use, for the operator.
    var schemeName: String? {
        switch challenge {
        case .basic: "Basic"
        case .digest(let digest): "Digest \(digest.algorithm.rawValue)"
        case nil: nil
        }
    }

    /// Whether the password travels readable.
    var usesBasic: Bool { if case .basic = challenge { true } else { false } }

    /// A request that carried an answer was not refused.
    mutating func accepted() { wasAccepted = true }

    /// A 401 arrived.
    ///
    /// - Parameters:
    ///   - values: All `WWW-Authenticate` values.
    ///   - carriedAnswer: Whether the refused request carried an answer.
    ///   - hadSecondChance: Whether this request was already repeated after a refusal of its answer.
    mutating func refused(_ values: [String], carriedAnswer: Bool, hadSecondChance: Bool) -> Decision {
        let offered = AuthenticationChallenge.parse(values)
        guard let chosen = choose(offered) else {
            if offered.isEmpty, carriedAnswer { return .rejected }
            return user == nil ? .noCredentials(realm: "") : .unsupported
        }
        if carriedAnswer {
            // A nonce may have expired; everything else that is refused twice is a wrong password, and cameras lock
            // out a source address after a few of those.
            guard case .digest(let new) = chosen, case .digest(let old) = challenge, !hadSecondChance,
                new.isStale || (wasAccepted && new.nonce != old.nonce)
            else { return .rejected }
        }
        guard let user, let password else {
            switch chosen {
            case .basic(let realm): return .noCredentials(realm: realm)
            case .digest(let digest): return .noCredentials(realm: digest.realm)
            }
        }
        challenge = chosen
        nonceCount = 0
        if case .digest(let digest) = chosen {
            calculation = DigestCalculation(digest.algorithm, user: user, realm: digest.realm, password: password)
        }
        return .retry
    }

    /// SHA-256 before MD5 before Basic.
    private mutating func choose(_ offered: [AuthenticationChallenge]) -> AuthenticationChallenge? {
        var best: AuthenticationChallenge?
        var bestRank = 0
        for challenge in offered {
            let rank: Int
            switch challenge {
            case .basic: rank = 1
            case .digest(let digest):
                rank = digest.algorithm == .sha256 ? 3 : 2
                sawDigest = true
            }
            if rank > bestRank { (best, bestRank) = (challenge, rank) }
        }
        if bestRank == 1, sawDigest || !allowsBasic { return nil }
        return best
    }

    /// The `Authorization` value for a request, or `nil` while the camera has not asked for one.
    mutating func authorization(method: RTSPMethod, uri: String) -> String? {
        guard let user, let password, let challenge else { return nil }
        switch challenge {
        case .basic:
            return "Basic " + Base64.encode(Array("\(user):\(password.reveal())".utf8))
        case .digest(let digest):
            guard let calculation else { return nil }
            var quality: DigestCalculation.Quality?
            if digest.offersAuth {
                nonceCount &+= 1
                quality = .init(nonceCount: nonceCount, clientNonce: clientNonce)
            }
            let response = calculation.response(
                method: method.rawValue,
                uri: uri,
                nonce: digest.nonce,
                quality: quality
            )
            var text = "Digest username=\"\(escaped(user))\", realm=\"\(digest.realm)\", nonce=\"\(digest.nonce)\""
            text += ", uri=\"\(uri)\", response=\"\(response)\""
            if digest.namesAlgorithm { text += ", algorithm=\(digest.algorithm.rawValue)" }
            if let opaque = digest.opaque { text += ", opaque=\"\(opaque)\"" }
            if let quality { text += ", qop=auth, nc=\(quality.countText), cnonce=\"\(quality.clientNonce)\"" }
            return text
        }
    }
}

/// Text that can stand between quotes.
private func escaped(_ text: String) -> String {
    var bytes: [UInt8] = []
    for byte in text.utf8 where byte >= 0x20 && byte != 0x7F {
        if byte == 0x22 || byte == 0x5C { bytes.append(UInt8(ascii: "\\")) }
        bytes.append(byte)
    }
    return String(decoding: bytes, as: UTF8.self)
}
