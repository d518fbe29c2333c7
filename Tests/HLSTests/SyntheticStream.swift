import HLS
import Media
import TestSupport
import Wire

/// A camera that never was: frames with chosen timing and small made-up slices.
struct SyntheticStream {
    var frameInterval: Int64 = 3_600
    var groupLength = 50
    /// Largest deviation of a timestamp, in 1/90000 s.
    var jitter: Int64 = 0
    var audio = false
    var random = SeededGenerator(seed: 1)
    /// Timestamp and index of the next frame.
    var timestamp: Int64 = 1_000 * 90_000
    var index = 0
    private var audioTimestamp: Int64?

    init(
        frameInterval: Int64 = 3_600,
        groupLength: Int = 50,
        jitter: Int64 = 0,
        audio: Bool = false,
        seed: UInt64 = 1
    ) {
        self.frameInterval = frameInterval
        self.groupLength = groupLength
        self.jitter = jitter
        self.audio = audio
        random = SeededGenerator(seed: seed)
    }

    static let sps = [UInt8](hexadecimal: spsHex) ?? []
    static let pps = [UInt8](hexadecimal: "68cb83cb20") ?? []
    static let otherSPS = [UInt8](hexadecimal: otherSPSHex) ?? []
    static let otherPPS = [UInt8](hexadecimal: "68ebe3cb22c0") ?? []

    static func videoFormat() throws -> TrackFormat {
        TrackFormat(codec: .h264, clockRate: 90_000, h264: try H264ParameterSets(sps: sps, pps: [pps]))
    }

    static func audioFormat() throws -> TrackFormat {
        TrackFormat(
            codec: .aac,
            clockRate: 48_000,
            channels: 2,
            aac: try AACConfiguration(sampleRate: 48_000, channels: 2)
        )
    }

    func tracks() throws -> [TrackFormat] {
        try audio ? [Self.videoFormat(), Self.audioFormat()] : [Self.videoFormat()]
    }

    /// The next frame and the audio that precedes it; each arrives when it is presented.
    mutating func next() -> [AccessUnit] {
        let isKeyframe = index % groupLength == 0
        let shaken = timestamp + (jitter > 0 ? Int64.random(in: -jitter...jitter, using: &random) : 0)
        var units: [[UInt8]] = [[0x09, 0xF0]]
        if isKeyframe { units += [Self.sps, Self.pps] }
        let slice = [isKeyframe ? 0x65 : 0x41, 0x80] + [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: 60)
        units.append(slice)
        var result: [AccessUnit] = []
        if audio {
            var next = audioTimestamp ?? timestamp * 8 / 15
            while next < timestamp * 8 / 15 {
                result.append(
                    AccessUnit(
                        track: 1,
                        timestamp: next,
                        arrival: instant(next * 15 / 8),
                        isKeyframe: true,
                        units: [[0x21, 0, 0, 0, 0, 0x1C]]
                    )
                )
                next += 1_024
            }
            audioTimestamp = next
        }
        result.append(
            AccessUnit(track: 0, timestamp: shaken, arrival: instant(shaken), isKeyframe: isKeyframe, units: units)
        )
        index += 1
        timestamp += frameInterval
        return result
    }

    /// As many frames as fit into `seconds`.
    mutating func next(seconds: Double) -> [AccessUnit] {
        let end = timestamp + Int64(seconds * 90_000)
        var result: [AccessUnit] = []
        while timestamp < end { result += next() }
        return result
    }
}

private let spsHex = "6742c00cd901419f9f011000000300100000030320f142a480"
private let otherSPSHex = "6764001eacd940a02ff97011000003000100000300320f162d96"

func instant(_ ticks: Int64) -> Instant { Instant(nanoseconds: ticks * 100_000 / 9) }

extension HLSConfiguration {
    /// 2026-01-01T00:00:00Z at `Instant.zero`.
    static func test() -> HLSConfiguration { HLSConfiguration(prefix: "e3", wallClockAtZero: 1_767_225_600_000) }
}

extension HLSMuxer {
    /// The playlist as it is now.
    mutating func text(_ query: PlaylistQuery = .init(), at now: Instant = .zero) -> String? {
        guard case .ready(let bytes) = playlist(query, at: now) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The playlist as a client reads it.
    mutating func read(_ query: PlaylistQuery = .init(), at now: Instant = .zero) throws -> ReadPlaylist {
        struct Unreadable: Error {}
        guard let playlist = ReadPlaylist(text(query, at: now)) else { throw Unreadable() }
        return playlist
    }

    /// A resource's bytes.
    func bytes(_ name: String) -> [UInt8]? {
        guard case .ready(let resource) = resource(named: name) else { return nil }
        return resource.chunks.reduce(into: []) { $0.append(contentsOf: $1) }
    }
}
