import Media
import TestSupport
import Testing

@Suite struct BitstreamTests {
    @Test func `exp-Golomb codes follow ITU-T H.264 table 9-2`() throws {
        // 1 010 011 00100 00101 00110 00111 0001000, then padding.
        var unsigned = BitReader([0b1010_0110, 0b0100_0010, 0b1001_1000, 0b1110_0010, 0b0000_0000])
        for expected in UInt32(0)...7 { #expect(try unsigned.readUnsignedExpGolomb() == expected) }
        var signed = BitReader([0b1010_0110, 0b0100_0010, 0b1001_1000, 0b1110_0010, 0b0000_0000])
        for expected in [Int32(0), 1, -1, 2, -2, 3, -3, 4] { #expect(try signed.readSignedExpGolomb() == expected) }
    }

    @Test func `the longest code is read and a longer one refused`() throws {
        var longest = BitReader([0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFE])
        #expect(try longest.readUnsignedExpGolomb() == UInt32.max - 1)
        var signed = BitReader([0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFE])
        #expect(try signed.readSignedExpGolomb() == -Int32.max)
        var tooLong = BitReader([UInt8](repeating: 0, count: 20))
        #expect(throws: BitReader.Exhausted.self) { try tooLong.readUnsignedExpGolomb() }
    }

    @Test func `emulation prevention is removed`() {
        #expect(EmulationPrevention.strip([0, 0, 3, 1, 0, 0, 3, 0, 0, 3]) == [0, 0, 1, 0, 0, 0, 0])
        #expect(EmulationPrevention.strip([0, 3, 0, 0, 4, 0, 0, 3, 3]) == [0, 3, 0, 0, 4, 0, 0, 3])
        #expect(EmulationPrevention.strip([]) == [])
    }

    @Test func `start codes of three and four bytes split a byte stream`() {
        let stream: [UInt8] = [0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2, 0, 0, 0, 0, 1, 0x65, 3, 0, 0]
        #expect(AnnexB.split(stream[...]).map(Array.init) == [[0x67, 1], [0x68, 2], [0x65, 3]])
        #expect(AnnexB.split([0x67, 9]).map(Array.init) == [[0x67, 9]])
        #expect(AnnexB.split([0x67, 9, 0, 0, 1]).map(Array.init) == [[0x67, 9]])
        #expect(AnnexB.split([]).isEmpty)
        #expect(AnnexB.split([0, 0, 1, 0, 0, 1]).isEmpty)
    }

    @Test(arguments: UInt64(0)..<20) func `the fast search finds what a plain one finds`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let bytes = (0..<Int.random(in: 0...24, using: &random)).map { _ in
                UInt8.random(in: 0...2, using: &random)
            }
            let plain = bytes.indices.dropLast(2).first {
                bytes[$0] == 0 && bytes[$0 + 1] == 0 && bytes[$0 + 2] == 1
            }
            #expect(AnnexB.startCode(in: bytes[...]) == plain)
            let slice = ([7, 7] + bytes)[2...]
            #expect(AnnexB.startCode(in: slice) == plain.map { $0 + 2 })
        }
    }
}
