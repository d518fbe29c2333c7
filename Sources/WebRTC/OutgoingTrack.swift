import Media
import RTP
import Wire

/// One track on its way to one viewer: one SSRC, one line of sequence numbers and timestamps for the session's life, and
/// the same again for retransmissions where RFC 4588 was agreed on.
///
/// The RTP timestamp is the stream's timestamp plus a constant, so sender reports tell the truth; only the pictures of a
/// replayed cache are given the time they leave at, and frames that would run backwards follow the last one.
struct OutgoingTrack {
    let negotiated: Negotiation.Track
    let ssrc: UInt32
    /// The retransmissions' source; `nil` where they go out under ``ssrc``.
    let rtxSSRC: UInt32?
    private let mid: [UInt8]
    private let timestampOffset: UInt32
    private(set) var nextSequence: UInt16
    private var nextRTXSequence: UInt16
    /// The latest frame: the stream's timestamp, and the one it went out with before the offset.
    private var frame: (stream: Int64, sent: Int64)?
    var ring: RetransmissionRing
    /// Packets still to carry the MID, which has to arrive once (RFC 8843 §9.2); none once the client has reported.
    private var packetsWithMID: Int
    /// From when on pictures may be shown.
    var playoutDelay = PlayoutDelay()
    /// Packets were left out before the next one, and it is not known whether it can be decoded without them.
    var followsGap = false

    private(set) var packetsSent: UInt64 = 0
    private(set) var payloadBytesSent: UInt64 = 0
    private(set) var retransmittedPackets: UInt64 = 0
    private(set) var retransmittedBytes: UInt64 = 0
    /// Bytes that may go into retransmissions: a quarter of what is sent, saved up to ``maximumCredit``.
    var retransmissionCredit = initialCredit
    /// What the client last reported.
    var lastReport: RTCPPacket.ReportBlock?
    /// When our next sender report is due; `nil` before the first.
    var nextReport: Instant?
    /// ``StreamPacket/sequence`` of the latest packet taken, so that cache and live packets do not overlap.
    var lastStreamSequence: UInt64?

    init(_ negotiated: Negotiation.Track, _ sources: TrackSources, using random: inout some RandomNumberGenerator) {
        self.negotiated = negotiated
        ssrc = sources.media
        rtxSSRC = sources.rtx
        // Below 2¹⁵, so that loss at the start cannot put the two ends' roll-over counters apart (RFC 3711 §3.3.1).
        nextSequence = UInt16.random(in: 0..<0x8000, using: &random)
        timestampOffset = UInt32.random(in: 0...UInt32.max, using: &random)
        nextRTXSequence = sources.rtx == nil ? 0 : UInt16.random(in: 0..<0x8000, using: &random)
        mid = negotiated.midExtension == nil ? [] : Array((negotiated.mid ?? "").utf8)
        packetsWithMID = mid.isEmpty ? 0 : initialPacketsWithMID
        ring = RetransmissionRing(isEnabled: negotiated.supportsNack)
    }

    /// The RTP timestamp of a moment of the relay's clock.
    func timestamp(at now: Instant) -> UInt32 {
        UInt32(truncatingIfNeeded: ticks(at: now)) &+ timestampOffset
    }

    /// How long ago a packet's time was.
    func age(of packet: StreamPacket, at now: Instant) -> Duration {
        .milliseconds((ticks(at: now) &- packet.timestamp) / max(1, Int64(negotiated.clockRate) / 1_000))
    }

    /// The stream's timestamp of a moment of the relay's clock.
    private func ticks(at now: Instant) -> Int64 {
        let rate = Int64(negotiated.clockRate)
        let (seconds, rest) = now.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        return seconds &* rate &+ rest &* rate / 1_000_000_000
    }

    /// Writes, protects and records one packet.
    ///
    /// - Returns: Bytes appended to `output`; 0 when the packet could not be protected.
    mutating func send(
        _ packet: StreamPacket,
        with srtp: SRTPSender,
        on path: FiveTuple,
        at now: Instant,
        leavesNow: Bool = false,
        history: inout TransportHistory,
        into output: inout DatagramQueue
    ) -> Int {
        let timestamp = advance(to: leavesNow ? max(packet.timestamp, ticks(at: now)) : packet.timestamp, of: packet)
        let clock = RetransmissionRing.milliseconds(now)
        if packet.followsGap || followsGap { leaveHole(before: packet, clock) }
        let entry = RetransmissionRing.Entry(
            payload: packet.payload,
            timestamp: timestamp,
            sentAt: clock,
            transportSequence: history.nextSequence,
            marker: packet.isMarker,
            passing: passingExtension
        )
        let count = write(entry, numbers: .media(nextSequence), with: srtp, on: path, into: &output)
        guard count > 0 else { return 0 }
        if negotiated.transportExtension != nil { history.append(byteCount: count, at: now) }
        ring.store(entry, sequence: nextSequence)
        nextSequence &+= 1
        if packetsWithMID > 0 { packetsWithMID -= 1 }
        playoutDelay.countPacket()
        packetsSent &+= 1
        payloadBytesSent &+= UInt64(packet.payload.count)
        retransmissionCredit = min(retransmissionCredit + count / 4, maximumCredit)
        return count
    }

