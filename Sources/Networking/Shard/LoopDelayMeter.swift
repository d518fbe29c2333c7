import Wire

/// How late a loop runs its timers, over the last seconds.
struct LoopDelayMeter {
    private struct Sample {
        var at: Instant
        var milliseconds: Double
    }

    private var samples: [Sample] = []

    /// A timer ran this late.
    mutating func add(_ lateness: Duration, at now: Instant) {
        if samples.count >= Self.sampleLimit { samples.removeFirst(Self.sampleLimit / 4) }
        samples.append(Sample(at: now, milliseconds: lateness.inMilliseconds))
    }

    /// The 99th percentile of the last ``window`` in milliseconds, or `nil` when no timer ran.
    mutating func percentile99(at now: Instant) -> Double? { percentile(99, at: now) }

    /// The median of the same, which one late timer does not move.
    mutating func median(at now: Instant) -> Double? { percentile(50, at: now) }

    private mutating func percentile(_ percent: Int, at now: Instant) -> Double? {
        samples.removeAll { now - $0.at > Self.window }
        guard !samples.isEmpty else { return nil }
        let sorted = samples.map(\.milliseconds).sorted()
        return sorted[min(sorted.count - 1, sorted.count * percent / 100)]
    }

    private static let window: Duration = .seconds(5)
    private static let sampleLimit = 1_024
}
