import NIOCore
import Relay
import Synchronization

extension RelayNode {
    /// Admits a viewer, on the shard that has it already or on the one that is best for it.
    public func join(_ request: JoinRequest) async throws(ViewerRefusal) -> JoinedViewer {
        guard let home = shard(camera: request.camera), let index = cameraShards[request.camera] else {
            throw .noCamera
        }
        var shard = home
        if let id = request.resume, let known = self.shard(viewer: id), await known.run({ $0.owns(viewer: id) }) {
            shard = known
        } else if request.control != .hls {
            shard = shards[directory.place(forViewerOf: index)]
        }
        let result = await shard.run { driver -> Result<JoinedViewer, ViewerRefusal> in
            Result { () throws(ViewerRefusal) in try driver.join(request) }
        }
        return try result.get()
    }

    /// Negotiates WebRTC.
    public func offer(_ sdp: String, viewer: String) async throws(ViewerRefusal) -> String {
        guard let shard = shard(viewer: viewer) else { throw .noViewer }
        let result = await shard.run { driver -> Result<String, ViewerRefusal> in
            Result { () throws(ViewerRefusal) in
                let answer = try driver.perform { (shard, now, effects) throws(ViewerRefusal) in
                    try shard.offer(sdp, viewer: viewer, at: now, into: &effects)
                }
                driver.perform { shard, now, _ in shard.answered(viewer: viewer, at: now) }
                return answer
            }
        }
        return try result.get()
    }

    /// A trickled remote candidate.
    public func candidate(_ candidate: String, viewer: String) async {
        await shard(viewer: viewer)?.run { driver in
            driver.perform { $0.candidate(candidate, viewer: viewer, at: $1, into: &$2) }
        }
    }

    /// Restarts ICE with the client's new credentials.
    public func restartICE(ufrag: String, pwd: String, viewer: String) async throws(ViewerRefusal) -> String {
        guard let shard = shard(viewer: viewer) else { throw .noViewer }
        let result = await shard.run { driver -> Result<String, ViewerRefusal> in
            Result { () throws(ViewerRefusal) in
                try driver.perform { (shard, now, effects) throws(ViewerRefusal) in
                    try shard.restartICE(ufrag: ufrag, pwd: pwd, viewer: viewer, at: now, into: &effects)
                }
            }
        }
        return try result.get()
    }

    /// STUN and TURN on our own ports.
    public func iceServers(for user: String, host: String, tlsPort: UInt16?) -> [ICEServer] {
        let unixTime = MonotonicClock.wallMilliseconds() / 1_000
        return iceServers.servers(for: user, host: host, tlsPort: tlsPort, unixTime: unixTime)
    }

    /// What the page says of itself.
    public func report(_ report: ViewerReport, viewer: String) async {
        await shard(viewer: viewer)?.run { driver in
            driver.perform { $0.report(report, viewer: viewer, at: $1, into: &$2) }
        }
    }

    /// The viewer's control channel closed.
    public func controlClosed(viewer: String, channel: UInt64) async {
        await shard(viewer: viewer)?.run { driver in
            driver.perform { $0.controlClosed(viewer: viewer, channel: channel, at: $1, into: &$2) }
        }
    }

    /// The viewer ends its session.
    public func leave(viewer: String, reason: String) async {
        await shard(viewer: viewer)?.run { driver in
            driver.perform { $0.leave(viewer: viewer, reason: reason, at: $1, into: &$2) }
        }
    }

    /// The viewer's peer ends, the viewer stays.
    public func closePeer(viewer: String) async {
        await shard(viewer: viewer)?.run { driver in
            driver.perform { $0.closePeer(viewer: viewer, at: $1, into: &$2) }
        }
    }

    /// Serves one HLS request, which can be taken back while it waits for its part.
    @discardableResult
    public func hls(
        _ request: HLSRequest,
        reply: @escaping @Sendable (HLSResponse) -> Void
    ) -> @Sendable () -> Void {
        guard let shard = shard(camera: request.camera) else {
            reply(HLSResponse(status: 404, contentType: "text/plain", body: Array("no such camera\n".utf8)))
            return {}
        }
        let cancellation = HLSCancellation(shard: shard)
        shard.loop.execute {
            guard !cancellation.isCancelled else { return }
            cancellation.waits(for: shard.driver.value.hls(request, reply: reply))
        }
        return { cancellation.cancel() }
    }
}

/// Takes back an HLS request whose client went away. Safe to use from any thread.
private final class HLSCancellation: Sendable {
    private struct State {
        var isCancelled = false
        var ticket: UInt64?
    }

    private let shard: ShardHandle
    private let state = Mutex(State())

    init(shard: ShardHandle) { self.shard = shard }

    var isCancelled: Bool { state.withLock { $0.isCancelled } }

    func waits(for ticket: UInt64?) {
        let isLate = state.withLock { state in
            state.ticket = ticket
            return state.isCancelled
        }
        if isLate, let ticket { shard.driver.value.cancelHLS(ticket) }
    }

    /// Takes the request back. Does nothing when it was answered.
    func cancel() {
        let ticket = state.withLock { state in
            state.isCancelled = true
            return state.ticket
        }
        guard let ticket else { return }
        shard.loop.execute { [shard] in shard.driver.value.cancelHLS(ticket) }
    }
}

extension ViewerRefusal {
    fileprivate static var noCamera: ViewerRefusal { ViewerRefusal(.notFound, "there is no such camera") }
    fileprivate static var noViewer: ViewerRefusal { ViewerRefusal(.notFound, "there is no such viewer; it has left") }
}
