import Foundation
import NIOConcurrencyHelpers
import Relay
import Wire

/// A relay with two cameras and no media, which remembers what it was asked.
final class FakeViewerService: ViewerService {
    /// What was called, in order, as short sentences.
    enum Call: Equatable, Sendable {
        case join(camera: String, control: ControlChannel, resume: String?)
        case offer(String, viewer: String)
        case candidate(String, viewer: String)
        case restart(ufrag: String, pwd: String, viewer: String)
        case report(ViewerReport, viewer: String)
        case controlClosed(viewer: String)
        case leave(viewer: String, reason: String)
        case closePeer(viewer: String)
        case takeBack(resource: String)
    }

    private struct State {
        var calls: [Call] = []
        var waiting: [(matches: @Sendable (Call) -> Bool, continuation: CheckedContinuation<Call, Never>)] = []
        var viewers = 0
        var messages: [String: AsyncStream<ViewerMessage>.Continuation] = [:]
        var requests: [HLSRequest] = []
        var held: [@Sendable (HLSResponse) -> Void] = []
        var heldWaiters: [CheckedContinuation<Void, Never>] = []
        var bodies: [String: [UInt8]] = [:]
        var isStarted = true
        var cameras = ["gate", "yard/gate-north", "yard"]
    }

    private let state = NIOLockedValueBox(State())

    /// Offers that contain this are refused.
    static let incompatibleOffer = "no h264 in here"

    // MARK: What tests set and read

    var calls: [Call] { state.withLockedValue { $0.calls } }
    var requests: [HLSRequest] { state.withLockedValue { $0.requests } }
    var isStarted: Bool {
        get { state.withLockedValue { $0.isStarted } }
        set { state.withLockedValue { $0.isStarted = newValue } }
    }

    /// The first call, past or future, that matches.
    func call(where matches: @escaping @Sendable (Call) -> Bool) async -> Call {
        await withCheckedContinuation { continuation in
            let known: Call? = state.withLockedValue { state in
                if let call = state.calls.first(where: matches) { return call }
                state.waiting.append((matches, continuation))
                return nil
            }
            if let known { continuation.resume(returning: known) }
        }
    }

    func tell(_ viewer: String, _ message: ViewerMessage) {
        _ = state.withLockedValue { $0.messages[viewer] }?.yield(message)
    }

    func end(_ viewer: String) { state.withLockedValue { $0.messages[viewer] }?.finish() }

    /// Returns when a request for `held.m4s` is held.
    func hold() async {
        await withCheckedContinuation { continuation in
            let isHeld = state.withLockedValue { state in
                if state.held.isEmpty { state.heldWaiters.append(continuation) }
                return !state.held.isEmpty
            }
            if isHeld { continuation.resume() }
        }
    }

    /// Answers the requests for `held.m4s`.
    func release() {
        let held = state.withLockedValue { state in
            defer { state.held = [] }
            return state.held
        }
        for reply in held { reply(HLSResponse(status: 200, contentType: "video/mp4", body: [1, 2, 3])) }
    }

    func serve(_ resource: String, _ body: [UInt8]) { state.withLockedValue { $0.bodies[resource] = body } }

    private func record(_ call: Call) {
        let woken = state.withLockedValue { state in
            state.calls.append(call)
            let woken = state.waiting.filter { $0.matches(call) }
            state.waiting.removeAll { $0.matches(call) }
            return woken
        }
        for waiter in woken { waiter.continuation.resume(returning: call) }
    }

    // MARK: ViewerService

    func snapshot() -> Snapshot? {
        let (isStarted, cameras) = state.withLockedValue { ($0.isStarted, $0.cameras) }
        guard isStarted else { return nil }
        return Snapshot(
            sampledAt: .zero,
            wallClock: 1_800_000_000_000,
            node: NodeSnapshot(name: "box", version: "0", processID: 1),
            cameras: cameras.map {
                let source = "rtsp://10.2.0.31/secret-path"
                var camera = CameraSnapshot(id: $0, generation: 1, state: $0 == "yard" ? .held : .live, source: source)
                camera.reason = "stopped by root@pts/0: 10.2.0.31 refused the password"
                return camera
            }
        )
    }

    func history(_ request: HistoryRequest) async -> HistoryReply { HistoryReply(values: []) }
    func attempts(_ request: AttemptsRequest) async -> [AttemptSnapshot] { [] }

    func events(_ request: EventsRequest) async -> [EventSnapshot] { [] }
    func submit(_ command: Command) async -> CommandReply { .refused("not here") }

