import NIOCore
import NIOPosix
import Wire

/// The media port's TCP listener, on the same number as the UDP port (RFC 6544, passive).
enum MediaListener {
    /// Listens on `address` and gives every connection to `plane`.
    ///
    /// - Parameters:
    ///   - isDual: Whether an unspecified IPv6 address also takes IPv4.
    ///   - accepting: Accepts connections.
    ///   - group: Runs them.
    static func open(
        _ address: TransportAddress,
        isDual: Bool,
        accepting loop: any EventLoop,
        group: any EventLoopGroup,
        initialize: @escaping @Sendable (any Channel) throws -> Void
    ) async throws -> any Channel {
        var bootstrap = ServerBootstrap(group: loop, childGroup: group)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.tcpOption(notSentLowWater), value: notSentBytes)
            .childChannelOption(.tcpOption(userTimeout), value: userTimeoutMilliseconds)
            .childChannelInitializer { channel in channel.eventLoop.makeCompletedFuture { try initialize(channel) } }
        if address.ip.isIPv6 {
            let option = ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only)
            bootstrap = bootstrap.serverChannelOption(option, value: isDual ? 0 : 1)
        }
        return try await bootstrap.bind(host: address.ip.description, port: Int(address.port)).get()
    }

    /// `TCP_NOTSENT_LOWAT`, which the system headers do not give Swift: how much the kernel takes before it sends.
    private static let notSentLowWater = NIOBSDSocket.Option(rawValue: 25)
    /// Beyond it, pictures would grow old in the kernel, out of reach of our own limit.
    private static let notSentBytes = 64 * 1024
    /// `TCP_USER_TIMEOUT`: milliseconds that sent bytes may stay unacknowledged.
    private static let userTimeout = NIOBSDSocket.Option(rawValue: 18)
    private static let userTimeoutMilliseconds = 15_000
}
