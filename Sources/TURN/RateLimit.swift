import Wire

/// How often each source may be answered: token buckets in a table of fixed size.
///
/// Sources are told apart by a keyed hash. Two that fall into the same slot share its allowance, so that a flood from
/// invented addresses costs no memory and can only make us answer less.
public struct RateLimit: Sendable {
    private struct Bucket {
        var tokens: Double
        var filledAt: Instant
    }

    private let perSecond: Double
    private let burst: Double
    private var buckets: [Bucket?]

    /// Creates full buckets.
    ///
    /// - Parameters:
    ///   - perSecond: Answers a source gets on average.
    ///   - burst: Answers it gets at once.
    public init(perSecond: Double, burst: Double) {
        self.perSecond = perSecond
        self.burst = burst
        buckets = Array(repeating: nil, count: Self.slots)
    }

    /// Takes one answer for `source`, an IPv6 one together with its /64.
    ///
    /// - Returns: `false` when it has had its share.
    public mutating func admits(_ source: IPAddress, at now: Instant) -> Bool {
        let slot = Int(UInt(bitPattern: source.subscriber.hashValue) % UInt(Self.slots))
        var bucket = buckets[slot] ?? Bucket(tokens: burst, filledAt: now)
        bucket.tokens = min(burst, bucket.tokens + max(0, (now - bucket.filledAt).inSeconds) * perSecond)
        bucket.filledAt = max(bucket.filledAt, now)
        let isAdmitted = bucket.tokens >= 1
        if isAdmitted { bucket.tokens -= 1 }
        buckets[slot] = bucket
        return isAdmitted
    }

    private static let slots = 4_096
}
