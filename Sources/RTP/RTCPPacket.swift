import Wire

/// Why an RTCP packet was refused.
public enum RTCPParseError: Error, Equatable, Sendable {
    /// It ends before the field that was being read.
    case truncated
    /// The version is not 2.
    case version(UInt8)
    /// The field named has a value its RFC forbids.
    case invalid(String)
}

/// One RTCP packet of a compound (RFC 3550 §6, RFC 4585 §6, RFC 5104, REMB, transport-wide congestion control).
public enum RTCPPacket: Equatable, Sendable {
    /// SR, type 200.
    case senderReport(SenderReport)
    /// RR, type 201: who reports, and on what.
    case receiverReport(ssrc: UInt32, blocks: [ReportBlock])
    /// SDES, type 202, reduced to the CNAMEs.
    case sourceDescription([CanonicalName])
    /// BYE, type 203.
    case goodbye(ssrcs: [UInt32])
    /// Generic NACK, type 205 format 1 (RFC 4585 §6.2.1): the lost sequence numbers.
    case nack(sender: UInt32, media: UInt32, lost: [UInt16])
    /// Transport-wide feedback, type 205 format 15.
    case transportFeedback(TransportFeedback)
    /// PLI, type 206 format 1 (RFC 4585 §6.3.1).
    case pictureLossIndication(sender: UInt32, media: UInt32)
    /// FIR, type 206 format 4 (RFC 5104 §4.3.1).
    case fullIntraRequest(sender: UInt32, entries: [FullIntraRequestEntry])
    /// REMB, type 206 format 15: bits per second the receiver can take.
    case receiverEstimatedMaximumBitrate(sender: UInt32, bitrate: UInt64, ssrcs: [UInt32])
    /// Anything else, not looked into.
    case other(type: UInt8, format: UInt8)

    /// A sender report (RFC 3550 §6.4.1).
    public struct SenderReport: Equatable, Sendable {
        /// The reporting source.
        public var ssrc: UInt32
        /// Wall clock: seconds since 1900 in the high word, fractions in the low word.
        public var ntp: UInt64
        /// The RTP timestamp of the same moment.
        public var timestamp: UInt32
        /// Packets sent since the start.
        public var packetCount: UInt32
        /// Payload bytes sent since the start.
        public var byteCount: UInt32
        /// What the sender itself receives.
        public var blocks: [ReportBlock]

        /// Creates a report.
        public init(
            ssrc: UInt32,
            ntp: UInt64,
            timestamp: UInt32,
            packetCount: UInt32,
            byteCount: UInt32,
            blocks: [ReportBlock] = []
        ) {
            self.ssrc = ssrc
            self.ntp = ntp
            self.timestamp = timestamp
            self.packetCount = packetCount
            self.byteCount = byteCount
            self.blocks = blocks
        }
    }

    /// A report block (RFC 3550 §6.4.1).
    public struct ReportBlock: Equatable, Sendable {
        /// The source reported on.
        public var ssrc: UInt32
        /// Packets lost since the previous report, in 1/256 of those expected.
        public var fractionLost: UInt8
        /// Packets lost since the start; 24 bits, may be negative.
        public var cumulativeLost: Int32
        /// Sequence number cycles in the high half, highest sequence number in the low half.
        public var extendedHighestSequence: UInt32
        /// Interarrival jitter in timestamp units.
        public var jitter: UInt32
        /// Middle 32 bits of the last sender report's NTP time; 0 without one.
        public var lastSenderReport: UInt32
        /// Time since that report in 1/65536 s.
        public var delaySinceLastSenderReport: UInt32

        /// Creates a block.
        public init(
            ssrc: UInt32,
            fractionLost: UInt8 = 0,
            cumulativeLost: Int32 = 0,
            extendedHighestSequence: UInt32 = 0,
            jitter: UInt32 = 0,
            lastSenderReport: UInt32 = 0,
            delaySinceLastSenderReport: UInt32 = 0
        ) {
            self.ssrc = ssrc
            self.fractionLost = fractionLost
            self.cumulativeLost = cumulativeLost
            self.extendedHighestSequence = extendedHighestSequence
            self.jitter = jitter
            self.lastSenderReport = lastSenderReport
            self.delaySinceLastSenderReport = delaySinceLastSenderReport
        }

        /// Round-trip time from the moment the block arrived, in the middle 32 bits of the NTP time its
        /// `lastSenderReport` was taken from (RFC 3550 §6.4.1); `nil` without a sender report or when negative.
        public func roundTripTime(arrivedAtMiddleNTP arrival: UInt32) -> Duration? {
            guard lastSenderReport != 0 else { return nil }
            let units = Int32(bitPattern: arrival &- lastSenderReport &- delaySinceLastSenderReport)
            guard units >= 0 else { return nil }
            return .nanoseconds(Int64(units) * 1_000_000_000 / 65_536)
        }
    }

    /// A source and its CNAME (RFC 3550 §6.5.1).
    public struct CanonicalName: Equatable, Sendable {
        /// The source.
        public var ssrc: UInt32
        /// Its name; at most 255 bytes of UTF-8 go onto the wire.
        public var cname: String

        /// Creates an entry.
        public init(ssrc: UInt32, cname: String) {
            self.ssrc = ssrc
            self.cname = cname
        }
    }

    /// One entry of a FIR (RFC 5104 §4.3.1.1).
    public struct FullIntraRequestEntry: Equatable, Sendable {
        /// The source that is asked for a keyframe.
        public var ssrc: UInt32
        /// Increases with every new request.
        public var sequenceNumber: UInt8

        /// Creates an entry.
        public init(ssrc: UInt32, sequenceNumber: UInt8) {
            self.ssrc = ssrc
            self.sequenceNumber = sequenceNumber
        }
    }

    /// What a receiver says about packets with transport-wide sequence numbers.
    public struct TransportFeedback: Equatable, Sendable {
        /// Who reports.
        public var sender: UInt32
        /// A source of the transport; browsers put any one here, or 0.
        public var media: UInt32
        /// Sequence number of the first packet in ``arrivals``.
        public var baseSequence: UInt16
        /// Counts the feedback packets.
        public var feedbackCount: UInt8
        /// The receiver's clock, in 64 ms since an arbitrary origin, signed 24 bits.
        public var referenceTime: Int32
        /// For each packet from ``baseSequence`` on: when it arrived, in 250 µs since the reference time; `nil` for
        /// packets that did not arrive.
        public var arrivals: [Int32?]

        /// Creates feedback.
        public init(
            sender: UInt32,
            media: UInt32,
            baseSequence: UInt16,
            feedbackCount: UInt8,
            referenceTime: Int32,
            arrivals: [Int32?]
        ) {
            self.sender = sender
            self.media = media
            self.baseSequence = baseSequence
            self.feedbackCount = feedbackCount
            self.referenceTime = referenceTime
            self.arrivals = arrivals
        }
    }

    /// Packet types (RFC 3550 §12.1, RFC 4585 §6.1).
    enum PacketType {
        static let senderReport: UInt8 = 200
        static let receiverReport: UInt8 = 201
        static let sourceDescription: UInt8 = 202
        static let goodbye: UInt8 = 203
        static let transportSpecificFeedback: UInt8 = 205
        static let payloadSpecificFeedback: UInt8 = 206
    }
}
