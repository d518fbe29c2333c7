import Media

/// Audio frames on their way into parts.
///
/// A frame's duration is the distance to its successor, so the newest frame is held back until that has come. Players
/// show a muxed stream only where both tracks have data; therefore a camera whose microphone falls silent for longer
/// than ``patience``, or never delivers at all, gets frames of silence where we know the codec's.
struct AudioQueue: Sendable {
    let format: FMP4Writer.Audio
    /// The usual duration of a frame in the track's timescale.
    private let frameDuration: Int64
    private var frames: [Frame] = []
    /// Nothing earlier is accepted any more.
    private var start: Int64 = 0
    /// A frame that ends at `start` was already published, so the next one has to begin there.
    private var isAnchored = false
    /// Video time (1/90000 s) when the last frame came.
    private var heardAt: Int64 = 0
    /// Frames of silence that were put in.
    private(set) var silentFrames = 0

    private struct Frame {
        var time: Int64
        var unit: [UInt8]
    }

    /// Video time without audio after which silence is put in: 0.5 s.
    static let patience: Int64 = ticksPerSecond / 2
    /// Frames kept at most; parts take them away five times a second.
    static let limit = 4_096

    init(format: FMP4Writer.Audio) {
        self.format = format
        switch format {
        case .aac(let configuration, let clockRate):
            let samples = Int64(configuration.samplesPerFrame) * Int64(clockRate)
            frameDuration = max(samples / Int64(max(configuration.sampleRate, 1)), 1)
        case .opus:
            frameDuration = 960
        }
    }

    /// Whether the track can be kept alive without input.
    var canBeSilent: Bool { silence != nil }

    /// Starts, or starts anew after a discontinuity, with the video at `time` (1/90000 s).
    mutating func begin(at time: Int64) {
        frames.removeAll(keepingCapacity: true)
        start = time.rescaled(from: ticksPerSecond, to: format.timescale)
        heardAt = time
        isAnchored = false
    }

    /// Takes a frame at `time` (track timescale); frames out of order or from before the start are dropped.
    mutating func append(_ unit: [UInt8], at time: Int64, videoTime: Int64) {
        heardAt = max(heardAt, videoTime)
        guard time >= start, time > frames.last?.time ?? .min, frames.count < Self.limit else { return }
        // Clock correction moves frames by a few samples; a real hole is filled.
        if let silence {
            if frames.isEmpty, time > start, isAnchored || time - start > 3 * frameDuration {
                appendSilence(silence, at: start)
            }
            if let last = frames.last, time - last.time > 3 * frameDuration {
                fill(with: silence, until: time - frameDuration)
            }
        }
        frames.append(Frame(time: time, unit: unit))
    }

    /// Removes the frames that begin before `end` (1/90000 s).
    ///
    /// - Parameter isFinal: A discontinuity follows: the held frame goes too, with its usual duration.
    mutating func take(before end: Int64, isFinal: Bool = false) -> FMP4Writer.Run? {
        let limit = end.rescaled(from: ticksPerSecond, to: format.timescale)
        if let silence, end - heardAt > Self.patience {
            if frames.isEmpty { appendSilence(silence, at: start) }
            fill(with: silence, until: limit)
        }
        var samples: [FMP4Writer.Sample] = []
        let first = frames.first?.time ?? 0
        while let frame = frames.first, frame.time < limit {
            let next = frames.count > 1 ? frames[1].time : isFinal ? frame.time + frameDuration : nil
            guard let next else { break }
            samples.append(.init(duration: next - frame.time, isSync: true, units: [frame.unit]))
            frames.removeFirst()
            start = next
        }
        return samples.isEmpty ? nil : FMP4Writer.Run(decodeTime: first, samples: samples)
    }

    /// Silence of `duration` (1/90000 s) that ends where the first frame begins, for a picture put before the start.
    mutating func leadIn(_ duration: Int64) -> FMP4Writer.Run? {
        guard let silence else { return nil }
        isAnchored = true
        let wanted = duration.rescaled(from: ticksPerSecond, to: format.timescale)
        let count = max(wanted / frameDuration, 1)
        let end = frames.first?.time ?? start
        let sample = FMP4Writer.Sample(duration: frameDuration, isSync: true, units: [silence])
        return .init(
            decodeTime: end - count * frameDuration,
            samples: [FMP4Writer.Sample](repeating: sample, count: Int(count))
        )
    }

    private mutating func fill(with silence: [UInt8], until limit: Int64) {
        while let last = frames.last, last.time + frameDuration <= limit, frames.count < Self.limit {
            appendSilence(silence, at: last.time + frameDuration)
        }
    }

    private mutating func appendSilence(_ silence: [UInt8], at time: Int64) {
        frames.append(Frame(time: time, unit: silence))
        silentFrames += 1
    }

    /// One frame of silence: an AAC-LC raw data block with one empty channel element, or a 20 ms Opus packet.
    private var silence: [UInt8]? {
        switch format {
        case .aac(let configuration, _):
            guard configuration.objectType == 2 else { return nil }
            switch configuration.channels {
            case 1: return silentMono
            case 2: return silentStereo
            default: return nil
            }
        case .opus:
            return silentOpus
        }
    }
}

/// A `single_channel_element` with `max_sfb` 0, then `ID_END` (ISO/IEC 14496-3 table 4.4).
private let silentMono: [UInt8] = [0x00, 0x00, 0x00, 0x07]
/// A `channel_pair_element` with a common window and `max_sfb` 0, then `ID_END`.
private let silentStereo: [UInt8] = [0x21, 0x00, 0x00, 0x00, 0x00, 0x1C]
/// CELT full band, 20 ms, mono, no energy (RFC 6716 §3.1).
private let silentOpus: [UInt8] = [0xF8, 0xFF, 0xFE]
