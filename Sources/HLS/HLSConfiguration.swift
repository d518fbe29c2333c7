/// What an ``HLSMuxer`` is told when it is made; none of it changes during its life.
public struct HLSConfiguration: Sendable {
    /// First part of every resource name, unique per muxer, so that no cache mixes up two runs. Letters, digits and
    /// `-` only; anything else is left out, and at most 32 characters are used.
    public var prefix: String
    /// UTC of `Instant.zero` in milliseconds since 1970: the relay's clock, never a camera's.
    public var wallClockAtZero: Int64
    /// The frame interval the ingest has observed, so that a muxer fed with one keyframe can publish at once.
    public var frameInterval: Duration?
    /// The distance of keyframes the ingest has observed.
    public var keyframeInterval: Duration?
    /// Whether parts may be published; false gives plain HLS.
    public var allowsLowLatency = true
    /// The part duration wished for; the part target is this or the next longer one that suits the frame interval.
    public var partDuration: Duration = .milliseconds(200)
    /// Longest part target; cameras with a longer frame interval get plain HLS.
    public var maximumPartTarget: Duration = .milliseconds(500)
    /// Segments are not cut at a keyframe before this.
    public var minimumSegmentDuration: Duration = .seconds(1)
    /// Complete segments in the playlist.
    public var segmentCount = 7
    /// Limit of all bytes held, in bytes; the oldest segments go first.
    public var maximumBytes = 64 << 20
    /// Media sequence number of the first segment; a successor of a muxer starts above its predecessor.
    public var firstMediaSequenceNumber = 0

    /// Creates a configuration with the default limits.
    public init(prefix: String, wallClockAtZero: Int64) {
        self.prefix = prefix
        self.wallClockAtZero = wallClockAtZero
    }
}

/// Why no muxer can be made.
public enum HLSFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// None of the tracks is H.264.
    case noPlayableVideo

    /// Problem and remedy.
    public var description: String {
        "HLS needs an H.264 video track. Set the camera's main stream to H.264."
    }
}
