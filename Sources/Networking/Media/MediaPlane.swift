import CMedia
import Glibc
import ICE
import NIOCore
import NIOPosix
import Synchronization
import TURN
import Wire

/// A datagram from the media port.
struct ReceivedDatagram: Sendable {
    var path: FiveTuple
    var bytes: [UInt8]
}

/// The one port that all viewers' media goes through (design decision 4): UDP, and TCP on the same number.
///
/// One loop receives datagrams and hands each to the shard it belongs to; every loop sends on the same descriptor.
/// Packets of TCP connections take the same way, and STUN requests that are nobody's check are answered here.
public final class MediaPlane: Sendable {
    /// The address in use, with the port that was bound.
    public let localAddress: TransportAddress
    /// Where it listens, as configured, with the port that was bound.
    public let listen: ListenAddress
    /// What went through.
    public let counters = MediaCounters()

    /// The TCP side.
    let connections = MediaConnections()
    /// STUN and TURN.
    let traversal = Traversal()

    private let channel: any Channel
    private let listener = Mutex<(any Channel)?>(nil)
    private let descriptor: Int32
    private let family: Int32
    private let state = Mutex(State())
    private let answers = Mutex<Answers?>(nil)

    /// What sends answers that are no session's.
    private struct Answers {
        let sender: DatagramSender
        var queue = DatagramQueue(capacity: 0)

        mutating func send() { sender.send(&queue) }
    }

    private struct State {
        var routes = DatagramRoutes()
        var receivers: [Receiver?] = []
    }

    private struct Receiver {
        var loop: any EventLoop
        var receive: @Sendable ([ReceivedDatagram]) -> Void
        var closed: @Sendable (FiveTuple, ConnectionEnd) -> Void
    }

    private init(channel: any Channel, descriptor: Int32, family: Int32, local: TransportAddress, listen: ListenAddress)
    {
        self.channel = channel
        self.descriptor = descriptor
        self.family = family
        localAddress = local
        self.listen = listen
    }

    /// Binds the port and begins to receive on `loop`.
    ///
    /// - Parameter connections: Runs the TCP connections; `loop` when `nil`.
    public static func open(
        _ listen: ListenAddress,
        on loop: any EventLoop,
        connections group: (any EventLoopGroup)? = nil
    ) async throws(NodeError) -> MediaPlane {
        var attempts = listen.port == 0 ? portAttempts : 1
        while true {
            attempts -= 1
            let plane = try await openDatagrams(listen, on: loop)
            do {
                let listener = try await MediaListener.open(
                    plane.localAddress,
                    isDual: plane.listen.isEverywhere,
                    accepting: loop,
                    group: group ?? loop
                ) { channel in
                    try channel.pipeline.syncOperations.addHandler(MediaConnectionHandler(plane: plane, carrier: .tcp))
                }
                plane.listener.withLock { $0 = listener }
                return plane
            } catch {
                await plane.close()
                // The system chose the number for UDP only; another one may be free for both.
                if attempts > 0 { continue }
                throw NodeError(
                    problem: "The media port \(plane.listen) cannot be used for TCP: \(SystemError.text(of: error)).",
                    remedy: "Stop the program that has it (\"ss -ltnp\" shows it), or set listen.media to another port."
                )
            }
        }
    }

