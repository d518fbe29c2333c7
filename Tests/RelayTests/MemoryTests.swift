import Testing
import Wire

@testable import Relay

private func at(_ milliseconds: Int) -> Instant { .zero + .milliseconds(milliseconds) }

/// Rates over the last two seconds.
struct RateMeterTests {
    private func rate(_ meter: inout RateMeter, at now: Instant) -> Double? { meter.rate(at: now) }

    @Test func `a rate is not known before half a second was watched`() {
        var meter = RateMeter()
        #expect(rate(&meter, at: at(0)) == nil)
        meter.add(100, at: at(1_000))
        #expect(rate(&meter, at: at(1_400)) == nil)
        #expect(rate(&meter, at: at(1_500)) == 200)
        #expect(meter.total == 100)
    }

    @Test(arguments: [1, 7, 40, 100, 333])
    func `a steady flow is told as it is`(interval: Int) throws {
        var meter = RateMeter()
        var last = 0
        for time in stride(from: 10_000, to: 20_000, by: interval) {
            meter.add(interval, at: at(time))
            last = time
        }
        let rate = try #require(rate(&meter, at: at(last + interval)))
        // One event more or less falls into a window of 2 s.
        #expect(abs(rate - 1_000) <= Double(interval) / 2 + 1)
    }

    @Test func `what is older than the window does not count`() {
        var meter = RateMeter()
        meter.add(1_000_000, at: at(1_000))
        let within = meter.rate(at: at(2_900))
        #expect(within ?? 0 > 0)
        #expect(rate(&meter, at: at(3_300)) == 0)
        meter.add(10, at: at(90_000))
        let after = meter.rate(at: at(90_100))
        #expect(after ?? 99 <= 5)
        #expect(meter.total == 1_000_010)
    }

    @Test func `what comes in pieces every few seconds is a steady rate over a longer window`() throws {
        var meter = RateMeter(window: .seconds(20))
        for second in stride(from: 100, to: 160, by: 4) { meter.add(4_000, at: at(second * 1_000)) }
        for second in 156...160 {
            let rate = try #require(rate(&meter, at: at(second * 1_000)))
            #expect(abs(rate - 1_000) <= 210)
        }
    }

    @Test func `amounts below zero count for nothing and the total never overflows`() {
        var meter = RateMeter()
        meter.add(-5, at: at(0))
        meter.add(.max, at: at(0))
        meter.add(.max, at: at(1))
        meter.add(.max, at: at(2))
        #expect(rate(&meter, at: at(600)) != nil)
    }
}

/// What is remembered of the last quarter of an hour.
struct HistoryStoreTests {
    private func snapshot(
        camera: String? = "gate",
        bitrate: Double? = nil,
        viewer: String? = nil,
        age: Double = 5
    ) -> Snapshot {
        var cameras: [CameraSnapshot] = []
        if let camera {
            var shown = CameraSnapshot(id: camera, generation: 1, state: .live, source: "")
            shown.bitrate = bitrate
            cameras = [shown]
        }
        var viewers: [ViewerSnapshot] = []
        if let viewer {
            var shown = ViewerSnapshot(id: viewer, generation: 1, camera: "gate", delivery: .webrtc, control: .page)
            shown.bitrate = 500
            shown.roundTrip = 20
            shown.age = age
            viewers = [shown]
        }
        let node = NodeSnapshot(name: "n", version: "1", processID: 1, cpu: 3, bitrateIn: 7, bitrateOut: 9)
        return Snapshot(sampledAt: .zero, wallClock: 0, node: node, cameras: cameras, viewers: viewers)
    }

    private func values(_ store: HistoryStore, _ key: SeriesKey, _ seconds: Int) -> [Double?] {
        store.reply(to: HistoryRequest(series: [key], seconds: seconds)).values[0]
    }

    @Test func `values come oldest first and end now`() {
        let store = HistoryStore()
        for number in 1...5 { store.record(snapshot(bitrate: Double(number), viewer: "v")) }
        #expect(values(store, .camera("gate", .bitrate), 3) == [3, 4, 5])
        #expect(values(store, .camera("gate", .bitrate), 100) == [1, 2, 3, 4, 5])
        #expect(values(store, .camera("gate", .egress), 1) == [500])
        #expect(values(store, .viewer("v", .roundTrip), 1) == [20])
        #expect(values(store, .node(.cpu), 2) == [3, 3])
    }

    @Test func `what was not measured is nil, never zero`() {
        let store = HistoryStore()
        for value in [1, nil, 3] as [Double?] { store.record(snapshot(bitrate: value)) }
        #expect(values(store, .camera("gate", .bitrate), 10) == [1, nil, 3])
        #expect(values(store, .camera("gate", .loss), 10).isEmpty)
        #expect(values(store, .camera("yard", .bitrate), 10).isEmpty)
    }

    @Test func `seconds in which something was gone are gaps`() {
        let store = HistoryStore()
        store.record(snapshot(bitrate: 1))
        store.record(snapshot(camera: nil))
        store.record(snapshot(camera: nil))
        #expect(values(store, .camera("gate", .bitrate), 10) == [1, nil, nil])
        store.record(snapshot(bitrate: 4))
        #expect(values(store, .camera("gate", .bitrate), 10) == [1, nil, nil, 4])
    }

