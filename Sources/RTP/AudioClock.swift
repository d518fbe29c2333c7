/// Gives audio frames timestamps by sample count, as browsers' jitter buffers want them, instead of the camera's.
struct AudioClock: Sendable {
    private var next: Int64?
    private let clockRate: Int
    private var isCatchingUp = false

    /// - Parameter after: The timestamps continue at or above this.
    init(clockRate: Int, after: Int64? = nil) {
        self.clockRate = clockRate
        next = after
    }

    /// The timestamp for a frame, or `nil` when the frame must be dropped because the count has run ahead of the
    /// timeline by more than half a second.
    ///
    /// - Parameters:
    ///   - candidate: What the timeline says.
    ///   - duration: The frame's length in ticks.
    ///   - resynchronise: Frames are missing before this one, so the count has no meaning.
    mutating func stamp(candidate: Int64, duration: Int, resynchronise: Bool) -> Int64? {
        var timestamp = candidate
        if let next {
            let drift = candidate - next
            if drift >= 0 { isCatchingUp = false }
            if drift < -Int64(clockRate / 2) { isCatchingUp = true }
            if isCatchingUp { return nil }
            if resynchronise || drift > Int64(clockRate / 2) {
                timestamp = max(candidate, next)
            } else {
                timestamp = next
            }
        }
        next = timestamp + Int64(duration)
        return timestamp
    }
}
