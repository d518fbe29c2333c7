import Testing
import Wire

@testable import Relay

@Suite struct AdmissionTests {
    private struct Door {
        var control = AdmissionControl()
        var now = Instant.zero

        mutating func run(_ seconds: Double, lateness: Int, overflowed: Int = 0) {
            for _ in 0..<Int(seconds * 4) {
                now += .milliseconds(250)
                control.note(lateness: .milliseconds(lateness), overflowed: overflowed, at: now)
            }
        }
    }

    @Test func `a loop that is late for two seconds takes nobody in, and opens after ten calm ones`() {
        var door = Door()
        door.run(60, lateness: 10)
        #expect(door.control.refusal == nil)
        door.run(1.75, lateness: 80)
        #expect(door.control.refusal == nil)
        door.run(0.5, lateness: 80)
        #expect(door.control.refusal == "the relay is overloaded: its timers are 80 ms late (limit 50 ms)")
        door.run(30, lateness: 30)
        #expect(door.control.refusal != nil, "neither late nor calm")
        door.run(9, lateness: 5)
        #expect(door.control.refusal != nil)
        door.run(2, lateness: 5)
        #expect(door.control.refusal == nil)
    }

    @Test func `sends without room close it at once, and one late timer does not`() {
        var door = Door()
        door.run(0.25, lateness: 1, overflowed: 12)
        #expect(door.control.refusal?.contains("12 packets dropped") == true)
        door.run(11, lateness: 1)
        #expect(door.control.refusal != nil)
        door.run(2, lateness: 1)
        #expect(door.control.refusal == nil)
        door.run(0.25, lateness: 500)
        door.run(5, lateness: 1)
        #expect(door.control.refusal == nil)
    }

    @Test func `who is turned away is told why and when to come again; who is known comes in`() throws {
        let world = try World()
        try world.becomeLive()
        let viewer = try world.join()
        for _ in 0..<12 {
            try world.run(.milliseconds(250))
            world.shard.noteLoad(lateness: .milliseconds(90), overflowed: 0, at: world.now)
        }
        let expected = ViewerRefusal(
            .unavailable,
            "the relay is overloaded: its timers are 90 ms late (limit 50 ms)",
            retryAfter: 15
        )
        #expect(throws: expected) { try world.join() }
        #expect(try world.join(resume: viewer) == viewer)
        #expect(world.events.texts.contains { $0.hasPrefix("takes no new viewers: ") })

        #expect(throws: ViewerRefusal.self) { try world.join(control: .whep, from: "203.0.113.9") }
        #expect(throws: ViewerRefusal.self) { try world.join(control: .hls) }
        let ended = world.endedSessions
        #expect(ended.map(\.remote) == ["203.0.113.9", "198.51.100.7"])
        #expect(ended.allSatisfy { $0.verdict.rule == .turnedAway && $0.verdict.cause == .server && $0.viewer == "-" })
        #expect(
            ended[0].verdict.text == "turned away: the relay is overloaded: its timers are 90 ms late (limit 50 ms)"
        )
        #expect(ended[0].client == "Chrome 141" && ended[0].camera == "gate" && ended[0].control == .whep)
    }
}
