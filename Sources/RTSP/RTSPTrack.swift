import Media

/// How AAC frames are packed into RTP (RFC 3640 §3.2.1, §4.1).
public struct AACPacking: Equatable, Sendable {
    /// `AAC-hbr` or `AAC-lbr`, as written.
    public var mode: String
    /// Bits of an AU header's size field.
    public var sizeLength: Int
    /// Bits of the first AU header's index field.
    public var indexLength: Int
    /// Bits of the other AU headers' index field.
    public var indexDeltaLength: Int

    /// Creates a packing; the defaults are those of AAC-hbr.
    public init(mode: String = "AAC-hbr", sizeLength: Int = 13, indexLength: Int = 3, indexDeltaLength: Int = 3) {
        self.mode = mode
        self.sizeLength = sizeLength
        self.indexLength = indexLength
        self.indexDeltaLength = indexDeltaLength
    }
}

/// One media section of a camera that is worth setting up.
public struct RTSPTrack: Equatable, Sendable {
    /// Position in the list of tracks; effects name the track by it.
    public var index: Int
    /// The format as far as the description tells; parameter sets in the stream take precedence.
    public var format: TrackFormat
    /// The RTP payload type.
    public var payloadType: UInt8
    /// The request URI for SETUP.
    public var control: String
    /// Another URI to try when the camera does not know ``control``.
    public var alternateControl: String?
    /// How AAC is packed; `nil` for other codecs.
    public var aacPacking: AACPacking?
    /// All format parameters, keys lower-cased.
    public var parameters: [String: String]

    /// Creates a track.
    public init(
        index: Int,
        format: TrackFormat,
        payloadType: UInt8,
        control: String,
        alternateControl: String? = nil,
        aacPacking: AACPacking? = nil,
        parameters: [String: String] = [:]
    ) {
        self.index = index
        self.format = format
        self.payloadType = payloadType
        self.control = control
        self.alternateControl = alternateControl
        self.aacPacking = aacPacking
        self.parameters = parameters
    }
}

/// What is set up of a camera's description, and what is not.
public struct TrackSelection: Equatable, Sendable {
    /// Video first, then audio; each at most once.
    public var tracks: [RTSPTrack]
    /// The other media by the names the camera gave them, such as `audio G726-32` or `application vnd.onvif.metadata`.
    public var ignored: [String]
}
