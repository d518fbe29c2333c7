/// A point on the relay's monotonic clock: nanoseconds since an arbitrary origin.
///
/// Cores never read a clock; they are handed an `Instant` with every input.
public struct Instant: Hashable, Comparable, Sendable, Codable {
    /// Nanoseconds since the origin.
    public var nanoseconds: Int64

    /// Creates an instant `nanoseconds` after the origin.
    @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// The clock's origin.
    public static let zero = Instant(nanoseconds: 0)

    /// The instant `duration` after `instant`.
    @inlinable public static func + (instant: Instant, duration: Duration) -> Instant {
        Instant(nanoseconds: instant.nanoseconds &+ duration.wholeNanoseconds)
    }

    /// The instant `duration` before `instant`.
    @inlinable public static func - (instant: Instant, duration: Duration) -> Instant {
        Instant(nanoseconds: instant.nanoseconds &- duration.wholeNanoseconds)
    }

    /// The time from `start` to `end`; negative when `end` is earlier.
    @inlinable public static func - (end: Instant, start: Instant) -> Duration {
        .nanoseconds(end.nanoseconds &- start.nanoseconds)
    }

    /// Moves the instant later by `duration`.
    @inlinable public static func += (instant: inout Instant, duration: Duration) { instant = instant + duration }

    /// Whether `lhs` is earlier than `rhs`.
    @inlinable public static func < (lhs: Instant, rhs: Instant) -> Bool { lhs.nanoseconds < rhs.nanoseconds }
}

extension Duration {
    /// The duration in nanoseconds, rounded towards zero; saturates after 292 years.
    @inlinable public var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let (sum, carry) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
        guard !carry else { return seconds < 0 ? .min : .max }
        return sum
    }

    /// The duration in seconds.
    @inlinable public var inSeconds: Double { Double(wholeNanoseconds) / 1e9 }

    /// The duration in milliseconds.
    @inlinable public var inMilliseconds: Double { Double(wholeNanoseconds) / 1e6 }
}

/// The earliest of some optional deadlines, or `nil` when there is none.
///
/// Sessions are asked after every packet when they next have work; with variadic arguments each answer would allocate.
@inlinable public func earliest(
    _ first: Instant?,
    _ second: Instant?,
    _ third: Instant? = nil,
    _ fourth: Instant? = nil,
    _ fifth: Instant? = nil,
    _ sixth: Instant? = nil
) -> Instant? {
    var result = first
    func consider(_ deadline: Instant?) {
        guard let deadline else { return }
        if let known = result, known <= deadline { return }
        result = deadline
    }
    consider(second)
    consider(third)
    consider(fourth)
    consider(fifth)
    consider(sixth)
    return result
}
