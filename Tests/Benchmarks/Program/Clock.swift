import Glibc

/// The clocks a benchmark reads.
enum Clock {
    /// Nanoseconds since the Unix epoch: what the kernel stamps datagrams with, the same in all processes.
    static func wall() -> Int64 { read(CLOCK_REALTIME) }

    /// Nanoseconds of a clock that never jumps.
    static func monotonic() -> Int64 { read(CLOCK_MONOTONIC) }

    /// Processor time of this thread in nanoseconds.
    static func thread() -> Int64 { read(CLOCK_THREAD_CPUTIME_ID) }

    /// Processor time of this process in nanoseconds.
    static func process() -> Int64 { read(CLOCK_PROCESS_CPUTIME_ID) }

    /// How long to wait for a moment of the monotonic clock, rounded up: rounded down, the last millisecond would be
    /// spent asking again and again.
    static func milliseconds(until moment: Int64) -> Int32 {
        Int32(clamping: max(0, (moment - monotonic() + 999_999) / 1_000_000))
    }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
