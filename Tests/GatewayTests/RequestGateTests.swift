import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing
import Wire

@testable import Gateway

struct RequestGateTests {
    @Test func `a request that was refused half way gets no second answer`() throws {
        let core = try GatewayCore(
            configuration: GatewayConfiguration(),
            service: FakeViewerService(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let remote = try #require(IPAddress("127.0.0.1"))
        let gate = RequestGate(
            core: core,
            connection: ConnectionInfo(remote: remote, isSecure: false, isLoopbackListener: true)
        )
        let answers = Answers()
        let channel = EmbeddedChannel(handlers: [answers, gate])
        var head = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/gate/whep")
        head.headers.add(name: "Host", value: "localhost")
        channel.pipeline.fireChannelRead(HTTPServerRequestPart.head(head))
        channel.pipeline.fireErrorCaught(HTTPParserError.invalidChunkSize)
        #expect(answers.statuses == [.badRequest])

        channel.write(HTTPServerResponsePart.head(.init(version: .http1_1, status: .notFound)), promise: nil)
        #expect(answers.statuses == [.badRequest])
    }
}

/// Stands where the encoder would and takes every answer.
private final class Answers: ChannelOutboundHandler, Sendable {
    typealias OutboundIn = HTTPServerResponsePart

    private let list = NIOLockedValueBox<[HTTPResponseStatus]>([])
    var statuses: [HTTPResponseStatus] { list.withLockedValue { $0 } }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .head(let head) = unwrapOutboundIn(data) { list.withLockedValue { $0.append(head.status) } }
        promise?.succeed()
    }
}
