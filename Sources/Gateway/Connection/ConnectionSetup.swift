import HTTPTypes
import HummingbirdCore
import HummingbirdHTTP2
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import NIOSSL
import NIOTLS
import NIOWebSocket
import Wire

/// Puts a pipeline on every accepted connection and runs what it turns out to speak.
///
/// ```
///   [TLS, ALPN] ─ h2 ────────────▶ HTTP/2 streams, each: HLSHandler → Hummingbird
///               ├ else, STUN ────▶ TURN over TLS
///               └ http/1.1, plain ▶ decoder → pipelining → RequestGate → upgrade ┬▶ WebSocket → SignallingSession
///                                                                                └▶ HLSHandler → Hummingbird
/// ```
struct ConnectionSetup: Sendable {
    /// What a connection speaks.
    private enum Spoken: Sendable {
        case http1(HTTP1Channel.Value)
        case http2(HTTP2Channel, HTTP2Channel.Value)
        case webSocket(SignallingSession.MessageChannel, SignallingSession)
        case stun
    }

    let core: GatewayCore
    let router: GatewayRouter
    /// TLS of the listener; replaced when the certificate is renewed. `nil` for plain HTTP.
    let tls: NIOLockedValueBox<NIOSSLContext>?
    let isLoopbackListener: Bool

    /// Prepares `channel`; the returned future completes when it may read.
    func initialize(_ channel: any Channel) -> EventLoopFuture<Void> {
        guard let remote = channel.remoteAddress?.ipAddress.flatMap({ IPAddress($0) }),
            core.connections.admit(channel, from: remote)
        else { return channel.close() }
        let info = ConnectionInfo(remote: remote, isSecure: tls != nil, isLoopbackListener: isLoopbackListener)
        return channel.eventLoop.makeCompletedFuture {
            let spoken = try tls.map { try negotiate($0.withLockedValue { $0 }, channel, info) } ?? http1(channel, info)
            spoken.whenSuccess { spoken in
                // Bounded by the number of connections; ends when the channel closes.
                Task { await run(spoken, info) }
            }
            spoken.whenFailure { _ in channel.close(promise: nil) }
        }
    }

    private func run(_ spoken: Spoken, _ info: ConnectionInfo) async {
        switch spoken {
        case .http1(let value):
            await HTTP1Channel(responder: responder(info)).handle(value: value, logger: core.logger)
        case .http2(let channel, let value):
            await channel.handle(value: value, logger: core.logger)
        case .webSocket(let channel, let session):
            await session.run(channel)
        case .stun:
            break
        }
    }

    private func responder(_ info: ConnectionInfo) -> HTTPChannelHandler.Responder {
        { request, writer, _ in try await router.respond(to: request, writer, on: info) }
    }

    // MARK: TLS

    private func negotiate(
        _ context: NIOSSLContext,
        _ channel: any Channel,
        _ info: ConnectionInfo
    ) throws -> EventLoopFuture<Spoken> {
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(NIOSSLServerHandler(context: context))
        let impatience = channel.eventLoop.scheduleTask(
            in: .milliseconds(core.configuration.limits.handshakeMilliseconds)
        ) {
            channel.close(promise: nil)
        }
        // Nested: what is received is kept back until the outer future completes, and the inner one needs a request.
        let alpn = NIOTypedApplicationProtocolNegotiationHandler<EventLoopFuture<Spoken>> { result, channel in
            impatience.cancel()
            return channel.eventLoop.makeCompletedFuture {
                switch result {
                case .negotiated("h2"): return http2(channel, info)
                // Clients of TURN name no protocol, or one of their own and HTTP's besides (coturn's program).
                case .negotiated, .fallback: return try peek(channel, info)
                }
            }
        }
        try pipeline.addHandler(alpn)
        alpn.protocolNegotiationResult.whenComplete { _ in impatience.cancel() }
        return alpn.protocolNegotiationResult.flatMap { $0 }
    }

