import NIOCore
import Wire

/// What the gateway listens on, whom it serves and how much it takes.
public struct GatewayConfiguration: Sendable {
    /// An address to listen on.
    public struct Listener: Sendable, Equatable {
        /// A numeric address or `localhost`.
        public var host: String
        /// The TCP port; 0 lets the system choose.
        public var port: Int

        /// Creates a listener.
        public init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    /// The certificate of the HTTPS listener.
    public struct TLSIdentity: Sendable {
        /// The certificate chain in PEM, leaf first.
        public var certificateChain: [UInt8]
        /// The private key in PEM.
        public var privateKey: Secret
        /// Made by ourselves: browsers must not be told to insist on HTTPS for this host.
        public var isSelfSigned: Bool

        /// Creates an identity.
        public init(certificateChain: [UInt8], privateKey: Secret, isSelfSigned: Bool) {
            self.certificateChain = certificateChain
            self.privateKey = privateKey
            self.isSelfSigned = isSelfSigned
        }
    }

    /// Who may watch.
    public enum Access: Sendable, Equatable {
        /// Only programs on this machine that do not speak for somebody else: a request with forwarding headers is
        /// not one of them.
        case loopback
        /// Everybody who can reach the listener.
        case open
    }

    /// Upper bounds; each protects memory or descriptors.
    public struct Limits: Sendable {
        /// Connections at one time.
        public var connections = 4096
        /// Connections at one time from one address; loopback is exempt.
        public var connectionsPerAddress = 64
        /// Bytes of a request's header fields.
        public var headerBytes = 16 * 1024
        /// Header fields of a request.
        public var headerFields = 64
        /// Bytes of a request's target.
        public var targetBytes = 8192
        /// Bytes of an SDP offer, a trickle fragment or a WebSocket message.
        public var bodyBytes = 64 * 1024
        /// Milliseconds for the TLS handshake.
        public var handshakeMilliseconds: Int64 = 5_000
        /// Milliseconds for a request's header, from connecting.
        public var headerMilliseconds: Int64 = 5_000
        /// Milliseconds for a request's body.
        public var bodyMilliseconds: Int64 = 10_000
        /// Milliseconds a response may take: a held playlist request or a slow client.
        public var responseMilliseconds: Int64 = 60_000
        /// Milliseconds a WebSocket's client may leave unread what it was sent.
        public var unreadMilliseconds: Int64 = 10_000
        /// Milliseconds a connection may stay without a request.
        public var idleMilliseconds: Int64 = 30_000
        /// Sessions that may be begun from one address; loopback is exempt.
        public var joins = TokenBucket.Limit(perSecond: 2, burst: 10)
        /// Changes of sessions (WHEP `PATCH`) from one address, behind which may be an office of viewers; loopback is
        /// exempt.
        public var changes = TokenBucket.Limit(perSecond: 20, burst: 100)
        /// Changes of one session, wherever they come from: a browser that trickles sends some ten within a second.
        public var changesPerSession = TokenBucket.Limit(perSecond: 20, burst: 40)

        /// The defaults.
        public init() {}
    }

    /// Plain HTTP, for loopback; `nil` for none.
    public var http: Listener?
    /// HTTPS; `nil` for none. Needs ``tls``.
    public var https: Listener?
    /// The HTTPS listener's certificate.
    public var tls: TLSIdentity?
    /// Who may watch.
    public var access: Access
    /// Origins of other sites whose pages may use WHEP and HLS, such as `https://portal.example`; `*` for all.
    public var allowedOrigins: [String]
    /// Names under which the relay is reached; a request for another name is refused. Empty: on loopback `localhost`
    /// only, elsewhere any name. Numeric addresses are always right.
    public var hostNames: [String]
    /// Takes over a TLS connection whose client speaks STUN instead of HTTP: TURN over TLS on the HTTPS port. `nil`
    /// closes it. Called on the connection's loop.
    public var takeSTUN: (@Sendable (any Channel) throws -> Void)?
    /// Upper bounds.
    public var limits: Limits

    /// Creates a configuration.
    public init(
        http: Listener? = Listener(host: "127.0.0.1", port: 8080),
        https: Listener? = nil,
        tls: TLSIdentity? = nil,
        access: Access = .loopback,
        allowedOrigins: [String] = [],
        hostNames: [String] = [],
        takeSTUN: (@Sendable (any Channel) throws -> Void)? = nil,
        limits: Limits = Limits()
    ) {
        self.http = http
        self.https = https
        self.tls = tls
        self.access = access
        self.allowedOrigins = allowedOrigins
        self.hostNames = hostNames
        self.takeSTUN = takeSTUN
        self.limits = limits
    }
}

/// Why the gateway did not start.
public struct GatewayError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of failure.
    public enum Kind: Sendable, Equatable {
        /// Another process listens there.
        case portInUse
        /// The system does not let us listen there.
        case permission
        /// The address is not one of this machine.
        case noSuchAddress
        /// The certificate or its key cannot be used.
        case certificate
        /// The files of the page are missing from the installation.
        case installation
        /// Anything else the system reported.
        case system
    }

    /// What kind of failure.
    public var kind: Kind
    /// What is wrong, in one sentence.
    public var problem: String
    /// What to do about it, in one sentence.
    public var remedy: String

    /// Creates an error.
    public init(_ kind: Kind, problem: String, remedy: String) {
        self.kind = kind
        self.problem = problem
        self.remedy = remedy
    }

    /// Problem and remedy.
    public var description: String { "\(problem) \(remedy)" }
}
