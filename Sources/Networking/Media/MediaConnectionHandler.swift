import ICE
import NIOCore
import TURN
import Wire

/// Reads one connection that carries media: cuts it into messages and routes them as if they were datagrams.
///
/// A client of TURN speaks STUN, possibly in TLS, a client of ICE-TCP sends RFC 4571 frames. A connection that belongs
/// to no session and has no allocation is closed after five seconds, whatever it sent: it never began with STUN, or its
/// checks were nobody's, or its viewer has left.
final class MediaConnectionHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let plane: MediaPlane
    private let carrier: RelayCarrier
    private var deframer: StreamDeframer
    private var client: TURNClient?
    private var connection: MediaConnection?
    private var batch: [ReceivedDatagram] = []
    private var inspection: Scheduled<Void>?

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
        if let client {
            plane.connections.remove(client.path)
            plane.traversal.closed(client)
        }
        connection = nil
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let client, let connection else { return }
        deframer.append(unwrapInboundIn(data).readableBytesView)
        do {
            while let message = try deframer.next() {
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
            context.close(promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
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
                context.close(promise: nil)
            }
        }
    }

    /// RFC 6544 leaves the time to us; a browser sends its first check at once.
    static let inspectionInterval: TimeAmount = .seconds(5)
}
