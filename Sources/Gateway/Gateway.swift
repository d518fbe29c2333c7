import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import NIOSSL
import Relay
import Wire

/// The relay's HTTP door: pages, WHEP, WebSocket signalling, HLS and a read-only API, under one origin.
///
/// One listener speaks plain HTTP, for loopback; one speaks HTTPS with HTTP/1.1 and HTTP/2. Both serve the same.
/// Everything that concerns cameras and viewers is asked of the ``ViewerService``.
public actor Gateway {
    /// Where plain HTTP is served; `nil` when it is not.
    public nonisolated let httpAddress: TransportAddress?
    /// Where HTTPS is served; `nil` when it is not.
    public nonisolated let httpsAddress: TransportAddress?

    private let core: GatewayCore
    private let tls: NIOLockedValueBox<NIOSSLContext>?
    private var listeners: [any Channel]

    private init(core: GatewayCore, tls: NIOLockedValueBox<NIOSSLContext>?, http: (any Channel)?, https: (any Channel)?)
    {
        self.core = core
        self.tls = tls
        listeners = [http, https].compactMap(\.self)
        httpAddress = http?.localAddress.flatMap(TransportAddress.init)
        httpsAddress = https?.localAddress.flatMap(TransportAddress.init)
    }

    /// Binds the listeners and begins to serve.
    ///
    /// - Parameters:
    ///   - configuration: Listeners, access, limits.
    ///   - service: The relay.
    ///   - eventLoopGroup: Runs the connections; stays the caller's.
    ///   - logger: For what an operator should know.
    /// - Throws: ``GatewayError`` when a listener cannot be bound or the certificate cannot be used. Nothing is left
    ///   listening then.
    public static func start(
        configuration: GatewayConfiguration,
        service: any ViewerService,
        eventLoopGroup: any EventLoopGroup,
        logger: Logger = Logger(label: "gateway")
    ) async throws(GatewayError) -> Gateway {
        let core = try GatewayCore(configuration: configuration, service: service, logger: logger)
        let router = GatewayRouter(core: core)
        var tls: NIOLockedValueBox<NIOSSLContext>?
        if configuration.https != nil {
            guard let identity = configuration.tls else {
                throw GatewayError(.certificate, problem: "HTTPS needs a certificate.", remedy: "Give the gateway one.")
            }
            tls = NIOLockedValueBox(try context(identity))
        }
        func bind(
            _ key: String,
            _ listener: GatewayConfiguration.Listener?,
            _ tls: NIOLockedValueBox<NIOSSLContext>?
        ) async throws(GatewayError) -> (any Channel)? {
            guard let listener else { return nil }
            let isLoopback = listener.host == "localhost" || IPAddress(listener.host)?.isLoopback ?? false
            let setup = ConnectionSetup(core: core, router: router, tls: tls, isLoopbackListener: isLoopback)
            return try await Self.bind(key, listener, setup, eventLoopGroup)
        }
        let http = try await bind("listen.http", configuration.http, nil)
        do {
            let https = try await bind("listen.https", configuration.https, tls)
            return Gateway(core: core, tls: tls, http: http, https: https)
        } catch {
            try? await http?.close()
            throw error
        }
    }

    /// Stops listening, says goodbye to the pages and closes every connection. Media does not depend on it.
    public func shutdown() async {
        let listeners = self.listeners
        self.listeners = []
        for listener in listeners { try? await listener.close() }
        await core.connections.closeAll()
    }

    /// Uses another certificate for connections from now on; those that are open stay.
    public func replaceCertificate(_ identity: GatewayConfiguration.TLSIdentity) throws(GatewayError) {
        let context = try Self.context(identity)
        tls?.withLockedValue { $0 = context }
    }

    /// Connections open now.
    public nonisolated var connectionCount: Int { core.connections.count }

    // MARK: Setting up

    /// `TCP_USER_TIMEOUT`, which the system headers do not give Swift: milliseconds that sent bytes may stay
    /// unacknowledged.
    private static let userTimeoutOption = NIOBSDSocket.Option(rawValue: 18)
    private static let userTimeoutMilliseconds = 15_000

    /// - Parameter key: What the listener is called in the configuration.
    private static func bind(
        _ key: String,
        _ listener: GatewayConfiguration.Listener,
        _ setup: ConnectionSetup,
        _ group: any EventLoopGroup
    ) async throws(GatewayError) -> any Channel {
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.tcpOption(userTimeoutOption), value: userTimeoutMilliseconds)
            .childChannelInitializer { setup.initialize($0) }
        do {
            return try await bootstrap.bind(host: listener.host, port: listener.port).get()
        } catch {
            throw GatewayError(error, key, listener)
        }
    }

    fileprivate static func context(_ identity: GatewayConfiguration.TLSIdentity) throws(GatewayError) -> NIOSSLContext
    {
        do {
            let chain = try NIOSSLCertificate.fromPEMBytes(identity.certificateChain)
            let key = try NIOSSLPrivateKey(bytes: Array(identity.privateKey.reveal().utf8), format: .pem)
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) },
                privateKey: .privateKey(key)
            )
            configuration.minimumTLSVersion = .tlsv12
            configuration.applicationProtocols = ["h2", "http/1.1"]
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw GatewayError(
                .certificate,
                problem: "The certificate or its key cannot be used.",
                remedy: "Give a PEM certificate chain, leaf first, and the unencrypted PEM key that belongs to it."
            )
        }
    }
}

extension GatewayError {
    fileprivate init(_ error: any Error, _ key: String, _ listener: GatewayConfiguration.Listener) {
        let host = listener.host.contains(":") ? "[\(listener.host)]" : listener.host
        let place = "\(host):\(listener.port)"
        switch (error as? IOError)?.errnoCode {
        case EADDRINUSE:
            self.init(
                .portInUse,
                problem: "\(key): another program listens on \(place).",
                remedy: "Stop it (\"ss -ltnp\" shows it), or set \(key) to another port."
            )
        case EACCES, EPERM:
            self.init(
                .permission,
                problem: "\(key): this user may not listen on \(place).",
                remedy: "Use a port from 1024 on, or grant CAP_NET_BIND_SERVICE."
            )
        case EADDRNOTAVAIL:
            self.init(
                .noSuchAddress,
                problem: "\(key): \(listener.host) is not an address of this machine.",
                remedy: "Configure one that is, or 0.0.0.0."
            )
        default:
            self.init(
                .system,
                problem: "\(key): cannot listen on \(place): \(error).",
                remedy: "Check the listener's address."
            )
        }
    }
}

extension TransportAddress {
    fileprivate init?(_ address: SocketAddress) {
        guard let ip = address.ipAddress.flatMap({ IPAddress($0) }), let port = address.port,
            let port = UInt16(exactly: port)
        else { return nil }
        self.init(ip, port: port)
    }
}

extension GatewayConfiguration.TLSIdentity {
    /// Whether a listener can be opened with it: chain and key parse, and belong to each other.
    public var isUsable: Bool { (try? Gateway.context(self)) != nil }
}
