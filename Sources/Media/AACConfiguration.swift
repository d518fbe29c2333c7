/// An MPEG-4 AudioSpecificConfig for AAC (ISO/IEC 14496-3 §1.6.2.1).
public struct AACConfiguration: Equatable, Sendable {
    /// The configuration's bytes, as in SDP `config=` and in an `esds` box.
    public var bytes: [UInt8]
    /// Audio object type: 2 is AAC-LC.
    public var objectType: Int
    /// Sample rate in Hz.
    public var sampleRate: Int
    /// Channels.
    public var channels: Int

    /// Why a configuration was refused.
    public enum Failure: Error, Equatable, Sendable {
        /// It ends too early.
        case truncated
        /// A reserved or unsupported value in the field named.
        case unsupported(String)
    }

    /// The RFC 6381 codec string, such as `mp4a.40.2`.
    public var codecString: String { "mp4a.40.\(objectType)" }

    /// Parses a configuration.
    public init(parsing bytes: [UInt8]) throws(Failure) {
        throw .truncated
    }
}
