import HTTPTypes
import Hummingbird
import NIOCore

/// The pages people open, and the files these are made of.
struct PageRoutes: Sendable {
    let core: GatewayCore

    /// All cameras.
    func index(_ request: Request, _ context: GatewayRequestContext) -> Response {
        document(core.assets.index, status: .ok, request, context)
    }

    /// One camera.
    func player(_ request: Request, _ context: GatewayRequestContext) -> Response {
        document(core.assets.player, status: .ok, request, context)
    }

    /// What is not there: a page for people, JSON for programs.
    func missing(_ request: Request, _ context: GatewayRequestContext) -> Response {
        let wantsPage = request.headers[.accept]?.contains("text/html") ?? false
        guard wantsPage, request.method == .get else {
            return core.response(to: request.head, .noSuchCamera(request.uri.path), context.connection)
        }
        return document(core.assets.missing, status: .notFound, request, context)
    }

    /// A script or style, for ever under its version's name, with a tag otherwise.
    func asset(_ request: Request, _ context: GatewayRequestContext) throws -> Response {
        guard let name = context.parameters.get("file"), let asset = core.assets.file(name) else {
            throw Refusal.noSuchCamera(request.uri.path)
        }
        var fields = core.headers.page(request.head, context.connection)
        fields[.contentType] = asset.contentType
        fields[.eTag] = asset.tag
        let isCurrent = context.parameters.get("version") == core.assets.version
        fields[.cacheControl] = isCurrent ? "public, max-age=31536000, immutable" : "no-cache"
        if request.headers[.ifNoneMatch] == asset.tag { return Response(status: .notModified, headers: fields) }
        return Response(status: .ok, headers: fields, body: .init(byteBuffer: asset.body))
    }

    private func document(
        _ asset: PageAssets.Asset,
        status: HTTPResponse.Status,
        _ request: Request,
        _ context: GatewayRequestContext
    ) -> Response {
        var fields = core.headers.page(request.head, context.connection, script: asset.scriptSource)
        fields[.contentType] = asset.contentType
        fields[.cacheControl] = "no-cache"
        return Response(status: status, headers: fields, body: .init(byteBuffer: asset.body))
    }
}
