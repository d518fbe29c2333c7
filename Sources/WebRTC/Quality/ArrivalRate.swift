/// Bytes that arrived at a viewer over the last second, by the receiver's clock, in buckets of 50 ms.
struct ArrivalRate {
    private var buckets = [Int](repeating: 0, count: bucketCount)
    /// The newest bucket, numbered since the receiver's origin; `nil` before the first packet.
    private var newest: Int64?
    private var first: Int64 = 0

    /// Counts a packet that arrived at `arrival`, in microseconds of the receiver's clock.
    mutating func add(_ byteCount: Int, arrival: Int64) {
        let bucket = arrival / Self.bucketLength
        guard let known = newest, abs(bucket - known) < Self.restart else {
            self = ArrivalRate()
            newest = bucket
            first = bucket
            buckets[slot(bucket)] = byteCount
            return
        }
        if bucket > known {
            for passed in max(known + 1, bucket - Int64(Self.bucketCount) + 1)...bucket { buckets[slot(passed)] = 0 }
            newest = bucket
        } else if bucket <= known - Int64(Self.bucketCount) {
            return
        }
        buckets[slot(bucket)] += byteCount
    }

    /// Bits per second over the last `milliseconds`, 1000 at most, before the newest bucket; `nil` before that long has
    /// been watched.
    func bitsPerSecond(over milliseconds: Int64) -> Double? {
        guard let newest else { return nil }
        let count = min(milliseconds * 1_000 / Self.bucketLength, Int64(Self.bucketCount) - 1)
        guard count > 0, newest - first >= count else { return nil }
        let sum = (newest - count..<newest).reduce(0) { $0 + buckets[slot($1)] }
        return Double(sum * 8) * 1_000_000 / Double(count * Self.bucketLength)
    }

    /// The most bits per second that arrived over any 200 ms of the last 600: with a queue on the way, what the way
    /// carries, however little was sent before and after.
    var busiest: Double? {
        guard let newest, newest - first >= Self.busyLength else { return nil }
        let oldest = max(newest - Self.busyWithin, first)
        var most = 0
        for begin in oldest...newest - Self.busyLength {
            most = max(most, (begin..<begin + Self.busyLength).reduce(0) { $0 + buckets[slot($1)] })
        }
        return Double(most * 8) * 1_000_000 / Double(Self.busyLength * Self.bucketLength)
    }

    private func slot(_ bucket: Int64) -> Int { Int(bucket & Int64(Self.bucketCount - 1)) }

    /// Microseconds.
    private static let bucketLength: Int64 = 50_000
    private static let busyLength: Int64 = 4
    private static let busyWithin: Int64 = 12
    /// A power of two, more than the 20 that make a second.
    private static let bucketCount = 32
    /// After a silence this long (in buckets) counting starts afresh.
    private static let restart: Int64 = 200
}
