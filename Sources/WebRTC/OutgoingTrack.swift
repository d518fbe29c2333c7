import Media
import RTP
import Wire

/// One track on its way to one viewer: one SSRC, one line of sequence numbers and timestamps for the session's life.
///
/// The RTP timestamp is the stream's timestamp plus a constant, so sender reports tell the truth; only frames that would
/// run backwards, such as those of a replayed cache, are moved up behind the last one.
struct OutgoingTrack {
    let negotiated: Negotiation.Track
    let ssrc: UInt32
    private let mid: [UInt8]
    private let timestampOffset: UInt32
    private(set) var nextSequence: UInt16
    /// The latest frame: the stream's timestamp, and the one it went out with before the offset.
    private var frame: (stream: Int64, sent: Int64)?
    var ring: RetransmissionRing
    /// Packets still to carry the MID extension (RFC 8843 §9.2); none once the client has reported.
    var midPacketsLeft: Int

    private(set) var packetsSent: UInt64 = 0
    private(set) var payloadBytesSent: UInt64 = 0
    var retransmittedPackets: UInt64 = 0
    /// Bytes that may go into retransmissions: a quarter of what is sent, saved up to ``maximumCredit``.
    var retransmissionCredit = initialCredit
    /// What the client last reported.
    var lastReport: RTCPPacket.ReportBlock?
    /// When our next sender report is due; `nil` before the first.
    var nextReport: Instant?
    /// ``StreamPacket/sequence`` of the latest packet taken, so that cache and live packets do not overlap.
    var lastStreamSequence: UInt64?

    init(_ negotiated: Negotiation.Track, ssrc: UInt32, using random: inout some RandomNumberGenerator) {
        self.negotiated = negotiated
        self.ssrc = ssrc
        // Below 2¹⁵, so that loss at the start cannot put the two ends' roll-over counters apart (RFC 3711 §3.3.1).
        nextSequence = UInt16.random(in: 0..<0x8000, using: &random)
        timestampOffset = UInt32.random(in: 0...UInt32.max, using: &random)
        mid = negotiated.midExtension == nil ? [] : Array((negotiated.mid ?? "").utf8)
        midPacketsLeft = mid.isEmpty ? 0 : initialMIDPackets
        ring = RetransmissionRing(isEnabled: negotiated.supportsNack)
    }

    /// The RTP timestamp of a moment of the relay's clock.
    func timestamp(at now: Instant) -> UInt32 {
        let rate = Int64(negotiated.clockRate)
        let (seconds, rest) = now.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        return UInt32(truncatingIfNeeded: seconds &* rate &+ rest &* rate / 1_000_000_000) &+ timestampOffset
    }

    /// Writes, protects and records one packet.
    ///
    /// - Returns: Bytes appended to `output`; 0 when the packet could not be protected.
    mutating func send(
        _ packet: StreamPacket,
        with srtp: SRTPSender,
        on path: FiveTuple,
        at now: Instant,
        into output: inout DatagramQueue
    ) -> Int {
        let timestamp = advance(to: packet.timestamp)
        let entry = RetransmissionRing.Entry(
            payload: packet.payload,
            timestamp: timestamp,
            sentAt: RetransmissionRing.milliseconds(now),
            marker: packet.isMarker,
            carriesMID: midPacketsLeft > 0
        )
        let count = write(entry, sequence: nextSequence, isRetransmission: false, with: srtp, on: path, into: &output)
        guard count > 0 else { return 0 }
        ring.store(entry, sequence: nextSequence)
        nextSequence &+= 1
        if midPacketsLeft > 0 { midPacketsLeft -= 1 }
        packetsSent &+= 1
        payloadBytesSent &+= UInt64(packet.payload.count)
        retransmissionCredit = min(retransmissionCredit + count / 4, maximumCredit)
        return count
    }

    private mutating func advance(to timestamp: Int64) -> UInt32 {
        guard let frame else {
            self.frame = (timestamp, timestamp)
            return UInt32(truncatingIfNeeded: timestamp) &+ timestampOffset
        }
        if frame.stream == timestamp { return UInt32(truncatingIfNeeded: frame.sent) &+ timestampOffset }
        let sent = max(timestamp, frame.sent &+ 1)
        self.frame = (timestamp, sent)
        return UInt32(truncatingIfNeeded: sent) &+ timestampOffset
    }

