import Wire

/// Tells checks that have been answered before from new ones, and lets only a few of them be answered again.
///
/// A check that was seen on the way can be sent again from anywhere: it is authentic, and makes us answer whoever sent
/// it. Honest clients repeat a check only when its answer was lost, seven times at most (RFC 8489 §6.2.1).
struct RepeatLimit: Sendable {
    /// Digests of the transaction ids of the last checks.
    private var seen: [UInt64] = []
    private var oldest = 0
    private var repeats = TokenBucket()

    /// Whether a check with this transaction id is to be answered.
    mutating func admits(_ id: STUNTransactionID, at now: Instant) -> Bool {
        let digest = id.low ^ UInt64(id.high) << 32
        guard seen.contains(digest) else {
            if seen.count < Self.memory {
                seen.append(digest)
            } else {
                seen[oldest] = digest
                oldest = (oldest + 1) % Self.memory
            }
            return true
        }
        return repeats.take(within: Self.limit, at: now)
    }

    private static let memory = 64
    private static let limit = TokenBucket.Limit(perSecond: 5, burst: 5)
}
