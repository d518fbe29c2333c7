import Media
import Wire

/// What is known about one track of a camera, for the console and for diagnosis.
public struct IngestCounters: Sendable, Equatable {
    /// Packets received.
    public var packets: UInt64
    /// Bytes received, RTP headers included.
    public var bytes: UInt64
    /// Packets that never came or came too late.
    public var lost: UInt64
    /// Interarrival jitter in seconds.
    public var jitter: Double
    /// Packets that came out of order and were put in order.
    public var reordered: UInt64
    /// Duplicates and packets that came after they had been given up.
    public var late: UInt64
    /// Packets that are no RTP.
    public var malformed: UInt64
    /// Packets with a payload type that is not the track's.
    public var unexpectedPayloadType: UInt64
    /// How often the source changed or restarted.
    public var ssrcChanges: UInt64
    /// How often the camera's timestamps jumped.
    public var timestampJumps: UInt64
    /// NAL units or audio frames dropped because they were broken.
    public var droppedUnits: UInt64
    /// Pictures (video) or frames (audio).
    public var frames: UInt64
    /// Pictures (video) or frames (audio) per second over the last 2 s.
    public var framesPerSecond: Double
    /// Bits per second over the last 2 s, RTP headers included.
    public var bitrate: Double
    /// Random access points.
    public var keyframes: UInt64
    /// When the last random access point began.
    public var lastKeyframe: Instant?
    /// Pictures of the last complete group of pictures.
    public var gopLength: Int?
    /// Duration of the last complete group of pictures.
    public var gopDuration: Duration?
    /// When the last packet came.
    public var lastPacket: Instant?
    /// Whether viewers join at recovery points, for lack of IDR pictures.
    public var usesRecoveryPoints: Bool
    /// Whether B-frames were announced or seen.
    public var reordersPictures: Bool
    /// Whether the camera's marker bits can be believed.
    public var trustsMarkers: Bool
    /// The format, corrected from the bitstream.
    public var format: TrackFormat
}
