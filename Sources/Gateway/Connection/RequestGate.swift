import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypesHTTP1

/// Stands behind the HTTP/1.1 decoder and lets through only requests that can be answered.
///
/// It refuses what the rest need not know about (methods, forms and versions we do not speak, broken requests),
/// decides on `Upgrade` before NIO's upgrade handler sees it (which would drop a request it does not upgrade), and
/// holds the connection to its deadlines. It sits behind NIO's pipelining handler: one request at a time.
///
/// ```
///   waiting ──head──▶ reading ──end──▶ responding ──response end──▶ flushing ──▶ waiting
///      └─ idle limit      └─ body limit     └─ response limit           └─ response limit: close
/// ```
final class RequestGate: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private enum Phase {
        case waiting
        case reading
        case responding
        case flushing
        /// The upgrade handler has it and will remove this handler.
        case upgrading
        /// A refusal is on its way out.
        case done
    }

    private let core: GatewayCore
    private let connection: ConnectionInfo
    private var phase = Phase.waiting
    private var deadline: NIODeadline
    private var timer: Scheduled<Void>?
    private var isFirstRequest = true
    private var closesAfterResponse = false
    private var responseHasBegun = false

    private var limits: GatewayConfiguration.Limits { core.configuration.limits }

    init(core: GatewayCore, connection: ConnectionInfo) {
        self.core = core
        self.connection = connection
        deadline = .now() + .milliseconds(core.configuration.limits.headerMilliseconds)
    }

    func handlerAdded(context: ChannelHandlerContext) { arm(context) }

    func handlerRemoved(context: ChannelHandlerContext) {
        phase = .done
        timer?.cancel()
    }

    func channelInactive(context: ChannelHandlerContext) {
        phase = .done
        timer?.cancel()
        context.fireChannelInactive()
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch phase {
        case .done: return
        case .upgrading: return context.fireChannelRead(data)
        case .waiting, .reading, .responding, .flushing: break
        }
        switch unwrapInboundIn(data) {
        case .head(let head):
            receive(head, context: context)
        case .body:
            context.fireChannelRead(data)
        case .end:
            if phase == .reading { phase = .responding }
            deadline = .now() + .milliseconds(limits.responseMilliseconds)
            context.fireChannelRead(data)
        }
    }

    private func receive(_ head: HTTPRequestHead, context: ChannelHandlerContext) {
        defer { isFirstRequest = false }
        closesAfterResponse = !head.isKeepAlive
        responseHasBegun = false
        if let refusal = refusal(for: head) { return refuse(refusal, context: context) }
        var head = head
        if head.headers.contains(name: "upgrade") {
            switch upgrade(&head) {
            case .webSocket:
                // The upgrade handler answers; the WebSocket has its own deadlines.
                phase = .upgrading
                timer?.cancel()
                return context.fireChannelRead(wrapInboundOut(.head(head)))
            case .none:
                break
            case .refused(let refusal):
                return refuse(refusal, context: context)
            }
        }
        phase = .reading
        deadline = .now() + .milliseconds(limits.bodyMilliseconds)
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }

    private func refusal(for head: HTTPRequestHead) -> Refusal? {
        guard head.version == .http1_1 else {
            return Refusal(.httpVersionNotSupported, "HTTP/1.0 is not spoken here.", remedy: "Use HTTP/1.1 or HTTP/2.")
        }
        // What other methods an address takes is the router's to say; this one would make a tunnel of the connection.
        guard head.method != .CONNECT else {
            return .method(allowed: [.get, .head, .post, .patch, .delete, .options])
        }
        guard head.uri.utf8.count <= limits.targetBytes else {
            return Refusal(.uriTooLong, "The address is too long.", remedy: "Use at most \(limits.targetBytes) bytes.")
        }
        guard head.uri.utf8.first == UInt8(ascii: "/") else {
            return Refusal(.badRequest, "This is not a proxy.", remedy: "Send the path only.")
        }
        guard head.headers["host"].count == 1 else {
            return Refusal(.badRequest, "The request needs exactly one Host.", remedy: "Send the Host header once.")
        }
        return nil
    }

    private enum Upgrade {
        case webSocket
        case none
        case refused(Refusal)
    }

    private func upgrade(_ head: inout HTTPRequestHead) -> Upgrade {
        let asksForWebSocket = head.headers[canonicalForm: "upgrade"].contains { $0.lowercased() == "websocket" }
        guard asksForWebSocket, head.method == .GET else {
            // h2c and the like: answered as if nothing had been asked.
            head.headers.remove(name: "upgrade")
            head.headers.remove(name: "http2-settings")
            return .none
        }
        guard let request = try? HTTPRequest(head, secure: connection.isSecure, splitCookie: false) else {
            return .refused(Refusal(.badRequest, "The request is malformed.", remedy: "Send a valid request."))
        }
        let match: CameraCatalog.Match?
        do {
            match = try core.catalog.match(head.uri)
        } catch {
            return .refused(error)
        }
        guard let match, match.rest == "ws" else { return .refused(.noSuchCamera(head.uri)) }
        if let refusal = core.policy.refusal(for: request, on: connection) ?? core.policy.originRefusal(for: request) {
            return .refused(refusal)
        }
        guard head.headers["sec-websocket-version"] == ["13"] else {
            return .refused(
                Refusal(
                    .upgradeRequired,
                    "Only WebSocket version 13 is spoken.",
                    remedy: "Send Sec-WebSocket-Version: 13."
                )
            )
        }
        let keys = head.headers["sec-websocket-key"]
        let isAnnounced = head.headers[canonicalForm: "connection"].contains { $0.lowercased() == "upgrade" }
        guard keys.count == 1, keys[0].utf8.count == 24, keys[0].hasSuffix("=="), isAnnounced, isFirstRequest else {
            return .refused(
                Refusal(
                    .badRequest,
                    "The WebSocket handshake is malformed.",
                    remedy: "Open it on a connection of its own."
                )
            )
        }
        head.headers.replaceOrAdd(name: "upgrade", value: "websocket")
        return .webSocket
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError, phase != .done, phase != .upgrading, !responseHasBegun else {
            // Half a response cannot be taken back; the rest of the connection means nothing any more.
            return context.close(promise: nil)
        }
        let problem = "The request is malformed."
        let refusal =
            error == .headerOverflow
            ? Refusal(.requestHeaderFieldsTooLarge, "The header is too long.", remedy: "Send less.")
            : Refusal(.badRequest, problem, remedy: "Send a request as RFC 9112 has it.")
        refuse(refusal, context: context)
    }

    private func refuse(_ refusal: Refusal, context: ChannelHandlerContext) {
        phase = .done
        deadline = .now() + .milliseconds(limits.bodyMilliseconds)
        let body = ByteBuffer(bytes: refusal.body)
        var fields = core.headers.basic(connection)
        fields[.contentType] = "application/json"
        fields[.cacheControl] = "no-store"
        fields[.connection] = "close"
        fields[.contentLength] = String(body.readableBytes)
        refusal.add(to: &fields)
        var head = HTTPResponseHead(
            version: .http1_1,
            status: .init(statusCode: refusal.status.code),
            headers: .init(fields)
        )
        if refusal.status == .upgradeRequired {
            head.headers.add(name: "Sec-WebSocket-Version", value: "13")
            head.headers.add(name: "Upgrade", value: "websocket")
        }
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in bound.value.close(promise: nil) }
    }

    // MARK: Responses

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        // The request was refused while somebody behind us worked on it: there is one answer to a request.
        guard phase != .done else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        switch unwrapOutboundIn(data) {
        case .head(var head):
            responseHasBegun = true
            if closesAfterResponse, head.status != .switchingProtocols {
                head.headers.replaceOrAdd(name: "Connection", value: "close")
            }
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body:
            context.write(data, promise: promise)
        case .end:
            if phase == .reading || phase == .responding { phase = .flushing }
            deadline = .now() + .milliseconds(limits.responseMilliseconds)
            let promise = promise ?? context.eventLoop.makePromise()
            let bound = NIOLoopBound((gate: self, context: context), eventLoop: context.eventLoop)
            let closes = closesAfterResponse
            promise.futureResult.whenComplete { _ in
                let (gate, context) = bound.value
                gate.responseLeft(closes: closes, context: context)
            }
            context.write(data, promise: promise)
        }
    }

    private func responseLeft(closes: Bool, context: ChannelHandlerContext) {
        guard phase == .flushing else { return }
        phase = .waiting
        responseHasBegun = false
        deadline = .now() + .milliseconds(limits.idleMilliseconds)
        if closes { context.close(promise: nil) }
    }

    // MARK: Deadlines

    /// One timer that moves to the deadline of the moment when it fires, so that requests do not pay for timers.
    private func arm(_ context: ChannelHandlerContext) {
        let bound = NIOLoopBound((gate: self, context: context), eventLoop: context.eventLoop)
        // A later deadline may be shorter than the one the timer was set for; five seconds is how late it may be.
        let next = min(deadline, .now() + .seconds(5))
        timer = context.eventLoop.scheduleTask(deadline: next) {
            let (gate, context) = bound.value
            gate.check(context)
        }
    }

    private func check(_ context: ChannelHandlerContext) {
        if NIODeadline.now() >= deadline { return context.close(promise: nil) }
        arm(context)
    }
}
