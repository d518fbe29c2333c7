import Console
import Relay
import Testing
import Wire

/// Prints what a frame costs; the budget of 2 ms holds for release builds, so debug builds only check sanity.
struct RenderBenchmarkTests {
    @Test func `a frame of 100 cameras and 300 viewers at 160×48`() {
        var person = Operator(RelayFixture.snapshot(cameras: 100, viewers: 300), size: Size(columns: 160, rows: 48))
        let clock = ContinuousClock()
        let size = Size(columns: 160, rows: 48)
        let snapshots = (1...8).map { RelayFixture.snapshot(cameras: 100, viewers: 300, second: Double($0) / 4) }
        for keys in [["1"], ["2"], ["3"], ["5"], ["6"]] as [[Key]] {
            for key in keys { person.press(key) }
            let rounds = 20
            var apply = Duration.zero
            var render = Duration.zero
            for round in 0..<rounds {
                var snapshot = snapshots[round % snapshots.count]
                person.now += .milliseconds(250)
                snapshot.sampledAt = person.now
                apply += clock.measure { person.model.apply(snapshot, at: person.now) }
                render += clock.measure { _ = person.model.render(size: size) }
            }
            print("console benchmark: screen \(keys[0]), apply \(apply / rounds), render \(render / rounds)")
            #expect(render / rounds < .milliseconds(500))
        }
    }
}
