import Media
import Wire

/// Writes fragmented MP4 (ISO/IEC 14496-12, CMAF) with one H.264 track and at most one audio track.
///
/// Track 1 is video with a timescale of 90000, track 2 is audio with a timescale of its clock rate. Parameter sets are
/// in `avcC`; samples must not carry them.
public struct FMP4Writer: Sendable {
    private var sequenceNumber: UInt32 = 0

    /// Creates a writer whose first fragment has sequence number 1.
    public init() {}

    /// Ticks per second of the video track.
    public static let videoTimescale: Int64 = 90_000

    /// An audio track's sample entry.
    public enum Audio: Equatable, Sendable {
        /// `mp4a` with `esds`; the track's timescale is `clockRate` in Hz.
        case aac(AACConfiguration, clockRate: Int)
        /// `Opus` with `dOps`; the timescale is 48000.
        case opus(channels: Int)

        /// Ticks per second.
        public var timescale: Int64 {
            switch self {
            case .aac(_, let clockRate): Int64(Swift.max(clockRate, 1))
            case .opus: 48_000
            }
        }

        /// The RFC 6381 codec string.
        public var codecString: String {
            switch self {
            case .aac(let configuration, _): configuration.codecString
            case .opus: "opus"
            }
        }
    }

    /// One sample of a fragment.
    public struct Sample: Sendable {
        /// Ticks until the track's next sample.
        public var duration: Int64
        /// Presentation time less decode time, in ticks; may be negative.
        public var compositionOffset: Int64
        /// A random access point.
        public var isSync: Bool
        /// NAL units without length prefixes (video), or exactly one frame (audio).
        public var units: [[UInt8]]

        /// Creates a sample.
        public init(duration: Int64, compositionOffset: Int64 = 0, isSync: Bool, units: [[UInt8]]) {
            self.duration = duration
            self.compositionOffset = compositionOffset
            self.isSync = isSync
            self.units = units
        }
    }

    /// The samples of one track in a fragment.
    public struct Run: Sendable {
        /// Decode time of the first sample, in ticks (`tfdt`).
        public var decodeTime: Int64
        /// In decode order; may be empty.
        public var samples: [Sample]

        /// Creates a run.
        public init(decodeTime: Int64, samples: [Sample]) {
            self.decodeTime = decodeTime
            self.samples = samples
        }
    }

    /// Writes one `moof` and its `mdat`.
    ///
    /// - Returns: The fragment's bytes; every sample's bytes are copied exactly once.
    public mutating func fragment(video: Run, audio: Run?) -> [UInt8] {
        sequenceNumber &+= 1
        let videoBytes = video.samples.reduce(0) { $0 + $1.videoByteCount }
        let audioBytes = audio.map { $0.samples.reduce(0) { $0 + $1.audioByteCount } } ?? 0
        let sampleCount = video.samples.count + (audio?.samples.count ?? 0)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(videoBytes + audioBytes + 16 * sampleCount + 256)
        var offsetFields: [Int] = []
        bytes.appendBox("moof") { moof in
            moof.appendFullBox("mfhd") { $0.append(sequenceNumber) }
            offsetFields.append(moof.appendTrackFragment(trackID: videoTrackID, video, isVideo: true))
            if let audio {
                offsetFields.append(moof.appendTrackFragment(trackID: audioTrackID, audio, isVideo: false))
            }
        }
        let dataStart = bytes.count + 8
        bytes.write(UInt32(truncatingIfNeeded: dataStart), at: offsetFields[0])
        if audio != nil { bytes.write(UInt32(truncatingIfNeeded: dataStart + videoBytes), at: offsetFields[1]) }
        bytes.appendBox("mdat") { mdat in
            for unit in video.samples.lazy.flatMap(\.units) {
                mdat.append(UInt32(truncatingIfNeeded: unit.count))
                mdat.append(contentsOf: unit)
            }
            if let audio {
                for unit in audio.samples.lazy.flatMap(\.units) { mdat.append(contentsOf: unit) }
            }
        }
        return bytes
    }
}

extension FMP4Writer.Sample {
    fileprivate var videoByteCount: Int { units.reduce(0) { $0 + 4 + $1.count } }
    fileprivate var audioByteCount: Int { units.reduce(0) { $0 + $1.count } }
}

let videoTrackID: UInt32 = 1
let audioTrackID: UInt32 = 2

/// `sample_depends_on` 2: an I-picture (ISO/IEC 14496-12 §8.8.3.1).
let syncSampleFlags: UInt32 = 0x0200_0000
/// `sample_depends_on` 1 and `sample_is_non_sync_sample`.
let nonSyncSampleFlags: UInt32 = 0x0101_0000

extension [UInt8] {
    /// Appends a `traf`; returns where its `trun` data offset has to be written.
    fileprivate mutating func appendTrackFragment(trackID: UInt32, _ run: FMP4Writer.Run, isVideo: Bool) -> Int {
        var offsetField = 0
        let hasOffsets = isVideo && run.samples.contains { $0.compositionOffset != 0 }
        appendBox("traf") { traf in
            traf.appendFullBox("tfhd", flags: 0x02_0000) { $0.append(trackID) }  // default-base-is-moof
            traf.appendFullBox("tfdt", version: 1) { $0.append(UInt64(clamping: run.decodeTime)) }
            // Data offset, sample duration and size; for video also flags and, where needed, composition offsets.
            let flags: UInt32 = 0x301 | (isVideo ? 0x400 : 0) | (hasOffsets ? 0x800 : 0)
            traf.appendFullBox("trun", version: 1, flags: flags) { trun in
                trun.append(UInt32(truncatingIfNeeded: run.samples.count))
                offsetField = trun.count
                trun.append(UInt32(0))
                for sample in run.samples {
                    trun.append(UInt32(clamping: sample.duration))
                    let byteCount = isVideo ? sample.videoByteCount : sample.audioByteCount
                    trun.append(UInt32(truncatingIfNeeded: byteCount))
                    if isVideo { trun.append(sample.isSync ? syncSampleFlags : nonSyncSampleFlags) }
                    if hasOffsets { trun.append(UInt32(bitPattern: Int32(clamping: sample.compositionOffset))) }
                }
            }
        }
        return offsetField
    }
}
