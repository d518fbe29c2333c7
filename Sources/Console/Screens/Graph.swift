/// Values over time, drawn in the densest characters the terminal has.
///
/// Time is cut into columns at fixed wall-clock moments, so a column once drawn does not change until it leaves the
/// screen: a calm graph costs a few bytes per column instead of a repaint per second. What was not measured stays
/// blank; a measured zero is a dot on the floor.
struct Graph {
    /// How the seconds of one column become one value.
    enum Fold {
        /// For rates.
        case mean
        /// For what must not be overlooked: latency, loss.
        case worst
    }

    var series: Series
    var window: Int
    var maximum: Double
    var role: Role
    var fold = Fold.mean

    /// Draws into `rect`, which has no axis.
    func draw(_ rect: Rect, on canvas: inout Canvas) {
        guard rect.width > 0, rect.height > 0 else { return }
        let dots = canvas.glyphs.dotsPerCell
        let samples = columns(rect.width, perCell: dots.across)
        guard samples.count == rect.width * dots.across else { return }
        for column in 0..<rect.width {
            let heights = (0..<dots.across).map { height(samples[column * dots.across + $0], rect.height * dots.up) }
            for row in 0..<rect.height {
                let below = row * dots.up
                let inCell = heights.map { min(max(0, $0 - below), dots.up) }
                guard let scalar = canvas.glyphs.cell(inCell) else { continue }
                let level = rect.height > 1 ? row * (Style.levels - 1) / (rect.height - 1) : Style.levels / 2
                canvas.cell(scalar, rect.x + column, rect.bottom - 1 - row, role, level: UInt8(level))
            }
        }
    }

    /// One value per half column (or column), oldest first.
    ///
    /// Sample `n` covers the seconds from `n × window / count` on, counted from the Unix epoch: a grid that stands
    /// still while the newest column fills.
    func columns(_ width: Int, perCell: Int) -> [Double?] {
        let count = Int64(width * perCell)
        let window = Int64(window)
        guard count > 0, window > 0 else { return [] }
        let newest = floorDivide(series.endSecond &* count, window)
        let last = floorDivide(newest, Int64(perCell)) * Int64(perCell) + Int64(perCell) - 1
        return (last - count + 1...last).map { sample in
            guard sample <= newest else { return nil }
            let first = ceilingDivide(sample * window, count)
            let end = ceilingDivide((sample + 1) * window, count)
            // More samples than seconds: neighbours show the same second.
            return first < end ? fold(first..<end) : series.value(at: floorDivide(sample * window, count))
        }
    }

    private func fold(_ seconds: Range<Int64>) -> Double? {
        var sum = 0.0
        var worst = -Double.infinity
        var measured = 0
        for second in seconds {
            guard let value = series.value(at: second) else { continue }
            sum += value
            worst = max(worst, value)
            measured += 1
        }
        guard measured > 0 else { return nil }
        return fold == .mean ? sum / Double(measured) : worst
    }

    private func height(_ value: Double?, _ available: Int) -> Int {
        guard let value, value.isFinite else { return 0 }
        guard value > 0, maximum > 0 else { return 1 }
        return Int((value / maximum * Double(available)).rounded().clamped(to: 1...Double(max(1, available))))
    }

    /// The next step of 1, 2, 5, 10 … above `value`.
    static func scale(above value: Double, atLeast floor: Double) -> Double {
        let wanted = max(value.isFinite ? value : 0, floor)
        guard wanted > 0 else { return 1 }
        var step = 1.0
        while step < wanted, step < 1e18 { step *= 10 }
        while step / 10 >= wanted, step > 1e-9 { step /= 10 }
        for part in [0.2, 0.5] where step * part >= wanted { return step * part }
        return step
    }
}

/// One value a second, the newest belonging to `endSecond` (seconds since the Unix epoch).
struct Series: Equatable, Sendable {
    let values: [Double?]
    let endSecond: Int64
    /// The relay has been asked and has not answered yet: nothing is known, not even that nothing was measured.
    private(set) var isAwaited = false

    /// What is shown until the answer comes.
    static let awaited: Series = {
        var series = Series()
        series.isAwaited = true
        return series
    }()

    /// - Parameter endSecond: Kept within a few thousand years, so that no arithmetic on it overflows.
    init(values: [Double?] = [], endSecond: Int64 = 0) {
        self.values = values
        self.endSecond = endSecond.clamped(to: -100_000_000_000...100_000_000_000)
    }

    func value(at second: Int64) -> Double? {
        let index = Int64(values.count) - 1 - (endSecond - second)
        guard index >= 0, index < Int64(values.count), let value = values[Int(index)], value.isFinite else {
            return nil
        }
        return value
    }

    /// Smallest, largest and newest value of the last `seconds`.
    func summary(_ seconds: Int) -> (minimum: Double, maximum: Double, last: Double?)? {
        var result: (minimum: Double, maximum: Double)?
        for case .some(let value) in values.suffix(seconds) where value.isFinite {
            result = (min(result?.minimum ?? value, value), max(result?.maximum ?? value, value))
        }
        guard let result else { return nil }
        return (result.minimum, result.maximum, values.last ?? nil)
    }
}

extension Glyphs {
    /// Points of a graph that fit into one cell.
    var dotsPerCell: (across: Int, up: Int) {
        switch self {
        case .braille: (2, 4)
        case .block: (1, 8)
        case .ascii: (1, 2)
        }
    }

    /// The character for columns of the given heights; `nil` for none.
    func cell(_ heights: [Int]) -> Unicode.Scalar? {
        guard let left = heights.first, heights.contains(where: { $0 > 0 }) else { return nil }
        switch self {
        case .braille:
            let right = heights.count > 1 ? heights[1] : 0
            let leftBits: [UInt32] = [0, 0x40, 0x44, 0x46, 0x47]
            let rightBits: [UInt32] = [0, 0x80, 0xA0, 0xB0, 0xB8]
            return Unicode.Scalar(0x2800 + leftBits[left.clamped(to: 0...4)] + rightBits[right.clamped(to: 0...4)])
        case .block: return Unicode.Scalar(0x2580 + UInt32(left.clamped(to: 1...8)))
        case .ascii: return left > 1 ? ":" : "."
        }
    }
}

/// A row of eighth blocks: shape only, no numbers to be read from it.
func sparkline(_ series: Series, width: Int, secondsPerCell: Int, glyphs: Glyphs) -> String {
    let graph = Graph(series: series, window: width * secondsPerCell, maximum: 1, role: .text)
    let values = graph.columns(width, perCell: 1)
    let top = values.compactMap { $0 }.max() ?? 0
    var line = String.UnicodeScalarView()
    for value in values {
        guard let value else {
            line.append(" ")
            continue
        }
        // Seven eighths at most: a blank line stays between the rows of a table.
        let level = top > 0 ? Int((value / top * 7).rounded()).clamped(to: 1...7) : 1
        line.append(
            glyphs == .ascii ? (level > 5 ? ":" : level > 1 ? "." : "_") : Unicode.Scalar(0x2580 + UInt32(level)) ?? " "
        )
    }
    return String(line)
}

private func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
    let quotient = value / divisor
    return value % divisor < 0 ? quotient - 1 : quotient
}

private func ceilingDivide(_ value: Int64, _ divisor: Int64) -> Int64 { -floorDivide(-value, divisor) }
