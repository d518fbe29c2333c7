import Foundation
import NIOCore
import NIOPosix
import Synchronization

@testable import Networking

/// A client of the control socket that writes what it likes and reads only when told to.
final class RawClient: Sendable {
    private let channel: any Channel
    private let bytes: AsyncStream<ByteBuffer>
    private let frames = Mutex(ControlFrameReader(limit: ControlProtocol.replyLimit))

    init(_ path: String) async throws {
        let (stream, continuation) = AsyncStream<ByteBuffer>.makeStream()
        bytes = stream
        channel = try await ClientBootstrap(group: NIOSingletons.posixEventLoopGroup)
            .channelOption(.autoRead, value: false)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(continuation))
                }
            }
            .connect(unixDomainSocketPath: path)
            .get()
    }

    func write(_ bytes: [UInt8]) async { try? await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get() }

    func close() async { try? await channel.close().get() }

    /// Reads until there are `count` replies, or the server closes.
    func readReplies(_ count: Int = .max) async -> [ControlReply] {
        var replies: [ControlReply] = []
        func take() {
            while replies.count < count, let frame = try? frames.withLock({ try $0.next() }) {
                guard
                    let reply = try? ControlProtocol.makeDecoder().decode(
                        ControlReply.self,
                        from: Data(frame.readableBytesView)
                    )
                else { return }
                replies.append(reply)
            }
        }
        take()
        guard replies.count < count else { return replies }
        try? await channel.setOption(.autoRead, value: true).get()
        for await chunk in bytes {
            frames.withLock { $0.append(chunk) }
            take()
            if replies.count >= count { break }
        }
        return replies
    }

    private final class Collector: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        let continuation: AsyncStream<ByteBuffer>.Continuation

        init(_ continuation: AsyncStream<ByteBuffer>.Continuation) { self.continuation = continuation }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { continuation.yield(unwrapInboundIn(data)) }

        func channelInactive(context: ChannelHandlerContext) { continuation.finish() }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
