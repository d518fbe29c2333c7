import Wire

/// Packets that arrived and packets that did not, over the last two seconds, in buckets of 250 ms.
struct LossWindow {
    private struct Bucket {
        var number: Int64 = -1
        var arrived = 0
        var missing = 0
    }

    private var buckets = [Bucket](repeating: Bucket(), count: bucketCount)

    /// Counts what a report says; a packet that was counted as missing and came late makes `missing` negative.
    mutating func add(arrived: Int, missing: Int, at now: Instant) {
        let number = now.nanoseconds / Self.bucketLength
        let slot = Int(number & Int64(Self.bucketCount - 1))
        if buckets[slot].number != number { buckets[slot] = Bucket(number: number) }
        buckets[slot].arrived += arrived
        buckets[slot].missing += missing
    }

    /// The share that went missing, 0 to 1; `nil` when too few packets were reported to tell.
    func fraction(at now: Instant) -> Double? {
        let newest = now.nanoseconds / Self.bucketLength
        var arrived = 0
        var missing = 0
        for bucket in buckets where bucket.number > newest - Int64(Self.bucketCount) && bucket.number <= newest {
            arrived += bucket.arrived
            missing += bucket.missing
        }
        missing = max(0, missing)
        guard arrived + missing >= Self.fewest else { return nil }
        return Double(missing) / Double(arrived + missing)
    }

    /// Forgets what was reported.
    mutating func removeAll() { self = LossWindow() }

    private static let bucketLength: Int64 = 250_000_000
    /// Two seconds; a power of two.
    private static let bucketCount = 8
    private static let fewest = 20
}