    /// Writes one packet into the queue and encrypts it there: the only copy a viewer costs.
    private func write(
        _ entry: RetransmissionRing.Entry,
        sequence: UInt16,
        isRetransmission: Bool,
        with srtp: SRTPSender,
        on path: FiveTuple,
        into output: inout DatagramQueue
    ) -> Int {
        var written = 0
        output.append(to: path, maximum: entry.payload.count + maximumOverhead) { buffer in
            var writer = RTPPacketWriter(
                into: buffer,
                marker: entry.marker,
                payloadType: negotiated.payloadType,
                sequenceNumber: sequence,
                timestamp: entry.timestamp,
                ssrc: ssrc
            )
            if entry.carriesMID, let id = negotiated.midExtension { writer.appendExtension(id, bytes: mid) }
            writer.append(payload: entry.payload)
            guard !writer.overflowed else { return 0 }
            written = srtp.protectRTP(
                buffer,
                headerLength: writer.headerLength,
                count: writer.count,
                isRetransmission: isRetransmission
            )
            return written
        }
        return written
    }

    /// Sends again what is still there and was not sent again within a round trip: the same bytes under the same
    /// index, which gives the same ciphertext.
    ///
    /// - Returns: Bytes appended to `output`.
    mutating func retransmit(
        _ lost: [UInt16],
        roundTripTime: Duration,
        with srtp: SRTPSender,
        on path: FiveTuple,
        at now: Instant,
        into output: inout DatagramQueue
    ) -> Int {
        let clock = RetransmissionRing.milliseconds(now)
        let pause = UInt32(max(roundTripTime.inMilliseconds, minimumRepeatPause).rounded(.up))
        var sent = 0
        for sequence in lost {
            guard let index = ring.index(of: sequence, at: now) else { continue }
            let entry = ring[index]
            if entry.wasRepeated, clock &- entry.repeatedAt < pause { continue }
            guard retransmissionCredit >= entry.payload.count else { break }
            let count = write(entry, sequence: sequence, isRetransmission: true, with: srtp, on: path, into: &output)
            guard count > 0 else { continue }
            ring[index].repeatedAt = clock
            ring[index].wasRepeated = true
            retransmissionCredit -= count
            retransmittedPackets &+= 1
            sent += count
        }
        return sent
    }

    func isReportDue(at now: Instant) -> Bool { packetsSent > 0 && nextReport.map { now >= $0 } ?? true }

    /// The sender report and CNAME of this track as one compound packet (RFC 3550 §6.4.1).
    func senderReport(_ configuration: PeerConfiguration, at now: Instant) -> [UInt8] {
        RTCPPacket.serialize([
            .senderReport(
                RTCPPacket.SenderReport(
                    ssrc: ssrc,
                    ntp: configuration.ntp(at: now),
                    timestamp: timestamp(at: now),
                    packetCount: UInt32(truncatingIfNeeded: packetsSent),
                    byteCount: UInt32(truncatingIfNeeded: payloadBytesSent)
                )
            ),
            .sourceDescription([RTCPPacket.CanonicalName(ssrc: ssrc, cname: configuration.cname)]),
        ])
    }

    var status: PeerStatus.Track {
        PeerStatus.Track(
            streamTrack: negotiated.streamTrack,
            kind: negotiated.kind,
            codec: negotiated.codec,
            payloadType: negotiated.payloadType,
            ssrc: ssrc,
            packetsSent: packetsSent,
            payloadBytesSent: payloadBytesSent,
            retransmittedPackets: retransmittedPackets,
            fractionLost: lastReport.map { Double($0.fractionLost) / 256 },
            packetsLost: lastReport.map { Int($0.cumulativeLost) },
            jitter: lastReport.map {
                .nanoseconds(Int64($0.jitter) * 1_000_000_000 / Int64(max(negotiated.clockRate, 1)))
            }
        )
    }
}

/// RTP header 12, MID extension up to 24, SRTP tag 16.
private let maximumOverhead = 12 + 24 + 16
/// Enough for the first pictures; then the client has learned the SSRC.
private let initialMIDPackets = 50
/// A keyframe's worth, so that losses in the very first picture can be mended.
private let initialCredit = 64 * 1024
private let maximumCredit = 256 * 1024
/// Clients repeat a NACK at least this far apart.
private let minimumRepeatPause = 10.0
