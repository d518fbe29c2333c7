import ICE
import NIOCore
import TURN
import Wire

/// Reads one connection that carries media: cuts it into messages and routes them as if they were datagrams.
///
/// A client of TURN speaks STUN, possibly in TLS, a client of ICE-TCP sends RFC 4571 frames. A connection that belongs
/// to no session and has no allocation is closed after five seconds, whatever it sent: it never began with STUN, or its
/// checks were nobody's, or its viewer has left.
///
/// What a client sends faster than any viewer has reason to waits in its own socket: a datagram that comes too fast the
/// kernel drops, a stream would go on for as long as the client likes and keep the loops from everybody else.
final class MediaConnectionHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer

    private let plane: MediaPlane
    private let carrier: RelayCarrier
    private var deframer: StreamDeframer
    private var client: TURNClient?
    private var connection: MediaConnection?
    private var batch: [ReceivedDatagram] = []
    private var inspection: Scheduled<Void>?
    /// Messages taken.
    private var messages = TokenBucket()
    /// Reading goes on when there is an allowance again.
    private var rest: Scheduled<Void>?
    private var isReadWanted = false
    /// We have ended the connection, and not the client.
    private var isClosedByRelay = false

    /// - Parameters:
    ///   - carrier: What the connection is to TURN.
    ///   - framing: How it is framed, where only one way is possible.
    init(plane: MediaPlane, carrier: RelayCarrier, framing: StreamDeframer.Framing? = nil) {
        self.plane = plane
        self.carrier = carrier
        deframer = StreamDeframer(framing: framing)
    }

    func handlerAdded(context: ChannelHandlerContext) { if context.channel.isActive { begin(context) } }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard client == nil else { return }
        guard let local = context.localAddress.flatMap(TransportAddress.init(_:)),
            let remote = context.remoteAddress.flatMap(TransportAddress.init(_:))
        else { return context.close(promise: nil) }
        let client = TURNClient(carrier, path: FiveTuple(.tcp, local: local, remote: remote))
        let connection = MediaConnection(channel: context.channel, counters: plane.counters)
        guard plane.connections.admit(connection, on: client.path) else { return context.close(promise: nil) }
        self.client = client
        self.connection = connection
        scheduleInspection(context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        inspection?.cancel()
        rest?.cancel()
        if let client {
            plane.connections.remove(client.path)
            // Behind what came before, which is on its way to its owner.
            context.eventLoop.execute { [plane, isClosedByRelay] in
                plane.closed(client, by: isClosedByRelay ? .relay : .client)
            }
        }
        connection = nil
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        deframer.append(unwrapInboundIn(data).readableBytesView)
        takeMessages(context)
    }

    /// Takes whole messages for as long as there is an allowance, which is 1 again after the rest.
    private func takeMessages(_ context: ChannelHandlerContext) {
        guard let client, let connection, rest == nil else { return }
        do {
            while true {
                let now = Instant(context.eventLoop.now)
                guard messages.holds(within: Self.limit, at: now) else { return takeRest(context) }
                guard let message = try deframer.next() else { return }
                _ = messages.take(within: Self.limit, at: now)
                guard deframer.framing == .selfDelimiting else {
                    batch.append(ReceivedDatagram(path: client.path, bytes: Array(message)))
                    continue
                }
                switch plane.traversal.receive(message, from: client) {
                case .answer(let bytes): connection.send(bytes)
                case .datagram(let bytes, let path): batch.append(ReceivedDatagram(path: path, bytes: Array(bytes)))
                case .silence: plane.counters.received(1, bytes: message.count, unknown: 1)
                }
            }
        } catch {
            close(context)
        }
    }

    private func close(_ context: ChannelHandlerContext) {
        isClosedByRelay = true
        context.close(promise: nil)
    }

    private func takeRest(_ context: ChannelHandlerContext) {
        rest = context.eventLoop.assumeIsolated().scheduleTask(in: Self.restInterval) { [weak self] in
            guard let self else { return }
            rest = nil
            takeMessages(context)
            routeBatch(context)
            guard rest == nil, isReadWanted else { return }
            isReadWanted = false
            context.read()
        }
    }

    func read(context: ChannelHandlerContext) {
        if rest == nil { context.read() } else { isReadWanted = true }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        routeBatch(context)
        context.fireChannelReadComplete()
    }

    private func routeBatch(_ context: ChannelHandlerContext) {
        guard !batch.isEmpty else { return }
        let datagrams = batch
        batch.removeAll(keepingCapacity: true)
        // A write that meets a reset reads what came before it, in the midst of that write: whoever sends, and holds what
        // it sends from, has to be through before anything arrives.
        context.eventLoop.execute { [plane] in plane.route(datagrams) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func scheduleInspection(_ context: ChannelHandlerContext) {
        inspection = context.eventLoop.assumeIsolated().scheduleTask(in: Self.inspectionInterval) { [weak self] in
            guard let self, let client else { return }
            if plane.isOwned(client.path) || plane.traversal.isInUse(by: client) {
                scheduleInspection(context)
            } else {
                close(context)
            }
        }
    }

    /// RFC 6544 leaves the time to us; a browser sends its first check at once.
    static let inspectionInterval: TimeAmount = .seconds(5)
    /// Messages a client may send: a browser sends some tens of reports and checks each second, and more when it begins.
    static let limit = TokenBucket.Limit(perSecond: 100, burst: 50)
    private static let restInterval: TimeAmount = .milliseconds(50)
}