    /// Leaves one sequence number out, so that the client knows that something is missing that we never had. A keyframe
    /// needs nothing that came before it.
    private mutating func leaveHole(before packet: StreamPacket, _ clock: UInt32) {
        followsGap = false
        guard negotiated.kind == .video, !packet.startsKeyframe, packetsSent > 0 else { return }
        ring.store(RetransmissionRing.Entry(sentAt: clock), sequence: nextSequence)
        nextSequence &+= 1
    }

    /// All packets of a picture get the same timestamp, and none an earlier one than the picture before.
    private mutating func advance(to timestamp: Int64, of packet: StreamPacket) -> UInt32 {
        if let frame, frame.stream == packet.timestamp {
            return UInt32(truncatingIfNeeded: frame.sent) &+ timestampOffset
        }
        let sent = frame.map { max(timestamp, $0.sent &+ 1) } ?? timestamp
        // What is shown first is not held back.
        if frame != nil { playoutDelay.advance() }
        frame = (packet.timestamp, sent)
        return UInt32(truncatingIfNeeded: sent) &+ timestampOffset
    }

    /// Under which numbers a packet goes out.
    private enum Numbers {
        /// The first time.
        case media(UInt16)
        /// Again, byte for byte.
        case repeated(UInt16)
        /// Again, by RFC 4588: the original sequence number goes in front of the payload. Padding has no original.
        case rtx(ssrc: UInt32, payloadType: UInt8, original: UInt16?)
    }

    /// Writes one packet into the queue and encrypts it there: the only copy a viewer costs.
    ///
    /// The transport-wide number comes first and on every packet, so that packets of equal payload are of equal length.
    private func write(
        _ entry: RetransmissionRing.Entry,
        numbers: Numbers,
        with srtp: SRTPSender,
        on path: FiveTuple,
        into output: inout DatagramQueue
    ) -> Int {
        var written = 0
        let maximum = max(entry.payload.count, Int(paddingLength)) + maximumOverhead
        output.append(to: path, maximum: maximum, isSpare: negotiated.kind == .video) { buffer in
            var isRepeated = false
            var header = (ssrc: ssrc, payloadType: negotiated.payloadType, sequence: nextRTXSequence)
            var original: UInt16?
            switch numbers {
            case .media(let sequence):
                header.sequence = sequence
            case .repeated(let sequence):
                header.sequence = sequence
                isRepeated = true
            case .rtx(let rtx, let payloadType, let sequence):
                header.ssrc = rtx
                header.payloadType = payloadType
                original = sequence
            }
            var writer = RTPPacketWriter(
                into: buffer,
                marker: entry.marker,
                payloadType: header.payloadType,
                sequenceNumber: header.sequence,
                timestamp: entry.timestamp,
                ssrc: header.ssrc
            )
            if let id = negotiated.transportExtension {
                writer.appendExtension(id, value: UInt64(entry.transportSequence), length: 2)
            }
            if let original {
                writer.append(originalSequenceNumber: original)
            } else {
                append(entry.passing, to: &writer)
            }
            if entry.payload.isEmpty {
                writer.append(padding: paddingLength)
            } else {
                writer.append(payload: entry.payload)
            }
            guard !writer.overflowed else { return 0 }
            written = srtp.protectRTP(
                buffer,
                headerLength: writer.headerLength,
                count: writer.count,
                isRetransmission: isRepeated
            )
            return written
        }
        return written
    }

    /// What the next packet carries: MID and playout delay take turns, because both do not fit beside a full payload.
    private var passingExtension: RetransmissionRing.PassingExtension {
        let hasDelay = negotiated.playoutDelayExtension != nil && playoutDelay.packetsLeft > 0
        if hasDelay, packetsWithMID == 0 || nextSequence & 1 == 1 {
            return .playoutDelay(minimum: playoutDelay.minimum, isLossy: playoutDelay.lossyAt != nil)
        }
        return packetsWithMID > 0 ? .mid : .none
    }

    private func append(_ passing: RetransmissionRing.PassingExtension, to writer: inout RTPPacketWriter) {
        if let delay = passing.playoutDelay, let id = negotiated.playoutDelayExtension {
            writer.appendExtension(id, value: delay, length: 3)
        } else if passing == .mid, let id = negotiated.midExtension {
            writer.appendExtension(id, bytes: mid)
        }
    }

