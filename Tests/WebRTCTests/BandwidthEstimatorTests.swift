import RTP
import TestSupport
import Testing
import Wire

@testable import WebRTC

/// The estimator against a simulated link: what it must find, and what must not fool it.
@Suite struct BandwidthEstimatorTests {
    /// A stream of pictures, a keyframe among them now and then, over a link, with feedback every 100 ms.
    private struct Simulation {
        var link: BottleneckLink
        var estimator = BandwidthEstimator()
        var history = TransportHistory()
        var maker = FeedbackMaker()
        var now = Instant(nanoseconds: 3_000_000_000)
        /// The estimate every 100 ms.
        var estimates: [Double] = []
        var congested = 0
        private var inFlight: [(sequence: UInt16, at: Instant)] = []

        init(_ link: BottleneckLink) { self.link = link }

        /// Sends `rate` bits per second for `seconds`, 25 pictures each, a keyframe of six pictures' size every `gop`.
        mutating func run(_ seconds: Int, rate: Double, gop: Int = 50) throws {
            let mean = rate / 8 / 25
            let share = Double(gop) / Double(gop + 5)
            for picture in 0..<(25 * seconds) {
                var left = Int(mean * share * (picture % gop == 0 ? 6 : 1))
                while left > 0 {
                    let size = min(left, 1_200)
                    left -= size
                    if let at = link.carry(size, at: now) { inFlight.append((history.nextSequence, at)) }
                    history.append(byteCount: size, at: now)
                }
                now += .milliseconds(40)
                if picture % 5 < 2 { try feedBack() }
            }
        }

        private mutating func feedBack() throws {
            let back = now - .milliseconds(20)
            for packet in inFlight where packet.at <= back { maker.arrived(packet.sequence, at: packet.at) }
            inFlight.removeAll { $0.at <= back }
            if let bytes = maker.report(), case .transportFeedback(let report) = try RTCPPacket.parse(bytes).first {
                estimator.receive(report, history: &history, at: now)
            }
            if let estimate = estimator.estimate { estimates.append(estimate) }
            if estimator.isCongested(at: now) { congested += 1 }
        }
    }

    @Test(arguments: [0.5, 1.0, 2.0, 4.0], [50, 300, 1_500])
    func `a bottleneck below the stream's rate is found within a quarter`(megabits: Double, queue: Int) throws {
        var link = BottleneckLink(rate: megabits * 1e6)
        link.queue = .milliseconds(queue)
        var simulation = Simulation(link)
        try simulation.run(12, rate: 1.5 * megabits * 1e6)
        let found = simulation.estimates.suffix(40)
        #expect(found.allSatisfy { (0.75...1.15).contains($0 / (megabits * 1e6)) }, "\(found.map { Int($0 / 1_000) })")
        #expect(simulation.estimator.isCongested(at: simulation.now))
    }

    @Test(arguments: UInt64(1)...4)
    func `a clean link with jitter is not taken for a full one`(seed: UInt64) throws {
        var link = BottleneckLink(rate: 50e6, seed: seed)
        link.jitter = .milliseconds(30)
        var simulation = Simulation(link)
        try simulation.run(60, rate: 2e6)
        let low = simulation.estimates.dropFirst(20).filter { $0 < 0.85 * 2e6 }
        #expect(low.isEmpty, "\(low.map { Int($0 / 1_000) })")
    }

    @Test func `five percent of random loss are no bottleneck`() throws {
        var link = BottleneckLink(rate: 20e6)
        link.loss = 0.05
        link.delay = .milliseconds(50)
        var simulation = Simulation(link)
        try simulation.run(60, rate: 2e6)
        #expect(simulation.estimates.dropFirst(20).allSatisfy { $0 > 0.85 * 2e6 })
        let loss = try #require(simulation.estimator.loss(at: simulation.now))
        #expect((0.01...0.12).contains(loss))
        #expect(simulation.link.dropped > 300)
    }

    @Test func `keyframes through a link with little to spare do not bring the estimate down for long`() throws {
        var link = BottleneckLink(rate: 2.2e6)
        link.queue = .milliseconds(800)
        var simulation = Simulation(link)
        try simulation.run(60, rate: 1.5e6)
        var run = 0
        var longest = 0
        for estimate in simulation.estimates.dropFirst(20) {
            run = estimate < 0.85 * 1.5e6 ? run + 1 : 0
            longest = max(longest, run)
        }
        // Ten reports a second: nothing that lasts two seconds.
        #expect(longest < 20)
    }

