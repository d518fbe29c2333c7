import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore

/// Where a request came from, for Hummingbird.
struct GatewayRequestSource: RequestContextSource {
    var logger: Logger
    var connection: ConnectionInfo
}

/// Hummingbird's context of one request, with what we know of its connection.
struct GatewayRequestContext: RequestContext {
    typealias Source = GatewayRequestSource

    var coreContext: CoreRequestContextStorage
    let connection: ConnectionInfo

    init(source: GatewayRequestSource) {
        coreContext = .init(source: source)
        connection = source.connection
    }
}

/// The routes that go through Hummingbird: pages, API, WHEP.
struct GatewayRouter: Sendable {
    private let core: GatewayCore
    private let responder: RouterResponder<GatewayRequestContext>

    init(core: GatewayCore) {
        self.core = core
        let router = Router(context: GatewayRequestContext.self, options: .autoGenerateHeadEndpoints)
        router.middlewares.add(PolicyMiddleware(core: core))
        let pages = PageRoutes(core: core)
        router.get("/") { request, context in pages.index(request, context) }
        router.get("/-/:version/:file") { request, context in try pages.asset(request, context) }
        let interface = InterfaceRoutes(core: core)
        router.get("/healthz") { request, context in try interface.health(request, context) }
        router.get("/api/v1/cameras") { request, context in try interface.cameras(request, context) }
        router.get("/api/v1/snapshot") { request, context in try interface.snapshot(request, context) }
        let whep = WHEPRoutes(core: core)
        for method in [HTTPRequest.Method.get, .head, .post, .patch, .delete, .options] {
            router.on("/**", method: method) { request, context in
                guard let match = try core.catalog.match(request.uri.path) else {
                    return pages.missing(request, context)
                }
                if match.rest.isEmpty { return pages.player(request, context) }
                if match.rest == "whep" { return try await whep.endpoint(match.camera, request, context) }
                if match.rest.hasPrefix("whep/") {
                    let viewer = match.rest.dropFirst("whep/".count)
                    return try await whep.session(match.camera, viewer: String(viewer), request, context)
                }
                if match.rest == "ws" {
                    throw Refusal(.upgradeRequired, "This address speaks WebSocket.", remedy: "Open it as a WebSocket.")
                }
                return pages.missing(request, context)
            }
        }
        responder = router.buildResponder()
    }

    /// Answers one request; called by Hummingbird's connection handling.
    func respond(to request: Request, _ writer: consuming ResponseWriter, on connection: ConnectionInfo) async throws {
        let context = GatewayRequestContext(source: .init(logger: core.logger, connection: connection))
        var response: Response
        do {
            response = try await responder.respond(to: request, context: context)
        } catch {
            // Only a broken connection gets here: everything else was turned into a response by the middleware.
            response = Response(status: .internalServerError)
        }
        if request.method == .head, response.body.contentLength != 0 { response = response.createHeadResponse() }
        try await writer.write(response: response.head, body: response.body)
    }
}

/// Applies ``RequestPolicy`` to every request and turns refusals into answers.
private struct PolicyMiddleware: RouterMiddleware {
    let core: GatewayCore

    func handle(
        _ request: Request,
        context: GatewayRequestContext,
        next: (Request, GatewayRequestContext) async throws -> Response
    ) async throws -> Response {
        do {
            if let refusal = core.policy.refusal(for: request.head, on: context.connection) { throw refusal }
            let allowed = try AllowedMethods(catalog: core.catalog).methods(at: request.uri.path)
            if let allowed, !allowed.contains(request.method) { throw Refusal.method(allowed: allowed) }
            return try await next(request, context)
        } catch let refusal as Refusal {
            return core.response(to: request.head, refusal, context.connection)
        } catch let error as any HTTPResponseError {
            let refusal: Refusal =
                switch error.status {
                case .notFound, .methodNotAllowed:
                    .noSuchCamera(request.uri.path)
                case .contentTooLarge:
                    Refusal(.contentTooLarge, "The body is too large.", remedy: "Send at most 64 KiB.")
                default:
                    Refusal(error.status, "The request cannot be served.", remedy: "Check the request.")
                }
            return core.response(to: request.head, refusal, context.connection)
        }
    }
}

extension GatewayCore {
    /// The answer that says `refusal`.
    func response(to request: HTTPRequest, _ refusal: Refusal, _ connection: ConnectionInfo) -> Response {
        var fields = headers.shared(request, connection)
        fields[.contentType] = "application/json"
        fields[.cacheControl] = "no-store"
        refusal.add(to: &fields)
        return Response(
            status: refusal.status,
            headers: fields,
            body: .init(byteBuffer: ByteBuffer(bytes: refusal.body))
        )
    }
}
