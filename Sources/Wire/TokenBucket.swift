/// How often something has been done lately, against a limit: what has been taken comes back at a steady rate.
///
/// Two words, and full when it is new, so that a table of them needs no entries for those who took nothing.
public struct TokenBucket: Hashable, Sendable {
    /// How much may be taken.
    public struct Limit: Hashable, Sendable {
        /// Tokens that come back each second.
        public var perSecond: Double
        /// Tokens that may be taken at once.
        public var burst: Double

        /// Creates a limit.
        public init(perSecond: Double, burst: Double) {
            self.perSecond = perSecond
            self.burst = burst
        }
    }

    /// Tokens taken that have not come back.
    private var taken = 0.0
    private var at = Instant.zero

    /// Creates a full bucket.
    public init() {}

    /// Whether `tokens` could be taken at `now`.
    public func holds(_ tokens: Double = 1, within limit: Limit, at now: Instant) -> Bool {
        missing(limit, at: now) + tokens <= limit.burst
    }

    /// Whether nothing is missing at `now`: the bucket may be forgotten.
    public func isFull(within limit: Limit, at now: Instant) -> Bool { missing(limit, at: now) == 0 }

    /// Takes `tokens`, all or none.
    ///
    /// - Returns: `false` when there are not as many.
    public mutating func take(_ tokens: Double = 1, within limit: Limit, at now: Instant) -> Bool {
        taken = missing(limit, at: now)
        at = max(at, now)
        guard taken + tokens <= limit.burst else { return false }
        taken += tokens
        return true
    }

    /// A clock that goes backwards brings nothing back.
    private func missing(_ limit: Limit, at now: Instant) -> Double {
        max(0, taken - max(0, (now - at).inSeconds) * limit.perSecond)
    }
}
