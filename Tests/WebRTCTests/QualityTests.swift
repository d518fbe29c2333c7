import Media
import RTP
import TestSupport
import Testing
import WebRTC
import Wire

/// Whole sessions over a link that carries too little: what the viewer gets, and how it comes back.
@Suite struct QualityTests {
    /// A viewer that reports, asks for what it misses, and whose relay looks at it four times a second.
    private final class Session {
        let browser: Browser
        var mayUseHLS = false
        var sendsFeedback = true
        /// Every second picture is one that no other refers to.
        let hasDroppable: Bool
        private(set) var steps: [QualityState] = []
        private(set) var sentAudio: [UInt32: Instant] = [:]
        private var maker = FeedbackMaker()
        private var sequence: UInt64 = 1
        private var ticks = 0
        private var expected: UInt16?
        private var missing: [UInt16: Instant] = [:]
        private var seen = 0
        private let start: Instant

        static let gop = 50
        /// 48 kB keyframes, 6 kB pictures, sound: 1.5 Mbit/s.
        static let rates = StreamRates(full: 1.51e6, reduced: 0.9e6, keyframes: 0.3e6)

        init(_ link: BottleneckLink, hasDroppable: Bool = false, offer: @escaping (String) -> String) throws {
            browser = try Browser(tracks: [Formats.h264, Formats.opus], offer: offer)
            browser.connect()
            browser.link = link
            self.hasDroppable = hasDroppable
            start = browser.now
        }

        convenience init(_ link: BottleneckLink, hasDroppable: Bool = false) throws {
            try self.init(link, hasDroppable: hasDroppable) { Offers.chrome(fingerprint: $0) }
        }

        var rung: QualityRung { browser.peer.status.quality.rung }
        var elapsed: Duration { browser.now - start }

        func run(_ seconds: Int) {
            for _ in 0..<(100 * seconds) {
                ticks += 1
                browser.now += .milliseconds(10)
                if browser.peer.nextDeadline.map({ $0 <= browser.now }) == true { browser.timeout() }
                if ticks % 4 == 0 { browser.send(picture(ticks / 4 - 1)) }
                if ticks % 2 == 0 { browser.send([sound(ticks / 2)]) }
                browser.receiveDue()
                askForMissing()
                if ticks % 10 == 0 { report() }
                if ticks % 25 == 0 { assess() }
                if ticks % 400 == 0 { browser.check() }
            }
        }

        private func assess() {
            let rates = Session.rates
            browser.assess(
                hasDroppable ? rates : StreamRates(full: rates.full, reduced: rates.full, keyframes: rates.keyframes),
                mayUseHLS: mayUseHLS
            )
            for case .qualityChanged(let state) in browser.events { steps.append(state) }
            browser.events = []
        }

        private func picture(_ number: Int) -> [StreamPacket] {
            let isKeyframe = number % Session.gop == 0
            let count = isKeyframe ? 48 : 6
            return (0..<count).map { part in
                sequence += 1
                var payload = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 1_000)
                payload[0] = isKeyframe ? 0x65 : 0x41
                return StreamPacket(
                    track: 0,
                    sequence: sequence,
                    timestamp: browser.now.nanoseconds * 90 / 1_000_000,
                    arrival: browser.now,
                    isMarker: part == count - 1,
                    startsKeyframe: isKeyframe && part == 0,
                    isKeyframe: isKeyframe,
                    isDroppable: hasDroppable && number % 2 == 1,
                    payload: payload
                )
            }
        }

        private func sound(_ number: Int) -> StreamPacket {
            let timestamp = browser.now.nanoseconds * 48 / 1_000_000
            return StreamPacket(
                track: 1,
                sequence: UInt64(number),
                timestamp: timestamp,
                arrival: browser.now,
                isMarker: true,
                payload: [UInt8](repeating: 7, count: 80)
            )
        }

        private func report() {
            for arrival in browser.arrivals { maker.arrived(arrival.sequence, at: arrival.at) }
            browser.arrivals = []
            if sendsFeedback, let bytes = maker.report() { browser.giveRTCP(bytes) }
        }

        /// NACKs what is missing, three times at most.
        private func askForMissing() {
            let video = browser.ssrc("video")
            for packet in browser.received[seen...] where packet.header.ssrc == video {
                let number = packet.header.sequenceNumber
                if let expected, Int16(bitPattern: number &- expected) > 0 {
                    var lost = expected
                    while lost != number {
                        missing[lost] = browser.now
                        lost &+= 1
                    }
                }
                expected = number &+ 1
                missing[number] = nil
            }
            seen = browser.received.count
            missing = missing.filter { browser.now - $0.value < .milliseconds(300) }
            guard ticks % 5 == 0, !missing.isEmpty else { return }
            browser.give([.nack(sender: 1, media: video, lost: missing.keys.sorted())])
        }

