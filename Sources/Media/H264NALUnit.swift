/// The NAL unit types a relay switches on (ITU-T H.264 table 7-1, RFC 6184 table 1).
public enum H264NALUnitType: UInt8, Sendable {
    /// A slice of a picture that is not an IDR picture.
    case slice = 1
    /// Slice data partition A; not supported by browsers.
    case partitionA = 2
    /// Slice data partition B; not supported by browsers.
    case partitionB = 3
    /// Slice data partition C; not supported by browsers.
    case partitionC = 4
    /// A slice of an IDR picture.
    case idrSlice = 5
    /// Supplemental enhancement information.
    case sei = 6
    /// Sequence parameter set.
    case sps = 7
    /// Picture parameter set.
    case pps = 8
    /// Access unit delimiter.
    case accessUnitDelimiter = 9
    /// End of sequence.
    case endOfSequence = 10
    /// End of stream.
    case endOfStream = 11
    /// Filler data.
    case filler = 12
    /// Several NAL units in one RTP payload, without decoding order numbers; exists on RTP only.
    case stapA = 24
    /// A fragment of a NAL unit; exists on RTP only.
    case fuA = 28

    /// The type in a NAL unit's header byte; `nil` for types that no relay needs to know.
    @inlinable public init?(header: UInt8) { self.init(rawValue: header & 0x1F) }

    /// Whether the unit carries a part of a coded picture (VCL).
    @inlinable public var isSlice: Bool { self == .slice || self == .idrSlice }
}

/// Emulation prevention (ITU-T H.264 §7.4.1): in a NAL unit 00 00 03 stands for 00 00.
public enum EmulationPrevention {
    /// `bytes` without emulation prevention bytes; a trailing 00 00 03 loses its 03 as well.
    public static func strip(_ bytes: some Collection<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var zeros = 0
        for byte in bytes {
            if zeros >= 2, byte == 3 {
                zeros = 0
                continue
            }
            zeros = byte == 0 ? zeros + 1 : 0
            result.append(byte)
        }
        return result
    }
}

/// The byte stream format with start codes (ITU-T H.264 annex B).
public enum AnnexB {
    /// The NAL units between start codes (00 00 01 or 00 00 00 01), without trailing zero bytes and without empty
    /// units. Bytes before the first start code count as a unit, because cameras send NAL units that contain others.
    public static func split(_ bytes: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        var units: [ArraySlice<UInt8>] = []
        var start = bytes.startIndex
        var search = bytes.startIndex
        func finish(at end: Int) {
            var last = end
            while last > start, bytes[last - 1] == 0 { last -= 1 }
            if last > start { units.append(bytes[start..<last]) }
        }
        while let code = startCode(in: bytes[search...]) {
            finish(at: code)
            start = code + 3
            search = start
        }
        finish(at: bytes.endIndex)
        return units
    }

    /// Index of the first 00 00 01, or `nil`.
    public static func startCode(in bytes: ArraySlice<UInt8>) -> Int? {
        bytes.withUnsafeBytes { buffer -> Int? in
            guard buffer.baseAddress != nil else { return nil }
            let ones = SIMD4<UInt64>(repeating: 0x0101_0101_0101_0101)
            let tops: UInt64 = 0x8080_8080_8080_8080
            let end = buffer.count - 2
            var index = 0
            while index < end {
                // Every start code has two zeros side by side, which coded video rarely has: 32 bytes, each with the one
                // after it, are passed in one step where no such pair is zero.
                while index + 33 <= buffer.count {
                    let pairs =
                        buffer.loadUnaligned(fromByteOffset: index, as: SIMD4<UInt64>.self)
                        | buffer.loadUnaligned(fromByteOffset: index + 1, as: SIMD4<UInt64>.self)
                    let zeros = (pairs &- ones) & ~pairs
                    if (zeros[0] | zeros[1] | zeros[2] | zeros[3]) & tops != 0 { break }
                    index += 32
                }
                let stop = min(index + 32, end)
                while index < stop {
                    if buffer[index] == 0, buffer[index + 1] == 0, buffer[index + 2] == 1 { return index }
                    index += 1
                }
            }
            return nil
        }.map { bytes.startIndex + $0 }
    }
}
