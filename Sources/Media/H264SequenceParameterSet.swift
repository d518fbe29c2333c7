/// Why an SPS was refused.
public enum H264ParameterSetError: Error, Equatable, Sendable {
    /// The NAL unit is not of type 7.
    case notAnSPS
    /// It ends before the field named.
    case truncated(String)
    /// The field has a value the standard forbids.
    case invalid(String)
}

/// The fields of an H.264 sequence parameter set that a relay needs (ITU-T H.264 §7.3.2.1.1).
public struct H264SequenceParameterSet: Equatable, Sendable {
    /// `profile_idc`: 66 Baseline, 77 Main, 100 High …
    public var profileIDC: UInt8
    /// The constraint_set flags and reserved bits, as in the bitstream's second byte.
    public var constraintFlags: UInt8
    /// `level_idc`, ten times the level.
    public var levelIDC: UInt8
    /// Width in luma samples after cropping.
    public var width: Int
    /// Height in luma samples after cropping.
    public var height: Int
    /// Frames per second that the VUI claims; cameras lie, never derive durations from it.
    public var claimedFrameRate: Double?
    /// Whether the SPS proves that pictures are never reordered (no B-frames); `nil` when it does not say.
    public var mayReorder: Bool?

    /// Parses an SPS NAL unit.
    public init(parsing nalUnit: [UInt8]) throws(H264ParameterSetError) {
        throw .notAnSPS
    }
}
