import Wire

/// What RFC 3550 §A.3 and §A.8 keep per source for receiver reports.
struct RTPSourceStatistics: Sendable {
    let ssrc: UInt32
    /// Interarrival jitter in timestamp units.
    private(set) var jitter = 0.0

    private var sequence = SequenceUnwrapper()
    private var firstSequence: Int64
    private var highestSequence: Int64
    private var received: Int64 = 0
    private var expectedBefore: Int64 = 0
    private var receivedBefore: Int64 = 0
    private var previous: (timestamp: UInt32, arrival: Instant)?

    init(ssrc: UInt32, firstSequence: UInt16) {
        self.ssrc = ssrc
        self.firstSequence = sequence.unwrap(firstSequence)
        highestSequence = self.firstSequence
    }

    mutating func received(_ number: UInt16, timestamp: UInt32, at now: Instant, _ clockRate: Int) {
        received &+= 1
        highestSequence = max(highestSequence, sequence.unwrap(number))
        if let previous {
            let elapsed = Double(now.nanoseconds &- previous.arrival.nanoseconds) / 1e9
            let transit = elapsed * Double(clockRate)
            let difference = abs(transit - Double(Int32(bitPattern: timestamp &- previous.timestamp)))
            // A jump of the camera's clock is not jitter.
            if difference < 3 * Double(clockRate) { jitter += (difference - jitter) / 16 }
        }
        previous = (timestamp, now)
    }

    /// A duplicate or a packet that came too late still counts as received (RFC 3550 §6.4.1).
    mutating func receivedLate() { received &+= 1 }

    mutating func makeReportBlock() -> RTCPPacket.ReportBlock {
        let expected = highestSequence - firstSequence + 1
        let expectedNow = expected - expectedBefore
        let lostNow = expectedNow - (received - receivedBefore)
        expectedBefore = expected
        receivedBefore = received
        let fraction = expectedNow > 0 && lostNow > 0 ? min(255, lostNow * 256 / expectedNow) : 0
        // The unwrapper starts one cycle up.
        let extended = highestSequence - 0x1_0000
        return RTCPPacket.ReportBlock(
            ssrc: ssrc,
            fractionLost: UInt8(fraction),
            cumulativeLost: Int32(clamping: expected - received),
            extendedHighestSequence: UInt32(truncatingIfNeeded: extended),
            jitter: UInt32(clamping: Int64(jitter))
        )
    }
}
