import TestSupport
import Testing
import Wire

/// Reading received bytes: network order, checked at every step.
struct ByteReaderTests {
    @Test func `integers are read in network order`() throws {
        var reader = ByteReader(Array(1...15))
        #expect(try reader.readUInt8() == 0x01)
        #expect(try reader.readUInt16() == 0x0203)
        #expect(try reader.readUInt32() == 0x0405_0607)
        #expect(try reader.readUInt64() == 0x0809_0A0B_0C0D_0E0F)
        #expect(reader.isAtEnd)
    }

    @Test func `what is written in network order is read back`() throws {
        var bytes: [UInt8] = []
        bytes.append(UInt16(0xABCD))
        bytes.append24(0xFF01_0203)
        bytes.append(UInt32(0xDEAD_BEEF))
        bytes.append(UInt64(0x0123_4567_89AB_CDEF))
        bytes.write(UInt16(0x1122), at: 0)
        bytes.write(UInt32(0x3344_5566), at: 5)
        var reader = ByteReader(bytes)
        #expect(try reader.readUInt16() == 0x1122)
        #expect(Array(try reader.readBytes(3)) == [1, 2, 3])
        #expect(try reader.readUInt32() == 0x3344_5566)
        #expect(try reader.readUInt64() == 0x0123_4567_89AB_CDEF)
    }

    @Test func `offsets count from the start of the slice that is read`() throws {
        let bytes: [UInt8] = [9, 9, 1, 2, 3, 4, 9]
        var reader = ByteReader(bytes[2..<6])
        #expect(reader.offset == 0)
        #expect(reader.remaining == 4)
        #expect(reader.peek() == 1)
        try reader.skip(1)
        #expect(reader.offset == 1)
        #expect(Array(try reader.readBytes(2)) == [2, 3])
        #expect(Array(reader.readRest()) == [4])
        #expect(reader.isAtEnd)
        #expect(reader.peek() == nil)
        #expect(reader.readRest().isEmpty)
    }

    @Test func `a field that does not fit is told with offset, need and what was left, and nothing is consumed`() {
        func check(_ needed: Int, _ read: (inout ByteReader) throws(Truncated) -> Void) {
            var reader = ByteReader([UInt8](repeating: 7, count: needed))
            #expect(throws: Never.self) { try reader.skip(1) }
            #expect(throws: Truncated(offset: 1, needed: needed, available: needed - 1)) { try read(&reader) }
            #expect(reader.offset == 1)
        }
        check(1) { reader throws(Truncated) in _ = try reader.readUInt8() }
        check(2) { reader throws(Truncated) in _ = try reader.readUInt16() }
        check(4) { reader throws(Truncated) in _ = try reader.readUInt32() }
        check(8) { reader throws(Truncated) in _ = try reader.readUInt64() }
        check(5) { reader throws(Truncated) in _ = try reader.readBytes(5) }
        check(6) { reader throws(Truncated) in try reader.skip(6) }
    }

    @Test(arguments: [-1, Int.min, Int.max])
    func `a count that came from outside cannot leave the input`(count: Int) {
        var reader = ByteReader([1, 2, 3])
        #expect(throws: Truncated.self) { try reader.readBytes(count) }
        #expect(throws: Truncated.self) { try reader.skip(count) }
        #expect(reader.remaining == 3)
    }

    @Test func `an empty input is at its end at once`() {
        var reader = ByteReader([])
        #expect(reader.isAtEnd)
        #expect(throws: Truncated(offset: 0, needed: 1, available: 0)) { try reader.readUInt8() }
    }
}

/// Hexadecimal text.
struct HexadecimalTests {
    @Test func `bytes become lower-case digits`() {
        #expect([UInt8]([0x00, 0x0F, 0xA0, 0xFF]).hexadecimal == "000fa0ff")
        #expect([UInt8]().hexadecimal.isEmpty)
    }

    @Test func `digits of either case become bytes, blanks and line ends are skipped`() {
        #expect([UInt8](hexadecimal: "00 0f\nA0fF") == [0x00, 0x0F, 0xA0, 0xFF])
        #expect([UInt8](hexadecimal: "") == [])
    }

    @Test(arguments: ["0", "000", "0g", "-1", "0x00", "é0"])
    func `anything else is refused`(text: String) {
        #expect([UInt8](hexadecimal: text) == nil)
    }

    @Test func `bytes survive the way through text`() {
        var random = SeededGenerator(seed: 3)
        let bytes = (0..<1_000).map { _ in UInt8.random(in: 0...255, using: &random) }
        #expect([UInt8](hexadecimal: bytes.hexadecimal) == bytes)
    }
}
