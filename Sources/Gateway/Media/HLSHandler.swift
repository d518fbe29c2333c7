import HTTPTypes
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTPTypes
import Relay

/// Which viewer asks on a connection, by camera: the URLs of parts and segments are the same for everybody.
final class ViewerMemory: Sendable {
    /// Cameras remembered for one connection.
    private static let limit = 64
    private let viewers = NIOLockedValueBox<[String: String]>([:])

    subscript(camera: String) -> String? {
        get { viewers.withLockedValue { $0[camera] } }
        set {
            viewers.withLockedValue { viewers in
                guard viewers[camera] != nil || viewers.count < Self.limit else { return }
                viewers[camera] = newValue
            }
        }
    }
}

/// Answers requests for playlists, init segments, segments and parts in the pipeline, past the router: the hot path.
///
/// The same handler sits on HTTP/1.1 connections (one request at a time, ``RequestGate`` sees to that) and on every
/// HTTP/2 stream. Requests for anything else pass on untouched.
final class HLSHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundOut = HTTPResponsePart

    private struct Asked {
        var request: HTTPRequest
        var match: CameraCatalog.Match
    }

    private let core: GatewayCore
    private let connection: ConnectionInfo
    private let memory: ViewerMemory
    private var asked: Asked?
    /// Takes the request back that is being answered.
    private var takeBack: (@Sendable () -> Void)?

    init(core: GatewayCore, connection: ConnectionInfo, memory: ViewerMemory) {
        self.core = core
        self.connection = connection
        self.memory = memory
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let request):
            guard let match = media(request) else { return context.fireChannelRead(data) }
            asked = Asked(request: request, match: match)
        case .body:
            // A body has no meaning here and is dropped as it comes.
            if asked == nil { context.fireChannelRead(data) }
        case .end:
            guard let asked else { return context.fireChannelRead(data) }
            self.asked = nil
            serve(asked, context: context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        // A client that leaves while its part is awaited must not occupy a place among those who wait.
        takeBack?()
        takeBack = nil
        context.fireChannelInactive()
    }

    /// What is asked of a camera's HLS; `nil` when the request is for somebody else.
    private func media(_ request: HTTPRequest) -> CameraCatalog.Match? {
        guard let target = request.path else { return nil }
        let path = target.utf8.prefix { $0 != UInt8(ascii: "?") }
        let suffixes = [".m3u8", ".m4s", ".mp4"]
        guard
            suffixes.contains(where: { path.count > $0.utf8.count && path.suffix($0.utf8.count).elementsEqual($0.utf8) }
            ),
            let match = try? core.catalog.match(target), !match.rest.isEmpty,
            !match.rest.utf8.contains(UInt8(ascii: "/"))
        else { return nil }
        return match
    }

    private func serve(_ asked: Asked, context: ChannelHandlerContext) {
        let request = asked.request
        // A page of another site could not read the answer, but asking makes a viewer and may start a camera.
        if let refusal = core.policy.refusal(for: request, on: connection) ?? core.policy.originRefusal(for: request) {
            return write(refusal, to: request, context: context)
        }
        switch request.method {
        case .get, .head:
            break
        case .options:
            let fields = core.headers.preflight(request, connection, allowed: AllowedMethods.media)
            return write(HTTPResponse(status: .noContent, headerFields: fields), body: nil, context: context)
        default:
            return write(.method(allowed: AllowedMethods.media), to: request, context: context)
        }
        let target = request.path ?? ""
        let viewer = viewer(of: request, camera: asked.match.camera)
        let isFirst = viewer == nil && asked.match.rest.elementsEqual("index.m3u8")
        var query = HLSRequest(
            camera: asked.match.camera,
            resource: String(asked.match.rest),
            msn: queryValue("_HLS_msn", in: target),
            part: queryValue("_HLS_part", in: target),
            skip: queryValue("_HLS_skip", in: target),
            viewer: viewer,
            remote: connection.remote,
            userAgent: GatewayCore.userAgent(of: request),
            scheme: connection.scheme
        )
        query.mayJoin = !isFirst || core.joins.allows(connection.remote)
        let loop = context.eventLoop
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: loop)
        takeBack = core.service.hls(query) { response in
            loop.execute {
                let (handler, context) = bound.value
                handler.takeBack = nil
                handler.write(response, to: asked.request, camera: asked.match.camera, context: context)
            }
        }
    }

    private func viewer(of request: HTTPRequest, camera: String) -> String? {
        if let named = queryValue("viewer", in: request.path ?? "") ?? request.headerFields[.viewer] {
            guard isViewerWord(named) else { return nil }
            memory[camera] = named
            return named
        }
        // A proxy's connection carries the requests of many.
        return RequestPolicy.isForwarded(request) ? nil : memory[camera]
    }

    private func write(_ response: HLSResponse, to request: HTTPRequest, camera: String, context: ChannelHandlerContext)
    {
        guard context.channel.isActive else { return }
        if let viewer = response.viewer { memory[camera] = viewer }
        if response.status >= 400 { return write(Refusal(response), to: request, context: context) }
        var fields = core.headers.shared(request, connection)
        fields[.contentType] = response.contentType
        fields[.cacheControl] = response.cacheControl
        fields[.contentLength] = String(response.body.count)
        if let seconds = response.retryAfter { fields[.retryAfter] = String(seconds) }
        let status = (200...599).contains(response.status) ? response.status : 500
        let head = HTTPResponse(status: .init(code: status), headerFields: fields)
        let hasBody = request.method != .head && !response.body.isEmpty
        write(head, body: hasBody ? core.bodies.buffer(for: response.body) : nil, context: context)
    }

    private func write(_ refusal: Refusal, to request: HTTPRequest, context: ChannelHandlerContext) {
        let body = ByteBuffer(bytes: refusal.body)
        var fields = core.headers.shared(request, connection)
        fields[.contentType] = "application/json"
        fields[.cacheControl] = "no-store"
        fields[.contentLength] = String(body.readableBytes)
        refusal.add(to: &fields)
        let head = HTTPResponse(status: refusal.status, headerFields: fields)
        write(head, body: request.method == .head ? nil : body, context: context)
    }

    private func write(_ head: HTTPResponse, body: ByteBuffer?, context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if let body { context.write(wrapOutboundOut(.body(body)), promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
}
