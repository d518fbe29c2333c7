/// The machine-readable clock along the top edge of a demo picture.
///
/// The strip is 48 cells of equal width, left to right; cell `i` spans the columns `i·width/48` to `(i+1)·width/48`.
/// It is `height/22` rows high, at least 16 (32 rows at 720). A cell is white (1) or black (0):
///
///     cell   0        1        2 … 43                                   44 … 47
///            white    black    Unix time in milliseconds, 42 bits,      check: exclusive or of the
///            (levels of 1, 0)  most significant bit first               42 bits taken in fours
///
/// For the check the 42 bits are padded with two zeros in front, which makes 11 groups of four. A reader averages the
/// middle of each cell, takes the mean of cells 0 and 1 as its threshold, and refuses a picture where those two are
/// not far apart or the check does not fit. That survives scaling, any H.264 quality worth watching, and a picture
/// torn between two times. The time is that of drawing, just before the picture is encoded.
enum ClockStrip {
    static let cellCount = 48

    /// The rows the strip covers in a picture of `height` rows.
    static func rows(pictureHeight height: Int) -> Int { max(16, height / 22 & ~1) }

    /// The 48 cells for a time, cell 0 in the most significant of the low 48 bits.
    static func cells(unixMilliseconds: Int64) -> UInt64 {
        let time = UInt64(bitPattern: unixMilliseconds) & (1 << 42 - 1)
        var check: UInt64 = 0
        var rest = time
        while rest != 0 {
            check ^= rest & 0xF
            rest >>= 4
        }
        return 0b10 << 46 | time << 4 | check
    }

    /// Draws the cells that differ from `previous`, or all of them when that is `nil`.
    static func draw(_ cells: UInt64, previous: UInt64?, on canvas: Canvas) {
        let height = rows(pictureHeight: canvas.height)
        let changed = previous.map { $0 ^ cells } ?? .max
        for cell in 0..<cellCount {
            let bit = UInt64(1) << UInt64(cellCount - 1 - cell)
            guard changed & bit != 0 else { continue }
            let left = cell * canvas.width / cellCount
            let right = (cell + 1) * canvas.width / cellCount
            canvas.fill(x: left, y: 0, width: right - left, height: height, cells & bit != 0 ? .white : .black)
        }
    }
}
