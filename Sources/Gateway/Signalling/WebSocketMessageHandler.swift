import NIOCore
import NIOWebSocket
import Wire

/// Makes text messages of WebSocket frames and frames of messages (RFC 6455).
///
/// It answers pings, pings by itself and closes when two go unanswered, holds the client to sizes and rates, and
/// completes the closing handshake. Inbound and outbound messages are strings of JSON.
final class WebSocketMessageHandler: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = String
    typealias OutboundIn = String
    typealias OutboundOut = WebSocketFrame

    /// Fragments of one message; more is an attempt to make us work for nothing.
    private static let fragmentLimit = 16
    /// Frames a second the client may send, on average and at once, control frames included.
    private static let frameLimit = TokenBucket.Limit(perSecond: 20, burst: 50)
    private static let pingInterval = TimeAmount.seconds(20)
    /// How long, and for how many bytes, a client that was told why its connection ends may still talk. To close at once
    /// with its bytes unread would reset the connection, and take the reason from it (RFC 6455 §7.1.1).
    private static let lingering = TimeAmount.seconds(1)
    private static let lingeringBytes = 256 * 1024
    /// Of a client's smallest frame (RFC 6455 §5.2).
    private static let frameHeaderBytes = 6

    private let messageLimit: Int
    private let unreadLimit: TimeAmount
    private var message = ByteBuffer()
    private var fragments = 0
    private var frames = TokenBucket()
    private var unansweredPings = 0
    private var hasSentClose = false
    private var bytesAfterClose = 0
    private var lingerTask: Scheduled<Void>?
    private var pingTask: RepeatedTask?
    private var writeTask: Scheduled<Void>?

    /// - Parameters:
    ///   - messageLimit: Bytes of a message.
    ///   - unreadLimit: How long the client may leave us unable to write.
    init(messageLimit: Int, unreadLimit: TimeAmount) {
        self.messageLimit = messageLimit
        self.unreadLimit = unreadLimit
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        pingTask = context.eventLoop.scheduleRepeatedTask(initialDelay: Self.pingInterval, delay: Self.pingInterval) {
            _ in
            let (handler, context) = bound.value
            handler.ping(context)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { stop() }

    func channelInactive(context: ChannelHandlerContext) {
        stop()
        context.fireChannelInactive()
    }

    private func stop() {
        pingTask?.cancel()
        writeTask?.cancel()
        lingerTask?.cancel()
    }

    private func ping(_ context: ChannelHandlerContext) {
        guard unansweredPings < 2 else { return fail(.goingAway, context) }
        unansweredPings += 1
        send(.ping, ByteBuffer(), context)
    }

    // MARK: Inbound

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        guard !hasSentClose else { return discard(frame, context) }
        guard frames.take(within: Self.frameLimit, at: Instant(.now())) else { return fail(.policyViolation, context) }
        // RFC 6455 §5.1: a client masks every frame. No extension is negotiated, so no reserved bit has a meaning.
        guard frame.maskKey != nil, !frame.rsv1, !frame.rsv2, !frame.rsv3 else { return fail(.protocolError, context) }
        switch frame.opcode {
        case .text:
            guard fragments == 0 else { return fail(.protocolError, context) }
            append(frame, context)
        case .continuation:
            guard fragments > 0 else { return fail(.protocolError, context) }
            append(frame, context)
        case .binary:
            fail(.unacceptableData, context)
        case .ping:
            send(.pong, frame.unmaskedData, context)
        case .pong:
            unansweredPings = 0
        case .connectionClose:
            var payload = frame.unmaskedData
            let code = payload.readSlice(length: min(2, payload.readableBytes)) ?? ByteBuffer()
            guard Self.isValidClose(code), String(validating: payload.readableBytesView, as: UTF8.self) != nil else {
                return fail(.protocolError, context)
            }
            hasSentClose = true
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            let reply = WebSocketFrame(fin: true, opcode: .connectionClose, data: code)
            context.writeAndFlush(wrapOutboundOut(reply)).whenComplete { _ in bound.value.close(promise: nil) }
        default:
            fail(.protocolError, context)
        }
    }

    /// RFC 6455 §7.4: some codes only say what happened where no frame was sent.
    private static func isValidClose(_ code: ByteBuffer) -> Bool {
        guard code.readableBytes > 0 else { return true }
        guard let value = code.getInteger(at: code.readerIndex, as: UInt16.self) else { return false }
        return 1000...1003 ~= value || 1007...1014 ~= value || 3000...4999 ~= value
    }

    private func append(_ frame: WebSocketFrame, _ context: ChannelHandlerContext) {
        var data = frame.unmaskedData
        fragments += 1
        guard message.readableBytes + data.readableBytes <= messageLimit else { return fail(.messageTooLarge, context) }
        guard fragments <= Self.fragmentLimit else { return fail(.policyViolation, context) }
        message.writeBuffer(&data)
        guard frame.fin else { return }
        defer {
            message = ByteBuffer()
            fragments = 0
        }
        guard let text = String(validating: message.readableBytesView, as: UTF8.self) else {
            return fail(.dataInconsistentWithMessage, context)
        }
        context.fireChannelRead(wrapInboundOut(text))
    }

    // MARK: Outbound

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let text = unwrapOutboundIn(data)
        let frame = WebSocketFrame(fin: true, opcode: .text, data: ByteBuffer(string: text))
        context.write(wrapOutboundOut(frame), promise: promise)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        writeTask?.cancel()
        writeTask = nil
        if !context.channel.isWritable {
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            writeTask = context.eventLoop.scheduleTask(in: unreadLimit) { bound.value.close(promise: nil) }
        }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is GatewayShutdownEvent, !hasSentClose {
            let text = #"{"reason":"The relay is shutting down.","retryAfter":2,"type":"bye"}"#
            send(.text, ByteBuffer(string: text), context)
            sendClose(.goingAway, context)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if !hasSentClose { sendClose(.normalClosure, context) }
        context.close(mode: mode, promise: promise)
    }

    private func fail(_ code: WebSocketErrorCode, _ context: ChannelHandlerContext) {
        sendClose(code, context)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        lingerTask = context.eventLoop.scheduleTask(in: Self.lingering) { bound.value.close(promise: nil) }
    }

    private func discard(_ frame: WebSocketFrame, _ context: ChannelHandlerContext) {
        bytesAfterClose += Self.frameHeaderBytes + frame.data.readableBytes
        if frame.opcode == .connectionClose || bytesAfterClose > Self.lingeringBytes { context.close(promise: nil) }
    }

    private func sendClose(_ code: WebSocketErrorCode, _ context: ChannelHandlerContext) {
        hasSentClose = true
        var data = ByteBuffer()
        data.write(webSocketErrorCode: code)
        send(.connectionClose, data, context)
    }

    private func send(_ opcode: WebSocketOpcode, _ data: ByteBuffer, _ context: ChannelHandlerContext) {
        guard context.channel.isActive else { return }
        context.writeAndFlush(wrapOutboundOut(WebSocketFrame(fin: true, opcode: opcode, data: data)), promise: nil)
    }
}
