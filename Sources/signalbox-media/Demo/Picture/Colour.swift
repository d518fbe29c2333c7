/// A colour as BT.709 limited-range samples.
struct Colour {
    /// Luma, 16 (black) to 235 (white).
    var y: UInt8
    /// Blue difference, 128 is grey.
    var u: UInt8
    /// Red difference, 128 is grey.
    var v: UInt8

    /// Converts red, green and blue, each 0 to 1.
    init(red: Double, green: Double, blue: Double) {
        let luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        y = Self.sample(16 + 219 * luma)
        u = Self.sample(128 + 224 * (blue - luma) / 1.8556)
        v = Self.sample(128 + 224 * (red - luma) / 1.5748)
    }

    /// Converts hue (in turns, 0 is red), saturation and brightness, the latter two 0 to 1.
    init(hue: Double, saturation: Double, brightness: Double) {
        func channel(_ offset: Double) -> Double {
            let position = (hue * 6 + offset).truncatingRemainder(dividingBy: 6)
            return brightness * (1 - saturation * max(0, min(position, 4 - position, 1)))
        }
        self.init(red: channel(5), green: channel(3), blue: channel(1))
    }

    private static func sample(_ value: Double) -> UInt8 { UInt8(max(16, min(240, value.rounded()))) }

    static let white = Colour(red: 1, green: 1, blue: 1)
    static let black = Colour(red: 0, green: 0, blue: 0)
}
