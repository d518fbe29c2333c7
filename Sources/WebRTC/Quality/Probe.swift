import Wire

/// A second of padding beside the media, to find out whether the way carries more.
struct Probe {
    /// Bits per second to send, media included.
    let rate: Double
    let startedAt: Instant
    /// What the peer had sent when the probe began.
    let bytesBefore: UInt64
    /// The most that arrived meanwhile, in bits per second.
    private(set) var peak = 0.0
    /// When padding is due next; once sending is over, when the last reports have come.
    private(set) var nextTick: Instant
    private(set) var isSending = true

    init(rate: Double, bytesSent: UInt64, at now: Instant) {
        self.rate = rate
        startedAt = now
        bytesBefore = bytesSent
        nextTick = now
    }

    /// What arrived lately, from feedback.
    mutating func note(_ acknowledged: Double?) { peak = max(peak, acknowledged ?? 0) }

    /// How many bytes of padding are due at `now`, when the peer has sent `bytesSent` in all; and sets the next tick.
    mutating func due(at now: Instant, bytesSent: UInt64) -> Int {
        nextTick = now + Self.tick
        let wanted = rate / 8 * (now - startedAt).inSeconds
        let sent = Double(bytesSent &- bytesBefore)
        return Int(min(max(wanted - sent, 0), Self.largestTick))
    }

    /// Whether the time for padding is over, or enough has been seen of a way that is full.
    func isOver(at now: Instant, congestedAt: Instant?) -> Bool {
        let elapsed = now - startedAt
        if elapsed >= Self.length { return true }
        return elapsed >= Self.shortest && congestedAt.map { $0 > startedAt } ?? false
    }

    /// Sends no more; reports come for as long as a round trip takes.
    mutating func stop(at now: Instant, roundTripTime: Duration) {
        isSending = false
        nextTick = now + min(roundTripTime, .seconds(1)) + Self.reportDelay
    }

    static let tick = Duration.milliseconds(10)
    private static let length = Duration.seconds(1)
    /// The rate that arrives is measured over half a second.
    private static let shortest = Duration.milliseconds(600)
    private static let reportDelay = Duration.milliseconds(250)
    private static let largestTick = 16_384.0
}
