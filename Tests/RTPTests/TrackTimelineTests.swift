import Media
import RTP
import TestSupport
import Testing
import Wire

@Suite struct TrackTimelineTests {
    static let start = Instant(nanoseconds: 100_000_000_000)

    static func at(_ milliseconds: Int) -> Instant { start + .milliseconds(milliseconds) }

    /// The relay time of an arrival in 90 kHz ticks.
    static func ticks(_ milliseconds: Int) -> Int64 { 9_000_000 + Int64(milliseconds) * 90 }

    @Test func `the first packet is anchored to its arrival, the rest keep the camera's spacing`() {
        var timeline = TrackTimeline(clockRate: 90_000)
        #expect(timeline.map(4_294_967_000, arrival: Self.at(0)) == Self.ticks(0))
        #expect(timeline.map(4_294_967_000, arrival: Self.at(3)) == Self.ticks(0))
        // Over the wrap, and 15 ms late.
        #expect(timeline.map(4_294_967_000 &+ 3_600, arrival: Self.at(55)) == Self.ticks(40))
        #expect(timeline.map(4_294_967_000 &+ 7_200, arrival: Self.at(80)) == Self.ticks(80))
    }

    @Test(arguments: [UInt32(1) << 31, (UInt32(1) << 31) - 1, (UInt32(1) << 31) + 1, 300_000, 0 &- 300_000])
    func `a jump of the camera's clock is absorbed`(jump: UInt32) {
        var timeline = TrackTimeline(clockRate: 90_000)
        var last: Int64 = 0
        for frame in 0..<100 {
            let stamp = UInt32(1_000_000) &+ UInt32(frame * 3_600) &+ (frame >= 50 ? jump : 0)
            let output = timeline.map(stamp, arrival: Self.at(frame * 40))
            if frame > 0 { #expect((3_000...4_500).contains(output - last), "frame \(frame)") }
            last = output
        }
        #expect(timeline.reanchored == 1)
    }

    @Test func `a backlog sent at once does not put the timeline ahead for good`() {
        var timeline = TrackTimeline(clockRate: 90_000)
        var outputs: [Int64] = []
        let backlog = 600 * 25
        for frame in 0..<backlog { outputs.append(timeline.map(UInt32(frame * 3_600), arrival: Self.at(frame / 100))) }
        let live = 150
        #expect(outputs[backlog - 1] - Self.ticks(live) < 4 * 90_000)
        for frame in 0..<(120 * 25) {
            let stamp = UInt32((backlog + frame) * 3_600)
            outputs.append(timeline.map(stamp, arrival: Self.at(live + frame * 40)))
        }
        let lead = try? #require(outputs.last).advanced(by: -Int(Self.ticks(live + (120 * 25 - 1) * 40)))
        #expect(abs(lead ?? .max) < 45_000)
        #expect(zip(outputs, outputs.dropFirst()).allSatisfy { $0 < $1 })
    }

    @Test func `B-frames step back and keep their times`() {
        var timeline = TrackTimeline(clockRate: 90_000)
        var outputs: [Int64] = []
        for (index, frame) in [0, 3, 1, 2, 6, 4, 5].enumerated() {
            outputs.append(timeline.map(UInt32(frame * 3_600), arrival: Self.at(index * 40)))
        }
        #expect(outputs.map { ($0 - outputs[0] + 1_800) / 3_600 } == [0, 3, 1, 2, 6, 4, 5])
        #expect(timeline.reanchored == 0)
    }

    @Test func `a clock that is set back by 0.9 s does not run behind itself for ever`() {
        var timeline = TrackTimeline(clockRate: 90_000)
        var outputs: [Int64] = []
        for frame in 0..<200 {
            let stamp = UInt32(1_000_000 + frame * 3_600 - (frame >= 50 ? 81_000 : 0))
            outputs.append(timeline.map(stamp, arrival: Self.at(frame * 40)))
        }
        #expect(abs(outputs[199] - Self.ticks(199 * 40)) < 9_000)
        #expect(zip(outputs[70...], outputs[71...]).allSatisfy { $0 < $1 })
    }

    @Test func `a stalled connection keeps the times of what it delivers late`() {
        var timeline = TrackTimeline(clockRate: 90_000)
        var outputs: [Int64] = []
        for frame in 0..<400 {
            // From frame 100 on nothing arrives for 4.4 s, then the backlog at once.
            let arrival = (100..<210).contains(frame) ? 8_400 : frame * 40
            outputs.append(timeline.map(UInt32(frame * 3_600), arrival: Self.at(arrival)))
        }
        #expect(timeline.reanchored == 0)
        for frame in 1..<400 { #expect((3_400...3_800).contains(outputs[frame] - outputs[frame - 1])) }
        #expect(abs(outputs[399] - Self.ticks(399 * 40)) < 4_500)
    }

    @Test func `a camera clock that stands still is left behind after five seconds`() {
        var timeline = TrackTimeline(clockRate: 90_000)
        for frame in 0..<50 { _ = timeline.map(UInt32(frame * 3_600), arrival: Self.at(frame * 40)) }
        var output: Int64 = 0
        for frame in 50..<250 { output = timeline.map(UInt32(frame * 3_600), arrival: Self.at(frame * 40 + 10_000)) }
        #expect(timeline.reanchored == 1)
        #expect(abs(output - Self.ticks(249 * 40 + 10_000)) < 9_000)
    }

    @Test(arguments: [-200, 200]) func `a clock that is off by 200 ppm is followed`(partsPerMillion: Int) {
        var random = SeededGenerator(seed: 3)
        var timeline = TrackTimeline(clockRate: 90_000)
        var last: Int64 = 0
        for frame in 0..<30_000 {
            let stamp = Double(frame) * 3_600 * (1 + Double(partsPerMillion) / 1e6)
            let jitter = Int.random(in: 0...20, using: &random)
            let output = timeline.map(UInt32(stamp), arrival: Self.at(frame * 40 + jitter))
            if frame > 0 { #expect(output > last) }
            if frame > 1_000, frame % 1_000 == 0 { #expect(abs(output - Self.ticks(frame * 40)) < 2_700) }
            last = output
        }
        #expect(timeline.reanchored == 0)
    }

    @Test func `an initial burst is worked off`() {
        var timeline = TrackTimeline(clockRate: 90_000)
        var output: Int64 = 0
        // Two seconds of backlog in the first 50 ms.
        for frame in 0..<3_000 {
            output = timeline.map(UInt32(frame * 3_600), arrival: Self.at(max(frame, frame * 40 - 2_000)))
        }
        #expect(abs(output - Self.ticks(2_999 * 40 - 2_000)) < 27_000)
    }

    @Test func `a restarted source goes on after the last picture`() {
        var timeline = TrackTimeline(clockRate: 90_000)
        let first = timeline.map(5_000, arrival: Self.at(0))
        timeline.restartSource()
        #expect(timeline.map(3_000_000_000, arrival: Self.at(1)) > first)
        var successor = TrackTimeline(clockRate: 90_000, after: timeline.last)
        #expect(successor.map(1, arrival: Self.at(2)) > timeline.last ?? .max)
    }

    /// NTP time of the moment `milliseconds` after the camera's epoch.
    static func ntp(_ milliseconds: Int) -> UInt64 {
        UInt64(3_900_000_000 + milliseconds / 1_000) << 32 | UInt64(milliseconds % 1_000) << 32 / 1_000
    }

    static func report(_ milliseconds: Int, _ timestamp: UInt32) -> RTCPPacket.SenderReport {
        .init(ssrc: 1, ntp: ntp(milliseconds), timestamp: timestamp, packetCount: 0, byteCount: 0)
    }

    @Test func `sender reports bring two tracks in step, at first 50 ms per second, later 5`() throws {
        var video = TrackTimeline(clockRate: 90_000)
        var audio = TrackTimeline(clockRate: 8_000)
        var largest: (atFirst: Int64, later: Int64) = (0, 0)
        var last: Int64?
        func difference() throws -> Int64 {
            try #require(video.senderClockOffset) - (try #require(audio.senderClockOffset))
        }
        for tick in 0..<2_500 {
            let now = tick * 40
            // The camera's encoder holds pictures for 200 ms; both tracks show the camera's time `now`. After 40 s the
            // camera finds that its pictures are 50 ms older than it said.
            let moved = tick < 1_000 ? 0 : 50
            let output = video.map(UInt32(now * 90), arrival: Self.at(now + 200))
            _ = audio.map(UInt32(now * 8), arrival: Self.at(now))
            if let last {
                let bend = abs(output - last - 3_600)
                if tick < 1_000 { largest.atFirst = max(largest.atFirst, bend) }
                if tick >= 1_000 { largest.later = max(largest.later, bend) }
            }
            last = output
            if tick == 250 { #expect(abs(try difference()) < 2_000_000, "in step after two reports") }
            if tick % 125 == 0 {
                video.received(senderReport: Self.report(now, UInt32(now * 90)))
                audio.received(senderReport: Self.report(now, UInt32((now + moved) * 8)))
                if let reference = audio.senderClockOffset { video.align(to: reference) }
            }
        }
        #expect(abs(try difference()) < 2_000_000)
        #expect((19...181).contains(largest.atFirst))
        #expect((1...19).contains(largest.later))
    }

    @Test func `sender reports that contradict themselves or each other are not believed`() {
        var video = TrackTimeline(clockRate: 90_000)
        _ = video.map(0, arrival: Self.at(0))
        #expect(video.senderClockOffset == nil)
        video.received(senderReport: .init(ssrc: 1, ntp: 0, timestamp: 0, packetCount: 0, byteCount: 0))
        #expect(video.senderClockOffset == nil)
        video.received(senderReport: Self.report(0, 0))
        video.received(senderReport: Self.report(5_000, 90_000))
        #expect(video.senderClockOffset == nil)
        video.received(senderReport: Self.report(10_000, 540_000))
        #expect(video.senderClockOffset != nil)
        video.align(to: 0)
        #expect(video.map(3_600, arrival: Self.at(40)) == Self.ticks(40))
    }
}
