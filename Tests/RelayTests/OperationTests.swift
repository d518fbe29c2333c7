import Testing
import Wire

@testable import Relay

/// A command on its way to its result.
struct OperationTests {
    private let start = Instant.zero + .seconds(10)

    private func operation() -> Operation {
        Operation(
            command: Command(id: "c", action: .restart(camera: "gate"), author: "ana"),
            kind: .done,
            waitingFor: "connecting",
            at: start,
            limit: .seconds(20)
        )
    }

    @Test func `each stage is reached once, with its time`() {
        var operation = operation()
        operation.reach("connected", thenAwait: "RTSP", at: start + .milliseconds(250))
        operation.reach("connected", thenAwait: "something else", at: start + .seconds(5))
        #expect(operation.stages == [.init(name: "connected", after: 0.25)])
        #expect(operation.waitingFor == "RTSP")
    }

    @Test func `the first end is the end`() {
        var operation = operation()
        operation.end(.succeeded, "up", at: start + .seconds(2))
        operation.end(.failed, "late", at: start + .seconds(3))
        operation.reach("connected", thenAwait: "more", at: start + .seconds(4))
        #expect(!operation.isRunning)
        #expect(operation.outcome == .succeeded && operation.result == "up")
        #expect(operation.stages.isEmpty && operation.waitingFor.isEmpty)
        #expect(operation.elapsed(at: start + .seconds(60)) == 2)
    }

    @Test func `while it runs its time goes on`() {
        #expect(operation().elapsed(at: start + .milliseconds(1_500)) == 1.5)
    }

    @Test func `its snapshot tells all there is`() {
        let clock = RelayClock(monotonicNow: .zero, unixMilliseconds: 1_000)
        let shown = operation().snapshot(at: start + .seconds(1), clock: clock)
        #expect(shown.id == "c" && shown.verb == "restart" && shown.camera == "gate" && shown.viewer == nil)
        #expect(shown.author == "ana" && shown.startedAt == 11_000 && shown.elapsed == 1 && shown.limit == 20)
        #expect(shown.outcome == .running && shown.waitingFor == "connecting")
    }
}
