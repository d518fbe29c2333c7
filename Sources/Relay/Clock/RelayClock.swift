import Wire

/// Maps the relay's monotonic clock to wall clock time, with one offset fixed at start so that it never jumps.
public struct RelayClock: Sendable {
    /// Milliseconds since the Unix epoch at `Instant.zero`.
    public let unixMillisecondsAtZero: Int64

    /// Fixes the offset: `unixMilliseconds` is the wall clock at `monotonicNow`.
    public init(monotonicNow: Instant, unixMilliseconds: Int64) {
        unixMillisecondsAtZero = unixMilliseconds - monotonicNow.nanoseconds / 1_000_000
    }

    /// Wall clock at an instant, in milliseconds since the Unix epoch.
    public func wallMilliseconds(at instant: Instant) -> Int64 {
        unixMillisecondsAtZero + instant.nanoseconds / 1_000_000
    }

    /// The NTP timestamp (RFC 5905: 32.32 fixed point since 1900) of `Instant.zero`.
    public var ntpAtZero: UInt64 {
        let seconds = UInt64(max(0, unixMillisecondsAtZero / 1000)) &+ 2_208_988_800
        let fraction = UInt64(max(0, unixMillisecondsAtZero % 1000)) << 32 / 1000
        return seconds << 32 | fraction
    }
}
