import NIOCore
import NIOPosix
import NIOSSL
import Wire

@testable import Networking

/// A TCP server on loopback whose connections the test reads and writes.
final class ScriptedServer: Sendable {
    let address: TransportAddress
    private let listener: any Channel
    private let accepted: AsyncStream<Connection>

    /// One accepted connection.
    final class Connection: Sendable {
        let channel: any Channel
        private let bytes: AsyncStream<[UInt8]>

        init(_ channel: any Channel, _ bytes: AsyncStream<[UInt8]>) {
            self.channel = channel
            self.bytes = bytes
        }

        func write(_ bytes: [UInt8]) async throws { try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get() }

        func close() async { try? await channel.close().get() }

        /// Everything up to `count` bytes, or up to the end.
        func read(_ count: Int = .max) async -> [UInt8] {
            var result: [UInt8] = []
            for await chunk in bytes {
                result += chunk
                if result.count >= count { break }
            }
            return result
        }
    }

    /// - Parameters:
    ///   - reading: Whether connections are read at all.
    ///   - tls: Speaks TLS with this certificate.
    init(reading: Bool = true, tls: NIOSSLContext? = nil) async throws {
        let (stream, continuation) = AsyncStream<Connection>.makeStream()
        accepted = stream
        listener = try await ServerBootstrap(group: NIOSingletons.posixEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: reading)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    let (bytes, input) = AsyncStream<[UInt8]>.makeStream()
                    try channel.pipeline.syncOperations.addHandler(Collector(input))
                    continuation.yield(Connection(channel, bytes))
                }
            }
            .bind(host: "127.0.0.1", port: 0)
            .get()
        address = try required(listener.localAddress.flatMap(TransportAddress.init(_:)))
    }

    /// The next connection.
    func accept() async throws -> Connection {
        var iterator = accepted.makeAsyncIterator()
        return try required(await iterator.next())
    }

    func close() async { try? await listener.close().get() }

    private final class Collector: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        let input: AsyncStream<[UInt8]>.Continuation

        init(_ input: AsyncStream<[UInt8]>.Continuation) { self.input = input }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            input.yield(Array(unwrapInboundIn(data).readableBytesView))
        }

        func channelInactive(context: ChannelHandlerContext) { input.finish() }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
