import Wire

/// How long to wait before the next attempt to reach a camera.
struct Backoff {
    private var failures = 0

    /// Attempts that failed in a row.
    var count: Int { failures }

    /// The camera has been well for a while: begin from the start next time.
    mutating func reset() { failures = 0 }

    /// The pause before the next attempt, ±20 % so that many cameras behind one switch do not return at once.
    ///
    /// A camera that was live is tried again at once: viewers are dark until then.
    mutating func next(wasLive: Bool, using random: inout any RandomNumberGenerator) -> Duration {
        if wasLive, failures == 0 {
            failures = 1
            return .milliseconds(Int.random(in: 50...150, using: &random))
        }
        let steps = Self.pauses
        let pause = steps[min(failures, steps.count - 1)]
        failures += 1
        return .milliseconds(Int(pause * Double.random(in: 800...1_200, using: &random)))
    }

    private static let pauses: [Double] = [1, 2, 5, 10, 30]
}

/// How long to leave a camera alone that refused our credentials.
///
/// Cameras lock a source address out after about five failures, so attempts become rare quickly.
struct CredentialHold {
    private var refusals = 0

    /// The credentials were accepted.
    mutating func reset() { refusals = 0 }

    /// The pause before the next attempt.
    mutating func next() -> Duration {
        defer { refusals += 1 }
        return Self.pauses[min(refusals, Self.pauses.count - 1)]
    }

    private static let pauses: [Duration] = [.seconds(30), .seconds(120), .seconds(600), .seconds(1_800)]
}