    func join(_ request: JoinRequest) async throws(ViewerRefusal) -> JoinedViewer {
        record(.join(camera: request.camera, control: request.control, resume: request.resume))
        if request.camera == "yard" { throw ViewerRefusal(.unavailable, "The relay is full.", retryAfter: 7) }
        let (stream, continuation) = AsyncStream.makeStream(
            of: ViewerMessage.self,
            bufferingPolicy: .bufferingNewest(64)
        )
        let id = state.withLockedValue { state in
            state.viewers += 1
            let id = request.resume ?? "viewer\(state.viewers)"
            state.messages[id] = continuation
            return id
        }
        if request.control != .page { continuation.finish() }
        return JoinedViewer(
            id: id,
            channel: 1,
            policy: .auto,
            source: SourceInfo(state: .live, codec: "H264", gopMilliseconds: 2000),
            messages: stream
        )
    }

    func offer(_ sdp: String, viewer: String) async throws(ViewerRefusal) -> String {
        record(.offer(sdp, viewer: viewer))
        if sdp.contains(Self.incompatibleOffer) { throw ViewerRefusal(.incompatible, "Your browser has no H.264.") }
        if sdp.contains("forbidden") { throw ViewerRefusal(.policy, "HLS only.") }
        if sdp.contains("stopped") { throw ViewerRefusal(.unavailable, "It is stopped.", remedy: "Ask the operator.") }
        if !sdp.hasPrefix("v=0") { throw ViewerRefusal(.malformed, "That is no SDP.") }
        return "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n"
    }

    func candidate(_ candidate: String, viewer: String) async { record(.candidate(candidate, viewer: viewer)) }
    func restartICE(ufrag: String, pwd: String, viewer: String) async throws(ViewerRefusal) -> String {
        record(.restart(ufrag: ufrag, pwd: pwd, viewer: viewer))
        return "a=ice-ufrag:ours\r\na=ice-pwd:abcdefghijabcdefghijab\r\n"
    }

    /// The host and the port come back in the URL.
    func iceServers(for user: String, host: String, tlsPort: UInt16?) -> [ICEServer] {
        var urls = ["turn:\(host):8189?transport=udp"]
        if let tlsPort { urls.append("turns:\(host):\(tlsPort)?transport=tcp") }
        return [
            ICEServer(urls: ["stun:\(host):8189"]), ICEServer(urls: urls, username: "9:\(user)", credential: "secret="),
        ]
    }

    func report(_ report: ViewerReport, viewer: String) async { record(.report(report, viewer: viewer)) }
    func controlClosed(viewer: String, channel: UInt64) async { record(.controlClosed(viewer: viewer)) }
    func leave(viewer: String, reason: String) async { record(.leave(viewer: viewer, reason: reason)) }
    func closePeer(viewer: String) async { record(.closePeer(viewer: viewer)) }

    func hls(_ request: HLSRequest, reply: @escaping @Sendable (HLSResponse) -> Void) -> @Sendable () -> Void {
        answer(request, reply)
        return { self.record(.takeBack(resource: request.resource)) }
    }

    private func answer(_ request: HLSRequest, _ reply: @escaping @Sendable (HLSResponse) -> Void) {
        let (body, waiters) = state.withLockedValue { state in
            state.requests.append(request)
            guard request.resource == "held.m4s" else {
                return (state.bodies[request.resource], [CheckedContinuation<Void, Never>]())
            }
            state.held.append(reply)
            defer { state.heldWaiters = [] }
            return (nil, state.heldWaiters)
        }
        for waiter in waiters { waiter.resume() }
        if request.resource == "held.m4s" { return }
        if request.msn == "99999999" {
            return reply(HLSResponse(status: 400, contentType: "text/plain", body: Array("too far".utf8)))
        }
        if request.resource == "media.m3u8" {
            let text = Array("#EXTM3U\n".utf8)
            return reply(
                HLSResponse(
                    status: 200,
                    contentType: "application/vnd.apple.mpegurl",
                    body: text,
                    viewer: request.viewer ?? "anonymous"
                )
            )
        }
        guard let body else {
            return reply(
                HLSResponse(status: 503, contentType: "text/plain", retryAfter: 1, body: Array("not yet".utf8))
            )
        }
        reply(
            HLSResponse(
                status: 200,
                contentType: "video/mp4",
                cacheControl: "public, max-age=3600, immutable",
                body: body
            )
        )
    }
}
