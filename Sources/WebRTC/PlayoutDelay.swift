import Wire

/// The playout delay header extension: from when to when after its time a receiver may show a picture, as two 12-bit
/// numbers of ``step`` each (`http://www.webrtc.org/experiments/rtp-hdrext/playout-delay`).
///
/// A minimum of 0 with a maximum up to half a second asks for every picture as soon as it is decoded. Where packets get
/// lost, pictures that waited for one sent again would come out several at once, of which one is seen: there the maximum
/// is longer, and the client smooths. Pictures that are to wait for sound are held back a little more from one to the
/// next, so that none stands still meanwhile.
struct PlayoutDelay {
    /// The minimum that pictures are to reach.
    var goal: UInt8 = 0 {
        didSet { if goal != oldValue { packetsLeft = Self.repetitions } }
    }
    /// The minimum of the picture under way, in steps.
    private(set) var minimum: UInt8 = 0
    /// When packets were last lost; `nil` when that is long ago.
    private(set) var lossyAt: Instant?
    /// Packets still to carry it: what has arrived stays in force.
    private(set) var packetsLeft = repetitions

    /// A new picture begins.
    mutating func advance() {
        guard minimum != goal else { return }
        minimum = minimum < goal ? min(goal, minimum + Self.stride) : max(goal, minimum - min(minimum, Self.stride))
        packetsLeft = Self.repetitions
    }

    /// The client reports that this part of the packets, of 256, was lost.
    mutating func note(fractionLost: UInt8, at now: Instant) {
        let wasLossy = lossyAt != nil
        if fractionLost >= Self.lossyFraction {
            lossyAt = now
        } else if let last = lossyAt, now - last >= Self.memory {
            lossyAt = nil
        }
        if wasLossy != (lossyAt != nil) { packetsLeft = Self.repetitions }
    }

    /// A packet has carried it.
    mutating func countPacket() { packetsLeft = max(0, packetsLeft - 1) }

    /// The client reports what it received.
    mutating func acknowledge() {
        if minimum == goal, minimum == 0 { packetsLeft = 0 }
    }

    /// The extension's three bytes.
    static func value(minimum: UInt8, isLossy: Bool) -> UInt64 {
        UInt64(minimum) << 12 | (isLossy ? lossyMaximum : maximum)
    }

    static func steps(_ duration: Duration) -> UInt8 {
        UInt8(clamping: Int((duration.inMilliseconds / step.inMilliseconds).rounded()))
    }

    static let step = Duration.milliseconds(10)
    /// At most 400 ms late.
    private static let maximum: UInt64 = 40
    /// Where packets get lost, a second.
    private static let lossyMaximum: UInt64 = 100
    /// One of a hundred.
    private static let lossyFraction: UInt8 = 3
    /// Loss is reckoned with this long after the last.
    private static let memory = Duration.seconds(30)
    /// From one picture to the next.
    private static let stride: UInt8 = 2
    /// Enough for the first pictures.
    private static let repetitions = 50
}
