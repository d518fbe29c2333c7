import NIOCore
import NIOPosix
import NIOSSL
import Relay
import Wire

/// One attempt to talk to a camera: its TCP connection and the UDP ports that belong to it.
///
///     connecting ──TCP, TLS──▶ open ──EOF, error──▶ closed
///         └────────failure───────────────────────────▲
///
/// Confined to its event loop. What happens is reported, in order, until ``disconnect()``; nothing afterwards.
final class CameraConnection {
    /// What is reported to whoever drives the camera.
    enum Event {
        /// TCP (and TLS, where asked for) stands.
        case connected
        /// Bytes of the TCP connection, everything one read brought.
        case received(ByteBuffer)
        /// The track's RTP port (RTCP is the next one), or `nil` when none could be bound.
        case ports(track: Int, rtpPort: UInt16?)
        /// What came on the UDP ports with one read.
        case datagrams([CameraDatagram])
        /// The connection could not be opened, or broke. The last event.
        case failed(ConnectionFailure)
        /// The camera closed the connection. The last event.
        case closed
    }

    /// Where to connect.
    struct Target: Sendable {
        var host: String
        var port: UInt16
        var isTLS: Bool
    }

    private enum State { case connecting, open, closed }

    let target: Target
    let loop: any EventLoop
    private let report: (Event) -> Void
    private var state: State = .connecting
    private var channel: (any Channel)?
    private var received: ByteBuffer?
    private var unwrittenBytes = 0
    private var handshakeTimer: Scheduled<Void>?
    private var ports: [Int: CameraPorts] = [:]

    /// Prepares an attempt; ``connect(timeout:)`` begins it.
    init(to target: Target, on loop: any EventLoop, report: @escaping (Event) -> Void) {
        self.target = target
        self.loop = loop
        self.report = report
    }

