import Wire

/// The packets of one track that can be sent again: at most ``maximumEntries`` and ``retention``.
///
/// Entries share the stream's payloads and add 32 bytes. The ring grows with the packet rate and is reused afterwards.
struct RetransmissionRing {
    struct Entry {
        var payload: [UInt8]
        var timestamp: UInt32
        /// Milliseconds of the relay's clock; they wrap after 49 days, differences do not.
        var sentAt: UInt32
        /// The same for the latest retransmission.
        var repeatedAt: UInt32
        var sequence: UInt16
        var marker: Bool
        var carriesMID: Bool
        var wasRepeated: Bool
    }

    private var entries: [Entry] = []
    /// The capacity in use, a power of two, so that a sequence number is its own index.
    private var capacity: Int

    /// Two seconds, like other servers: older packets come too late for any jitter buffer.
    static let retention = Duration.seconds(2)
    static let maximumEntries = 1_024
    private static let initialEntries = 128

    init(isEnabled: Bool) { capacity = isEnabled ? Self.initialEntries : 0 }

    static func milliseconds(_ instant: Instant) -> UInt32 {
        UInt32(truncatingIfNeeded: instant.nanoseconds / 1_000_000)
    }

    mutating func store(_ entry: Entry) {
        guard capacity > 0 else { return }
        if entries.count < capacity {
            // Sequence numbers are consecutive, so filling in order keeps index and number congruent.
            if entries.isEmpty { entries.reserveCapacity(capacity) }
            guard entries.isEmpty || Int(entry.sequence &- entries[0].sequence) == entries.count else {
                entries.removeAll(keepingCapacity: true)
                entries.append(entry)
                return
            }
            entries.append(entry)
            return
        }
        let slot = self.slot(entry.sequence)
        let age = entry.sentAt &- entries[slot].sentAt
        if age < UInt32(Self.retention.inMilliseconds), capacity < Self.maximumEntries {
            grow()
            entries.append(entry)
        } else {
            entries[slot] = entry
        }
    }

    /// Index of `sequence` in `entries`, which holds the sequence numbers in a circle that begins at the first one.
    private func slot(_ sequence: UInt16) -> Int {
        Int(sequence &- entries[0].sequence) & (capacity - 1)
    }

    /// Puts the entries in order and doubles the room behind them.
    private mutating func grow() {
        guard let oldest = entries.indices.min(by: { older(entries[$0], entries[$1]) }) else { return }
        entries = Array(entries[oldest...] + entries[..<oldest])
        capacity *= 2
        entries.reserveCapacity(capacity)
    }

    private func older(_ lhs: Entry, _ rhs: Entry) -> Bool { Int16(bitPattern: lhs.sequence &- rhs.sequence) < 0 }

    /// The entry of `sequence`, if it is there and young enough.
    func index(of sequence: UInt16, at now: Instant) -> Int? {
        guard !entries.isEmpty else { return nil }
        let slot = self.slot(sequence)
        guard slot < entries.count, entries[slot].sequence == sequence,
            Self.milliseconds(now) &- entries[slot].sentAt <= UInt32(Self.retention.inMilliseconds)
        else { return nil }
        return slot
    }

    subscript(index: Int) -> Entry {
        _read { yield entries[index] }
        _modify { yield &entries[index] }
    }

    mutating func removeAll() { entries = [] }
}
