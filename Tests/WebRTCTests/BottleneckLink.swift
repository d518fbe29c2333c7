import RTP
import TestSupport
import Wire

/// A link with a rate, a queue, a delay, jitter and loss, simulated packet by packet, and a receiver that reports on
/// what came out of it as browsers do.
struct BottleneckLink {
    /// Bits per second; `nil` for no limit.
    var rate: Double?
    /// What the queue holds before it drops, as time at ``rate``.
    var queue = Duration.milliseconds(300)
    /// One way.
    var delay = Duration.milliseconds(20)
    /// Largest extra delay of a packet, at random; order is kept.
    var jitter = Duration.zero
    /// Share of packets lost at random.
    var loss = 0.0

    private(set) var dropped = 0
    private var random: SeededGenerator
    private var freeAt = Instant.zero
    private var lastArrival = Instant.zero

    init(rate: Double?, seed: UInt64 = 1) {
        self.rate = rate
        random = SeededGenerator(seed: seed)
    }

    /// When a packet sent at `now` arrives; `nil` when it does not.
    mutating func carry(_ byteCount: Int, at now: Instant) -> Instant? {
        if loss > 0, Double(random.next() % 10_000) < loss * 10_000 {
            dropped += 1
            return nil
        }
        var leaves = now
        if let rate {
            let begins = max(freeAt, now)
            guard begins - now <= queue else {
                dropped += 1
                return nil
            }
            leaves = begins + .nanoseconds(Int64(Double(byteCount * 8) / rate * 1e9))
            freeAt = leaves
        }
        var extra = Duration.zero
        if jitter > .zero {
            extra = .nanoseconds(Int64(random.next() % UInt64(jitter.wholeNanoseconds)))
        }
        let arrives = max(leaves + delay + extra, lastArrival)
        lastArrival = arrives
        return arrives
    }
}

/// Gathers arrivals and makes transport-wide feedback of them, as draft-holmer-rmcat-transport-wide-cc-extensions-01
/// §3.1 lays it out.
struct FeedbackMaker {
    private var arrivals: [UInt16: Instant] = [:]
    private var next: UInt16?
    private var count: UInt8 = 0
    /// The receiver's clock is not the sender's.
    var clockOffset = Duration.seconds(1_234)

    /// A packet with this number came out of the link.
    mutating func arrived(_ sequence: UInt16, at: Instant) {
        if next == nil { next = sequence }
        arrivals[sequence] = at
    }

    /// The report on everything since the last one, as the bytes of an RTCP packet; `nil` when nothing came.
    mutating func report() -> [UInt8]? {
        guard let base = next, let newest = arrivals.keys.max(by: { Int16(bitPattern: $1 &- $0) > 0 }) else {
            return nil
        }
        let length = Int(newest &- base) + 1
        guard length > 0, length < 4_096 else { return nil }
        let times = (0..<length).map { arrivals[base &+ UInt16($0)].map { $0 + clockOffset } }
        next = newest &+ 1
        arrivals = [:]
        defer { count &+= 1 }
        return Self.encode(base: base, times: times, count: count)
    }

    static func encode(base: UInt16, times: [Instant?], count: UInt8) -> [UInt8] {
        let first = times.lazy.compactMap { $0 }.first ?? .zero
        let reference = first.nanoseconds / 64_000_000
        var last = reference * 256
        var symbols: [UInt16] = []
        var deltas: [UInt8] = []
        for time in times {
            guard let time else {
                symbols.append(0)
                continue
            }
            let ticks = time.nanoseconds / 250_000
            let delta = ticks - last
            last = ticks
            if (0...255).contains(delta) {
                symbols.append(1)
                deltas.append(UInt8(delta))
            } else {
                symbols.append(2)
                deltas.append(UInt16(bitPattern: Int16(clamping: delta)))
            }
        }
        var body: [UInt8] = []
        body.append(UInt32(1))
        body.append(UInt32(0))
        body.append(base)
        body.append(UInt16(times.count))
        body.append(UInt32(truncatingIfNeeded: reference) << 8 | UInt32(count))
        for start in stride(from: 0, to: symbols.count, by: 7) {
            let seven = symbols[start..<min(start + 7, symbols.count)]
            var chunk: UInt16 = 0xC000
            for (index, symbol) in seven.enumerated() { chunk |= symbol << UInt16(12 - 2 * index) }
            body.append(chunk)
        }
        body += deltas
        while body.count % 4 != 0 { body.append(UInt8(0)) }
        var packet: [UInt8] = [0x8F, 205]
        packet.append(UInt16(body.count / 4))
        return packet + body
    }
}
