import Media
import RTP
import TestSupport
import Testing
import Wire

@Suite struct H264RepacketizerTests {
    @Test func `a keyframe is preceded by SPS and PPS with its timestamp, and put together again`() {
        var bench = Bench()
        let idr = NAL.idr(50_000)
        bench.picture(NAL.fragments(idr))
        bench.picture(NAL.fragments(NAL.inter(3_000)))
        bench.checkInvariants()
        #expect(bench.packets[0].startsKeyframe)
        #expect(bench.packets[0].payload == NAL.aggregate([NAL.sps, NAL.pps]))
        #expect(bench.packets[0].timestamp == bench.packets[1].timestamp)
        #expect(bench.packets.filter(\.isMarker).count == 2)
        #expect(bench.units.map(\.units) == [[NAL.sps, NAL.pps, idr], [NAL.inter(3_000)]])
        #expect(bench.units.map(\.isKeyframe) == [true, false])
        #expect(bench.units[1].timestamp - bench.units[0].timestamp == 3_600)
        #expect(bench.notices.isEmpty)
    }

    @Test func `fragments leave as they come, all of one size but the last`() {
        var bench = Bench()
        var counts: [Int] = []
        for fragment in NAL.fragments(NAL.idr(20_000)) {
            bench.send(fragment)
            counts.append(bench.packets.count)
        }
        #expect(counts.first == 2)
        #expect(zip(counts, counts.dropFirst()).allSatisfy { $0 < $1 })
        let sizes = bench.packets.dropFirst().map(\.payload.count)
        #expect(sizes.dropLast().allSatisfy { $0 == StreamPacket.maximumPayload })
        #expect(sizes.count == (19_999 + 1_157) / 1_158)
    }

    @Test(arguments: [2, 3, 100, 1_159, 1_160, 1_161, 1_162, 2_316, 2_317, 2_318, 60_000])
    func `a NAL unit of any size arrives whole, single or fragmented`(size: Int) {
        var bench = Bench()
        bench.picture([NAL.idr(size)])
        for fragment in [1, 7, 500, 1_158, 1_159, 1_398, 8_000] where size / fragment < 3_000 {
            bench.picture(NAL.fragments(NAL.inter(size), size: fragment))
        }
        bench.checkInvariants()
        let expected = bench.units.dropFirst().map(\.units)
        #expect(expected.allSatisfy { $0 == [NAL.inter(size)] })
        #expect(bench.units.count == bench.ingest.counters(at: bench.now).frames)
    }

    @Test func `parameter sets in band replace those of the SDP and are reported once`() throws {
        var bench = Bench()
        for _ in 0..<3 { bench.picture([NAL.sps, NAL.pps, NAL.idr(100)]) }
        #expect(bench.notices.isEmpty)
        bench.picture([NAL.otherSPS])
        bench.picture([NAL.inter(50)])
        #expect(bench.notices.isEmpty)
        for _ in 0..<3 { bench.picture([NAL.aggregate([NAL.otherSPS, NAL.pps, NAL.idr(100)])]) }
        let other = try H264ParameterSets(sps: NAL.otherSPS, pps: [NAL.pps])
        #expect(bench.notices == [.parameterSetsChanged(other)])
        #expect(bench.ingest.format.h264 == other)
        #expect(bench.units.last?.units.first == NAL.otherSPS)
    }

    @Test func `without parameter sets nothing goes out until they came`() throws {
        var bench = Bench(sets: nil)
        bench.picture([NAL.idr(100)])
        bench.picture([NAL.inter(100)])
        #expect(bench.packets.isEmpty)
        bench.picture([NAL.sps, NAL.pps, NAL.idr(100)])
        #expect(bench.units.count == 1)
        #expect(bench.notices == [.parameterSetsChanged(try H264ParameterSets(sps: NAL.sps, pps: [NAL.pps]))])
        #expect(bench.ingest.counters(at: bench.now).droppedUnits == 2)
    }

