import Wire

/// How a camera's RTP packets reach us.
public enum RTPTransport: String, Sendable, Codable {
    /// Datagrams: they get lost and overtake each other.
    case udp
    /// Interleaved on the RTSP connection: a gap is the camera's own drop, waiting for it is useless.
    case tcp
}

/// One RTP packet in order, with its payload still in the camera's packet.
public struct ReceivedPacket: Sendable {
    /// The M bit.
    public var marker: Bool
    /// The payload type.
    public var payloadType: UInt8
    /// The sequence number as sent.
    public var sequenceNumber: UInt16
    /// The timestamp as sent.
    public var timestamp: UInt32
    /// The synchronisation source.
    public var ssrc: UInt32
    /// The payload without padding; shares the storage of the packet received.
    public var payload: ArraySlice<UInt8>
    /// When it came in.
    public var arrival: Instant
    /// Packets before this one are missing.
    public var followsGap: Bool
    /// The first packet of another source or of a restarted one: its timestamps have nothing to do with earlier ones.
    public var startsSource: Bool
}

/// What a receiver has counted since it was made.
public struct RTPReceiverCounters: Equatable, Sendable {
    /// Packets that were passed on or are held for order.
    public var packetsReceived: UInt64 = 0
    /// Packets that never came, or came too late to be used.
    public var packetsLost: UInt64 = 0
    /// Bytes of all valid packets, headers included.
    public var bytesReceived: UInt64 = 0
    /// Interarrival jitter (RFC 3550 §A.8) in seconds.
    public var jitter: Double = 0
    /// Packets that arrived out of order and were put in order.
    public var reordered: UInt64 = 0
    /// Duplicates, and packets that came after they had been given up.
    public var late: UInt64 = 0
    /// Packets that are no RTP.
    public var malformed: UInt64 = 0
    /// Packets of a payload type that does not belong to the track.
    public var unexpectedPayloadType: UInt64 = 0
    /// How often the source changed or restarted.
    public var ssrcChanges: UInt64 = 0

    /// Creates zeros.
    public init() {}
}

/// Receives one RTP stream: validates, puts in order, counts and reports (RFC 3550 §6.4 and §A).
///
/// Over UDP up to ``reorderDepth`` packets wait for a missing one, for ``reorderTime`` at most.
public struct RTPReceiver: Sendable {
    /// Packets that may wait for a missing one: 150 ms of a 4 Mbit/s stream.
    public static let reorderDepth = 64
    /// How long a packet waits for a missing one.
    public static let reorderTime: Duration = .milliseconds(100)

    /// What was counted so far.
    public private(set) var counters = RTPReceiverCounters()
    /// The source being received, once a packet came.
    public var ssrc: UInt32? { statistics?.ssrc }

    private let payloadType: UInt8?
    private let transport: RTPTransport
    private let clockRate: Int
    private let reporterSSRC: UInt32
    private let cname: String
    private var sawExpectedPayloadType = false
    private var statistics: RTPSourceStatistics?
    private var senderReport: (ntp: UInt64, arrival: Instant)?

    /// Sequence number that is passed on next.
    private var expected: UInt16 = 0
    private var highest: UInt16 = 0
    private var slots: [ReceivedPacket?]
    private var waiting = 0
    private var consecutiveLate = 0
    private var gapPending = false
    private var restartPending = false

    /// Creates a receiver.
    ///
    /// - Parameters:
    ///   - payloadType: What the SDP says; others are tolerated until the first packet of this type came. `nil`
    ///     takes all.
    ///   - clockRate: RTP clock in Hz, for the jitter.
    ///   - reporterSSRC: Our own SSRC in reports.
    ///   - cname: Our CNAME in reports.
    public init(
        payloadType: UInt8?,
        transport: RTPTransport,
        clockRate: Int,
        reporterSSRC: UInt32 = 1,
        cname: String = "signalbox"
    ) {
        self.payloadType = payloadType
        self.transport = transport
        self.clockRate = max(1, clockRate)
        self.reporterSSRC = reporterSSRC
        self.cname = cname
        slots = transport == .udp ? [ReceivedPacket?](repeating: nil, count: Self.reorderDepth) : []
    }

