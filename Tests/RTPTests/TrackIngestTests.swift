import Media
import RTP
import TestSupport
import Testing
import Wire

@Suite struct TrackIngestTests {
    @Test func `another source in the middle keeps timeline and sequence going`() {
        var bench = Bench()
        for index in 0..<10 { bench.picture([index == 0 ? NAL.idr(100) : NAL.inter(100)]) }
        bench.camera.ssrc = 77
        bench.camera.timestamp = 4_000_000_000
        bench.camera.sequence = 5
        for index in 0..<10 { bench.picture([index == 0 ? NAL.idr(100) : NAL.inter(100)]) }
        bench.checkInvariants()
        #expect(bench.notices == [.sourceRestarted])
        #expect(bench.units.count == 20)
        #expect(bench.units[10].followsGap)
        for index in 1..<20 {
            #expect((3_000...4_500).contains(bench.units[index].timestamp - bench.units[index - 1].timestamp))
        }
        #expect(bench.ingest.counters(at: bench.now).ssrcChanges == 1)
    }

    @Test func `a restarted camera goes on where the former one ended`() {
        var bench = Bench()
        for index in 0..<10 { bench.picture([index == 0 ? NAL.idr(100) : NAL.inter(100)]) }
        let last = bench.packets.last
        let former = bench.ingest
        bench.ingest = TrackIngest(
            track: 0,
            format: former.format,
            payloadType: 96,
            transport: .tcp,
            continuing: former
        )
        bench.camera = CameraStream(sequence: 9, timestamp: 5, ssrc: 3)
        bench.now += .seconds(2)
        bench.picture([NAL.idr(100)])
        bench.checkInvariants()
        #expect(bench.packets[11].followsGap)
        #expect(bench.packets[11].timestamp > last?.timestamp ?? .max)
        #expect(bench.ingest.nextSequence == bench.packets.last.map { $0.sequence + 1 })
    }

    @Test func `a lossy, shuffled stream over UDP yields whole pictures only`() {
        var random = SeededGenerator(seed: 11)
        var bench = Bench(transport: .udp)
        var queue: [[UInt8]] = []
        var expected: Set<[UInt8]> = []
        for picture in 0..<200 {
            let unit = picture % 25 == 0 ? NAL.idr(9_000 + picture) : NAL.inter(1_000 + 17 * picture)
            expected.insert(unit)
            let fragments = NAL.fragments(unit)
            for (index, fragment) in fragments.enumerated() {
                let packet = bench.camera.packet(fragment, marker: index == fragments.count - 1)
                if Int.random(in: 0..<100, using: &random) >= 2 { queue.append(packet) }
            }
            if queue.count > 2, Bool.random(using: &random) { queue.swapAt(0, 2) }
            while queue.count > 6 { bench.receive(queue.removeFirst()) }
            bench.step()
            bench.ingest.handleTimeout(at: bench.now, into: &bench.packets, notices: &bench.notices)
        }
        bench.checkInvariants()
        let units = bench.units
        #expect(units.count > 150)
        #expect(units.contains { $0.followsGap })
        #expect(units.allSatisfy { unit in unit.units.last.map(expected.contains) ?? false })
        let counters = bench.ingest.counters(at: bench.now)
        #expect(counters.lost > 0)
        #expect(counters.reordered > 0)
    }

