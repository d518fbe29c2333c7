import RTP
import TestSupport
import Testing
import Wire

@Suite struct RTPHeaderTests {
    @Test func `CSRCs, extension and padding are taken off`() throws {
        var packet: [UInt8] = [0xB2, 0xE0, 0x12, 0x34, 0, 0, 0, 9, 0xDE, 0xAD, 0xBE, 0xEF]
        packet += [UInt8](repeating: 0xCC, count: 8)
        packet += [0xAB, 0xAC, 0, 2] + [UInt8](repeating: 0xEE, count: 8)
        packet += [1, 2, 3, 0, 0, 3]
        let header = try RTPHeader(parsing: packet)
        #expect(header.marker)
        #expect(header.payloadType == 96)
        #expect(header.sequenceNumber == 0x1234)
        #expect(header.timestamp == 9)
        #expect(header.ssrc == 0xDEAD_BEEF)
        #expect(Array(packet[header.payload]) == [1, 2, 3])
        let shifted = try RTPHeader(parsing: ([7, 7, 7] + packet)[3...])
        #expect(shifted.payload == header.payload.lowerBound + 3..<header.payload.upperBound + 3)
    }

    @Test func `lengths that lie are refused`() {
        let fixed: [UInt8] = [96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]
        func parse(_ first: UInt8, _ rest: [UInt8]) throws -> RTPHeader {
            try RTPHeader(parsing: [first] + fixed + rest)
        }
        #expect(throws: RTPParseError.version(1)) { try parse(0x40, []) }
        #expect(throws: RTPParseError.truncated) { try RTPHeader(parsing: [0x80, 96, 0]) }
        #expect(throws: RTPParseError.truncated) { try parse(0x8F, [1]) }
        #expect(throws: RTPParseError.truncated) { try parse(0x90, [0xBE, 0xDE]) }
        #expect(throws: RTPParseError.truncated) { try parse(0x9F, [0xBE, 0xDE, 0xFF, 0xFF]) }
        #expect(throws: RTPParseError.truncated) { try parse(0x90, [0xBE, 0xDE, 0xFF, 0xFF, 1, 2, 3, 4]) }
        #expect(throws: RTPParseError.padding) { try parse(0xA0, [1, 2, 0]) }
        #expect(throws: RTPParseError.padding) { try parse(0xA0, [1, 2, 4]) }
        #expect(throws: RTPParseError.padding) { try parse(0xA0, []) }
    }

    @Test func `no input traps and every payload lies inside`() {
        let packet: [UInt8] = [
            0xB1, 0xE0, 1, 2, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 0xBE, 0xDE, 0, 1, 1, 2, 3, 4, 9, 9, 2,
        ]
        sweep([packet], mutations: 10_000) { input in
            let header = try RTPHeader(parsing: input)
            #expect(header.payload.lowerBound >= 12 && header.payload.upperBound <= input.count)
        }
    }

    @Test func `what the writer writes the parser reads`() throws {
        var buffer = [UInt8](repeating: 0xAA, count: 100)
        let (count, headerLength) = buffer.withUnsafeMutableBytes { buffer in
            var writer = RTPPacketWriter(
                into: buffer,
                marker: true,
                payloadType: 102,
                sequenceNumber: 65_535,
                timestamp: 0xFFFF_FFFE,
                ssrc: 0x1234_5678
            )
            writer.appendExtension(3, value: 0x0A0B, length: 2)
            writer.appendExtension(4, bytes: Array("0".utf8))
            writer.appendExtension(5, value: 0x010203, length: 3)
            writer.append(originalSequenceNumber: 0x0102)
            writer.append(payload: [7, 8, 9])
            return (writer.count, writer.headerLength)
        }
        let packet = Array(buffer.prefix(count))
        let header = try RTPHeader(parsing: packet)
        #expect(header.marker)
        #expect(header.payloadType == 102)
        #expect(header.sequenceNumber == 65_535)
        #expect(header.timestamp == 0xFFFF_FFFE)
        #expect(header.ssrc == 0x1234_5678)
        #expect(header.payload.lowerBound == headerLength)
        #expect(Array(packet[header.payload]) == [1, 2, 7, 8, 9])
        #expect(packet[12..<headerLength].hexadecimal == "bede0003" + "310a0b" + "4030" + "52010203" + "000000")
    }

    @Test func `what does not fit is not written`() {
        for size in 0..<40 {
            var buffer = [UInt8](repeating: 0xAA, count: 64)
            let (count, overflowed) = buffer.withUnsafeMutableBytes { all in
                var writer = RTPPacketWriter(
                    into: UnsafeMutableRawBufferPointer(rebasing: all[..<size]),
                    marker: false,
                    payloadType: 0,
                    sequenceNumber: 0,
                    timestamp: 0,
                    ssrc: 0
                )
                writer.appendExtension(1, value: 1, length: 4)
                writer.append(payload: [1, 2, 3, 4, 5, 6, 7, 8])
                return (writer.count, writer.overflowed)
            }
            #expect(count <= size)
            #expect(overflowed == (size < 32))
            #expect(buffer[size...].allSatisfy { $0 == 0xAA })
        }
    }
}
