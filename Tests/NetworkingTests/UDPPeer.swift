import Glibc
import NIOCore
import NIOPosix
import Wire

@testable import Networking

/// A UDP socket of the other side, on loopback.
final class UDPPeer: Sendable {
    struct Arrival: Sendable, Equatable {
        var bytes: [UInt8]
        var from: TransportAddress
    }

    let address: TransportAddress
    private let channel: any Channel
    private let arrivals: AsyncStream<Arrival>

    init(_ host: String = "127.0.0.1", port: Int = 0) async throws {
        let (stream, continuation) = AsyncStream<Arrival>.makeStream()
        arrivals = stream
        channel = try await DatagramBootstrap(group: NIOSingletons.posixEventLoopGroup)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 65_536))
            .channelOption(.socketOption(.so_rcvbuf), value: 4 * 1024 * 1024)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(continuation))
                }
            }
            .bind(host: host, port: port)
            .get()
        address = try required(channel.localAddress.flatMap(TransportAddress.init(_:)))
    }

    func send(_ bytes: [UInt8], to address: TransportAddress) async throws {
        let remote = try SocketAddress(ipAddress: address.ip.description, port: Int(address.port))
        try await channel.writeAndFlush(AddressedEnvelope(remoteAddress: remote, data: ByteBuffer(bytes: bytes))).get()
    }

    /// The next `count` datagrams.
    func receive(_ count: Int) async -> [Arrival] {
        var result: [Arrival] = []
        guard count > 0 else { return [] }
        for await arrival in arrivals {
            result.append(arrival)
            if result.count == count { break }
        }
        return result
    }

    func close() async { try? await channel.close().get() }

    private final class Collector: ChannelInboundHandler, Sendable {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        let continuation: AsyncStream<Arrival>.Continuation

        init(_ continuation: AsyncStream<Arrival>.Continuation) { self.continuation = continuation }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let envelope = unwrapInboundIn(data)
            guard let from = TransportAddress(envelope.remoteAddress) else { return }
            continuation.yield(Arrival(bytes: Array(envelope.data.readableBytesView), from: from))
        }

        func channelInactive(context: ChannelHandlerContext) { continuation.finish() }
    }
}

struct Missing: Error {}

func required<Value>(_ value: Value?) throws -> Value {
    guard let value else { throw Missing() }
    return value
}
