import Wire

/// What a track carries.
public enum TrackKind: String, Hashable, Sendable, Codable {
    /// Pictures.
    case video
    /// Sound.
    case audio
}

/// A codec by the name operators know it; the raw value is what console, API and messages show.
public enum Codec: String, Hashable, Sendable, Codable {
    case h264 = "H264"
    case h265 = "H265"
    case av1 = "AV1"
    case vp8 = "VP8"
    case vp9 = "VP9"
    case mjpeg = "MJPEG"
    case aac = "AAC"
    case opus = "Opus"
    case pcmu = "PCMU"
    case pcma = "PCMA"
    case g722 = "G722"
    case l16 = "L16"
    /// Anything we can name only by what the SDP called it.
    case other

    /// Video or audio; `other` counts as neither and is never set up.
    public var kind: TrackKind? {
        switch self {
        case .h264, .h265, .av1, .vp8, .vp9, .mjpeg: .video
        case .aac, .opus, .pcmu, .pcma, .g722, .l16: .audio
        case .other: nil
        }
    }
}

/// The format of one track, as learned from the SDP and corrected from the bitstream.
public struct TrackFormat: Equatable, Sendable {
    /// The codec.
    public var codec: Codec
    /// The encoding name exactly as the SDP spelled it, for messages such as "G726-32 is not supported".
    public var encodingName: String
    /// RTP clock in Hz; 90000 for video.
    public var clockRate: Int
    /// Audio channels; 1 for video.
    public var channels: Int
    /// H.264 parameter sets once known (from `sprop-parameter-sets` or in band).
    public var h264: H264ParameterSets?
    /// AAC configuration once known (from `config=`).
    public var aac: AACConfiguration?

    /// Creates a format.
    public init(
        codec: Codec,
        encodingName: String? = nil,
        clockRate: Int,
        channels: Int = 1,
        h264: H264ParameterSets? = nil,
        aac: AACConfiguration? = nil
    ) {
        self.codec = codec
        self.encodingName = encodingName ?? codec.rawValue
        self.clockRate = clockRate
        self.channels = channels
        self.h264 = h264
        self.aac = aac
    }
}

/// One RTP payload of a stream, repacketised by us, shared unchanged by everything downstream.
///
/// `payload` fits a browser's path MTU (``maximumPayload``). For H.264 it is a single NAL unit, a STAP-A or an FU-A
/// (RFC 6184); for audio it is one codec frame (for AAC a raw AAC frame without headers, RFC 3640's "access unit").
public struct StreamPacket: Sendable {
    /// Index of the track in the stream's list of tracks.
    public var track: Int
    /// Position in the track; increases by exactly 1 from packet to packet for the life of the stream.
    public var sequence: UInt64
    /// Presentation time in the track's clock rate on the relay's monotonic clock: `seconds × clockRate` since
    /// `Instant.zero`. All tracks of a stream share this timeline.
    public var timestamp: Int64
    /// When the camera's packet that completed this payload arrived.
    public var arrival: Instant
    /// Last packet of its access unit (video); always true for audio.
    public var isMarker: Bool
    /// First packet of a random access point: a STAP-A with SPS and PPS directly before the IDR picture.
    public var startsKeyframe: Bool
    /// Belongs to a random access point.
    public var isKeyframe: Bool
    /// Belongs to a picture no other picture refers to (`nal_ref_idc` 0).
    public var isDroppable: Bool
    /// The camera's packets before this one were lost or the camera restarted: what follows may not decode until
    /// the next keyframe.
    public var followsGap: Bool
    /// The RTP payload.
    public var payload: [UInt8]

    /// Creates a packet.
    public init(
        track: Int,
        sequence: UInt64,
        timestamp: Int64,
        arrival: Instant,
        isMarker: Bool,
        startsKeyframe: Bool = false,
        isKeyframe: Bool = false,
        isDroppable: Bool = false,
        followsGap: Bool = false,
        payload: [UInt8]
    ) {
        self.track = track
        self.sequence = sequence
        self.timestamp = timestamp
        self.arrival = arrival
        self.isMarker = isMarker
        self.startsKeyframe = startsKeyframe
        self.isKeyframe = isKeyframe
        self.isDroppable = isDroppable
        self.followsGap = followsGap
        self.payload = payload
    }

    /// Largest payload we make: 1200 bytes of UDP payload less RTP header, extensions and the SRTP tag.
    public static let maximumPayload = 1_160
}

/// One coded picture or one audio frame.
public struct AccessUnit: Sendable {
    /// Index of the track in the stream's list of tracks.
    public var track: Int
    /// Presentation time, as in ``StreamPacket/timestamp``.
    public var timestamp: Int64
    /// When its last packet arrived.
    public var arrival: Instant
    /// A random access point.
    public var isKeyframe: Bool
    /// The stream was interrupted before this unit (loss, camera restart, changed parameter sets).
    public var followsGap: Bool
    /// NAL units without start codes or length prefixes, SPS/PPS/AUD included (video); exactly one frame (audio).
    public var units: [[UInt8]]

    /// Creates an access unit.
    public init(
        track: Int,
        timestamp: Int64,
        arrival: Instant,
        isKeyframe: Bool,
        followsGap: Bool = false,
        units: [[UInt8]]
    ) {
        self.track = track
        self.timestamp = timestamp
        self.arrival = arrival
        self.isKeyframe = isKeyframe
        self.followsGap = followsGap
        self.units = units
    }
}