    private static func openDatagrams(
        _ listen: ListenAddress,
        on loop: any EventLoop
    ) async throws(NodeError) -> MediaPlane {
        let bound = try MediaSocket.bind(listen)
        let duplicate = duplicate(of: bound.descriptor)
        do {
            guard duplicate >= 0 else { throw SystemError(errno) }
            let handler = MediaHandler(local: bound.local)
            let bootstrap = DatagramBootstrap(group: loop)
                .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: vectorBytes))
                .channelOption(.datagramVectorReadMessageCount, value: vectorCount)
                .channelOption(.maxMessagesPerRead, value: 4)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(handler) }
                }
            let channel = try await bootstrap.withBoundSocket(bound.descriptor).get()
            // Tells to which of our addresses a datagram was sent, so that the answer leaves from there.
            if bound.listen.isWildcard { try? await channel.setOption(.receivePacketInfo, value: true).get() }
            let plane = MediaPlane(
                channel: channel,
                descriptor: duplicate,
                family: bound.local.ip.isIPv6 ? 6 : 4,
                local: bound.local,
                listen: bound.listen
            )
            try plane.answers.withLock { $0 = Answers(sender: try plane.makeSender(offload: false)) }
            handler.plane.withLock { $0 = plane }
            return plane
        } catch {
            if duplicate >= 0 { Glibc.close(duplicate) }
            throw NodeError(
                problem: "The media port \(listen) cannot be used: \(SystemError.text(of: error)).",
                remedy: "Raise the limit of open files, or look at the system's log."
            )
        }
    }

    /// Names the receiver of a shard's datagrams, who hears too when nothing can come by a path any more. It is called
    /// on `loop`.
    func attach(
        shard: Int,
        on loop: any EventLoop,
        closed: @escaping @Sendable (FiveTuple, ConnectionEnd) -> Void = { _, _ in },
        receive: @escaping @Sendable ([ReceivedDatagram]) -> Void
    ) {
        state.withLock { state in
            while state.receivers.count <= shard { state.receivers.append(nil) }
            state.receivers[shard] = Receiver(loop: loop, receive: receive, closed: closed)
        }
    }

    /// A sender on this port's descriptor for one loop.
    func makeSender(offload: Bool = true) throws(NodeError) -> sending DatagramSender {
        let duplicate = Self.duplicate(of: descriptor)
        guard duplicate >= 0 else {
            throw NodeError(
                problem: "The media port cannot be shared between the loops: \(SystemError(errno)).",
                remedy: "Raise the limit of open files (ulimit -n)."
            )
        }
        return DatagramSender(
            descriptor: duplicate,
            family: family,
            counters: counters,
            offload: offload,
            connections: connections,
            traversal: traversal,
            port: localAddress.port
        )
    }

    /// STUN requests for `ufrag` belong to `shard`, at once and for every loop.
    func claim(_ ufrag: String, for shard: Int) { state.withLock { $0.routes.claim(ufrag, for: shard) } }

    /// Forgets `ufrag` and the paths learned through it.
    func release(_ ufrag: String) { state.withLock { $0.routes.release(ufrag) } }

    /// Everything on `path` belongs to the shard that claimed `ufrag`.
    func claim(_ path: FiveTuple, through ufrag: String) {
        state.withLock { $0.routes.claim(path, through: ufrag) }
        // Its connection may have closed while the check by which it was learned was on its way.
        if !isOpen(path) { release([path], by: .client) }
    }

    /// Whether there is still a way by `path`: the client's connection, or the allocation it is relayed by.
    private func isOpen(_ path: FiveTuple) -> Bool {
        if path.transport == .tcp { return connections[path] != nil }
        guard RelayedAddress.contains(path.remote.ip) else { return true }
        if case .closed = traversal.pass(path, packets: 0, bytes: 0) { return false }
        return true
    }

    /// The client's connection has closed: what it carried leads nowhere any more.
    func closed(_ client: TURNClient, by end: ConnectionEnd) {
        let relayed = traversal.closed(client)
        let paths = relayed.map { relayed in state.withLock { $0.routes.paths(from: relayed) } } ?? []
        release([client.path] + paths, by: end)
    }

    private func release(_ paths: [FiveTuple], by end: ConnectionEnd) {
        for path in paths {
            let receiver = state.withLock { state -> Receiver? in
                guard let shard = state.routes.release(path), state.receivers.indices.contains(shard) else {
                    return nil
                }
                return state.receivers[shard]
            }
            receiver?.loop.execute { receiver?.closed(path, end) }
        }
    }

    /// Whether a TCP connection is of use to a session.
    func isOwned(_ path: FiveTuple) -> Bool { state.withLock { $0.routes.isClaimed(path) } }

    /// Another number for the same socket, which processes that we start do not inherit.
    private static func duplicate(of descriptor: Int32) -> Int32 { fcntl(descriptor, F_DUPFD_CLOEXEC, 0) }

    /// Calls `body` when the port is closed, by us or by an error of the system.
    func whenClosed(_ body: @escaping @Sendable () -> Void) { channel.closeFuture.whenComplete { _ in body() } }

    /// Stops receiving and closes the port; senders close theirs with their loops.
    public func close() async {
        let listener = listener.withLock { listener in
            defer { listener = nil }
            return listener
        }
        try? await listener?.close().get()
        connections.closeAll()
        await traversal.close()
        try? await channel.close().get()
        state.withLock { $0.receivers.removeAll() }
        answers.withLock { $0 = nil }
    }

    deinit { Glibc.close(descriptor) }

    /// Routes one batch.
    func route(_ datagrams: [ReceivedDatagram]) {
        var unknown = 0
        var bytes = 0
        var strays: [ReceivedDatagram] = []
        let deliveries = state.withLock { state -> [(Receiver, [ReceivedDatagram])] in
            var batches: [Int: [ReceivedDatagram]] = [:]
            for datagram in datagrams {
                bytes += datagram.bytes.count
                if let shard = state.routes.shard(of: datagram.bytes, on: datagram.path) {
                    batches[shard, default: []].append(datagram)
                } else if DatagramRoutes.service(of: datagram.bytes[...]) != nil {
                    strays.append(datagram)
                } else {
                    unknown += 1
                }
            }
            return batches.compactMap { shard, batch in
                guard shard < state.receivers.count, let receiver = state.receivers[shard] else { return nil }
                return (receiver, batch)
            }
        }
        counters.received(datagrams.count, bytes: bytes, unknown: unknown)
        for (receiver, batch) in deliveries {
            if receiver.loop.inEventLoop {
                receiver.receive(batch)
            } else {
                receiver.loop.execute { receiver.receive(batch) }
            }
        }
        guard !strays.isEmpty else { return }
        let relayed = serve(strays)
        if !relayed.isEmpty { route(relayed) }
    }

    /// Lets STUN and TURN answer what is no session's.
    ///
    /// - Returns: What came out of TURN, on paths from relayed addresses.
    func serve(_ strays: [ReceivedDatagram]) -> [ReceivedDatagram] {
        var relayed: [ReceivedDatagram] = []
        answers.withLock { answers in
            for stray in strays {
                // TURN inside TURN, or inside ICE's frames, is nothing that anybody needs.
                let isPlain = stray.path.transport == .udp && !RelayedAddress.contains(stray.path.remote.ip)
                let isWelcome = isPlain || DatagramRoutes.service(of: stray.bytes[...]) == .binding
                let client = TURNClient(.udp, path: stray.path)
                switch isWelcome ? traversal.receive(stray.bytes[...], from: client) : .silence {
                case .answer(let bytes): answers?.queue.append(bytes, to: stray.path)
                case .datagram(let bytes, let path): relayed.append(ReceivedDatagram(path: path, bytes: Array(bytes)))
                case .silence: counters.received(0, bytes: 0, unknown: 1)
                }
            }
            answers?.send()
        }
        return relayed
    }

    /// Numbers tried until one is free for UDP and TCP, when the system chooses.
    private static let portAttempts = 8
    /// Datagrams per `recvmmsg`.
    private static let vectorCount = 32
    /// 2 KiB for each: more than any MTU a browser sends with.
    private static let vectorBytes = vectorCount * 2_048
}

