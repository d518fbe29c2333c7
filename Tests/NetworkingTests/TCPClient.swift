import NIOCore
import NIOPosix
import Wire

@testable import Networking

/// A TCP connection of the other side, on loopback.
final class TCPClient: Sendable {
    let address: TransportAddress
    private let channel: any Channel
    private let reader: Reader

    /// - Parameter readsByItself: Whether it takes what comes; if not, its window fills.
    init(to server: TransportAddress, readsByItself: Bool = true) async throws {
        let reader = Reader()
        self.reader = reader
        channel = try await ClientBootstrap(group: NIOSingletons.posixEventLoopGroup)
            .channelOption(.autoRead, value: readsByItself)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(reader) }
            }
            .connect(host: server.ip.description, port: Int(server.port))
            .get()
        address = try required(channel.localAddress.flatMap(TransportAddress.init(_:)))
    }

    func send(_ bytes: [UInt8]) async throws { try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get() }

    /// The next `count` bytes.
    func bytes(_ count: Int) async throws -> [UInt8] {
        var received: [UInt8] = []
        while received.count < count {
            guard let next = await reader.next(count - received.count) else { throw Missing() }
            received += next
        }
        return received
    }

    /// The next `count` RFC 4571 frames.
    func frames(_ count: Int) async throws -> [[UInt8]] {
        var result: [[UInt8]] = []
        while result.count < count {
            let head = try await bytes(2)
            result.append(try await bytes(Int(head[0]) << 8 | Int(head[1])))
        }
        return result
    }

    /// Waits until the other side closes.
    func closed() async { try? await channel.closeFuture.get() }

    func close() async { try? await channel.close().get() }

    private final class Reader: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        private let stream: AsyncStream<UInt8>
        private let continuation: AsyncStream<UInt8>.Continuation

        init() { (stream, continuation) = AsyncStream<UInt8>.makeStream() }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            for byte in unwrapInboundIn(data).readableBytesView { continuation.yield(byte) }
        }

        func channelInactive(context: ChannelHandlerContext) { continuation.finish() }

        func next(_ limit: Int) async -> [UInt8]? {
            var result: [UInt8] = []
            for await byte in stream {
                result.append(byte)
                if result.count == limit { break }
            }
            return result.isEmpty ? nil : result
        }
    }
}
