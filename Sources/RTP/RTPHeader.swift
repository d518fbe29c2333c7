/// Why an RTP packet was refused.
public enum RTPParseError: Error, Equatable, Sendable {
    /// It is shorter than its header says.
    case truncated
    /// The version is not 2.
    case version(UInt8)
    /// The padding count is 0 or more than the payload has.
    case padding
}

/// The header of an RTP packet (RFC 3550 §5.1), parsed in place.
public struct RTPHeader: Equatable, Sendable {
    /// The M bit.
    public var marker: Bool
    /// The payload type, 0 to 127.
    public var payloadType: UInt8
    /// The sequence number.
    public var sequenceNumber: UInt16
    /// The timestamp in the payload's clock rate.
    public var timestamp: UInt32
    /// The synchronisation source.
    public var ssrc: UInt32
    /// Indices of the payload in the bytes that were parsed, without padding.
    public var payload: Range<Int>

    /// Length of a header without CSRCs and extension.
    public static let minimumLength = 12

    /// Parses the header of `packet`, skipping CSRCs and header extension and removing padding.
    @inlinable public init(parsing packet: [UInt8]) throws(RTPParseError) { try self.init(parsing: packet[...]) }

    /// Parses the header of `packet`; ``payload`` holds indices of the slice.
    public init(parsing packet: ArraySlice<UInt8>) throws(RTPParseError) {
        let start = packet.startIndex
        guard packet.count >= Self.minimumLength else { throw .truncated }
        let first = packet[start]
        guard first >> 6 == 2 else { throw .version(first >> 6) }
        var offset = start + Self.minimumLength + 4 * Int(first & 0x0F)
        var end = packet.endIndex
        if first & 0x10 != 0 {
            guard offset + 4 <= end else { throw .truncated }
            offset += 4 + 4 * (Int(packet[offset + 2]) << 8 | Int(packet[offset + 3]))
        }
        guard offset <= end else { throw .truncated }
        if first & 0x20 != 0 {
            let padding = Int(packet[end - 1])
            guard padding > 0, padding <= end - offset else { throw .padding }
            end -= padding
        }
        let second = packet[start + 1]
        marker = second & 0x80 != 0
        payloadType = second & 0x7F
        sequenceNumber = UInt16(packet[start + 2]) << 8 | UInt16(packet[start + 3])
        timestamp = packet.word(at: start + 4)
        ssrc = packet.word(at: start + 8)
        payload = offset..<end
    }

    /// Whether a packet with this second byte is RTCP when RTP and RTCP share a port (RFC 5761 §4).
    @inlinable public static func isRTCP(secondByte: UInt8) -> Bool { (192...223).contains(secondByte) }
}

extension ArraySlice<UInt8> {
    /// The four bytes at `index`, which must exist, in network order.
    @inline(__always) func word(at index: Int) -> UInt32 {
        UInt32(self[index]) << 24 | UInt32(self[index + 1]) << 16 | UInt32(self[index + 2]) << 8
            | UInt32(self[index + 3])
    }
}
