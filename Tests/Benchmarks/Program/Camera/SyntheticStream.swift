import Wire

/// H.264 that no decoder sees: parameter sets of a real 720p stream, slices of the right sizes full of stamps.
struct SyntheticStream {
    static let framesPerSecond = 25
    /// One keyframe and 49 others are 2 s of 2 Mbit/s.
    static let gop = 50
    static let keyframeBytes = 50_000
    static let interFrameBytes = 9_180

    /// 1280×720 Main, as x264 writes it.
    static let sps: [UInt8] = [
        0x67, 0x4D, 0x40, 0x1F, 0xD9, 0x00, 0x50, 0x05, 0xBB, 0x01, 0x10, 0, 0, 3, 0, 0x10, 0, 0, 3, 3, 0x20, 0xF1,
        0x83, 0x24, 0x80,
    ]
    static let pps: [UInt8] = [0x68, 0xCB, 0x83, 0xCB, 0x20]

    /// Payload bytes of a full RTP packet.
    private static let packetBytes = 1_400

    private var keyframe = SyntheticStream.slice(0x65, keyframeBytes)
    private var interFrame = SyntheticStream.slice(0x41, interFrameBytes)
    private var frame: Int
    private var sequence: UInt16 = 1
    private let ssrc: UInt32

    /// - Parameter phase: The frame of the first group of pictures to begin with, so that cameras differ.
    init(ssrc: UInt32, phase: Int = 0) {
        self.ssrc = ssrc
        frame = phase
    }

    /// Slice header byte and a first byte whose top bit says "first of its picture"; the rest are stamps.
    private static func slice(_ header: UInt8, _ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0x55, count: count)
        bytes[0] = header
        bytes[1] = 0x88
        Stamp.fill(&bytes, from: 2, time: 0)
        return bytes
    }

    /// The next frame as RTP, handed out packet by packet; the slice is stamped with `time`.
    mutating func next(at time: Int64, _ send: (_ packet: [UInt8]) -> Void) {
        let timestamp = UInt32(truncatingIfNeeded: frame * 90_000 / Self.framesPerSecond)
        if frame % Self.gop == 0 {
            send(packet(Self.sps[...], timestamp))
            send(packet(Self.pps[...], timestamp))
            Stamp.update(&keyframe, from: 2, time: time)
            fragment(keyframe, timestamp, send)
        } else {
            Stamp.update(&interFrame, from: 2, time: time)
            fragment(interFrame, timestamp, send)
        }
        frame += 1
    }

    private mutating func fragment(_ unit: [UInt8], _ timestamp: UInt32, _ send: (_ packet: [UInt8]) -> Void) {
        var position = 1
        while position < unit.count {
            let end = min(position + Self.packetBytes - 2, unit.count)
            var bytes = header(timestamp, marker: end == unit.count)
            let flags: UInt8 = (position == 1 ? 0x80 : 0) | (end == unit.count ? 0x40 : 0)
            bytes += [unit[0] & 0xE0 | 28, flags | unit[0] & 0x1F]
            bytes += unit[position..<end]
            send(bytes)
            position = end
        }
    }

    private mutating func packet(_ payload: ArraySlice<UInt8>, _ timestamp: UInt32) -> [UInt8] {
        header(timestamp, marker: false) + payload
    }

    private mutating func header(_ timestamp: UInt32, marker: Bool) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(12 + Self.packetBytes)
        bytes += [0x80, (marker ? 0x80 : 0) | 96]
        bytes.append(sequence)
        bytes.append(timestamp)
        bytes.append(ssrc)
        sequence &+= 1
        return bytes
    }
}
