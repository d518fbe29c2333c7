import Wire

/// How often each source may be answered: token buckets in a table of fixed size.
///
/// Sources are told apart by a keyed hash. Two that fall into the same slot share its allowance, so that a flood from
/// invented addresses costs no memory and can only make us answer less.
public struct RateLimit: Sendable {
    private let limit: TokenBucket.Limit
    private var buckets: [TokenBucket]

    /// Creates full buckets.
    ///
    /// - Parameters:
    ///   - perSecond: Answers a source gets on average.
    ///   - burst: Answers it gets at once.
    public init(perSecond: Double, burst: Double) {
        limit = TokenBucket.Limit(perSecond: perSecond, burst: burst)
        buckets = Array(repeating: TokenBucket(), count: Self.slots)
    }

    /// Takes one answer for `source`, an IPv6 one together with its /64.
    ///
    /// - Returns: `false` when it has had its share.
    public mutating func admits(_ source: IPAddress, at now: Instant) -> Bool {
        let slot = Int(UInt(bitPattern: source.subscriber.hashValue) % UInt(Self.slots))
        return buckets[slot].take(within: limit, at: now)
    }

    private static let slots = 4_096
}