    /// Takes one RTP packet and appends what is now in order to `packets`.
    public mutating func receive(_ packet: ArraySlice<UInt8>, at now: Instant, into packets: inout [ReceivedPacket]) {
        let header: RTPHeader
        do throws(RTPParseError) {
            header = try RTPHeader(parsing: packet)
        } catch {
            counters.malformed &+= 1
            return
        }
        guard accepts(payloadType: header.payloadType) else {
            counters.unexpectedPayloadType &+= 1
            return
        }
        if let known = statistics, known.ssrc != header.ssrc {
            flush(into: &packets)
            counters.ssrcChanges &+= 1
            statistics = nil
            senderReport = nil
            restartPending = true
        }
        if statistics == nil { start(header, at: now) }
        counters.packetsReceived &+= 1
        counters.bytesReceived &+= UInt64(packet.count)
        let received = ReceivedPacket(
            marker: header.marker,
            payloadType: header.payloadType,
            sequenceNumber: header.sequenceNumber,
            timestamp: header.timestamp,
            ssrc: header.ssrc,
            payload: packet[header.payload],
            arrival: now,
            followsGap: false,
            startsSource: false
        )
        place(received, into: &packets)
        if let statistics { counters.jitter = statistics.jitter / Double(clockRate) }
    }

    /// When ``handleTimeout(at:into:)`` has work, or `nil` while nothing waits.
    public var nextDeadline: Instant? {
        guard waiting > 0 else { return nil }
        var oldest: Instant?
        for case .some(let packet) in slots where oldest.map({ packet.arrival < $0 }) ?? true {
            oldest = packet.arrival
        }
        return oldest.map { $0 + Self.reorderTime }
    }

    /// Gives up on missing packets for which others have waited long enough.
    public mutating func handleTimeout(at now: Instant, into packets: inout [ReceivedPacket]) {
        while let deadline = nextDeadline, deadline <= now {
            skipToNextWaiting()
            passOnWaiting(into: &packets)
        }
    }

    /// Notes a sender report of the source, for the reports we make.
    public mutating func received(senderReport report: RTCPPacket.SenderReport, at now: Instant) {
        guard ssrc.map({ $0 == report.ssrc }) ?? true else { return }
        senderReport = (report.ntp, now)
    }

    /// Our report: RR with what this receiver saw, and SDES. Make one every 5 s; it also keeps the session alive.
    public mutating func makeReceiverReport(at now: Instant) -> [UInt8] {
        var blocks: [RTCPPacket.ReportBlock] = []
        if var block = statistics?.makeReportBlock() {
            if let senderReport {
                block.lastSenderReport = UInt32(truncatingIfNeeded: senderReport.ntp >> 16)
                let delay = max(0, (now - senderReport.arrival).wholeNanoseconds) / 1_000
                block.delaySinceLastSenderReport = UInt32(
                    clamping: delay / 1_000_000 * 65_536 + delay % 1_000_000 * 65_536 / 1_000_000
                )
            }
            blocks.append(block)
        }
        return RTCPPacket.serialize([
            .receiverReport(ssrc: reporterSSRC, blocks: blocks),
            .sourceDescription([RTCPPacket.CanonicalName(ssrc: reporterSSRC, cname: cname)]),
        ])
    }
}

extension RTPReceiver {
    private mutating func accepts(payloadType type: UInt8) -> Bool {
        guard let payloadType else { return true }
        if type == payloadType {
            sawExpectedPayloadType = true
            return true
        }
        // Cameras contradict their SDP. Take what comes as long as nothing better did, but never RTCP that strayed
        // onto the RTP channel (types 64 to 95 with the marker bit removed) nor comfort noise.
        return !sawExpectedPayloadType && !(64...95).contains(type) && type != 13 && type != 19
    }

    private mutating func start(_ header: RTPHeader, at now: Instant) {
        statistics = RTPSourceStatistics(ssrc: header.ssrc, firstSequence: header.sequenceNumber)
        expected = header.sequenceNumber
        highest = header.sequenceNumber
        consecutiveLate = 0
    }