        /// Keyframes that came whole since `since`.
        func wholeKeyframes(since: Instant) -> Int {
            let packets = browser.received.filter { $0.at >= since && $0.payload.first == 0x65 }
            return Dictionary(grouping: packets) { $0.header.timestamp }.values.count { $0.count == 48 }
        }
    }

    @Test(arguments: [100, 300, 2_000])
    func `one megabit a second carries keyframes of a stream of one and a half, with the reason`(queue: Int) throws {
        var link = BottleneckLink(rate: 1e6)
        link.queue = .milliseconds(queue)
        let session = try Session(link)
        session.run(8)
        #expect(session.steps.map(\.rung) == [.keyframes])
        let step = try #require(session.steps.first)
        #expect(step.since - session.browser.now < .seconds(-2))
        #expect(step.reason.contains("Mbit/s, the stream needs 1.51") || step.reason.contains("% of packets lost"))
        let settled = session.browser.now
        session.run(8)
        #expect(session.wholeKeyframes(since: settled) >= 3)
        #expect(session.browser.peer.status.packetsLeftOut > 500)
        #expect(session.browser.undecryptable == 0)
    }

    @Test func `a probe that fails costs one second and doubles the wait, one that succeeds brings everything back`()
        throws
    {
        let session = try Session(BottleneckLink(rate: 1e6))
        session.run(40)
        #expect(session.rung == .keyframes)
        #expect(session.browser.paddings > 100, "\(session.steps) \(session.browser.peer.status.estimate ?? 0)")
        let hold = session.browser.peer.status.quality.hold
        #expect(hold >= .seconds(30), "\(hold)")
        session.browser.link?.rate = 10e6
        session.run(65)
        #expect(session.rung == .full, "\(session.browser.peer.status.quality)")
        #expect(session.steps.last?.reason.hasPrefix("a probe got ") == true)
        let before = session.browser.received.count
        session.run(4)
        #expect(session.browser.received.count - before > 600)
    }

    @Test func `droppable pictures go first, and the numbers stay without a hole`() throws {
        let session = try Session(BottleneckLink(rate: 1.2e6), hasDroppable: true)
        session.run(14)
        #expect(session.rung == .reduced, "\(session.steps) \(session.browser.peer.status.estimate ?? 0)")
        let video = session.browser.ssrc("video")
        let settled = session.browser.now
        session.run(6)
        let numbers = session.browser.received.filter { $0.header.ssrc == video && $0.at > settled }
            .map(\.header.sequenceNumber)
        #expect(numbers.count > 400)
        let holes = zip(numbers.dropFirst(), numbers).count { $0 &- $1 != 1 }
        #expect(holes == 0)
        #expect(session.wholeKeyframes(since: settled) >= 2)
    }

    @Test func `a way that does not even carry keyframes leads to HLS where there is one`() throws {
        let session = try Session(BottleneckLink(rate: 0.15e6))
        session.run(20)
        #expect(session.rung == .keyframes)
        session.mayUseHLS = true
        session.run(5)
        #expect(session.rung == .hls)
    }

    @Test(arguments: UInt64(1)...3)
    func `a clean link with jitter and a little loss keeps everything for five minutes`(seed: UInt64) throws {
        var link = BottleneckLink(rate: 20e6, seed: seed)
        link.jitter = .milliseconds(25)
        link.loss = 0.02
        let session = try Session(link)
        session.run(300)
        #expect(session.steps.isEmpty, "\(session.steps)")
    }

    @Test func `sound does not wait behind pictures on a full link`() throws {
        let session = try Session(BottleneckLink(rate: 1e6))
        session.run(8)
        let settled = session.browser.now
        session.run(6)
        let sound = session.browser.received.filter {
            $0.header.ssrc == session.browser.ssrc("audio") && $0.at > settled + .milliseconds(200)
        }
        #expect(sound.count > 280)
        let gaps = zip(sound.dropFirst(), sound).map { ($0.at - $1.at).inMilliseconds }
        // A keyframe takes the link 390 ms.
        #expect(gaps.allSatisfy { $0 < 100 }, "\(gaps.max() ?? 0)")
    }

    @Test func `without feedback on the transport, receiver reports and a clean quarter of a minute do`() throws {
        let session = try Session(BottleneckLink(rate: nil)) { Offers.plain(fingerprint: $0) }
        session.run(4)
        let video = session.browser.ssrc("video")
        func report(_ fraction: UInt8) {
            let highest = session.browser.received.last { $0.header.ssrc == video }?.header.sequenceNumber ?? 0
            let block = RTCPPacket.ReportBlock(
                ssrc: video,
                fractionLost: fraction,
                extendedHighestSequence: UInt32(highest)
            )
            session.browser.give([.receiverReport(ssrc: 1, blocks: [block])])
        }
        for _ in 0..<3 {
            report(90)
            session.run(1)
        }
        #expect(session.rung == .keyframes)
        #expect(session.steps.first?.reason.contains("35 % of packets lost") == true)
        session.run(17)
        #expect(session.rung == .full)
    }
}
