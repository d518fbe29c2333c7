/// A time written into video so that whoever gets any part of it knows when it was sent.
///
/// Slices of the synthetic camera consist of blocks of ``blockLength`` bytes that begin with a stamp: a fixed word and
/// the wall clock in nanoseconds, seven bits a byte. A relay may cut slices into packets where it likes. No byte is
/// zero, so nothing looks like a start code.
enum Stamp {
    static let blockLength = 64
    private static let word = Array("sb-stamp".utf8)
    private static let timeLength = 10

    /// Fills `bytes` from `start` on with blocks.
    static func fill(_ bytes: inout [UInt8], from start: Int, time: Int64) {
        var block = word
        for index in 0..<timeLength { block.append(0x80 | UInt8(truncatingIfNeeded: time >> Int64(7 * index)) & 0x7F) }
        while block.count < blockLength { block.append(0x55) }
        var position = start
        while position < bytes.count {
            let end = min(position + blockLength, bytes.count)
            bytes.replaceSubrange(position..<end, with: block[..<(end - position)])
            position = end
        }
    }

    /// Changes the time of all blocks.
    static func update(_ bytes: inout [UInt8], from start: Int, time: Int64) {
        bytes.withUnsafeMutableBufferPointer { bytes in
            var position = start + word.count
            while position + timeLength <= bytes.count {
                for index in 0..<timeLength {
                    bytes[position + index] = 0x80 | UInt8(truncatingIfNeeded: time >> Int64(7 * index)) & 0x7F
                }
                position += blockLength
            }
        }
    }

    /// The time in the first whole stamp of `bytes`.
    static func find(in bytes: ArraySlice<UInt8>) -> Int64? {
        let last = min(bytes.endIndex - word.count - timeLength, bytes.startIndex + blockLength)
        guard last >= bytes.startIndex else { return nil }
        for start in bytes.startIndex...last where bytes[start] == word[0] {
            guard bytes[start..<start + word.count].elementsEqual(word) else { continue }
            var time: Int64 = 0
            for index in 0..<timeLength {
                time |= Int64(bytes[start + word.count + index] & 0x7F) << Int64(7 * index)
            }
            return time
        }
        return nil
    }
}
