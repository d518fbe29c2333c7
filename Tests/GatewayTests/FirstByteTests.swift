import Gateway
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import NIOSSL
import TestSupport
import Testing

/// The HTTPS port, where STUN may come instead of HTTP.
@Suite(.enabled(if: Programs.areExpected("openssl"), "needs openssl to make a certificate"))
struct FirstByteTests {
    /// A client that names no protocol in its handshake, as TURN's do not, or several.
    private struct Client {
        let channel: any Channel
        private let reader: Reader

        init(port: Int, protocols: [String] = []) async throws {
            let reader = Reader()
            self.reader = reader
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.certificateVerification = .none
            configuration.applicationProtocols = protocols
            let context = try NIOSSLContext(configuration: configuration)
            channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let tls = try NIOSSLClientHandler(context: context, serverHostname: nil)
                        try channel.pipeline.syncOperations.addHandlers([tls, reader])
                    }
                }
                .connect(host: "127.0.0.1", port: port)
                .get()
        }

        /// Sends every byte in a record of its own.
        func send(_ bytes: [UInt8]) async throws {
            for byte in bytes { try await channel.writeAndFlush(ByteBuffer(bytes: [byte])) }
        }

        /// What has come when `count` bytes have, or the connection was closed.
        func received(_ count: Int) async -> [UInt8] {
            var bytes: [UInt8] = []
            for await chunk in reader.stream {
                bytes += chunk
                if bytes.count >= count { break }
            }
            return bytes
        }

        private final class Reader: ChannelInboundHandler, Sendable {
            typealias InboundIn = ByteBuffer
            let stream: AsyncStream<[UInt8]>
            private let continuation: AsyncStream<[UInt8]>.Continuation

            init() { (stream, continuation) = AsyncStream.makeStream() }

            func channelRead(context: ChannelHandlerContext, data: NIOAny) {
                continuation.yield(Array(unwrapInboundIn(data).readableBytesView))
            }

            func channelInactive(context: ChannelHandlerContext) { continuation.finish() }

            func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
        }
    }

    /// Stands for TURN: sends back what it reads, with every bit turned.
    private final class Mirror: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data).readableBytesView.map { ~$0 }
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
        }
    }

    private func run(
        patience: Int64 = 60_000,
        takesSTUN: Bool = true,
        _ body: @Sendable (GatewayHarness) async throws -> Void
    ) async throws {
        let identity = try await TestCertificate.make()
        try await GatewayHarness.run {
            $0.https = .init(host: "127.0.0.1", port: 0)
            $0.tls = identity
            $0.limits.headerMilliseconds = patience
            if takesSTUN { $0.takeSTUN = { try $0.pipeline.syncOperations.addHandler(Mirror()) } }
        } _: { (box) async throws in
            try await body(box)
        }
    }

    @Test(arguments: [0x00, 0x01] as [UInt8], [[], ["stun.turn"], ["stun.turn", "http/1.1"]])
    func `STUN goes to TURN whole, though it comes a byte at a time`(first: UInt8, protocols: [String]) async throws {
        try await run { (box) async throws in
            let client = try await Client(port: box.securePort, protocols: protocols)
            let message = [first, 0x03] + (0..<18).map { UInt8($0) }
            try await client.send(message)
            #expect(await client.received(20) == message.map { ~$0 })
            try await client.channel.close()
        }
    }

    @Test func `HTTP goes to HTTP whole, though it comes a byte at a time`() async throws {
        try await run { (box) async throws in
            let client = try await Client(port: box.securePort)
            try await client.send(Array("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:\(box.securePort)\r\n\r\n".utf8))
            #expect(String(decoding: await client.received(15).prefix(15), as: UTF8.self) == "HTTP/1.1 200 OK")
            try await client.channel.close()
        }
    }

    @Test func `who sends nothing is waited for so long and no longer`() async throws {
        try await run(patience: 400) { (box) async throws in
            let client = try await Client(port: box.securePort)
            let begun = ContinuousClock.now
            #expect(await client.received(1).isEmpty)
            #expect(ContinuousClock.now - begun >= .milliseconds(300))
            #expect(!client.channel.isActive)
        }
    }

    @Test func `where there is no TURN, STUN is sent away`() async throws {
        try await run(takesSTUN: false) { (box) async throws in
            let client = try await Client(port: box.securePort)
            try await client.send([0])
            #expect(await client.received(1).isEmpty)
            while box.gateway.connectionCount > 0 { try await Task.sleep(for: .milliseconds(10)) }
        }
    }

    @Test(arguments: [0x04, 0x16, 0x40, 0x7F, 0x80, 0xFF] as [UInt8])
    func `any other first byte is HTTP's to refuse`(first: UInt8) async throws {
        try await run { (box) async throws in
            let client = try await Client(port: box.securePort)
            try? await client.send([first, 13, 10, 13, 10])
            let answer = await client.received(12)
            #expect(answer.isEmpty || String(decoding: answer.prefix(12), as: UTF8.self) == "HTTP/1.1 400")
            try? await client.channel.close()
        }
    }
}
