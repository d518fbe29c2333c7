import Wire

/// What the console shows about a stream's HLS.
public struct HLSStatus: Equatable, Sendable {
    /// Whether parts are published; false for plain HLS and before publication.
    public var isLowLatency: Bool
    /// Whether the playlist exists already.
    public var isPublished: Bool
    /// PART-TARGET.
    public var partTarget: Duration?
    /// TARGETDURATION.
    public var targetDuration: Duration?
    /// Codec strings as in CODECS.
    public var codecs: [String]
    /// Peak bits per second as in BANDWIDTH.
    public var bandwidth: Int
    /// Segments in the playlist, oldest first; the last one may be open.
    public var segments: [Segment]
    /// Latency of the newest complete segment.
    public var lastSegmentLatency: Duration?
    /// Median latency of recent segments.
    public var medianSegmentLatency: Duration?
    /// Largest latency of recent segments.
    public var maximumSegmentLatency: Duration?
    /// Latency of the newest part: from the arrival of its first frame to its publication.
    public var lastPartLatency: Duration?
    /// Median latency of recent parts.
    public var medianPartLatency: Duration?
    /// Largest latency of recent parts.
    public var maximumPartLatency: Duration?
    /// Time since the last part was published.
    public var lastPartAge: Duration?
    /// Parts published so far.
    public var publishedParts: UInt64
    /// Discontinuities so far.
    public var discontinuities: Int
    /// Audio frames of silence put in because the camera sent none.
    public var silentFrames: Int
    /// Parameter sets that could not be read.
    public var rejectedParameterSets: Int
    /// Bytes of all parts and initialization segments in memory.
    public var byteCount: Int

    /// One segment.
    public struct Segment: Equatable, Sendable {
        /// Media sequence number.
        public var mediaSequenceNumber: Int
        /// Duration so far.
        public var duration: Duration
        /// Parts so far.
        public var parts: Int
        /// Bytes so far.
        public var byteCount: Int
        /// Begins with a keyframe.
        public var isIndependent: Bool
        /// Follows a discontinuity.
        public var isDiscontinuity: Bool
        /// When it became complete; `nil` while it is open.
        public var publishedAt: Instant?
        /// From the arrival of its first frame until then; `nil` while open and for frames from a cache.
        public var latency: Duration?
    }
}

extension HLSMuxer {
    /// The muxer's state at `now`; costs a walk over the playlist's segments.
    public func status(at now: Instant) -> HLSStatus {
        let window = segmenter?.window
        let measurements = segmenter?.measurements
        let listed = (window?.complete ?? []) + [window?.open].compactMap { $0 }.filter { !$0.parts.isEmpty }
        return HLSStatus(
            isLowLatency: isLowLatency,
            isPublished: segmenter != nil,
            partTarget: segmenter?.plan.partTarget.map(duration),
            targetDuration: targetDuration,
            codecs: segmenter?.codecs ?? [],
            bandwidth: segmenter?.bandwidth.peak ?? 0,
            segments: listed.map { segment in
                HLSStatus.Segment(
                    mediaSequenceNumber: segment.sequenceNumber,
                    duration: duration(segment.duration),
                    parts: segment.parts.count,
                    byteCount: segment.byteCount,
                    isIndependent: segment.isIndependent,
                    isDiscontinuity: segment.isDiscontinuity,
                    publishedAt: segment.publishedAt,
                    latency: segment.latency
                )
            },
            lastSegmentLatency: measurements?.lastLatency,
            medianSegmentLatency: measurements?.medianLatency,
            maximumSegmentLatency: measurements?.maximumLatency,
            lastPartLatency: measurements?.lastPartLatency,
            medianPartLatency: measurements?.medianPartLatency,
            maximumPartLatency: measurements?.maximumPartLatency,
            lastPartAge: measurements?.lastPartAt.map { now - $0 },
            publishedParts: publishedParts,
            discontinuities: window?.discontinuities ?? 0,
            silentFrames: segmenter?.audio?.silentFrames ?? 0,
            rejectedParameterSets: rejectedParameterSets,
            byteCount: window?.byteCount ?? 0
        )
    }
}

private func duration(_ ticks: Int64) -> Duration { .nanoseconds(ticks * 100_000 / 9) }