/// Collects what one read brought and routes it as a batch.
private final class MediaHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    /// Set right after the channel is there; datagrams that come earlier belong to nobody anyway.
    let plane = Mutex<MediaPlane?>(nil)
    private let local: TransportAddress
    /// Touched on the receiving loop only; the lock is never contended.
    private let batch = Mutex<[ReceivedDatagram]>([])

    init(local: TransportAddress) { self.local = local }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        // A relayed address exists in this process only; one that comes from the network is forged.
        guard let remote = TransportAddress(envelope.remoteAddress), !RelayedAddress.contains(remote.ip) else { return }
        var local = self.local
        if let packetInfo = envelope.metadata?.packetInfo,
            let destination = TransportAddress(packetInfo.destinationAddress)
        {
            local.ip = destination.ip
        }
        let datagram = ReceivedDatagram(
            path: FiveTuple(.udp, local: local, remote: remote),
            bytes: Array(envelope.data.readableBytesView)
        )
        batch.withLock { $0.append(datagram) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        let datagrams = batch.withLock { batch in
            let datagrams = batch
            batch.removeAll(keepingCapacity: true)
            return datagrams
        }
        guard !datagrams.isEmpty else { return }
        plane.withLock { $0 }?.route(datagrams)
    }

    func channelInactive(context: ChannelHandlerContext) { plane.withLock { $0 = nil } }

    /// The kernel reports errors of earlier sends here; they concern one destination, not the port.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
