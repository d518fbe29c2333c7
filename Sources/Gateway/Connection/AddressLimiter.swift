import NIOConcurrencyHelpers
import NIOCore
import Wire

/// How often clients may ask for something, by address: a token bucket for each. Loopback, where proxies are, is exempt.
final class AddressLimiter: Sendable {
    /// Addresses remembered; when full, buckets that are full again are forgotten first.
    private static let addressLimit = 4096

    private let buckets = NIOLockedValueBox<[IPAddress: TokenBucket]>([:])
    private let limit: TokenBucket.Limit

    init(_ limit: TokenBucket.Limit) { self.limit = limit }

    /// Whether `address`, an IPv6 one together with its /64, may ask once more now.
    func allows(_ address: IPAddress, at now: Instant = Instant(.now())) -> Bool {
        if address.isLoopback { return true }
        let address = address.subscriber
        return buckets.withLockedValue { buckets in
            if buckets.count >= Self.addressLimit, buckets[address] == nil {
                buckets = buckets.filter { !$0.value.isFull(within: limit, at: now) }
                if buckets.count >= Self.addressLimit { return false }
            }
            return buckets[address, default: TokenBucket()].take(within: limit, at: now)
        }
    }
}

extension Instant {
    /// The same moment on the clock that event loops go by.
    init(_ deadline: NIODeadline) { self.init(nanoseconds: Int64(clamping: deadline.uptimeNanoseconds)) }
}