    @Test func `sender reports reach reports and alignment`() throws {
        var video = Bench().ingest
        var audio = AudioTests.track(.pcmu, clockRate: 8_000).ingest
        let early = video.makeReport(at: .zero)
        #expect(early == nil)
        var packets: [StreamPacket] = []
        var notices: [IngestNotice] = []
        var pictures = CameraStream()
        var sound = CameraStream(ssrc: 0xA)
        var tracks = [video, audio]
        for second in 0..<60 {
            let now = Instant.zero + .seconds(100 + second)
            pictures.timestamp = UInt32(second * 90_000)
            sound.timestamp = UInt32(second * 8_000)
            tracks[0].receive(
                pictures.packet(NAL.idr(90))[...],
                at: now + .milliseconds(150),
                into: &packets,
                notices: &notices
            )
            tracks[1].receive(sound.packet([1, 2, 3])[...], at: now, into: &packets, notices: &notices)
            for (index, camera) in [pictures, sound].enumerated() {
                let report = RTCPPacket.senderReport(
                    .init(
                        ssrc: camera.ssrc,
                        ntp: UInt64(3_900_000_000 + second) << 32,
                        timestamp: camera.timestamp,
                        packetCount: 0,
                        byteCount: 0
                    )
                )
                try tracks[index].receiveRTCP(RTCPPacket.serialize([report])[...], at: now)
            }
            TrackIngest.align(&tracks)
        }
        (video, audio) = (tracks[0], tracks[1])
        let pictureOffset = try #require(video.timeline.senderClockOffset)
        let soundOffset = try #require(audio.timeline.senderClockOffset)
        let difference = pictureOffset - soundOffset
        #expect(abs(difference) < 2_000_000)
        let made = video.makeReport(at: .zero + .seconds(161))
        let report = try #require(made)
        #expect(try RTCPPacket.parse(report).count == 2)
        #expect(throws: RTCPParseError.truncated) { try tracks[0].receiveRTCP([0x81, 2, 3], at: .zero) }
    }

    @Test func `a codec nobody can be served is counted and silent`() {
        var bench = Bench(
            TrackIngest(
                track: 0,
                format: TrackFormat(codec: .mjpeg, clockRate: 90_000),
                payloadType: 26,
                transport: .udp
            )
        )
        bench.camera.payloadType = 26
        bench.picture([[1, 2, 3], [4, 5, 6]])
        #expect(bench.packets.isEmpty)
        #expect(bench.ingest.counters(at: bench.now).packets == 2)
    }

    @Test func `no packet and no report traps`() {
        for transport in [RTPTransport.udp, .tcp] {
            var bench = Bench(transport: transport)
            var camera = CameraStream()
            let samples = [
                camera.packet(NAL.idr(50), marker: true), camera.packet(NAL.aggregate([NAL.sps, NAL.pps])),
                camera.packet(NAL.fragments(NAL.inter(60), size: 30)[0]),
            ]
            sweep(samples, mutations: 5_000) { input in
                bench.receive(input)
                bench.now += .milliseconds(7)
                if let deadline = bench.ingest.nextDeadline, deadline <= bench.now {
                    bench.ingest.handleTimeout(at: bench.now, into: &bench.packets, notices: &bench.notices)
                }
                try? bench.ingest.receiveRTCP(input[...], at: bench.now)
            }
            bench.checkInvariants()
            _ = bench.units
        }
    }

    @Test func `the depacketiser takes any packets`() {
        var depacketizer = H264Depacketizer()
        var units: [AccessUnit] = []
        var sequence: UInt64 = 0
        let samples = [NAL.aggregate([NAL.sps, NAL.pps]), NAL.idr(40)] + NAL.fragments(NAL.idr(90), size: 40)
        sweep(samples, mutations: 5_000) { payload in
            sequence += payload.count % 13 == 0 ? 2 : 1
            let packet = StreamPacket(
                track: 0,
                sequence: sequence,
                timestamp: Int64(sequence / 3),
                arrival: .zero,
                isMarker: payload.count % 4 == 0,
                startsKeyframe: payload.first == 0x78,
                payload: payload
            )
            depacketizer.receive(packet, into: &units)
        }
        #expect(!units.isEmpty)
        #expect(units.allSatisfy { !$0.units.isEmpty && $0.units.allSatisfy { !$0.isEmpty } })
    }

    @Test func `an access unit that is too large is dropped, and what follows says so`() {
        var depacketizer = H264Depacketizer()
        var units: [AccessUnit] = []
        for sequence in 0..<6_000 {
            depacketizer.receive(
                StreamPacket(
                    track: 0,
                    sequence: UInt64(sequence),
                    timestamp: sequence < 5_999 ? 0 : 1,
                    arrival: .zero,
                    isMarker: sequence >= 5_998,
                    payload: NAL.slice(0x41, 1_000)
                ),
                into: &units
            )
        }
        #expect(units.map(\.timestamp) == [1])
        #expect(units.first?.followsGap == true)
        #expect(depacketizer.dropped == 1)
    }
}
