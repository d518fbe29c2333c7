import Wire

/// Counts per second over the last two seconds, in buckets of 250 ms.
struct RateWindow: Sendable {
    private var buckets = [Int](repeating: 0, count: bucketCount)
    private var current: Int64?
    private var first: Int64 = 0

    mutating func add(_ amount: Int, at now: Instant) {
        let bucket = now.nanoseconds / bucketLength
        advance(to: bucket)
        buckets[index(bucket)] &+= amount
    }

    /// The rate of the whole buckets before the current one; 0 after two silent seconds.
    func rate(at now: Instant) -> Double {
        guard let current else { return 0 }
        let end = now.nanoseconds / bucketLength
        let begin = max(end - summedBuckets, first)
        guard end > begin else { return 0 }
        var sum = 0
        for bucket in begin..<end where bucket <= current && bucket > current - Int64(bucketCount) {
            sum &+= buckets[index(bucket)]
        }
        return Double(sum) / (Double(end - begin) * Double(bucketLength) / 1e9)
    }

    private mutating func advance(to bucket: Int64) {
        guard let known = current else {
            current = bucket
            first = bucket
            return
        }
        guard bucket > known else { return }
        for passed in max(known + 1, bucket - Int64(bucketCount) + 1)...bucket { buckets[index(passed)] = 0 }
        current = bucket
    }

    private func index(_ bucket: Int64) -> Int { Int(truncatingIfNeeded: bucket & Int64(bucketCount - 1)) }
}

private let bucketLength: Int64 = 250_000_000
private let summedBuckets: Int64 = 8
/// A power of two, more than the eight buckets that are summed.
private let bucketCount = 16
