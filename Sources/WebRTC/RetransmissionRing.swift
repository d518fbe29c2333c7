import Wire

/// The packets of one track that can be sent again: at most ``maximumEntries`` and ``retention``.
///
/// Entries share the stream's payloads and add 24 bytes each. The ring grows with the packet rate and is reused
/// afterwards.
struct RetransmissionRing {
    /// What a packet is made of, but for its sequence number, which follows from its place.
    struct Entry {
        /// Empty for a number that was left out on purpose.
        var payload: [UInt8] = []
        var timestamp: UInt32 = 0
        /// Milliseconds of the relay's clock; they wrap after 49 days, differences do not.
        var sentAt: UInt32
        /// The same for the latest retransmission; 0 before the first.
        var repeatedAt: UInt32 = 0
        /// The transport-wide number it carries, where there is one.
        var transportSequence: UInt16 = 0
        var marker = false
        var passing = PassingExtension.none
    }

    /// The extension that a packet carries besides the transport-wide number, which only some do. One byte.
    struct PassingExtension: Equatable {
        private let code: UInt8

        static let none = PassingExtension(code: 0)
        static let mid = PassingExtension(code: 1)

        /// Pictures wait at least this long, in steps of ``PlayoutDelay/step`` up to 126.
        static func playoutDelay(minimum: UInt8, isLossy: Bool) -> PassingExtension {
            PassingExtension(code: 2 + min(minimum, 126) * 2 + (isLossy ? 1 : 0))
        }

        /// The value of a playout delay; `nil` for others.
        var playoutDelay: UInt64? {
            code < 2 ? nil : PlayoutDelay.value(minimum: (code - 2) / 2, isLossy: code % 2 == 1)
        }
    }

    private var entries: [Entry] = []
    /// Where the next entry goes once the ring is full, which is also where the oldest is.
    private var oldest = 0
    private var capacity: Int
    /// Sequence number of the latest entry.
    private var newest: UInt16 = 0

    /// Two seconds, like other servers: older packets come too late for any jitter buffer.
    static let retention = Duration.seconds(2)
    private static let retentionMilliseconds: UInt32 = 2_000
    static let maximumEntries = 1_024
    private static let initialEntries = 128

    init(isEnabled: Bool) { capacity = isEnabled ? Self.initialEntries : 0 }

    static func milliseconds(_ instant: Instant) -> UInt32 {
        UInt32(truncatingIfNeeded: instant.nanoseconds / 1_000_000)
    }

    /// Adds the packet with the sequence number after the previous one's.
    mutating func store(_ entry: consuming Entry, sequence: UInt16) {
        guard capacity > 0 else { return }
        newest = sequence
        if entries.count == capacity, capacity < Self.maximumEntries,
            entry.sentAt &- entries[oldest].sentAt < Self.retentionMilliseconds
        {
            grow()
        }
        if entries.count < capacity {
            if entries.isEmpty { entries.reserveCapacity(capacity) }
            entries.append(entry)
        } else {
            entries[oldest] = entry
            oldest = (oldest + 1) % capacity
        }
    }

    /// Puts the entries in order and doubles the room behind them.
    private mutating func grow() {
        capacity *= 2
        var ordered: [Entry] = []
        ordered.reserveCapacity(capacity)
        ordered += entries[oldest...]
        ordered += entries[..<oldest]
        entries = ordered
        oldest = 0
    }

    /// Where the packet with this sequence number is, if it is there and young enough.
    func index(of sequence: UInt16, at now: Instant) -> Int? {
        let age = Int(newest &- sequence)
        guard age < entries.count else { return nil }
        let index = (oldest + entries.count - 1 - age) % entries.count
        guard !entries[index].payload.isEmpty else { return nil }
        let elapsed = Self.milliseconds(now) &- entries[index].sentAt
        return elapsed <= Self.retentionMilliseconds ? index : nil
    }

    subscript(index: Int) -> Entry {
        _read { yield entries[index] }
        _modify { yield &entries[index] }
    }

    mutating func removeAll() {
        entries = []
        oldest = 0
    }
}