    @Test func `delimiters, SEI and filler are withheld, their markers are not believed`() {
        var bench = Bench()
        bench.send([0x09, 0xF0], marker: true)
        bench.send([0x06, 5, 1, 0, 0x80], marker: true)
        bench.send(NAL.sps, marker: true)
        bench.send(NAL.pps, marker: true)
        bench.send(NAL.idr(90), marker: true)
        bench.step()
        bench.checkInvariants()
        #expect(bench.packets.map(\.isMarker) == [false, true])
        #expect(bench.units.count == 1)
    }

    @Test func `slices of one picture stay together under one marker`() {
        var bench = Bench()
        let slices = (0..<4).map { NAL.slice(0x65, 400, isFirst: $0 == 0) }
        bench.picture(slices)
        bench.picture([NAL.aggregate((0..<3).map { NAL.slice(0x01, 50, isFirst: $0 == 0) })])
        #expect(bench.packets.map(\.isMarker) == [false, false, false, false, true, false, false, true])
        #expect(bench.units.map(\.units.count) == [6, 3])
        #expect(bench.packets.map(\.isDroppable) == [Bool](repeating: false, count: 5) + [true, true, true])
        #expect(bench.packets.map(\.isKeyframe) == [Bool](repeating: true, count: 5) + [false, false, false])
    }

    @Test func `start codes inside a NAL unit are taken apart`() {
        let stuffed = NAL.sps + [0, 0, 0, 1] + NAL.pps + [0, 0, 1] + NAL.idr(4_000)
        var single = Bench(sets: nil)
        single.picture([stuffed])
        #expect(single.units.map(\.units) == [[NAL.sps, NAL.pps, NAL.idr(4_000)]])
        var prefixed = Bench()
        prefixed.picture([[0, 0, 0, 1] + NAL.idr(100)])
        #expect(prefixed.units.map(\.units) == [[NAL.sps, NAL.pps, NAL.idr(100)]])
        var fragmented = Bench(sets: nil)
        fragmented.picture(NAL.fragments(stuffed))
        #expect(fragmented.units.map(\.units) == [[NAL.sps, NAL.pps, NAL.idr(4_000)]])
        fragmented.checkInvariants()
    }

    @Test func `start codes found in the middle of a slice are handled from the next picture on`() {
        let slices = NAL.inter(3_000) + [0, 0, 0, 1] + NAL.slice(0x41, 1_000, isFirst: false)
        var bench = Bench()
        bench.picture([NAL.idr(100)])
        for _ in 0..<3 { bench.picture(NAL.fragments(slices)) }
        bench.checkInvariants()
        #expect(bench.units.map(\.units.count) == [3, 2, 2])
        #expect(bench.units.last?.units == [NAL.inter(3_000), NAL.slice(0x41, 1_000, isFirst: false)])
    }

    @Test func `odd fragments: both ends at once, no end, empty, wrong types later on`() {
        var bench = Bench()
        bench.picture([[0x7C, 0xC5] + NAL.idr(80).dropFirst()])
        #expect(bench.units.map(\.units) == [[NAL.sps, NAL.pps, NAL.idr(80)]])
        // The end is missing; the next unit ends it, with its own timestamp.
        bench.picture(NAL.fragments(NAL.inter(3_000)).dropLast() + [[0x5C, 0x01] + [9, 9]], marker: false)
        bench.picture([NAL.inter(70)])
        #expect(bench.units.count == 3)
        #expect(bench.units[1].units.first?.count == 2_799)
        // Empty fragments change nothing; types of later fragments are not looked at.
        var fragments = NAL.fragments(NAL.inter(5_000))
        fragments.insert([0x5C, 0x01], at: 2)
        fragments.insert([0x5C], at: 1)
        for index in fragments.indices.dropFirst() where fragments[index].count > 1 { fragments[index][1] |= 0x05 }
        bench.picture(fragments)
        #expect(bench.units.last?.units == [NAL.inter(5_000)])
        // The end is an empty fragment.
        bench.picture(
            NAL.fragments(NAL.inter(1_159 * 2 - 1), size: 1_158).map { [$0[0], $0[1] & 0xBF] + $0[2...] } + [
                [0x5C, 0x41]
            ]
        )
        #expect(bench.units.last?.units == [NAL.inter(2_317)])
        bench.checkInvariants()
    }