    /// Tells STUN from HTTP by the first byte.
    private func peek(_ channel: any Channel, _ info: ConnectionInfo) throws -> EventLoopFuture<Spoken> {
        let peeking = FirstByteHandler(limit: .milliseconds(core.configuration.limits.headerMilliseconds))
        try channel.pipeline.syncOperations.addHandler(peeking)
        let bound = NIOLoopBound(peeking, eventLoop: channel.eventLoop)
        return peeking.firstByte(on: channel.eventLoop).flatMap { first in
            let spoken: EventLoopFuture<Spoken>
            do {
                // The types of STUN messages begin with two zero bits and, so far, with 0 or 1.
                if first < 0x04 {
                    guard let takeSTUN = core.configuration.takeSTUN else { throw ChannelError.operationUnsupported }
                    try takeSTUN(channel)
                    spoken = channel.eventLoop.makeSucceededFuture(.stun)
                } else {
                    spoken = try http1(channel, info)
                }
            } catch {
                return channel.eventLoop.makeFailedFuture(error)
            }
            bound.value.passOn()
            return spoken
        }
    }

    // MARK: HTTP/2

    private func http2(_ channel: any Channel, _ info: ConnectionInfo) -> EventLoopFuture<Spoken> {
        let memory = ViewerMemory()
        let limits = core.configuration.limits
        let streams = HTTP1Channel.Configuration(
            additionalChannelHandlers: [HLSHandler(core: core, connection: info, memory: memory)],
            idleTimeout: .milliseconds(limits.responseMilliseconds)
        )
        let http2 = HTTP2Channel(
            responder: responder(info),
            configuration: .init(
                idleTimeout: .milliseconds(limits.idleMilliseconds),
                gracefulCloseTimeout: .milliseconds(limits.handshakeMilliseconds),
                streamConfiguration: streams
            )
        )
        return http2.setup(channel: channel, logger: core.logger).map { .http2(http2, $0) }
    }

    // MARK: HTTP/1.1 and WebSocket

    private func http1(_ channel: any Channel, _ info: ConnectionInfo) throws -> EventLoopFuture<Spoken> {
        let pipeline = channel.pipeline.syncOperations
        var decoderLimits = NIOHTTPDecoderLimitConfiguration()
        decoderLimits.maxHeaderFieldSize = core.configuration.limits.headerBytes
        decoderLimits.maxHeaderListSize = core.configuration.limits.headerBytes
        decoderLimits.maxHeaderFieldCount = core.configuration.limits.headerFields
        let encoder = HTTPResponseEncoder()
        let decoder = ByteToMessageHandler(
            HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: decoderLimits)
        )
        let pipelining = HTTPServerPipelineHandler()
        let gate = RequestGate(core: core, connection: info)
        let upgrade = NIOTypedHTTPServerUpgradeHandler<Spoken>(
            httpEncoder: encoder,
            extraHTTPHandlers: [decoder, pipelining, gate],
            upgradeConfiguration: .init(upgraders: [webSocket(info)]) { channel in
                channel.eventLoop.makeCompletedFuture { .http1(try plain(channel, info)) }
            }
        )
        try pipeline.addHandlers([encoder, decoder, pipelining, gate])
        try pipeline.addHandler(upgrade)
        return upgrade.upgradeResultFuture
    }

    private func plain(_ channel: any Channel, _ info: ConnectionInfo) throws -> HTTP1Channel.Value {
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: info.isSecure))
        try pipeline.addHandler(HLSHandler(core: core, connection: info, memory: ViewerMemory()))
        try pipeline.addHandler(HTTPConnectionStateHandler(logger: core.logger))
        return try HTTP1Channel.Value(
            wrappingChannelSynchronously: channel,
            configuration: .init(isOutboundHalfClosureEnabled: true)
        )
    }

    /// The handshake was judged by ``RequestGate``; what gets here is upgraded.
    private func webSocket(_ info: ConnectionInfo) -> NIOTypedWebSocketServerUpgrader<Spoken> {
        let limit = core.configuration.limits.bodyBytes
        let unread = TimeAmount.milliseconds(core.configuration.limits.unreadMilliseconds)
        return NIOTypedWebSocketServerUpgrader(
            maxFrameSize: limit,
            shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture([:]) },
            upgradePipelineHandler: { channel, head in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        WebSocketMessageHandler(messageLimit: limit, unreadLimit: unread)
                    )
                    let messages = try SignallingSession.MessageChannel(wrappingChannelSynchronously: channel)
                    let request = try HTTPRequest(head, secure: info.isSecure, splitCookie: false)
                    let session = SignallingSession(
                        core: core,
                        connection: info,
                        camera: try core.catalog.match(head.uri)?.camera ?? "",
                        userAgent: GatewayCore.userAgent(of: request),
                        authority: request.authority ?? ""
                    )
                    return .webSocket(messages, session)
                }
            }
        )
    }
}
