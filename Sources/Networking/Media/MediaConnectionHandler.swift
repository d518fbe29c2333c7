import ICE
import NIOCore
import Wire

/// Reads one TCP connection of the media port: cuts it into messages and routes them as if they were datagrams.
///
/// A connection that belongs to no session is closed after ten seconds, whatever it sent: it never began with STUN, or
/// its checks were nobody's, or its viewer has left.
final class MediaConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let plane: MediaPlane
    private var deframer = StreamDeframer()
    private var path: FiveTuple?
    private var connection: MediaConnection?
    private var batch: [ReceivedDatagram] = []
    private var inspection: Scheduled<Void>?

    init(plane: MediaPlane) { self.plane = plane }

    func channelActive(context: ChannelHandlerContext) {
        guard let local = context.localAddress.flatMap(TransportAddress.init(_:)),
            let remote = context.remoteAddress.flatMap(TransportAddress.init(_:))
        else { return context.close(promise: nil) }
        let path = FiveTuple(.tcp, local: local, remote: remote)
        let connection = MediaConnection(channel: context.channel, counters: plane.counters)
        guard plane.connections.admit(connection, on: path) else { return context.close(promise: nil) }
        self.path = path
        self.connection = connection
        scheduleInspection(context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        inspection?.cancel()
        if let path, connection != nil { plane.connections.remove(path) }
        connection = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let path, let connection else { return }
        deframer.append(unwrapInboundIn(data).readableBytesView)
        do {
            while let message = try deframer.next() {
                if deframer.framing == .lengthPrefixed {
                    batch.append(ReceivedDatagram(path: path, bytes: Array(message)))
                } else if let answer = plane.answer(message, from: path) {
                    connection.send(answer)
                }
            }
        } catch {
            context.close(promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        guard !batch.isEmpty else { return }
        plane.route(batch)
        batch.removeAll(keepingCapacity: true)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func scheduleInspection(_ context: ChannelHandlerContext) {
        inspection = context.eventLoop.assumeIsolated().scheduleTask(in: Self.inspectionInterval) { [weak self] in
            guard let self, let path else { return }
            if plane.isOwned(path) {
                scheduleInspection(context)
            } else {
                context.close(promise: nil)
            }
        }
    }

    /// RFC 6544 leaves the time to us; a browser sends its first check at once.
    private static let inspectionInterval: TimeAmount = .seconds(10)
}