    @Test func `a link that recovers is found by sending more`() throws {
        var simulation = Simulation(BottleneckLink(rate: 1e6))
        try simulation.run(10, rate: 1.5e6)
        #expect(try #require(simulation.estimator.estimate) < 1.2e6)
        simulation.link.rate = 20e6
        try simulation.run(3, rate: 1.5e6)
        #expect(try #require(simulation.estimator.estimate) > 1.4e6)
    }

    @Test func `little traffic proves little`() throws {
        var simulation = Simulation(BottleneckLink(rate: 50e6))
        try simulation.run(60, rate: 0.2e6)
        #expect(try #require(simulation.estimator.estimate) < 1.5e6)
    }

    @Test func `REMB counts only where there is no transport-wide feedback`() throws {
        var estimator = BandwidthEstimator()
        let now = Instant(nanoseconds: 1_000_000_000)
        estimator.receive(limit: 800_000, at: now)
        #expect(estimator.estimate == 800_000)
        estimator.receive(limit: .max, at: now)
        #expect(try #require(estimator.estimate).isFinite)
        var simulation = Simulation(BottleneckLink(rate: 50e6))
        try simulation.run(3, rate: 2e6)
        simulation.estimator.receive(limit: 100_000, at: simulation.now)
        #expect(try #require(simulation.estimator.estimate) > 1.7e6)
    }

    @Test func `reports on unknown packets, repeated ones and wild clocks change nothing that matters`() throws {
        var random = SeededGenerator(seed: 7)
        var simulation = Simulation(BottleneckLink(rate: 50e6))
        try simulation.run(5, rate: 2e6)
        for _ in 0..<2_000 {
            let wild = RTCPPacket.TransportFeedback(
                sender: 1,
                media: 0,
                baseSequence: UInt16.random(in: 0...UInt16.max, using: &random),
                feedbackCount: 0,
                referenceTime: Int32.random(in: -0x80_0000...0x7F_FFFF, using: &random),
                arrivals: (0..<50).map { _ in
                    Bool.random(using: &random) ? Int32.random(in: Int32.min...Int32.max, using: &random) : nil
                }
            )
            simulation.estimator.receive(wild, history: &simulation.history, at: simulation.now)
        }
        #expect(simulation.estimator.estimate?.isFinite == true)
    }
}

@Suite struct TransportHistoryTests {
    @Test func `a packet is known once, over the wrap, and a late one was missing`() {
        var history = TransportHistory()
        var now = Instant(nanoseconds: 10_000_000_000)
        for _ in 0..<70_000 {
            let sequence = history.nextSequence
            history.append(byteCount: 1_000, at: now)
            now += .milliseconds(1)
            let misses = [history.missed(sequence, at: now), history.missed(sequence, at: now)]
            let first = history.received(sequence, at: now)
            let second = history.received(sequence, at: now)
            let sent = TransportHistory.Sent(at: now - .milliseconds(1), byteCount: 1_000)
            guard misses == [true, false], first?.packet == sent, first?.wasMissing == true, second == nil else {
                Issue.record("\(sequence): \(misses), \(String(describing: first)), \(String(describing: second))")
                return
            }
        }
        let unsent = history.received(history.nextSequence, at: now)
        #expect(unsent == nil)
    }

    @Test func `it grows until it holds a second, and keeps what it held`() throws {
        var history = TransportHistory()
        let start = Instant(nanoseconds: 10_000_000_000)
        for index in 0..<4_000 { history.append(byteCount: index + 1, at: start + .microseconds(100 * Int64(index))) }
        let now = start + .milliseconds(400)
        for index in [0, 1, 255, 256, 2_047, 3_999] {
            let known = history.received(UInt16(index + 1), at: now)
            let packet = try #require(known).packet
            #expect(packet.byteCount == index + 1 && packet.at == start + .microseconds(100 * Int64(index)))
        }
    }

    @Test func `packets that left long ago make room`() {
        var history = TransportHistory()
        for index in 0..<2_000 { history.append(byteCount: 1, at: Instant(nanoseconds: 10_000_000 * Int64(index))) }
        let old = history.received(1, at: .zero)
        let new = history.received(2_000, at: Instant(nanoseconds: 20_000_000_000))
        #expect(old == nil && new != nil)
    }
}
