import Wire

/// How bad a camera is, and why, from its state and its counters.
struct CameraHealth: Equatable {
    var severity: Severity
    var reason: String
    var remedy: String

    /// Judges a camera by what its snapshot says.
    ///
    /// - Parameter isFailing: It has been dark since an earlier failure; another attempt makes that no better.
    init(of camera: CameraSnapshot, isFailing: Bool) {
        reason = camera.reason
        remedy = camera.remedy
        switch camera.state {
        case .retrying, .held, .stalled:
            severity = .critical
        case .connecting, .negotiating, .starting:
            severity = isFailing ? .critical : camera.stateAge > Self.slowStart ? .warning : .info
        case .stopped, .idle:
            severity = .info
        case .live:
            severity = .ok
            if let loss = camera.loss, loss >= Self.lossWarning {
                severity = loss >= Self.lossCritical ? .critical : .warning
                reason = "loses \(loss.tenths) % of its packets (over 10 s; warns from \(Self.lossWarning.tenths) %)"
                remedy = "Check the network to the camera, or set `transport: tcp`."
            } else if let age = camera.keyframeAge, age > max(Self.keyframeOverdue, 3 * (camera.gopSeconds ?? 0)) {
                severity = .warning
                reason = "no keyframe for \(Int(age)) s; new viewers wait for a picture"
                remedy = "Set the camera's key frame interval to 1 or 2 s."
            }
        }
    }

    /// Seconds after which a start that goes on is worth a look.
    private static let slowStart = 5.0
    /// Percent of packets.
    private static let lossWarning = 0.5
    /// Percent of packets.
    private static let lossCritical = 5.0
    /// Seconds.
    private static let keyframeOverdue = 15.0
}
