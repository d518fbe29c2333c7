/// The demo camera's view: a railway line in the camera's own hue, its name, the wall clock, and the clock strip.
///
/// The backdrop is drawn once. A picture then costs the rows the train is in, the digits that changed and the strip.
/// Everything is placed on a grid of 1280×720 and scaled to the real size. The signal shows green for the first
/// 100 ms of each second, together with the beep.
struct TestPicture {
    /// The picture to encode.
    let canvas: Canvas
    private let backdrop: Canvas
    private let hue: Double
    private let scale: Double
    private var strip: UInt64?
    private var clock = [UInt8](repeating: 0, count: "00:00:00.00".utf8.count)
    private var second: Int64?
    private var calendar = CalendarSecond(unixSeconds: 0)
    private var lampLit: Bool?

    /// - Parameter hue: In turns; 0 is red.
    init(name: String, hue: Double, width: Int, height: Int) throws(MediaError) {
        backdrop = try Canvas(width: width, height: height)
        canvas = try Canvas(width: width, height: height)
        self.hue = hue
        scale = min(Double(width) / 1280, Double(height) / 720)
        paintBackdrop(name: name)
        canvas.copyRows(0..<height, from: backdrop)
    }

    /// Brings the picture to a point in time.
    mutating func draw(unixMilliseconds now: Int64) {
        let cells = ClockStrip.cells(unixMilliseconds: now)
        ClockStrip.draw(cells, previous: strip, on: canvas)
        strip = cells
        drawTrain(unixMilliseconds: now)
        drawLamp(lit: now % 1_000 < Tone.lengthMilliseconds)
        drawClock(unixMilliseconds: now)
    }

    // MARK: What moves

    private mutating func drawClock(unixMilliseconds now: Int64) {
        let nowSecond = now / 1_000
        if nowSecond != second {
            let next = CalendarSecond(unixSeconds: nowSecond)
            if next.date != calendar.date {
                text(next.date, on: canvas, centredAt: 344, dot: 5, lit: 170, dark: panel.y)
            }
            calendar = next
            second = nowSecond
        }
        let hundredths = now % 1_000 / 10
        let characters = Array("\(calendar.time).\(hundredths / 10)\(hundredths % 10)".utf8)
        let dot = length(14)
        let left = centred(characters.count, dot: dot)
        for (index, character) in characters.enumerated() where clock[index] != character {
            let x = left + index * BitmapFont.advance * dot
            canvas.draw(glyph: character, x: x, y: length(212), dot: dot, lit: 225, dark: panel.y)
        }
        clock = characters
    }

    private func drawTrain(unixMilliseconds now: Int64) {
        let (top, bottom) = (length(540), length(628))
        canvas.copyRows(top..<bottom, from: backdrop)
        let body = Colour(hue: hue + 0.5, saturation: 0.55, brightness: 0.75)
        let dark = Colour(hue: hue + 0.5, saturation: 0.6, brightness: 0.35)
        let window = Colour(red: 1, green: 0.93, blue: 0.65)
        let (wagon, gap, wagons) = (length(212) & ~1, length(12) & ~1, 3)
        let train = wagons * (wagon + gap)
        // 160 grid units a second, so that a whole passage takes about twelve seconds.
        let travelled = Double(now % 10_000_000) * 0.160 * scale
        let front = Int(travelled) % (canvas.width + train) - train & ~1
        for index in 0..<wagons {
            let x = front + index * (wagon + gap)
            canvas.fill(x: x, y: top + length(4), width: wagon, height: length(62), body)
            canvas.fill(x: x, y: top + length(50), width: wagon, height: length(16), dark)
            for pane in 0..<4 {
                let paneX = x + length(16) + pane * length(48)
                canvas.fill(x: paneX, y: top + length(16), width: length(34), height: length(24), window)
            }
            for wheel in [24, 52, 140, 168] {
                canvas.fill(x: x + length(wheel), y: top + length(66), width: length(20), height: length(18), .black)
            }
        }
    }

    private mutating func drawLamp(lit: Bool) {
        guard lampLit != lit else { return }
        lampLit = lit
        let red = lit ? Colour(red: 0.22, green: 0.03, blue: 0.03) : Colour(red: 0.85, green: 0.10, blue: 0.08)
        let green = lit ? Colour(red: 0.65, green: 1, blue: 0.7) : Colour(red: 0.04, green: 0.20, blue: 0.07)
        canvas.fill(x: length(1149), y: length(421), width: length(30), height: length(30), red)
        canvas.fill(x: length(1149), y: length(459), width: length(30), height: length(30), green)
    }

    // MARK: What stands still

    private var panel: Colour { Colour(hue: hue, saturation: 0.25, brightness: 0.09) }

