import Glibc
import ICE
import NIOCore
import NIOPosix
import Synchronization
import TURN
import Wire

/// STUN and TURN on a port of their own, UDP and TCP: for clients whose network opens the customary 3478 only.
///
/// No media session can be reached here except through an allocation.
final class TURNListener: Sendable {
    /// Where it listens, with the port that was bound.
    let listen: ListenAddress
    private let datagrams: any Channel
    private let connections: any Channel
    private let output: Mutex<Output>

    private struct Output {
        let sender: DatagramSender
        var queue = DatagramQueue(capacity: 0)
    }

    private init(
        listen: ListenAddress,
        datagrams: any Channel,
        connections: any Channel,
        output: sending DatagramSender
    ) {
        self.listen = listen
        self.datagrams = datagrams
        self.connections = connections
        self.output = Mutex(Output(sender: output))
    }

    /// Binds the port and serves it from now on.
    ///
    /// - Parameters:
    ///   - plane: Where what comes out of allocations goes.
    ///   - group: Runs the TCP connections.
    static func open(
        _ listen: ListenAddress,
        on loop: any EventLoop,
        connections group: any EventLoopGroup,
        plane: MediaPlane
    ) async throws(NodeError) -> TURNListener {
        // A number that the system chose for UDP may be taken for TCP; another one need not be.
        for _ in 1..<(listen.port == 0 ? portAttempts : 1) {
            if let listener = try? await bind(listen, on: loop, connections: group, plane: plane) { return listener }
        }
        return try await bind(listen, on: loop, connections: group, plane: plane)
    }

    /// Numbers tried until one is free for UDP and TCP, when the system chooses.
    private static let portAttempts = 8

    private static func bind(
        _ listen: ListenAddress,
        on loop: any EventLoop,
        connections group: any EventLoopGroup,
        plane: MediaPlane
    ) async throws(NodeError) -> TURNListener {
        let bound = try MediaSocket.bind(listen, for: .turn)
        let duplicate = fcntl(bound.descriptor, F_DUPFD_CLOEXEC, 0)
        do {
            guard duplicate >= 0 else { throw SystemError(errno) }
            let handler = TURNDatagramHandler(plane: plane, local: bound.local)
            let datagrams = try await DatagramBootstrap(group: loop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(handler) }
                }
                .withBoundSocket(bound.descriptor)
                .get()
            if bound.listen.isWildcard { try? await datagrams.setOption(.receivePacketInfo, value: true).get() }
            do {
                let connections = try await MediaListener.open(
                    bound.local,
                    isDual: bound.listen.isEverywhere,
                    accepting: loop,
                    group: group
                ) { channel in
                    try channel.pipeline.syncOperations.addHandler(
                        MediaConnectionHandler(plane: plane, carrier: .tcp, framing: .selfDelimiting)
                    )
                }
                let listener = TURNListener(
                    listen: bound.listen,
                    datagrams: datagrams,
                    connections: connections,
                    output: DatagramSender(
                        descriptor: duplicate,
                        family: bound.local.ip.isIPv6 ? 6 : 4,
                        counters: plane.counters,
                        parkingLimit: 0
                    )
                )
                handler.listener.withLock { $0 = listener }
                return listener
            } catch {
                try? await datagrams.close().get()
                throw error
            }
        } catch {
            if duplicate >= 0 { Glibc.close(duplicate) }
            throw NodeError(
                problem: "The STUN/TURN port \(listen) cannot be used: \(SystemError.text(of: error)).",
                remedy: "Stop the program that has it (\"ss -lntup\" shows it), or set listen.turn to another port."
            )
        }
    }

    /// Sends and empties `queue`.
    func send(_ queue: inout DatagramQueue) {
        output.withLock { output in
            for entry in queue.entries {
                output.queue.append(queue.datagram(entry), to: entry.path, isSpare: entry.isSpare)
            }
            output.sender.send(&output.queue)
        }
        queue.removeAll()
    }

    /// Stops listening.
    func close() async {
        try? await connections.close().get()
        try? await datagrams.close().get()
    }
}

/// Serves the datagrams of the extra port.
private final class TURNDatagramHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    /// Set right after the channel is there.
    let listener = Mutex<TURNListener?>(nil)
    private let plane: MediaPlane
    private let local: TransportAddress

    init(plane: MediaPlane, local: TransportAddress) {
        self.plane = plane
        self.local = local
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        guard let remote = TransportAddress(envelope.remoteAddress), !RelayedAddress.contains(remote.ip) else { return }
        var path = FiveTuple(.udp, local: local, remote: remote)
        if let packetInfo = envelope.metadata?.packetInfo,
            let destination = TransportAddress(packetInfo.destinationAddress)
        {
            path.local.ip = destination.ip
        }
        let bytes = Array(envelope.data.readableBytesView)
        switch plane.traversal.receive(bytes[...], from: TURNClient(.udp, path: path)) {
        case .answer(let answer):
            var queue = DatagramQueue(capacity: 0)
            queue.append(answer, to: path)
            listener.withLock { $0 }?.send(&queue)
        case .datagram(let payload, let path):
            plane.route([ReceivedDatagram(path: path, bytes: Array(payload))])
        case .silence:
            plane.counters.received(1, bytes: bytes.count, unknown: 1)
        }
    }

    func channelInactive(context: ChannelHandlerContext) { listener.withLock { $0 = nil } }

    /// The kernel reports errors of earlier sends here; they concern one destination, not the port.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
