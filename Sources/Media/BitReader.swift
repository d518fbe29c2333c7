/// A cursor over single bits, most significant first. Every read is bounds-checked; nothing traps.
public struct BitReader: Sendable {
    private let bytes: [UInt8]
    private var position = 0

    /// The input ended before the field that was being read, or an exp-Golomb code is longer than 32 bits.
    public struct Exhausted: Error, Equatable, Sendable {
        /// Creates the error.
        public init() {}
    }

    /// Reads all bits of `bytes`.
    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Bits not yet read.
    public var remaining: Int { bytes.count * 8 - position }

    /// Reads one bit.
    public mutating func readFlag() throws(Exhausted) -> Bool { try readBits(1) == 1 }

    /// Reads `count` bits, 0 to 32, as an unsigned number.
    public mutating func readBits(_ count: Int) throws(Exhausted) -> UInt32 {
        guard (0...32).contains(count), remaining >= count else { throw Exhausted() }
        var value: UInt32 = 0
        for _ in 0..<count {
            value = value << 1 | UInt32(bytes[position >> 3] >> UInt8(7 - position & 7) & 1)
            position += 1
        }
        return value
    }

    /// Skips `count` bits.
    public mutating func skip(_ count: Int) throws(Exhausted) {
        guard count >= 0, remaining >= count else { throw Exhausted() }
        position += count
    }

    /// Reads an unsigned exp-Golomb code, `ue(v)` (ITU-T H.264 §9.1).
    public mutating func readUnsignedExpGolomb() throws(Exhausted) -> UInt32 {
        var zeros = 0
        while try !readFlag() {
            zeros += 1
            guard zeros < 32 else { throw Exhausted() }
        }
        // Below 2³² − 1 because there are at most 31 leading zeros.
        return (UInt32(1) << UInt32(zeros) - 1) + (try readBits(zeros))
    }

    /// Reads a signed exp-Golomb code, `se(v)` (ITU-T H.264 §9.1.1).
    public mutating func readSignedExpGolomb() throws(Exhausted) -> Int32 {
        let code = try readUnsignedExpGolomb()
        let magnitude = Int32(truncatingIfNeeded: (UInt64(code) + 1) / 2)
        return code & 1 == 1 ? magnitude : -magnitude
    }
}
