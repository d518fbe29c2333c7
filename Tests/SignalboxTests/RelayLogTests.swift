import Foundation
import Relay
import Synchronization
import Testing
import Wire

@testable import signalbox

/// A relay that shows what the test puts there.
private final class ShownRelay: RelayService {
    private let state = Mutex<Snapshot>(
        Snapshot(
            sampledAt: .zero,
            wallClock: 1_800_000_000_000,
            node: NodeSnapshot(name: "box", version: "0", processID: 1)
        )
    )
    private let older = Mutex<[EventSnapshot]>([])

    func change(_ body: (inout Snapshot) -> Void) { state.withLock { body(&$0) } }
    func remember(_ events: [EventSnapshot]) { older.withLock { $0 = events } }

    func snapshot() -> Snapshot? { state.withLock { $0 } }
    func history(_ request: HistoryRequest) async -> HistoryReply { HistoryReply(values: []) }
    func events(_ request: EventsRequest) async -> [EventSnapshot] {
        older.withLock { $0.filter { $0.id < request.before ?? .max } }
    }
    func attempts(_ request: AttemptsRequest) async -> [AttemptSnapshot] { [] }
    func submit(_ command: Command) async -> CommandReply { .refused("not here") }
}

struct RelayLogTests {
    private let folder: TemporaryFolder
    private let file: String
    private let relay = ShownRelay()

    init() throws {
        folder = try TemporaryFolder()
        file = folder.path + "/signalbox.log"
    }

    private func lines(_ path: String? = nil) throws -> [String] {
        try String(contentsOfFile: path ?? file, encoding: .utf8).split(separator: "\n").map(String.init)
    }

    @Test func `events, comers and leavers are written once, oldest first, each on a line with its time`() async throws
    {
        let log = RelayLog(path: file)
        relay.change {
            $0.node.listeners = [ListenerSnapshot(name: "https", address: "127.0.0.1:8443")]
            $0.events = [
                EventSnapshot(
                    id: 2,
                    at: 1_800_000_001_500,
                    severity: .critical,
                    camera: "yard",
                    text: "gone:\nno answer"
                ),
                EventSnapshot(id: 1, at: 1_800_000_000_000, severity: .ok, camera: "yard", text: "live by TCP"),
            ]
            let id = "v01GmKwveFlQwty1t5zxxAb0s"
            var viewer = ViewerSnapshot(id: id, generation: 1, camera: "yard", delivery: .hls, control: .hls)
            viewer.remote = "192.0.2.7"
            viewer.client = "ffmpeg 61"
            viewer.age = 12
            viewer.bytes = 4_096
            $0.viewers = [viewer]
        }
        await log.note("started")
        await log.take(relay)
        await log.take(relay)
        relay.change { $0.viewers = [] }
        await log.take(relay)
        let seen = try lines()
        #expect(seen.allSatisfy { $0.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z .+/) != nil })
        #expect(
            seen.map { $0.dropFirst(25) } == [
                "started", "listening: https 127.0.0.1:8443", "ok yard: live by TCP",
                "critical yard: gone: no answer",
                "viewer v01GmKw joined yard: ffmpeg 61 at 192.0.2.7", "viewer v01GmKw left yard: 12 s, 4096 bytes sent",
            ]
        )
        #expect(seen[3].hasPrefix("2027-01-15T08:00:01.500Z"))
    }

    @Test func `more events in a second than a snapshot holds are fetched`() async throws {
        let log = RelayLog(path: file)
        let all = (1...200).reversed().map {
            EventSnapshot(id: UInt64($0), at: 0, severity: .info, text: "event \($0)")
        }
        relay.change { $0.events = Array(all.prefix(Snapshot.eventLimit)) }
        relay.remember(all)
        await log.take(relay)
        #expect(try lines().map { $0.dropFirst(25) } == (1...200).map { "info: event \($0)" })
    }

    @Test func `a log past its size is put aside and begun anew, and one that was there is appended to`() async throws {
        try folder.write("before\n", to: "signalbox.log")
        let log = RelayLog(path: file, byteLimit: 300)
        for number in 1...20 { await log.note("line \(number) of a text of some length") }
        #expect(try lines().last?.hasSuffix("line 20 of a text of some length") == true)
        for path in [file, file + ".1"] {
            let size = try #require(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
            #expect(size < 400)
        }
    }

    @Test func `a place that cannot be written harms nothing`() async {
        let log = RelayLog(path: folder.path + "/missing/signalbox.log")
        await log.note("unheard")
        await log.take(relay)
    }
}