    private func paintBackdrop(name: String) {
        paintSky()
        paintLine()
        paintSignal()
        let (dot, count) = (length(8), name.utf8.count)
        panel(on: backdrop, x: 40, y: 56, width: count * BitmapFont.advance * 8 + 24, height: 88)
        for (index, character) in name.utf8.enumerated() {
            let x = length(56) + index * BitmapFont.advance * dot
            backdrop.draw(glyph: character, x: x, y: length(72), dot: dot, lit: 225, dark: panel.y)
        }
        panel(on: backdrop, x: 148, y: 184, width: 984, height: 212)
    }

    /// Two gradients and a range of hills between them.
    private func paintSky() {
        let horizon = length(500)
        for y in 0..<canvas.height {
            let sky = Double(y) / Double(max(1, horizon))
            let ground = Double(y - horizon) / Double(max(1, canvas.height - horizon))
            let colour =
                y < horizon
                ? Colour(hue: hue, saturation: 0.75 - 0.35 * sky, brightness: 0.22 + 0.42 * sky)
                : Colour(hue: hue + 0.08, saturation: 0.35, brightness: 0.30 - 0.14 * ground)
            backdrop.fill(x: 0, y: y, width: canvas.width, height: 1, colour)
        }
        let far = Colour(hue: hue + 0.02, saturation: 0.55, brightness: 0.36)
        let near = Colour(hue: hue + 0.05, saturation: 0.55, brightness: 0.26)
        for x in stride(from: 0, to: canvas.width, by: 2) {
            let position = Double(x) / scale
            let farTop = length(436) - Int(scale * (26 * wave(position, 610) + 14 * wave(position + 90, 233)))
            let nearTop = length(470) - Int(scale * (18 * wave(position + 300, 420) + 9 * wave(position, 151)))
            backdrop.fill(x: x, y: farTop, width: 2, height: horizon - farTop, far)
            backdrop.fill(x: x, y: nearTop, width: 2, height: horizon - nearTop, near)
        }
    }

    /// A smooth wave between −1 and 1 out of parabolas; no trigonometry is needed for hills.
    private func wave(_ position: Double, _ period: Double) -> Double {
        let phase = (position / period).truncatingRemainder(dividingBy: 1)
        let half = phase < 0.5 ? phase * 2 : phase * 2 - 1
        let arch = 4 * half * (1 - half)
        return phase < 0.5 ? arch : -arch
    }

    private func paintLine() {
        let ballast = Colour(hue: hue + 0.08, saturation: 0.15, brightness: 0.36)
        let sleeper = Colour(hue: 0.07, saturation: 0.35, brightness: 0.20)
        let rail = Colour(hue: hue, saturation: 0.08, brightness: 0.75)
        backdrop.fill(x: 0, y: length(622), width: canvas.width, height: length(50), ballast)
        for x in stride(from: 0, to: 1280, by: 48) {
            backdrop.fill(x: length(x), y: length(630), width: length(22), height: length(34), sleeper)
        }
        backdrop.fill(x: 0, y: length(624), width: canvas.width, height: length(6), rail)
        backdrop.fill(x: 0, y: length(654), width: canvas.width, height: length(8), rail)
    }

    private func paintSignal() {
        let mast = Colour(hue: hue, saturation: 0.1, brightness: 0.55)
        backdrop.fill(x: length(1160), y: length(460), width: length(8), height: length(80), mast)
        backdrop.fill(x: length(1140), y: length(412), width: length(48), height: length(86), .black)
    }

    // MARK: The grid

    private func length(_ units: Int) -> Int { Int((Double(units) * scale).rounded()) }

    private func centred(_ characters: Int, dot: Int) -> Int {
        (canvas.width - (characters * BitmapFont.advance - 1) * dot) / 2
    }

    private func panel(on canvas: Canvas, x: Int, y: Int, width: Int, height: Int) {
        let edge = Colour(hue: hue, saturation: 0.3, brightness: 0.5)
        canvas.fill(x: length(x) - 2, y: length(y) - 2, width: length(width) + 4, height: length(height) + 4, edge)
        canvas.fill(x: length(x), y: length(y), width: length(width), height: length(height), panel)
    }

    private func text(_ text: String, on canvas: Canvas, centredAt y: Int, dot: Int, lit: UInt8, dark: UInt8) {
        let dot = max(1, length(dot))
        let left = centred(text.utf8.count, dot: dot)
        for (index, character) in text.utf8.enumerated() {
            let x = left + index * BitmapFont.advance * dot
            canvas.draw(glyph: character, x: x, y: length(y), dot: dot, lit: lit, dark: dark)
        }
    }
}
