import Glibc
import NIOCore
import Wire

/// The only place that reads clocks.
public enum MonotonicClock {
    /// The relay's monotonic clock: `CLOCK_MONOTONIC`, nanoseconds since the machine started.
    public static func now() -> Instant { Instant(nanoseconds: read(CLOCK_MONOTONIC)) }

    /// The wall clock in milliseconds since the Unix epoch.
    public static func wallMilliseconds() -> Int64 { read(CLOCK_REALTIME) / 1_000_000 }

    /// Processor time this process has used, all threads, in nanoseconds.
    public static func processNanoseconds() -> Int64 { read(CLOCK_PROCESS_CPUTIME_ID) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        // Fails only for a clock that does not exist.
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}

extension Instant {
    /// The same moment on the clock that event loops go by.
    init(_ deadline: NIODeadline) { self.init(nanoseconds: Int64(clamping: deadline.uptimeNanoseconds)) }
}
