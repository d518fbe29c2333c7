import RTP
import Wire

/// F8: the header of an RTP packet with CSRCs, extensions and padding.
enum Target: FuzzTarget {
    static func seeds() -> [[UInt8]] {
        let plain: [UInt8] = [0x80, 0xE0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]
        return [
            plain + [1, 2, 3],
            [0x82] + plain.dropFirst() + [0, 0, 0, 4, 0, 0, 0, 5, 9],
            [0x90] + plain.dropFirst() + [0xBE, 0xDE, 0, 1, 0x10, 0xAA, 0, 0, 9, 9],
            [0x90] + plain.dropFirst() + [0x10, 0, 0, 1, 1, 1, 0xAA, 0, 9, 9],
            [0xA0] + plain.dropFirst() + [9, 9, 0, 2],
        ]
    }

    static func run(_ input: [UInt8]) {
        let header = try? RTPHeader(parsing: input)
        let shifted = [0xFF, 0xFF, 0xFF] + input + [0xFF]
        let inSlice = try? RTPHeader(parsing: shifted[3..<(shifted.count - 1)])
        demand((header == nil) == (inSlice == nil), "a slice is read like an array")
        demand(expectedPayload(input) == header?.payload, "the payload lies where RFC 3550 §5.1 puts it")
        guard let header, let inSlice else { return }
        demand(inSlice.payload == header.payload.lowerBound + 3..<header.payload.upperBound + 3, "so do indices")
        demand(header.payload.lowerBound >= 12 && header.payload.upperBound <= input.count, "the payload is inside")
        demand(header.payloadType < 128, "a payload type has seven bits")
        demand(inSlice.ssrc == header.ssrc && inSlice.sequenceNumber == header.sequenceNumber, "fields are the slice's")
        write(header, Array(input[header.payload]))
    }

    /// RFC 3550 §5.1, read anew.
    private static func expectedPayload(_ packet: [UInt8]) -> Range<Int>? {
        guard packet.count >= 12, packet[0] & 0xC0 == 0x80 else { return nil }
        var start = 12
        for _ in 0..<(packet[0] & 0x0F) { start += 4 }
        if packet[0] & 0x10 == 0x10 {
            guard packet.count >= start + 4 else { return nil }
            start += 4 + 4 * (256 * Int(packet[start + 2]) + Int(packet[start + 3]))
        }
        guard start <= packet.count else { return nil }
        guard packet[0] & 0x20 == 0x20 else { return start..<packet.count }
        let padding = Int(packet[packet.count - 1])
        guard padding != 0, start + padding <= packet.count else { return nil }
        return start..<(packet.count - padding)
    }

    /// The writer makes a packet with extensions that reads back the same.
    private static func write(_ header: RTPHeader, _ payload: [UInt8]) {
        var buffer = [UInt8](repeating: 0xEE, count: payload.count + 64)
        let count = buffer.withUnsafeMutableBytes { bytes -> Int in
            var writer = RTPPacketWriter(
                into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<(payload.count + 60)]),
                marker: header.marker,
                payloadType: header.payloadType,
                sequenceNumber: header.sequenceNumber,
                timestamp: header.timestamp,
                ssrc: header.ssrc
            )
            writer.appendExtension(UInt8(1 + header.sequenceNumber % 14), bytes: Array(payload.prefix(16)))
            writer.appendExtension(3, value: UInt64(header.timestamp), length: 3)
            writer.append(payload: payload)
            return writer.overflowed ? 0 : writer.count
        }
        demand(buffer.suffix(4).allSatisfy { $0 == 0xEE }, "nothing is written behind the buffer")
        guard count > 0 else { return }
        guard let again = try? RTPHeader(parsing: buffer[..<count]) else {
            return demand(false, "what is written parses")
        }
        demand(again.ssrc == header.ssrc && again.marker == header.marker, "what is written reads back")
        demand(buffer[again.payload].elementsEqual(payload), "the payload reads back")
    }
}
