import Wire

/// The H.264 parameter sets in force, raw and parsed.
public struct H264ParameterSets: Equatable, Sendable {
    /// The sequence parameter set NAL unit, with its header byte, emulation prevention included.
    public var sps: [UInt8]
    /// The picture parameter set NAL units.
    public var pps: [[UInt8]]
    /// What the SPS says.
    public var parsed: H264SequenceParameterSet

    /// Parses `sps`.
    ///
    /// - Throws: ``H264ParameterSetError`` when the SPS cannot be read.
    public init(sps: [UInt8], pps: [[UInt8]]) throws(H264ParameterSetError) {
        self.sps = sps
        self.pps = pps
        parsed = try H264SequenceParameterSet(parsing: sps)
    }

    /// Whether the picture is described as by `other`, though the sets may have other numbers: encoders may give them
    /// new ones with every keyframe.
    public func differsOnlyInNumbers(from other: H264ParameterSets) -> Bool {
        guard sps != other.sps else { return false }
        var renumbered = parsed
        renumbered.identifier = other.parsed.identifier
        return renumbered == other.parsed
    }

    /// The RFC 6381 codec string, such as `avc1.42c01f`.
    public var codecString: String {
        "avc1." + [parsed.profileIDC, parsed.constraintFlags, parsed.levelIDC].hexadecimal
    }
}
