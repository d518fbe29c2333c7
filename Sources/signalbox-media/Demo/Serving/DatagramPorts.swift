import NIOCore
import NIOPosix

/// The two datagram ports of a camera: an even one for RTP, the next one for RTCP (RFC 3550 §11).
struct DatagramPorts: Sendable {
    let rtp: any Channel
    let rtcp: any Channel

    /// Binds the pair on 127.0.0.1.
    ///
    /// - Parameter heard: Called on the loop with the sender of each datagram that comes in; its content (receiver
    ///   reports, hole punching) tells a camera no more than that the client is alive.
    static func open(
        on loop: any EventLoop,
        attempts: Int = 32,
        heard: @escaping @Sendable (SocketAddress) -> Void
    ) -> EventLoopFuture<DatagramPorts> {
        bind(0, on: loop, heard).flatMap { first in
            let port = first.localAddress?.port ?? 0
            return bind(port ^ 1, on: loop, heard).map { second in
                port % 2 == 0 ? DatagramPorts(rtp: first, rtcp: second) : DatagramPorts(rtp: second, rtcp: first)
            }.flatMapError { error in
                // The neighbour is taken: try elsewhere.
                first.close(promise: nil)
                guard attempts > 1 else { return loop.makeFailedFuture(error) }
                return open(on: loop, attempts: attempts - 1, heard: heard)
            }
        }
    }

    private static func bind(
        _ port: Int,
        on loop: any EventLoop,
        _ heard: @escaping @Sendable (SocketAddress) -> Void
    ) -> EventLoopFuture<any Channel> {
        DatagramBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(DatagramListener(heard: heard))
                }
            }
            .bind(host: "127.0.0.1", port: port)
    }
}

private final class DatagramListener: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let heard: @Sendable (SocketAddress) -> Void

    init(heard: @escaping @Sendable (SocketAddress) -> Void) { self.heard = heard }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { heard(unwrapInboundIn(data).remoteAddress) }

    /// A client that closed its port answers with ICMP, which is no reason to give the camera's port up.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
