import Media

/// Something a track learned about its stream, apart from the packets.
public enum IngestNotice: Equatable, Sendable {
    /// Other parameter sets are in force from the next keyframe on, byte for byte different from the last ones.
    case parameterSetsChanged(H264ParameterSets)
    /// The camera sends B-frames: `observed` in the timestamps, otherwise announced by its SPS.
    case pictureReorderingDetected(observed: Bool)
    /// The camera sends no IDR pictures; viewers join at recovery points.
    case recoveryPointsUsed
    /// Another source or a restarted one: loss and timestamps begin anew.
    case sourceRestarted
}
