import Media
import RTP
import TestSupport
import Testing
import Wire

@Suite struct AudioTests {
    /// RFC 3640 §3.3.6: 13 bits of size and 3 of index for each frame, then the frames.
    static func payload(_ frames: [[UInt8]], sizes: [Int]? = nil) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(UInt16(frames.count * 16))
        for size in sizes ?? frames.map(\.count) { bytes.append(UInt16(size << 3)) }
        return bytes + frames.joined()
    }

    static func frame(_ count: Int, _ first: UInt8 = 0x21) -> [UInt8] {
        [first] + [UInt8](repeating: 0x5A, count: count - 1)
    }

    static func aac() throws -> Bench {
        let configuration = try AACConfiguration(sampleRate: 16_000, channels: 1)
        return Bench(
            TrackIngest(
                track: 1,
                format: TrackFormat(codec: .aac, clockRate: 16_000, aac: configuration),
                payloadType: 96,
                transport: .tcp
            )
        )
    }

    static func depacketize(_ payloads: [[UInt8]]) -> (frames: [[UInt8]], dropped: UInt64) {
        var depacketizer = AACDepacketizer()
        var frames: [[UInt8]] = []
        for payload in payloads {
            depacketizer.receive(payload[...], marker: true, followsGap: false, into: &frames)
        }
        return (frames, depacketizer.dropped)
    }

    @Test func `several AAC frames in one packet are 1024 ticks apart`() throws {
        var bench = try Self.aac()
        for index in 0..<4 {
            bench.camera.timestamp = UInt32(index * 3_072)
            bench.send(Self.payload([Self.frame(100), Self.frame(120), Self.frame(90)]), marker: true)
            bench.now += .milliseconds(192)
        }
        #expect(bench.packets.count == 12)
        #expect(bench.packets.map(\.payload.count).prefix(3) == [100, 120, 90])
        for index in 1..<12 { #expect(bench.packets[index].timestamp - bench.packets[index - 1].timestamp == 1_024) }
        #expect(bench.packets[0].timestamp == 50 * 16_000)
        #expect(bench.packets.allSatisfy { $0.isMarker && $0.track == 1 })
        #expect(bench.packets.map(\.sequence) == Array(0..<12))
    }

    @Test func `a frame in several packets is put together, and dropped when a part is lost`() {
        let whole = Self.frame(2_500)
        let parts = [whole[..<1_000], whole[1_000..<2_000], whole[2_000...]].map {
            Self.payload([Array($0)], sizes: [2_500])
        }
        #expect(Self.depacketize(parts).frames == [whole])
        let broken = Self.depacketize([parts[0], parts[2], Self.payload([Self.frame(30)])])
        #expect(broken.frames == [Self.frame(30)])
        #expect(broken.dropped == 1)
    }

    @Test func `frames without AU headers and with ADTS headers are accepted`() {
        #expect(Self.depacketize([Self.frame(200, 0xDE)]).frames == [Self.frame(200, 0xDE)])
        func adts(_ frame: [UInt8]) -> [UInt8] {
            let length = frame.count + 7
            return [
                0xFF, 0xF1, 0x60, UInt8(0x40 | length >> 11), UInt8(length >> 3 & 0xFF), UInt8(length & 7) << 5 | 0x1F,
                0xFC,
            ] + frame
        }
        let first = Self.frame(50)
        let second = Self.frame(60)
        #expect(Self.depacketize([Self.payload([adts(first)])]).frames == [first])
        #expect(Self.depacketize([adts(first) + adts(second)]).frames == [first, second])
    }

    @Test func `no AAC payload traps`() {
        var depacketizer = AACDepacketizer()
        var frames: [[UInt8]] = []
        let samples = [
            Self.payload([Self.frame(20), Self.frame(30)]), Self.payload([Self.frame(9)], sizes: [40]),
            [0xFF, 0xF1, 0x60, 0x40, 2, 0x3F, 0xFC] + Self.frame(10),
        ]
        sweep(samples, mutations: 10_000) { payload in
            depacketizer.receive(payload[...], marker: payload.count % 2 == 0, followsGap: false, into: &frames)
            #expect(frames.allSatisfy { $0.count <= AACDepacketizer.maximumFrame })
            frames.removeAll()
        }
    }

    static func track(_ codec: Codec, clockRate: Int, channels: Int = 1) -> Bench {
        Bench(
            TrackIngest(
                track: 1,
                format: TrackFormat(codec: codec, clockRate: clockRate, channels: channels),
                payloadType: 96,
                transport: .tcp
            )
        )
    }

    @Test func `camera jitter in audio timestamps is replaced by the sample count`() {
        var bench = Self.track(.pcmu, clockRate: 8_000)
        for index in 0..<500 {
            bench.camera.timestamp = UInt32(index * 320 + index % 3 * 40)
            bench.send([UInt8](repeating: 0xFF, count: 320))
            bench.now += .milliseconds(40)
        }
        #expect(bench.packets.count == 500)
        for index in 1..<500 { #expect(bench.packets[index].timestamp - bench.packets[index - 1].timestamp == 320) }
    }

    @Test func `the sample count is given up when it is off by half a second`() {
        var bench = Self.track(.pcma, clockRate: 8_000)
        var worst: Int64 = 0
        for index in 0..<2_000 {
            // The camera claims 320 ticks and sends 316 samples, then 324.
            bench.camera.timestamp = UInt32(index * 320)
            bench.send([UInt8](repeating: 1, count: index < 1_000 ? 316 : 324))
            if let last = bench.packets.last {
                worst = max(worst, abs(last.timestamp - Int64(400_000 + index * 320)))
            }
            bench.now += .milliseconds(40)
        }
        #expect(worst <= 4_100)
        #expect(zip(bench.packets, bench.packets.dropFirst()).allSatisfy { $0.timestamp < $1.timestamp })
        #expect(bench.packets.count > 1_980)
    }

    @Test func `lost audio leaves a hole of its length`() {
        var bench = Self.track(.pcmu, clockRate: 8_000)
        for index in 0..<10 {
            bench.camera.timestamp = UInt32(index * 160)
            let packet = bench.camera.packet([UInt8](repeating: 0, count: 160))
            if !(4...5).contains(index) { bench.receive(packet) }
            bench.now += .milliseconds(20)
        }
        #expect(bench.packets.map { $0.timestamp - 400_000 } == [0, 160, 320, 480, 960, 1_120, 1_280, 1_440])
        #expect(bench.packets.map(\.followsGap) == [false, false, false, false, true, false, false, false])
    }

    @Test func `durations follow RFC 6716 and RFC 3551`() {
        #expect(AudioPayload.duration(of: .opus, [0x78, 1, 2], channels: 2) == 960)
        #expect(AudioPayload.duration(of: .opus, [0xFC, 1, 2], channels: 2) == 960)
        #expect(AudioPayload.duration(of: .opus, [0xF9, 1, 2], channels: 2) == 1_920)
        #expect(AudioPayload.duration(of: .opus, [0x18, 1], channels: 1) == 2_880)
        #expect(AudioPayload.duration(of: .opus, [0xFB, 0x03, 1], channels: 1) == 2_880)
        #expect(AudioPayload.duration(of: .opus, [0xFB, 0xFF], channels: 1) == 5_760)
        #expect(AudioPayload.duration(of: .opus, [], channels: 1) == 0)
        #expect(AudioPayload.duration(of: .pcmu, [1, 2, 3], channels: 1) == 3)
        #expect(AudioPayload.duration(of: .g722, [1, 2, 3], channels: 1) == 3)
        #expect(AudioPayload.duration(of: .l16, [1, 2, 3, 4], channels: 2) == 1)
    }

    @Test func `Opus passes through, one packet for one packet`() {
        var bench = Self.track(.opus, clockRate: 48_000, channels: 2)
        for index in 0..<5 {
            bench.camera.timestamp = UInt32(index * 960)
            bench.send([0x78, 1, 2, UInt8(index)])
            bench.now += .milliseconds(20)
        }
        #expect(bench.packets.map(\.payload) == (0..<5).map { [0x78, 1, 2, $0] })
        #expect(bench.packets.map { $0.timestamp - 2_400_000 } == [0, 960, 1_920, 2_880, 3_840])
    }

    @Test func `payloads too large for a browser's path are cut at samples`() {
        var bench = Self.track(.l16, clockRate: 48_000, channels: 2)
        let samples = (0..<3_840).map { UInt8(truncatingIfNeeded: $0) }
        bench.send(samples)
        #expect(bench.packets.map(\.payload).joined().elementsEqual(samples))
        #expect(bench.packets.allSatisfy { $0.payload.count <= 1_160 && $0.payload.count % 4 == 0 })
        #expect(bench.packets.count == 4)
        var stamp = bench.packets[0].timestamp
        for packet in bench.packets {
            #expect(packet.timestamp == stamp)
            stamp += Int64(packet.payload.count / 4)
        }
    }
}