    @Test func `a quarter of an hour is remembered, and not more`() {
        let store = HistoryStore()
        for number in 1...2_000 { store.record(snapshot(bitrate: Double(number))) }
        let all = values(store, .camera("gate", .bitrate), 100_000)
        #expect(all.count == 900)
        #expect(all.first == 1_101 && all.last == 2_000)
        #expect(values(store, .camera("gate", .bitrate), 0) == [2_000])
        #expect(values(store, .camera("gate", .bitrate), -5) == [2_000])
    }

    @Test func `what is long gone is forgotten`() {
        let store = HistoryStore()
        store.record(snapshot(bitrate: 1))
        for _ in 0..<1_000 { store.record(snapshot(camera: nil)) }
        #expect(values(store, .camera("gate", .bitrate), 900).isEmpty)
    }

    @Test func `viewers that come and go at once leave nothing`() {
        let store = HistoryStore()
        store.record(snapshot(viewer: "brief", age: 0.4))
        store.record(snapshot(viewer: "stays", age: 2))
        #expect(values(store, .viewer("brief", .roundTrip), 10).isEmpty)
        #expect(values(store, .viewer("stays", .roundTrip), 10) == [20])
    }

    @Test func `one request is answered for 256 series at most`() {
        let store = HistoryStore()
        store.record(snapshot())
        let series = [SeriesKey](repeating: .node(.cpu), count: 1_000)
        #expect(store.reply(to: HistoryRequest(series: series, seconds: 1)).values.count == 256)
    }
}

/// What happened.
struct EventLogTests {
    @Test func `the newest come first, and older ones page by page`() {
        let log = EventLog()
        for number in 1...10 { log.append(.info, "event \(number)", at: Int64(number)) }
        let page = log.newest(4)
        #expect(page.map(\.text) == ["event 10", "event 9", "event 8", "event 7"])
        #expect(log.newest(4, before: page.last?.id).map(\.text) == ["event 6", "event 5", "event 4", "event 3"])
        #expect(log.newest(4, before: 1).isEmpty)
        #expect(log.newest(2, before: 999).map(\.text) == ["event 10", "event 9"])
        #expect(log.newest(0).isEmpty && log.newest(-1).isEmpty)
    }

    @Test func `what lasts is open until it is ended or there is news of it, everything else is over at once`() {
        let log = EventLog()
        log.append(.warning, "refused", at: 1)
        log.append(.critical, "does not answer", camera: "a", lasting: .dark(camera: "a"), at: 2)
        log.append(.critical, "stalled", camera: "b", lasting: .dark(camera: "b"), at: 3)
        log.append(.critical, "refuses the password", camera: "a", lasting: .dark(camera: "a"), at: 4)
        log.end(.dark(camera: "b"), at: 9)
        log.end(.dark(camera: "never was"), at: 9)
        #expect(log.newest(9).map(\.endedAt) == [nil, 9, 4, 1])
    }

    @Test func `a snapshot shows the newest and every older event that lasts`() {
        let log = EventLog()
        for number in 1...3 { log.append(.critical, "\(number)", lasting: .dark(camera: "\(number)"), at: 0) }
        for number in 4...9 { log.append(.info, "\(number)", at: 0) }
        log.end(.dark(camera: "2"), at: 5)
        #expect(log.current(4).map(\.text) == ["9", "8", "7", "6", "3", "1"])
        for _ in 0..<6_000 { log.append(.info, "later", at: 0) }
        #expect(log.current(1).map(\.text) == ["later"], "what is forgotten is not shown")
        log.end(.dark(camera: "1"), at: 7)
    }

    @Test func `the log is bounded and ids go on`() {
        let log = EventLog()
        for number in 1...20_000 { log.append(.info, "\(number)", camera: "gate", viewer: "v", at: 0) }
        var seen = 0
        var before: UInt64?
        while true {
            let page = log.newest(1_000, before: before)
            guard let last = page.last else { break }
            seen += page.count
            before = last.id
        }
        #expect((5_000...5_500).contains(seen))
        #expect(log.newest(1).first?.id == 20_000)
        #expect(log.newest(1_000_000).count == 1_000)
    }
}

/// From the relay's clock to the wall's.
struct RelayClockTests {
    @Test func `wall time is fixed at the start and goes on with the monotonic clock`() {
        let clock = RelayClock(monotonicNow: at(5_000), unixMilliseconds: 1_800_000_000_000)
        #expect(clock.wallMilliseconds(at: at(5_000)) == 1_800_000_000_000)
        #expect(clock.wallMilliseconds(at: at(6_500)) == 1_800_000_001_500)
        #expect(clock.wallMilliseconds(at: .zero) == 1_799_999_995_000)
    }

    @Test func `the NTP time of the origin counts from 1900 (RFC 5905 §6)`() {
        let epoch = RelayClock(monotonicNow: .zero, unixMilliseconds: 0)
        #expect(epoch.ntpAtZero == 2_208_988_800 << 32)
        let half = RelayClock(monotonicNow: .zero, unixMilliseconds: 1_500)
        #expect(half.ntpAtZero == UInt64(2_208_988_801) << 32 | 0x8000_0000)
    }
}
