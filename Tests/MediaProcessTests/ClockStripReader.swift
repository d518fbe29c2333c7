/// Reads the machine-readable clock of a demo picture from grey samples, as a page would from a canvas.
///
/// 48 cells of equal width: white, black, 42 bits of Unix milliseconds, 4 bits of check.
enum ClockStripReader {
    /// The time in the first row of `rows`, in milliseconds; `nil` when the strip cannot be trusted.
    static func milliseconds(_ row: ArraySlice<UInt8>) -> Int64? {
        let cells = (0..<48).map { cell -> Int in
            let middle = row.startIndex + (2 * cell + 1) * row.count / 96
            return (-2...2).reduce(0) { $0 + Int(row[middle + $1]) } / 5
        }
        guard cells[0] - cells[1] > 100 else { return nil }
        let threshold = (cells[0] + cells[1]) / 2
        let bits = cells.map { $0 > threshold ? Int64(1) : 0 }
        let time = bits[2..<44].reduce(0) { $0 << 1 | $1 }
        let check = bits[44...].reduce(0) { $0 << 1 | $1 }
        let folded = stride(from: 0, to: 44, by: 4).reduce(Int64(0)) { $0 ^ (time >> Int64($1) & 0xF) }
        return folded == check ? time : nil
    }

    /// The times of all pictures in a raw grey stream that was cropped to one row.
    static func times(_ bytes: [UInt8], width: Int) -> [Int64?] {
        stride(from: 0, to: bytes.count - width + 1, by: width).map { milliseconds(bytes[$0..<$0 + width]) }
    }
}
