import Media
import Wire

/// Video on its way to a viewer that must not leave at once: the cached group of pictures for one that joins, with the
/// live packets behind it, and everything for one whose way carries less than the stream.
///
/// Released in ticks of 5 ms. The first tick of a burst may take a whole keyframe, so that a picture comes at once.
/// Bounded in bytes and time: past either, what waits is dropped up to the next keyframe.
struct BurstQueue {
    private var packets: [StreamPacket] = []
    private var head = 0
    private(set) var byteCount = 0
    private var credit = 0
    private var rate = minimumRate
    /// `nil` until the first packet of a burst has left.
    private var refilledAt: Instant?
    private(set) var nextTick: Instant?
    /// When the queue last began to fill.
    private var filledSince: Instant?
    /// Timestamp of the latest packet that left, which may not be its picture's last.
    private var released: Int64?

    /// Bytes a second the way to the viewer carries, when that is known to be little.
    var rateLimit: Int?

    /// Bytes that may leave in the first tick: a keyframe of a 2 Mbit/s stream.
    static let initialCredit = 64 * 1024
    static let tick = Duration.milliseconds(5)
    /// 10 Mbit/s.
    static let minimumRate = 1_250_000
    /// However long the group of pictures is, the viewer is live again after this.
    static let maximumDuration = Duration.seconds(1)
    /// More than any cache holds; a viewer that falls so far behind starts afresh.
    static let maximumBytes = 48 * 1024 * 1024
    /// The same in time: a queue that has not run dry for so long does not keep up.
    static let maximumWait = Duration.seconds(4)

    var isEmpty: Bool { head == packets.count }
    var count: Int { packets.count - head }

    /// Replaces what waits. `rate` is in bytes a second.
    mutating func start(_ packets: [StreamPacket], rate: Int, at now: Instant) {
        self.packets = packets
        head = 0
        byteCount = packets.reduce(0) { $0 + $1.payload.count }
        self.rate = rate
        credit = min(Self.initialCredit, rateLimit.map { $0 / 20 } ?? .max)
        refilledAt = nil
        nextTick = packets.isEmpty ? nil : now
        filledSince = now
    }

    /// Queues a live packet; `false` when there is no room, because the viewer does not keep up.
    mutating func append(_ packet: StreamPacket, at now: Instant) -> Bool {
        if isEmpty {
            filledSince = now
            nextTick = now
        }
        guard byteCount + packet.payload.count <= Self.maximumBytes, let filledSince,
            now - filledSince <= Self.maximumWait
        else { return false }
        packets.append(packet)
        byteCount += packet.payload.count
        return true
    }

    /// The next packet, if it may leave now.
    mutating func next(at now: Instant) -> StreamPacket? {
        guard let due = nextTick, now >= due else { return nil }
        if let refilledAt, now > refilledAt {
            let elapsed = min((now - refilledAt).wholeNanoseconds, 100_000_000)
            // What was not used within a tick is not saved up: the link would see it as a burst.
            credit = min(credit, 0) + Int(Int64(min(rate, rateLimit ?? .max)) * elapsed / 1_000_000_000)
        }
        refilledAt = now
        guard head < packets.count else {
            removeAll()
            return nil
        }
        guard credit > 0 else {
            nextTick = now + Self.tick
            return nil
        }
        let packet = packets[head]
        head += 1
        credit -= packet.payload.count + 40
        byteCount -= packet.payload.count
        released = packet.timestamp
        if head == packets.count { removeAll() }
        return packet
    }

    /// Drops what waits and does not satisfy `isKept`, but for the picture that has begun to leave.
    ///
    /// - Returns: How many packets were dropped.
    mutating func drop(at now: Instant, unless isKept: (StreamPacket) -> Bool) -> Int {
        let before = count
        let kept = packets[head...].filter { $0.timestamp == released || isKept($0) }
        packets = kept
        head = 0
        byteCount = kept.reduce(0) { $0 + $1.payload.count }
        filledSince = now
        if kept.isEmpty { nextTick = nil }
        return before - kept.count
    }

    mutating func removeAll() {
        packets = []
        head = 0
        byteCount = 0
        nextTick = nil
    }
}

extension BurstQueue {
    /// The last group of pictures of `track` in `cached`.
    static func group(of track: Int, in cached: [StreamPacket]) -> [StreamPacket] {
        guard let start = cached.lastIndex(where: { $0.track == track && $0.startsKeyframe }) else { return [] }
        return cached[start...].filter { $0.track == track }
    }

    /// Bytes a second at which a burst leaves (the larger of 2.5 times the stream's own rate and 10 Mbit/s, and fast
    /// enough to be live within ``maximumDuration``).
    static func rate(for packets: [StreamPacket]) -> Int {
        let bytes = packets.reduce(0) { $0 + $1.payload.count }
        guard let first = packets.first, let last = packets.last else { return minimumRate }
        let seconds = max((last.arrival - first.arrival).inSeconds, 0.1)
        let streamRate = Int(min(Double(bytes) / seconds, 1e9))
        let inTime = Int(Double(bytes) / maximumDuration.inSeconds) + streamRate
        return max(minimumRate, streamRate * 5 / 2, inTime)
    }
}
