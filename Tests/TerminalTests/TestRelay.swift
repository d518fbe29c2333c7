import Glibc
import Relay
import Synchronization
import Wire

/// A relay with one camera that never changes, except for its clock.
final class TestRelay: RelayService {
    let commands = Mutex<[Command]>([])
    let looks = Atomic<Int>(0)

    func snapshot() -> Snapshot? {
        looks.add(1, ordering: .relaxed)
        var camera = CameraSnapshot(id: "gate-north", generation: 7, state: .live, source: "rtsp://10.0.0.1/1")
        camera.bitrate = 4e6
        return Snapshot(
            sampledAt: monotonicNow(),
            wallClock: 1_795_356_271_000,
            node: NodeSnapshot(name: "pty-relay", version: "1", processID: 1),
            cameras: [camera]
        )
    }

    func history(_ request: HistoryRequest) async -> HistoryReply {
        HistoryReply(values: request.series.map { _ in [] })
    }
    func attempts(_ request: AttemptsRequest) async -> [AttemptSnapshot] { [] }
    func events(_ request: EventsRequest) async -> [EventSnapshot] { [] }
    func submit(_ command: Command) async -> CommandReply {
        commands.withLock { $0.append(command) }
        return .accepted
    }
}

@Sendable func monotonicNow() -> Instant {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
}
