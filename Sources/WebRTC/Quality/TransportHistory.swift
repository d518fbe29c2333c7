import Wire

/// When and how large the latest packets left, by their transport-wide sequence number, until feedback asks.
///
/// A ring that grows with the packet rate: it holds ``retention`` of packets, 8 bytes each.
struct TransportHistory {
    /// A packet that left.
    struct Sent: Equatable {
        /// When.
        var at: Instant
        /// Its length on the wire, UDP and IP headers aside.
        var byteCount: Int
    }

    private struct Entry {
        /// Microseconds of the relay's clock; they wrap after 71 minutes, differences do not.
        var sentAt: UInt32
        /// 0 once it was reported received.
        var byteCount: UInt16
        /// Feedback passed over it; it may still come, late.
        var isMissing = false
    }

    private var entries: [Entry] = []
    /// Length of ``entries`` less one; a power of two less one.
    private var mask = initialCapacity - 1
    /// The number of the next packet.
    private(set) var nextSequence: UInt16 = 1
    /// How many of the numbers below ``nextSequence`` are held.
    private var count = 0

    /// Feedback comes every 50 to 250 ms and a round trip later, which a full queue makes long.
    static let retention = Duration.seconds(2)
    static let maximumCapacity = 8_192
    private static let initialCapacity = 256

    private static func microseconds(_ instant: Instant) -> UInt32 {
        UInt32(truncatingIfNeeded: instant.nanoseconds / 1_000)
    }

    /// Notes the packet that carries ``nextSequence``.
    mutating func append(byteCount: Int, at now: Instant) {
        let clock = Self.microseconds(now)
        if entries.isEmpty {
            entries = [Entry](repeating: Entry(sentAt: clock, byteCount: 0), count: mask + 1)
        } else if count > mask, mask + 1 < Self.maximumCapacity,
            clock &- entries[slot(nextSequence)].sentAt < UInt32(Self.retention.wholeNanoseconds / 1_000)
        {
            grow()
        }
        entries[slot(nextSequence)] = Entry(sentAt: clock, byteCount: UInt16(clamping: max(1, byteCount)))
        nextSequence &+= 1
        count = min(count + 1, mask + 1)
    }

    /// The packet with this number arrived. Feedback that speaks of it again finds nothing.
    ///
    /// - Returns: The packet, and whether feedback had passed over it before.
    mutating func received(_ sequence: UInt16, at now: Instant) -> (packet: Sent, wasMissing: Bool)? {
        guard let packet = packet(sequence, at: now) else { return nil }
        entries[slot(sequence)].byteCount = 0
        return (packet, entries[slot(sequence)].isMissing)
    }

    /// Feedback passed over the packet with this number.
    ///
    /// - Returns: Whether it did so for the first time.
    mutating func missed(_ sequence: UInt16, at now: Instant) -> Bool {
        guard packet(sequence, at: now) != nil, !entries[slot(sequence)].isMissing else { return false }
        entries[slot(sequence)].isMissing = true
        return true
    }

    private func packet(_ sequence: UInt16, at now: Instant) -> Sent? {
        let age = Int(nextSequence &- 1 &- sequence)
        guard age < count else { return nil }
        let entry = entries[slot(sequence)]
        guard entry.byteCount > 0 else { return nil }
        let elapsed = Self.microseconds(now) &- entry.sentAt
        return Sent(at: now - .microseconds(Int64(elapsed)), byteCount: Int(entry.byteCount))
    }

    private func slot(_ sequence: UInt16) -> Int { Int(sequence) & mask }

    private mutating func grow() {
        let old = entries
        let oldMask = mask
        mask = 2 * mask + 1
        entries = [Entry](repeating: Entry(sentAt: 0, byteCount: 0), count: mask + 1)
        for age in 1...count {
            let sequence = nextSequence &- UInt16(truncatingIfNeeded: age)
            entries[Int(sequence) & mask] = old[Int(sequence) & oldMask]
        }
    }
}
