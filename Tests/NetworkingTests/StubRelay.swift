import Relay
import Synchronization
import Wire

/// A relay that shows what the test tells it to and remembers what it was asked.
final class StubRelay: RelayService {
    private let state = Mutex((snapshot: Snapshot?.none, commands: [Command]()))

    init(cameras: Int = 1) { show(cameras: cameras, at: 1) }

    func show(cameras: Int, at second: Int64) {
        let list = (0..<cameras).map {
            CameraSnapshot(id: "camera-\($0)", generation: 1, state: .live, source: "rtsp://x/")
        }
        var node = NodeSnapshot(name: "stub", version: "1", processID: 7)
        node.cpu = .infinity
        let snapshot = Snapshot(
            sampledAt: Instant(nanoseconds: second * 1_000_000_000),
            wallClock: second * 1_000,
            node: node,
            cameras: list
        )
        state.withLock { $0.snapshot = snapshot }
    }

    var commands: [Command] { state.withLock { $0.commands } }

    func snapshot() -> Snapshot? { state.withLock { $0.snapshot } }

    func history(_ request: HistoryRequest) async -> HistoryReply {
        HistoryReply(values: request.series.map { _ in [1, nil, 3] })
    }

    func attempts(_ request: AttemptsRequest) async -> [AttemptSnapshot] {
        let verdict = Verdict(.udpBlocked, .warning, .clientNetwork, "UDP 8189 blocked", evidence: ["0 checks"])
        var attempt = AttemptSnapshot(
            viewer: request.viewer ?? "",
            number: 1,
            camera: "camera-0",
            control: .page,
            startedAt: 1,
            endedAt: 2,
            verdict: verdict
        )
        attempt.id = UInt64(request.limit)
        return [attempt]
    }

    func events(_ request: EventsRequest) async -> [EventSnapshot] {
        [EventSnapshot(id: request.before ?? 0, at: 5, severity: .info, text: "limit \(request.limit)")]
    }

    func submit(_ command: Command) async -> CommandReply {
        state.withLock { $0.commands.append(command) }
        return command.action.camera == "missing" ? .refused("there is no camera missing") : .accepted
    }
}
