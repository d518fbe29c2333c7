import Glibc

/// The two clocks a camera lives by, in nanoseconds.
enum SystemClock {
    /// The monotonic clock, the one NIO's deadlines count on.
    static var monotonicNanoseconds: Int64 { read(CLOCK_MONOTONIC) }

    /// Nanoseconds since 1 January 1970, UTC.
    static var unixNanoseconds: Int64 { read(CLOCK_REALTIME) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

/// The date and time of one second as the picture shows them.
struct CalendarSecond {
    /// `18:36:30`
    let time: String
    /// `2026-11-22 UTC`, or with the offset from it.
    let date: String

    /// Converts to this machine's time zone.
    init(unixSeconds: Int64) {
        var seconds = time_t(unixSeconds)
        var parts = tm()
        localtime_r(&seconds, &parts)
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        time = "\(two(Int(parts.tm_hour))):\(two(Int(parts.tm_min))):\(two(Int(parts.tm_sec)))"
        let day = "\(1900 + Int(parts.tm_year))-\(two(Int(parts.tm_mon) + 1))-\(two(Int(parts.tm_mday)))"
        let minutes = Int(parts.tm_gmtoff) / 60
        let zone =
            minutes == 0
            ? "UTC" : "UTC" + (minutes < 0 ? "-" : "+") + two(abs(minutes) / 60) + ":" + two(abs(minutes) % 60)
        date = "\(day) \(zone)"
    }
}
