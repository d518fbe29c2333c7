import RTP
import Wire

/// How much the way to one viewer carries, from what the viewer says of what it received.
///
/// A camera's stream cannot be made smaller for one viewer, so the estimate is not for steering an encoder: it is for
/// choosing what to send. It therefore believes above all what demonstrably arrived, falls when the delay or the loss
/// shows that this is all that fits, and rises only as far as the traffic proves.
struct BandwidthEstimator {
    /// Bits per second the way carries; `nil` before enough is known.
    private(set) var estimate: Double?
    /// Bits per second that arrived over the last half second.
    private(set) var acknowledged: Double?
    /// Share of packets lost, 0 to 1, over the two seconds before the latest report; `nil` before enough were reported.
    private(set) var latestLoss: Double?
    /// When the delay or the loss last showed that more was sent than arrives.
    private(set) var congestedAt: Instant?

    private var trend = DelayTrend()
    private var rate = ArrivalRate()
    private var losses = LossWindow()
    private var clock: Int64?
    private var lastUpdate: Instant?
    private var limitSetAt: Instant?

    /// The share of packets that went missing over the last two seconds, 0 to 1.
    func loss(at now: Instant) -> Double? { losses.fraction(at: now) }

    /// Whether more is sent than arrives.
    func isCongested(at now: Instant) -> Bool { congestedAt.map { now - $0 < Self.congestionMemory } ?? false }

    /// Takes transport-wide feedback.
    mutating func receive(
        _ feedback: RTCPPacket.TransportFeedback,
        history: inout TransportHistory,
        at now: Instant
    ) {
        let reference = unwrap(feedback.referenceTime)
        var arrived = 0
        var missing = 0
        for (offset, arrival) in feedback.arrivals.enumerated() {
            let sequence = feedback.baseSequence &+ UInt16(truncatingIfNeeded: offset)
            guard let arrival else {
                if history.missed(sequence, at: now) { missing += 1 }
                continue
            }
            guard let (packet, wasMissing) = history.received(sequence, at: now) else { continue }
            arrived += 1
            if wasMissing { missing -= 1 }
            let time = reference + Int64(arrival) * 250
            rate.add(packet.byteCount, arrival: time)
            trend.add(sent: packet.at, arrival: time)
        }
        guard arrived != 0 || missing != 0 else { return }
        count(arrived: arrived, missing: missing, at: now)
        update(at: now)
    }

    /// Takes the receiver's own estimate (REMB), for receivers without transport-wide feedback.
    mutating func receive(limit bitsPerSecond: UInt64, at now: Instant) {
        guard clock == nil else { return }
        estimate = Double(min(bitsPerSecond, 1_000_000_000_000))
        limitSetAt = now
    }

    /// Takes the loss of a receiver report, for receivers without transport-wide feedback.
    mutating func receive(fractionLost: UInt8, expected: Int, at now: Instant) {
        guard clock == nil else { return }
        let missing = expected * Int(fractionLost) / 256
        count(arrived: max(0, expected - missing), missing: missing, at: now)
        if let loss = losses.fraction(at: now), loss > Self.heavyLoss { congestedAt = now }
        if let limitSetAt, now - limitSetAt > Self.limitLifetime { estimate = nil }
    }

    private mutating func count(arrived: Int, missing: Int, at now: Instant) {
        losses.add(arrived: arrived, missing: missing, at: now)
        latestLoss = losses.fraction(at: now) ?? latestLoss
    }

    /// Forgets the losses: what is sent has changed.
    mutating func restartLoss() { losses.removeAll() }

    private mutating func update(at now: Instant) {
        defer { lastUpdate = now }
        acknowledged = rate.bitsPerSecond(over: 500)
        guard let acknowledged else { return }
        let delivered = rate.bitsPerSecond(over: 1_000) ?? acknowledged
        let loss = losses.fraction(at: now) ?? 0
        if trend.signal == .overuse {
            congestedAt = now
            // Between two keyframes little is sent: only what came while the queue was full tells what the way carries.
            estimate = min(estimate ?? .infinity, Self.backOff * max(acknowledged, rate.busiest ?? 0))
        } else if loss > Self.heavyLoss {
            congestedAt = now
            estimate = min(estimate ?? .infinity, delivered)
        } else if trend.signal == .normal {
            let proven = max(acknowledged, delivered)
            guard let known = estimate else {
                estimate = proven
                return
            }
            let seconds = lastUpdate.map { min((now - $0).inSeconds, 1) } ?? 0
            let grown = loss < Self.lightLoss ? known + known * Self.growth * seconds : known
            // Traffic that does not fill the way proves nothing about the rest of it.
            estimate = max(known, min(grown, Self.provenFactor * proven), proven)
        }
    }

    /// The reference time in microseconds, over its wrap after 12 days.
    private mutating func unwrap(_ reference: Int32) -> Int64 {
        let value = Int64(reference)
        guard let last = clock else {
            clock = value
            return value * Self.referenceUnit
        }
        let cycle: Int64 = 1 << 24
        var difference = (value - last) % cycle
        if difference > cycle / 2 { difference -= cycle }
        if difference < -cycle / 2 { difference += cycle }
        let time = last + difference
        clock = time
        return time * Self.referenceUnit
    }

    /// Microseconds of one step of the reference time.
    private static let referenceUnit: Int64 = 64_000
    private static let backOff = 0.85
    /// Per second.
    private static let growth = 0.08
    private static let provenFactor = 1.5
    private static let heavyLoss = 0.1
    private static let lightLoss = 0.02
    private static let congestionMemory = Duration.seconds(2)
    private static let limitLifetime = Duration.seconds(5)
}