    @Test func `an aggregate with a zero tail and one that is cut off`() {
        var bench = Bench()
        bench.picture([NAL.aggregate([NAL.idr(60)]) + [0, 0, 0, 0, 0]])
        #expect(bench.units.count == 1)
        bench.picture([NAL.aggregate([NAL.inter(60)]) + [0, 50, 0x41, 1]])
        #expect(bench.units.count == 2)
        #expect(bench.ingest.counters(at: bench.now).droppedUnits == 1)
    }

    @Test func `after a gap the rest of the broken unit is dropped and the next packet says so`() {
        var bench = Bench()
        bench.picture([NAL.idr(100)])
        var fragments = NAL.fragments(NAL.inter(10_000))
        fragments.remove(at: 3)
        for (index, fragment) in fragments.enumerated() {
            if index == 3 { bench.camera.sequence &+= 1 }
            bench.send(fragment, marker: index == fragments.count - 1)
        }
        bench.step()
        let before = bench.packets.count
        bench.picture([NAL.inter(50)])
        #expect(bench.packets.count == before + 1)
        #expect(bench.packets.map(\.followsGap).lastIndex(of: true) == before)
        #expect(bench.packets.filter(\.followsGap).count == 1)
        bench.checkInvariants()
        #expect(bench.units.map(\.followsGap) == [false, true])
        #expect(bench.ingest.counters(at: bench.now).lost == 1)
    }

    @Test func `a camera that never sets markers gets them, one payload late`() {
        var bench = Bench()
        bench.picture([NAL.idr(3_000)], marker: false)
        for _ in 0..<20 { bench.picture(NAL.fragments(NAL.inter(3_000)), marker: false) }
        #expect(bench.packets.filter(\.isMarker).count >= 16)
        #expect(!bench.packets.prefix(3).contains { $0.isMarker })
        #expect(bench.units.count >= 19)
        // The held payload does not wait for ever.
        let deadline = bench.ingest.nextDeadline
        #expect(deadline != nil)
        let before = bench.packets.count
        bench.ingest.handleTimeout(at: deadline ?? .zero, into: &bench.packets, notices: &bench.notices)
        #expect(bench.packets.count == before + 1)
        #expect(bench.packets.last?.isMarker == true)
        #expect(bench.ingest.nextDeadline == nil)
        bench.checkInvariants()
    }

    @Test func `a camera that marks its filler is understood`() {
        var bench = Bench()
        bench.picture([NAL.idr(3_000), [0x0C, 0xFF, 0x80]])
        for _ in 0..<20 { bench.picture([NAL.inter(300), [0x0C, 0xFF, 0x80]]) }
        // From the fourth picture on the filler's marker sends the held payload off at once.
        #expect(bench.packets.filter(\.isMarker).count >= 17)
        #expect(bench.ingest.nextDeadline == nil)
    }

    @Test func `markers in the middle of pictures stop being believed`() {
        var bench = Bench()
        for picture in 0..<20 {
            for slice in 0..<4 {
                bench.send(NAL.slice(picture == 0 ? 0x65 : 0x41, 200, isFirst: slice == 0), marker: true)
            }
            bench.step()
        }
        #expect(!bench.ingest.counters(at: bench.now).trustsMarkers)
        let late = bench.packets.filter { $0.timestamp > bench.packets[0].timestamp + 3 * 3_600 }
        let times = Set(late.map(\.timestamp)).count
        #expect(late.filter(\.isMarker).count >= times - 1)
        #expect(bench.units.suffix(10).allSatisfy { $0.units.count == 4 })
        bench.checkInvariants()
    }

    @Test func `recovery points serve as join points after ten seconds without IDR`() {
        var bench = Bench()
        let recoveryPoint: [UInt8] = [0x06, 6, 1, 0xC4, 0x80]
        for index in 0..<600 {
            bench.picture((index % 50 == 0 ? [recoveryPoint] : []) + [NAL.inter(200)])
        }
        let starts = bench.packets.filter(\.startsKeyframe)
        #expect(starts.count == 7)
        #expect(bench.notices == [.recoveryPointsUsed])
        #expect(starts.first.map { ($0.arrival - Instant(nanoseconds: 50_000_000_000)).inSeconds } == 10)
        #expect(bench.units.filter(\.isKeyframe).count == 7)
        #expect(bench.ingest.counters(at: bench.now).gopLength == 50)
        // With IDR pictures they are ignored.
        var normal = Bench()
        for index in 0..<600 {
            normal.picture((index % 50 == 0 ? [recoveryPoint] : []) + [index % 100 == 0 ? NAL.idr(90) : NAL.inter(90)])
        }
        #expect(normal.packets.filter(\.startsKeyframe).count == 6)
        #expect(normal.notices.isEmpty)
    }

