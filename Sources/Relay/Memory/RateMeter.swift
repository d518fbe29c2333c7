import Wire

/// Counts something and tells its rate over the last eight buckets of time: two seconds, or what was chosen.
struct RateMeter {
    /// Everything counted since the start.
    private(set) var total: UInt64 = 0
    private var buckets = [UInt64](repeating: 0, count: bucketCount)
    /// Number of the bucket that is being filled; buckets are numbered since the clock's origin.
    private var current: Int64 = 0
    private var startedAt: Instant?
    private let bucketNanoseconds: Int64

    /// - Parameter window: What comes less often than once in this time is not told as a steady rate.
    init(window: Duration = .seconds(2)) {
        bucketNanoseconds = max(1, window.wholeNanoseconds / Int64(Self.bucketCount - 1))
    }

    /// Counts `amount` more.
    mutating func add(_ amount: Int, at now: Instant) {
        advance(to: now)
        if startedAt == nil { startedAt = now }
        total &+= UInt64(max(0, amount))
        buckets[Int(current % Int64(Self.bucketCount))] &+= UInt64(max(0, amount))
    }

    /// Units per second; `nil` before half a second has been watched.
    mutating func rate(at now: Instant) -> Double? {
        advance(to: now)
        guard let startedAt, now - startedAt >= .milliseconds(500) else { return nil }
        // The bucket being filled counts for the part of it that has passed.
        let partial = Double(now.nanoseconds % bucketNanoseconds)
        let window = Double(Int64(Self.bucketCount - 1) * bucketNanoseconds) + partial
        let watched = min(window, Double((now - startedAt).wholeNanoseconds))
        return Double(buckets.reduce(0, &+)) / (watched / 1e9)
    }

    private mutating func advance(to now: Instant) {
        let bucket = now.nanoseconds / bucketNanoseconds
        guard bucket > current else { return }
        if bucket - current >= Int64(Self.bucketCount) {
            for index in buckets.indices { buckets[index] = 0 }
        } else {
            for number in (current + 1)...bucket { buckets[Int(number % Int64(Self.bucketCount))] = 0 }
        }
        current = bucket
    }

    private static let bucketCount = 9
}
