import Testing
import Wire

@testable import WebRTC

/// The ladder's rules one by one, on figures made up for it.
@Suite struct QualityLadderTests {
    private struct Ladder {
        var ladder = QualityLadder(at: .zero)
        var now = Instant.zero
        var conditions = QualityLadder.Conditions(
            estimate: 5e6,
            loss: 0,
            rates: StreamRates(full: 2e6, reduced: 1.4e6, keyframes: 0.4e6),
            available: [.reduced, .keyframes],
            mayProbe: false
        )
        var actions: [QualityLadder.Action] = []

        mutating func run(_ seconds: Double) {
            for _ in 0..<Int(seconds * 4) {
                now += .milliseconds(250)
                if let action = ladder.assess(conditions, at: now) { actions.append(action) }
            }
        }
    }

    @Test func `nothing happens while all is well`() {
        var it = Ladder()
        it.run(120)
        #expect(it.actions.isEmpty && it.ladder.state.rung == .full && it.ladder.state.reason.isEmpty)
    }

    @Test func `an estimate that is too low for two seconds leads to the best rung that fits, with the figures`() {
        var it = Ladder()
        it.run(5)
        it.conditions.estimate = 1.5e6
        it.run(1.75)
        #expect(it.ladder.state.rung == .full)
        it.conditions.estimate = 1.9e6
        it.run(0.5)
        it.conditions.estimate = 1.5e6
        it.run(2)
        #expect(it.ladder.state.rung == .full, "the two seconds begin anew")
        it.run(0.5)
        #expect(it.ladder.state.rung == .reduced)
        #expect(it.ladder.state.reason == "the way carries 1.50 Mbit/s, the stream needs 2.00")
    }

    @Test func `a rung that leaves nothing out, or does not fit, is passed over`() {
        var it = Ladder()
        it.conditions.available = [.keyframes]
        it.conditions.estimate = 1.5e6
        it.run(6)
        #expect(it.ladder.state.rung == .keyframes)
        it = Ladder()
        it.conditions.estimate = 0.5e6
        it.run(6)
        #expect(it.ladder.state.rung == .keyframes)
    }

    @Test func `HLS comes last, and only where it may`() {
        var it = Ladder()
        it.conditions.estimate = 0.2e6
        it.run(30)
        #expect(it.ladder.state.rung == .keyframes && it.actions.count == 1)
        it.conditions.available.insert(.hls)
        it.run(1)
        #expect(it.ladder.state.rung == .hls)
        #expect(it.ladder.state.reason == "the way carries 0.20 Mbit/s, the stream needs 0.40")
    }

    @Test func `loss alone goes one rung at a time, and what was lost before a step does not count after it`() {
        var it = Ladder()
        it.conditions.estimate = nil
        it.conditions.loss = 0.3
        it.run(3)
        #expect(it.ladder.state.rung == .reduced)
        #expect(it.ladder.state.reason == "30 % of packets lost over 2 s (limit 10 %)")
        it.run(2.25)
        #expect(it.ladder.state.rung == .reduced)
        it.run(0.75)
        #expect(it.ladder.state.rung == .keyframes)
    }

    @Test func `three requests for a keyframe in ten seconds are one too many, but not with keyframes only`() {
        var it = Ladder()
        for _ in 0..<2 {
            it.ladder.keyframeRequested(at: it.now)
            it.ladder.keyframeRequested(at: it.now + .milliseconds(200))
            it.run(11.5)
        }
        #expect(it.ladder.state.rung == .full)
        for _ in 0..<3 {
            it.ladder.keyframeRequested(at: it.now)
            it.run(2)
        }
        #expect(it.ladder.state.rung == .reduced)
        #expect(it.ladder.state.reason == "3 keyframes asked for in 10 s (limit 3)")
        for _ in 0..<12 {
            it.ladder.keyframeRequested(at: it.now)
            it.run(3)
        }
        #expect(it.ladder.state.rung == .keyframes)
        #expect(it.actions.count == 2)
    }

