import Foundation
import HTTPTypes
import Hummingbird
import Media
import NIOCore
import Relay

/// What programs ask: health, the cameras in short, the whole snapshot.
struct InterfaceRoutes: Sendable {
    let core: GatewayCore

    /// 200 while the relay publishes snapshots; also for load balancers, so it says nothing more.
    func health(_ request: Request, _ context: GatewayRequestContext) throws -> Response {
        guard core.service.snapshot() != nil else { throw Refusal.starting }
        return try json(["status": "ok"], context)
    }

    /// What the cameras' page shows; nothing of where the cameras are.
    func cameras(_ request: Request, _ context: GatewayRequestContext) throws -> Response {
        guard let snapshot = core.service.snapshot() else { throw Refusal.starting }
        return try json(CameraList(cameras: snapshot.cameras.map(CameraList.Camera.init)), context)
    }

    /// Everything; it names viewers, whose names open their sessions, so it is for this machine only.
    func snapshot(_ request: Request, _ context: GatewayRequestContext) throws -> Response {
        guard core.policy.isDirectLoopback(request.head, on: context.connection),
            core.policy.isAddressed(request.head)
        else {
            throw Refusal(
                .forbidden,
                "The snapshot is given to programs on the relay's own machine only.",
                remedy: "Ask there, or use signalbox ctl snapshot."
            )
        }
        guard let snapshot = core.service.snapshot() else { throw Refusal.starting }
        return try json(snapshot, context)
    }

    private func json(_ value: some Encodable, _ context: GatewayRequestContext) throws -> Response {
        var fields = core.headers.basic(context.connection)
        fields[.contentType] = "application/json"
        fields[.cacheControl] = "no-store"
        fields[.resourcePolicy] = "same-origin"
        let body = ByteBuffer(bytes: Array(try JSONEncoder.gateway.encode(value)))
        return Response(status: .ok, headers: fields, body: .init(byteBuffer: body))
    }
}

/// The body of `/api/v1/cameras`.
struct CameraList: Codable, Sendable {
    /// One camera, as far as a viewer may know it.
    struct Camera: Codable, Sendable {
        var name: String
        var state: CameraState
        var reason: String
        var codec: String?
        var width: Int?
        var height: Int?
        var fps: Double?
        var viewers: Int
        var tags: [String]

        init(_ camera: CameraSnapshot) {
            name = camera.id
            state = camera.state
            reason = camera.state.sentenceForViewers
            codec = camera.video?.codec.rawValue
            width = camera.video?.width
            height = camera.video?.height
            fps = camera.fps
            viewers = camera.viewers
            tags = camera.tags
        }
    }

    var cameras: [Camera]
}
