import Wire

/// Tells checks that have been answered before from new ones, and lets only a few of them be answered again.
///
/// A check that was seen on the way can be sent again from anywhere: it is authentic, and makes us answer whoever sent
/// it. Honest clients repeat a check only when its answer was lost, seven times at most (RFC 8489 §6.2.1).
struct RepeatLimit: Sendable {
    /// Digests of the transaction ids of the last checks.
    private var seen: [UInt64] = []
    private var oldest = 0
    private var tokens = perSecond
    private var filledAt = Instant.zero

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
        tokens = min(Self.perSecond, tokens + max(0, (now - filledAt).inSeconds) * Self.perSecond)
        filledAt = max(filledAt, now)
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }

    private static let memory = 64
    private static let perSecond = 5.0
}
