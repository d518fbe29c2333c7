import Media
import RTP
import Testing
import Wire

/// Makes the RTP packets of a camera.
struct CameraStream {
    var sequence: UInt16 = 1
    var timestamp: UInt32 = 90_000
    var ssrc: UInt32 = 0xCAFE
    var payloadType: UInt8 = 96

    mutating func packet(_ payload: [UInt8], marker: Bool = false) -> [UInt8] {
        defer { sequence &+= 1 }
        var bytes: [UInt8] = [0x80, (marker ? 0x80 : 0) | payloadType]
        bytes.append(sequence)
        bytes.append(timestamp)
        bytes.append(ssrc)
        return bytes + payload
    }
}

/// NAL units and what can be made of them.
enum NAL {
    static let sps: [UInt8] = [
        0x67, 0x42, 0xC0, 0x16, 0xD9, 0x00, 0xA0, 0x3D, 0xB0, 0x11, 0, 0, 3, 0, 1, 0, 0, 3, 0, 0x1E, 0x0F, 0x16, 0x2E,
        0x48,
    ]
    static let pps: [UInt8] = [0x68, 0xCB, 0x83, 0xCB, 0x20]
    /// 1280×720 Main.
    static let otherSPS: [UInt8] = [
        0x67, 0x4D, 0x40, 0x1F, 0xD9, 0x00, 0x50, 0x05, 0xBB, 0x01, 0x10, 0, 0, 3, 0, 0x10, 0, 0, 3, 3, 0x20, 0xF1,
        0x83,
        0x24, 0x80,
    ]

    /// A slice of `count` bytes whose content has no start codes and tells its position.
    static func slice(_ header: UInt8, _ count: Int, isFirst: Bool = true) -> [UInt8] {
        var unit = [header, isFirst ? 0x88 : 0x48]
        while unit.count < count { unit.append(UInt8(1 + unit.count % 250)) }
        return unit
    }

    static func idr(_ count: Int) -> [UInt8] { slice(0x65, count) }
    static func inter(_ count: Int) -> [UInt8] { slice(0x41, count) }

    static func aggregate(_ units: [[UInt8]]) -> [UInt8] {
        var payload: [UInt8] = [0x78]
        for unit in units {
            payload.append(UInt16(unit.count))
            payload += unit
        }
        return payload
    }

    /// FU-A payloads with `size` data bytes each.
    static func fragments(_ unit: [UInt8], size: Int = 1_398) -> [[UInt8]] {
        let data = Array(unit.dropFirst())
        return stride(from: 0, to: data.count, by: size).map { start in
            let end = min(start + size, data.count)
            let flags: UInt8 = (start == 0 ? 0x80 : 0) | (end == data.count ? 0x40 : 0)
            return [unit[0] & 0xE0 | 28, flags | unit[0] & 0x1F] + data[start..<end]
        }
    }

    static var sets: H264ParameterSets? { try? H264ParameterSets(sps: sps, pps: [pps]) }
}

/// A track that receives a camera's packets, and the access units at its other end.
struct Bench {
    var camera = CameraStream()
    var ingest: TrackIngest
    var now = Instant(nanoseconds: 50_000_000_000)
    var packets: [StreamPacket] = []
    var notices: [IngestNotice] = []

    init(sets: H264ParameterSets? = NAL.sets, transport: RTPTransport = .tcp) {
        ingest = TrackIngest(
            track: 0,
            format: TrackFormat(codec: .h264, clockRate: 90_000, h264: sets),
            payloadType: 96,
            transport: transport
        )
    }

    init(_ ingest: TrackIngest) { self.ingest = ingest }

    mutating func receive(_ rtp: [UInt8]) { ingest.receive(rtp[...], at: now, into: &packets, notices: &notices) }

    mutating func send(_ payload: [UInt8], marker: Bool = false) { receive(camera.packet(payload, marker: marker)) }

    /// Sends payloads as one picture, the marker on the last one, and moves on by 40 ms.
    mutating func picture(_ payloads: [[UInt8]], marker: Bool = true) {
        for (index, payload) in payloads.enumerated() {
            send(payload, marker: marker && index == payloads.count - 1)
        }
        step()
    }

    mutating func step(_ milliseconds: Int = 40) {
        camera.timestamp &+= UInt32(milliseconds * 90)
        now += .milliseconds(milliseconds)
    }

    var units: [AccessUnit] {
        var depacketizer = H264Depacketizer()
        var units: [AccessUnit] = []
        for packet in packets { depacketizer.receive(packet, into: &units) }
        return units
    }

    /// What must hold for every stream we make.
    func checkInvariants(from first: UInt64 = 0) {
        for (index, packet) in packets.enumerated() {
            #expect(packet.sequence == first + UInt64(index))
            #expect(packet.payload.count <= StreamPacket.maximumPayload)
            #expect(!packet.payload.isEmpty)
            #expect(!packet.startsKeyframe || packet.payload[0] == 0x78)
            #expect(!packet.startsKeyframe || packet.isKeyframe)
        }
    }
}
