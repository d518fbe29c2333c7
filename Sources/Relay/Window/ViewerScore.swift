/// How well a viewer is served, in one number, and what costs it most.
///
/// Every measurement has a value up to which it costs nothing, one from which it costs its whole weight, and a straight
/// line between:
///
///     score = 100 · ∏ (1 − weight · ramp(measured, free, full))
///
///     measured                                 free     full     weight
///     picture stood still, last interval       0 %      25 %     0.8
///     frames missing against the camera's      10 %     70 %     0.6
///     frames decoded and not shown             2 %      30 %     0.5
///     packets lost on the way                  1 %      15 %     0.5
///     behind live, WebRTC (HLS)                0.5 (6)  5 (30) s 0.5
///     round trip                               150      1000 ms  0.3
///     jitter                                   40       300 ms   0.2
///     jitter buffer, WebRTC                    200      2000 ms  0.3
///     first frame, during the first minute     1        10 s     0.3
///     delay of the relay's own loop            20       200 ms   0.5
///     held back by the quality ladder          –        –        0.3
///
/// A viewer that sees nothing scores 0. One that cannot be heard, because its page has lost its signalling connection or
/// its receiver has fallen silent, has no score: what it sees is not known. What costs most is the main cause; a page in
/// the background is not blamed for what its browser does not show there: only the way to it counts.
public struct ViewerScore: Codable, Sendable, Equatable {
    /// 0, sees nothing, to 100, nothing to wish for.
    public var value: Int
    /// Whose fault the largest loss is; `nil` at 100.
    public var cause: Cause?
    /// What costs most, with its value, such as `loss 6.2 %`; empty at 100.
    public var reason: String

    /// Creates a score.
    public init(value: Int, cause: Cause? = nil, reason: String = "") {
        self.value = value
        self.cause = cause
        self.reason = reason
    }
}