    @Test func `B-frames are noticed in the timestamps`() {
        var bench = Bench()
        let base = bench.camera.timestamp
        for index in 0..<30 {
            bench.camera.timestamp = base + UInt32([0, 3, 1, 2][index % 4] + index / 4 * 4) * 3_600
            bench.send(index == 0 ? NAL.idr(80) : NAL.inter(80), marker: true)
            bench.now += .milliseconds(40)
        }
        #expect(bench.notices == [.pictureReorderingDetected(observed: true)])
        #expect(bench.ingest.counters(at: bench.now).reordersPictures)
        #expect(bench.units.count == 30)
    }

    @Test func `B-frames are noticed in the SPS`() throws {
        let sps = try #require([UInt8](hexadecimal: "67640028acd940780227e5c044000003000400000300f03c60c658"))
        var bench = Bench(sets: try H264ParameterSets(sps: sps, pps: [NAL.pps]))
        for _ in 0..<3 { bench.picture([NAL.idr(100)]) }
        #expect(bench.notices == [.pictureReorderingDetected(observed: false)])
    }

    @Test func `the group of pictures is measured`() {
        var bench = Bench()
        for index in 0..<76 { bench.picture([index % 25 == 0 ? NAL.idr(900) : NAL.inter(900)]) }
        let counters = bench.ingest.counters(at: bench.now)
        #expect(counters.frames == 76)
        #expect(counters.keyframes == 4)
        #expect(counters.gopLength == 25)
        #expect(counters.gopDuration == .seconds(1))
        #expect(counters.lastKeyframe == Instant(nanoseconds: 53_000_000_000))
        #expect(abs(counters.framesPerSecond - 25) < 1)
        #expect(abs(counters.bitrate - 912 * 8 * 25) < 8_000)
        let later = bench.ingest.counters(at: bench.now + .seconds(3))
        #expect(later.framesPerSecond == 0)
        #expect(later.bitrate == 0)
    }

    @Test func `a unit that never ends is cut off at five megabytes`() {
        var bench = Bench()
        bench.send([0x7C, 0x85, 0x88] + [UInt8](repeating: 7, count: 60_000))
        for _ in 0..<100 { bench.send([0x7C, 0x05] + [UInt8](repeating: 7, count: 60_000)) }
        #expect(bench.packets.reduce(0) { $0 + $1.payload.count } <= 5_100_000)
        var hidden = Bench()
        hidden.send([0x7C, 0x86] + [UInt8](repeating: 7, count: 60_000))
        for _ in 0..<200 { hidden.send([0x7C, 0x06] + [UInt8](repeating: 7, count: 60_000)) }
        #expect(hidden.packets.isEmpty)
        #expect(hidden.ingest.counters(at: hidden.now).droppedUnits == 1)
    }

    @Test func `no payload traps, and what comes out keeps the rules`() {
        let recovery: [UInt8] = [0x06, 6, 1, 0xC4, 0x80]
        let samples =
            [NAL.sps, NAL.pps, NAL.idr(60), recovery, NAL.aggregate([NAL.sps, NAL.pps, NAL.idr(40)])]
            + NAL.fragments(NAL.inter(90), size: 40) + [NAL.idr(50) + [0, 0, 1] + NAL.inter(20)]
        var bench = Bench()
        sweep(samples, mutations: 3_000) { payload in
            bench.send(payload, marker: payload.count % 3 == 0)
            if payload.count % 5 == 0 { bench.step() }
            if payload.count % 17 == 0 { bench.camera.sequence &+= 2 }
        }
        bench.checkInvariants()
        #expect(!bench.packets.isEmpty)
        _ = bench.units
    }
}
