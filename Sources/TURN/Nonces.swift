import Digests
import Wire

/// Nonces that are recognised without being remembered, so that a flood of requests leaves nothing behind.
///
/// A nonce is the time it was made at and a keyed digest of that time and the client's address.
struct Nonces: Sendable {
    private let key: [UInt8]

    /// - Parameter key: At least 20 random bytes.
    init(key: [UInt8]) { self.key = key }

    /// A nonce for a client at `source`: 24 characters.
    func make(for source: IPAddress, at now: Instant) -> String {
        text(seconds: UInt32(truncatingIfNeeded: now.nanoseconds / 1_000_000_000), source)
    }

    /// Whether `nonce` was made for a client at `source` within the last hour.
    func isFresh(_ nonce: String, from source: IPAddress, at now: Instant) -> Bool {
        guard nonce.utf8.count == 24, let seconds = UInt32(nonce.prefix(8), radix: 16) else { return false }
        let present = UInt32(truncatingIfNeeded: now.nanoseconds / 1_000_000_000)
        guard seconds <= present, present - seconds <= Self.lifetime else { return false }
        return constantTimeEquals(Array(nonce.utf8), Array(text(seconds: seconds, source).utf8))
    }

    private func text(seconds: UInt32, _ source: IPAddress) -> String {
        var stamp: [UInt8] = []
        stamp.append(seconds)
        return stamp.hexadecimal + Digest.hmacSHA1(key: key, stamp + source.bytes).prefix(8).hexadecimal
    }

    /// RFC 8656 §5 recommends an hour at most.
    private static let lifetime: UInt32 = 3_600
}
