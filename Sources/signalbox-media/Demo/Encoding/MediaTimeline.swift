/// Media units that become due at a fixed rate from a fixed start, by absolute time, so that nothing drifts.
///
/// Unit `n` is due at `start + n·units/rate` seconds. All times are nanoseconds on the monotonic clock.
struct MediaTimeline {
    /// When unit 0 is due.
    let start: Int64
    /// Ticks of media time per second: pictures per second, or samples per second.
    let rate: Int64
    /// Ticks per unit: one picture, or the samples in a packet.
    let ticksPerUnit: Int64
    /// The unit that is due next.
    private(set) var next: Int64 = 0

    /// Creates a timeline whose first unit is due at `start`.
    init(start: Int64, rate: Int64, ticksPerUnit: Int64) {
        self.start = start
        self.rate = rate
        self.ticksPerUnit = ticksPerUnit
    }

    /// When the next unit is due.
    var nextDeadline: Int64 { time(ofTick: next * ticksPerUnit) }

    /// The time of a tick.
    func time(ofTick tick: Int64) -> Int64 {
        // Whole seconds apart, so that no product overflows within a century.
        start + tick / rate * 1_000_000_000 + tick % rate * 1_000_000_000 / rate
    }

    /// The tick, at a finer `clockRate`, that a moment falls on.
    func ticks(at moment: Int64, clockRate: Int64) -> Int64 {
        let elapsed = moment - start
        return elapsed / 1_000_000_000 * clockRate + elapsed % 1_000_000_000 * clockRate / 1_000_000_000
    }

    /// Takes the unit that is due at `now`, or `nil` when it is too early.
    ///
    /// - Parameter tolerance: Units this late are still delivered one by one; when more have piled up (the process was
    ///   stopped, the machine is overloaded), the oldest are left out and media time jumps.
    mutating func take(at now: Int64, tolerance: Int64) -> Int64? {
        guard now >= nextDeadline else { return nil }
        let current = (ticks(at: now, clockRate: rate)) / ticksPerUnit
        if current - next > tolerance { next = current }
        defer { next += 1 }
        return next
    }
}