    @Test func `without a way to probe, fifteen clean seconds lead up, and a fall doubles the wait`() {
        var it = Ladder()
        it.conditions.loss = 0.2
        it.run(3)
        it.conditions.loss = 0.01
        it.run(14.5)
        #expect(it.ladder.state.rung == .reduced)
        it.run(1)
        #expect(it.ladder.state.rung == .full)
        var waits: [Int] = []
        for _ in 0..<7 {
            it.conditions.loss = 0.2
            it.run(3)
            #expect(it.ladder.state.rung == .reduced)
            it.conditions.loss = 0
            let fell = it.now
            while it.ladder.state.rung != .full { it.run(0.25) }
            waits.append(Int((it.now - fell).inSeconds.rounded()))
        }
        for (wait, expected) in zip(waits, [30, 60, 120, 240, 480, 480, 480]) { #expect(abs(wait - expected) <= 1) }
        it.run(61)
        #expect(it.ladder.state.hold == .seconds(15))
    }

    @Test func `a probe decides where there is one`() {
        var it = Ladder()
        it.conditions.mayProbe = true
        it.conditions.estimate = 1e6
        it.conditions.available = [.keyframes]
        it.run(6)
        it.run(15)
        #expect(it.actions == [.step, .probe(2.4e6)])
        it.run(5)
        #expect(it.actions.count == 2, "one probe at a time")
        #expect(it.ladder.probed(1.1e6, it.conditions, at: it.now) == nil)
        #expect(it.ladder.state.hold == .seconds(30) && it.ladder.state.rung == .keyframes)
        it.run(31)
        #expect(it.actions.count == 3)
        #expect(it.ladder.probed(2.3e6, it.conditions, at: it.now) == .step)
        #expect(it.ladder.state.rung == .full)
        #expect(it.ladder.state.reason == "a probe got 2.30 Mbit/s through, 2.00 are needed")
    }

    @Test func `a viewer that falls behind three times in ten seconds gets less, also below keyframes`() {
        var it = Ladder()
        it.conditions.available = [.keyframes, .hls]
        func fallBehind(_ times: Int, every seconds: Double) {
            for _ in 0..<times {
                it.ladder.fellBehind(at: it.now)
                it.run(seconds)
            }
        }
        it.run(4)
        fallBehind(8, every: 6)
        #expect(it.ladder.state.rung == .full)
        fallBehind(3, every: 2)
        #expect(it.ladder.state.rung == .keyframes)
        #expect(it.ladder.state.reason == "did not take what was sent 3 times in 10 s (limit 3)")
        fallBehind(3, every: 2)
        #expect(it.ladder.state.rung == .hls)
    }

    @Test func `a new session goes on where the last one stood, with its wait`() {
        var it = Ladder()
        it.conditions.mayProbe = true
        it.conditions.available = [.keyframes]
        it.conditions.estimate = 1e6
        it.run(6)
        it.run(15)
        #expect(it.ladder.probed(1.1e6, it.conditions, at: it.now) == nil)
        it.actions = []
        it.ladder = QualityLadder(continuing: it.ladder.state, at: it.now)
        it.conditions.estimate = 5e6
        #expect(it.ladder.state.rung == .keyframes && it.ladder.state.reason.contains("Mbit/s"))
        it.run(29)
        #expect(it.actions.isEmpty)
        it.run(2)
        #expect(it.actions == [.probe(2.4e6)])
    }

    @Test func `after HLS everything is tried, and a fall doubles the wait`() {
        var it = Ladder()
        it.conditions.available = [.keyframes, .hls]
        it.conditions.estimate = 0.2e6
        it.run(10)
        #expect(it.ladder.state.rung == .hls)
        it.ladder = QualityLadder(continuing: it.ladder.state, at: it.now)
        #expect(it.ladder.state.rung == .full && it.ladder.state.reason.isEmpty)
        it.run(4)
        #expect(it.ladder.state.rung == .keyframes && it.ladder.state.hold == .seconds(30))
    }

    @Test func `figures beyond reason do not trap`() {
        for rate in [Double.infinity, -.infinity, .nan, 1e300, -1] {
            var it = Ladder()
            it.conditions.estimate = rate
            it.conditions.loss = rate
            it.conditions.rates = StreamRates(full: rate, reduced: rate, keyframes: rate)
            it.run(30)
            _ = it.ladder.probed(rate, it.conditions, at: it.now)
        }
    }

    @Test func `the rungs are in order`() {
        #expect(QualityRung.full > .reduced && QualityRung.reduced > .keyframes && QualityRung.keyframes > .hls)
        #expect(QualityRung.allCases.sorted(by: >) == QualityRung.allCases)
    }
}
