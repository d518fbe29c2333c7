import Digests
import SDP
import Wire

/// The server's side of Digest authentication, for one connection and one user.
public struct DigestVerifier: Sendable {
    /// What a request's `Authorization` is worth.
    public enum Verdict: Equatable, Sendable {
        /// The user is who they say.
        case accepted
        /// There is no answer to a Digest challenge.
        case missing
        /// Right, but for another nonce: challenge again.
        case stale
        /// Wrong.
        case rejected
    }

    private let user: String
    private let realm: String
    private let nonce: String
    private let offersAuth: Bool
    private let calculation: DigestCalculation
    private var lastNonceCount: UInt32 = 0

    /// Creates a verifier.
    ///
    /// - Parameters:
    ///   - nonce: Must not be guessable and not be used twice; without `"` and `\`.
    ///   - offersAuth: Whether `qop="auth"` is offered and demanded; most cameras do not.
    public init(
        _ algorithm: DigestAlgorithm,
        realm: String,
        user: String,
        password: Secret,
        nonce: String,
        offersAuth: Bool = false
    ) {
        self.user = user
        self.realm = realm
        self.nonce = nonce
        self.offersAuth = offersAuth
        calculation = DigestCalculation(algorithm, user: user, realm: realm, password: password)
    }

    /// The `WWW-Authenticate` value.
    public func challenge(isStale: Bool = false) -> String {
        "Digest realm=\"\(realm)\", nonce=\"\(nonce)\", algorithm=\(calculation.algorithm.rawValue)"
            + (offersAuth ? ", qop=\"auth\"" : "") + (isStale ? ", stale=true" : "")
    }

    /// Checks a request.
    ///
    /// - Parameters:
    ///   - authorization: The value of its `Authorization` header.
    ///   - uri: The request URI; the one in the header must be the same.
    public mutating func verify(authorization: String?, method: RTSPMethod, uri: String) -> Verdict {
        guard let authorization, let (scheme, rest) = authorization.trimmingBlanks.splitOnce(at: 0x20),
            scheme.equalsIgnoringASCIICase("Digest")
        else { return .missing }
        let parameters = AuthenticationParameters(parsing: rest)
        guard let response = parameters["response"], let theirNonce = parameters["nonce"],
            parameters["username"] == user, parameters["realm"] == realm, parameters["uri"] == uri,
            parameters["algorithm"].map({ $0.equalsIgnoringASCIICase(calculation.algorithm.rawValue) })
                ?? (calculation.algorithm == .md5)
        else { return .rejected }

        var quality: DigestCalculation.Quality?
        if offersAuth {
            guard parameters["qop"] == "auth", let clientNonce = parameters["cnonce"],
                let countText = parameters["nc"], countText.utf8.count == 8, countText.utf8.first != 0x2B,
                let count = UInt32(countText, radix: 16)
            else { return .rejected }
            quality = .init(nonceCount: count, clientNonce: clientNonce)
        }
        let expected = calculation.response(method: method.rawValue, uri: uri, nonce: theirNonce, quality: quality)
        guard constantTimeEquals(expected.utf8, response.lowercased().utf8) else { return .rejected }
        guard theirNonce == nonce else { return .stale }
        if let quality {
            // The count must grow, or a recorded request could be sent again (RFC 7616 §3.4).
            guard quality.nonceCount > lastNonceCount else { return .stale }
            lastNonceCount = quality.nonceCount
        }
        return .accepted
    }
}