    /// Opens the connection. TLS gets the same time once more.
    func connect(timeout: TimeAmount = CameraConnection.connectTimeout) {
        loop.preconditionInEventLoop()
        let bound = NIOLoopBound(self, eventLoop: loop)
        let isTLS = target.isTLS
        let host = target.host
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(timeout)
            // One read per wake-up: a camera that floods cannot keep the loop from the others.
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 2_048, initial: 8_192, maximum: 65_536)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if isTLS { try pipeline.addHandler(CameraTLS.handler(host: host)) }
                    try pipeline.addHandler(CameraChannelHandler(bound.value, isTLS: isTLS, timeout: timeout))
                }
            }
        let connecting: EventLoopFuture<any Channel>
        if let ip = IPAddress(host), let address = try? SocketAddress(ipAddress: ip.description, port: Int(target.port))
        {
            connecting = bootstrap.connect(to: address)
        } else {
            connecting = bootstrap.connect(host: host, port: Int(target.port))
        }
        connecting.assumeIsolated().whenFailure { [self] error in
            end(.failed(ConnectionFailure(error, host: host)))
        }
    }

    /// Writes to the TCP connection. A camera that lets ``writeLimit`` bytes wait does not read, and is given up.
    func write(_ bytes: [UInt8]) {
        guard state == .open, let channel else { return }
        guard unwrittenBytes + bytes.count <= Self.writeLimit else {
            end(.failed(.other("the camera does not read what it is sent")))
            return
        }
        unwrittenBytes += bytes.count
        channel.writeAndFlush(ByteBuffer(bytes: bytes)).assumeIsolated().whenComplete { [self] _ in
            unwrittenBytes -= bytes.count
            if unwrittenBytes == 0, state == .closed { channel.close(promise: nil) }
        }
    }

    /// Binds a pair of UDP ports for `track` on the address that the TCP connection uses, and reports them.
    func openPorts(track: Int) {
        guard state == .open, let local = channel?.localAddress.flatMap(TransportAddress.init(_:)),
            let remote = channel?.remoteAddress.flatMap(TransportAddress.init(_:))
        else { return }
        guard ports[track] == nil, ports.count < Self.trackLimit else {
            report(.ports(track: track, rtpPort: nil))
            return
        }
        let pair = CameraPorts(track: track, remote: remote.ip, on: loop) { [weak self] event in
            guard let self, state == .open else { return }
            report(event)
        }
        ports[track] = pair
        pair.open(on: local.ip)
    }

    /// Sends from the track's RTP or RTCP port to a port of the camera's host.
    func sendDatagram(_ bytes: [UInt8], track: Int, isRTCP: Bool, to port: UInt16) {
        guard state == .open else { return }
        ports[track]?.send(bytes, isRTCP: isRTCP, to: port)
    }

    /// Lets what was written leave, then closes everything. Nothing is reported from here on.
    func disconnect() {
        guard state != .closed else { return }
        close(flushing: true)
    }

    // Called by the channel's handler, on the loop.

    fileprivate func established(_ channel: any Channel) {
        handshakeTimer?.cancel()
        handshakeTimer = nil
        guard state == .connecting else {
            channel.close(promise: nil)
            return
        }
        state = .open
        report(.connected)
    }

    fileprivate func opened(_ channel: any Channel, handshakeTimeout: TimeAmount?) {
        guard state == .connecting else {
            channel.close(promise: nil)
            return
        }
        self.channel = channel
        guard let handshakeTimeout else {
            established(channel)
            return
        }
        handshakeTimer = loop.assumeIsolated().scheduleTask(in: handshakeTimeout) { [weak self] in
            self?.end(.failed(.tls("no TLS handshake within \(handshakeTimeout.nanoseconds / 1_000_000_000) s")))
        }
    }

    fileprivate func read(_ buffer: ByteBuffer) {
        // One read is one buffer, but for TLS, which hands out record by record.
        if received == nil { received = buffer } else { received?.writeImmutableBuffer(buffer) }
    }

    fileprivate func readComplete() {
        guard let buffer = received else { return }
        received = nil
        if state == .open { report(.received(buffer)) }
    }

    fileprivate func broke(_ error: any Error) { end(.failed(ConnectionFailure(error, host: target.host))) }

    fileprivate func inactive() { end(state == .connecting ? .failed(.other("closed during connecting")) : .closed) }

    private func end(_ event: Event) {
        guard state != .closed else { return }
        close(flushing: false)
        report(event)
    }

    private func close(flushing: Bool) {
        state = .closed
        handshakeTimer?.cancel()
        handshakeTimer = nil
        for pair in ports.values { pair.close() }
        ports.removeAll()
        guard let channel else { return }
        self.channel = nil
        guard flushing, unwrittenBytes > 0 else {
            channel.close(promise: nil)
            return
        }
        // The last write closes; a camera that does not read is not waited for.
        loop.assumeIsolated().scheduleTask(in: Self.flushTimeout) { channel.close(promise: nil) }
    }

    /// Time for TCP to connect, name resolution included.
    static let connectTimeout: TimeAmount = .seconds(5)
    /// Time that the last bytes (a TEARDOWN) get to leave.
    private static let flushTimeout: TimeAmount = .milliseconds(500)
    /// Requests and reports are some hundred bytes each.
    static let writeLimit = 256 * 1024
    /// A camera has two or three tracks.
    private static let trackLimit = 8
}

/// Forwards the channel's events to the connection.
private final class CameraChannelHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let connection: CameraConnection
    private let isTLS: Bool
    private let timeout: TimeAmount

    init(_ connection: CameraConnection, isTLS: Bool, timeout: TimeAmount) {
        self.connection = connection
        self.isTLS = isTLS
        self.timeout = timeout
    }

    func channelActive(context: ChannelHandlerContext) {
        connection.opened(context.channel, handshakeTimeout: isTLS ? timeout : nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if isTLS, CameraTLS.isHandshakeCompleted(event) { connection.established(context.channel) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { connection.read(unwrapInboundIn(data)) }

    func channelReadComplete(context: ChannelHandlerContext) { connection.readComplete() }

    func channelInactive(context: ChannelHandlerContext) { connection.inactive() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        connection.broke(error)
        context.close(promise: nil)
    }
}