    private mutating func place(_ packet: ReceivedPacket, into packets: inout [ReceivedPacket]) {
        let distance = Int(Int16(bitPattern: packet.sequenceNumber &- expected))
        if distance < 0 {
            placeLate(packet, into: &packets)
            return
        }
        consecutiveLate = 0
        // RFC 3550 §A.1, MAX_DROPOUT: a larger jump is a restarted sender, not loss.
        if distance >= maximumDropout {
            restart(at: packet, into: &packets)
            return
        }
        statistics?.received(packet.sequenceNumber, timestamp: packet.timestamp, at: packet.arrival, clockRate)
        if Int16(bitPattern: packet.sequenceNumber &- highest) < 0 {
            counters.reordered &+= 1
        } else {
            highest = packet.sequenceNumber
        }
        if distance == 0 {
            passOn(packet, into: &packets)
            passOnWaiting(into: &packets)
        } else if transport == .tcp {
            lose(distance)
            passOn(packet, into: &packets)
        } else {
            // Make room by giving up on what is too old to wait for.
            while Int(packet.sequenceNumber &- expected) >= Self.reorderDepth {
                passOnWaiting(into: &packets)
                guard Int(packet.sequenceNumber &- expected) >= Self.reorderDepth else { break }
                lose(1)
            }
            passOnWaiting(into: &packets)
            hold(packet, into: &packets)
        }
    }

    private mutating func hold(_ packet: ReceivedPacket, into packets: inout [ReceivedPacket]) {
        guard packet.sequenceNumber != expected else {
            passOn(packet, into: &packets)
            passOnWaiting(into: &packets)
            return
        }
        let slot = Int(packet.sequenceNumber) % Self.reorderDepth
        guard slots[slot] == nil else {
            counters.late &+= 1
            return
        }
        slots[slot] = packet
        waiting += 1
    }

    private mutating func placeLate(_ packet: ReceivedPacket, into packets: inout [ReceivedPacket]) {
        consecutiveLate += 1
        // On TCP nothing overtakes: a step back is a restarted sender. On UDP it takes a row of them.
        guard transport == .tcp || consecutiveLate > Self.reorderDepth else {
            counters.late &+= 1
            statistics?.receivedLate()
            return
        }
        restart(at: packet, into: &packets)
    }

    private mutating func restart(at packet: ReceivedPacket, into packets: inout [ReceivedPacket]) {
        flush(into: &packets)
        counters.ssrcChanges &+= 1
        restartPending = true
        statistics = RTPSourceStatistics(ssrc: packet.ssrc, firstSequence: packet.sequenceNumber)
        statistics?.received(packet.sequenceNumber, timestamp: packet.timestamp, at: packet.arrival, clockRate)
        expected = packet.sequenceNumber
        highest = packet.sequenceNumber
        consecutiveLate = 0
        passOn(packet, into: &packets)
    }

    private mutating func passOn(_ packet: ReceivedPacket, into packets: inout [ReceivedPacket]) {
        packets.append(packet)
        if gapPending || restartPending {
            packets[packets.count - 1].followsGap = true
            packets[packets.count - 1].startsSource = restartPending
            gapPending = false
            restartPending = false
        }
        expected = packet.sequenceNumber &+ 1
    }

    private mutating func passOnWaiting(into packets: inout [ReceivedPacket]) {
        while waiting > 0 {
            let slot = Int(expected) % Self.reorderDepth
            guard let packet = slots[slot] else { return }
            slots[slot] = nil
            waiting -= 1
            passOn(packet, into: &packets)
        }
    }

    private mutating func skipToNextWaiting() {
        for _ in 0..<Self.reorderDepth where slots[Int(expected) % Self.reorderDepth] == nil { lose(1) }
    }

    private mutating func lose(_ count: Int) {
        counters.packetsLost &+= UInt64(count)
        gapPending = true
        expected = expected &+ UInt16(truncatingIfNeeded: count)
    }

    private mutating func flush(into packets: inout [ReceivedPacket]) {
        while waiting > 0 {
            skipToNextWaiting()
            passOnWaiting(into: &packets)
        }
    }
}

/// RFC 3550 §A.1.
private let maximumDropout = 3_000