    /// The client says what it has received.
    mutating func receive(_ report: RTCPPacket.ReportBlock) {
        lastReport = report
        packetsWithMID = 0
        playoutDelay.acknowledge()
    }

    /// Sends again what is still there and was not sent again within a round trip: by RFC 4588 under numbers of its own,
    /// otherwise the same bytes under the same index, which gives the same ciphertext.
    ///
    /// - Returns: Datagrams and bytes appended to `output`.
    mutating func retransmit(
        _ lost: [UInt16],
        roundTripTime: Duration,
        with srtp: SRTPSender,
        on path: FiveTuple,
        at now: Instant,
        history: inout TransportHistory,
        into output: inout DatagramQueue
    ) -> (packets: Int, bytes: Int) {
        let clock = RetransmissionRing.milliseconds(now)
        let pause = UInt32(max(roundTripTime.inMilliseconds, minimumRepeatPause).rounded(.up))
        var sent = (packets: 0, bytes: 0)
        for sequence in lost {
            guard let index = ring.index(of: sequence, at: now) else { continue }
            let entry = ring[index]
            if entry.repeatedAt != 0, clock &- entry.repeatedAt < pause { continue }
            guard retransmissionCredit >= entry.payload.count else { break }
            let count = resend(entry, sequence, with: srtp, on: path, at: now, history: &history, into: &output)
            guard count > 0 else { continue }
            ring[index].repeatedAt = clock
            retransmissionCredit -= count
            sent = (sent.packets + 1, sent.bytes + count)
        }
        retransmittedPackets &+= UInt64(sent.packets)
        retransmittedBytes &+= UInt64(sent.bytes)
        return sent
    }

    private mutating func resend(
        _ entry: RetransmissionRing.Entry,
        _ sequence: UInt16,
        with srtp: SRTPSender,
        on path: FiveTuple,
        at now: Instant,
        history: inout TransportHistory,
        into output: inout DatagramQueue
    ) -> Int {
        guard let rtxSSRC, let payloadType = negotiated.rtxPayloadType else {
            return write(entry, numbers: .repeated(sequence), with: srtp, on: path, into: &output)
        }
        var again = entry
        again.transportSequence = history.nextSequence
        let numbers = Numbers.rtx(ssrc: rtxSSRC, payloadType: payloadType, original: sequence)
        let count = write(again, numbers: numbers, with: srtp, on: path, into: &output)
        guard count > 0 else { return 0 }
        nextRTXSequence &+= 1
        if negotiated.transportExtension != nil { history.append(byteCount: count, at: now) }
        return count
    }

    /// Sends one packet of nothing but padding on the retransmissions' source.
    ///
    /// - Returns: Bytes appended to `output`; 0 without such a source.
    mutating func sendPadding(
        with srtp: SRTPSender,
        on path: FiveTuple,
        at now: Instant,
        history: inout TransportHistory,
        into output: inout DatagramQueue
    ) -> Int {
        guard let rtxSSRC, let payloadType = negotiated.rtxPayloadType, let frame else { return 0 }
        let entry = RetransmissionRing.Entry(
            timestamp: UInt32(truncatingIfNeeded: frame.sent) &+ timestampOffset,
            sentAt: 0,
            transportSequence: history.nextSequence
        )
        let numbers = Numbers.rtx(ssrc: rtxSSRC, payloadType: payloadType, original: nil)
        let count = write(entry, numbers: numbers, with: srtp, on: path, into: &output)
        guard count > 0 else { return 0 }
        nextRTXSequence &+= 1
        if negotiated.transportExtension != nil { history.append(byteCount: count, at: now) }
        return count
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
            kind: negotiated.kind,
            codec: negotiated.codec,
            payloadType: negotiated.payloadType,
            ssrc: ssrc,
            packetsSent: packetsSent,
            retransmittedPackets: retransmittedPackets,
            retransmittedBytes: retransmittedBytes,
            rtxSSRC: rtxSSRC,
            fractionLost: lastReport.map { Double($0.fractionLost) / 256 },
            packetsLost: lastReport.map { Int($0.cumulativeLost) },
            jitter: lastReport.map {
                .nanoseconds(Int64($0.jitter) * 1_000_000_000 / Int64(max(negotiated.clockRate, 1)))
            }
        )
    }
}

/// RTP header 12, extensions with their own header up to 28, original sequence number 2, SRTP tag 16.
private let maximumOverhead = 12 + 28 + 2 + 16
/// Bytes of a packet of padding, as much as the length byte can say and browsers send themselves.
private let paddingLength: UInt8 = 224
/// Enough for the first pictures; then the client has learned the SSRC.
private let initialPacketsWithMID = 50
/// A keyframe's worth, so that losses in the very first picture can be mended.
private let initialCredit = 64 * 1024
private let maximumCredit = 256 * 1024
/// Clients repeat a NACK at least this far apart.
private let minimumRepeatPause = 10.0
