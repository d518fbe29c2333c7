/// A 24-bit colour.
public struct RGB: Hashable, Sendable {
    /// 0…255.
    public var red: UInt8
    /// 0…255.
    public var green: UInt8
    /// 0…255.
    public var blue: UInt8

    /// Creates a colour.
    public init(_ red: UInt8, _ green: UInt8, _ blue: UInt8) {
        self.red = red
        self.green = green
        self.blue = blue
    }

    /// `0xRRGGBB`.
    public var packed: Int32 { Int32(red) << 16 | Int32(green) << 8 | Int32(blue) }

    /// Parses `#rrggbb`.
    init?(hex text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard bytes.count == 7, bytes[0] == UInt8(ascii: "#") else { return nil }
        var value: UInt32 = 0
        for byte in bytes[1...] {
            let digit: UInt32
            switch byte {
            case 0x30...0x39: digit = UInt32(byte - 0x30)
            case 0x41...0x46: digit = UInt32(byte - 0x41 + 10)
            case 0x61...0x66: digit = UInt32(byte - 0x61 + 10)
            default: return nil
            }
            value = value << 4 | digit
        }
        self.init(UInt8(value >> 16 & 0xFF), UInt8(value >> 8 & 0xFF), UInt8(value & 0xFF))
    }

    /// The colour a part of the way to another, mixed in OKLab so that the steps look even.
    func mixed(with other: RGB, _ part: Double) -> RGB {
        let a = OKLab(self)
        let b = OKLab(other)
        return OKLab(
            lightness: a.lightness + (b.lightness - a.lightness) * part,
            a: a.a + (b.a - a.a) * part,
            b: a.b + (b.b - a.b) * part
        ).rgb
    }

    /// The index among xterm's 256 colours that looks most alike. The first 16 are never used: users redefine them.
    public var nearest256: UInt8 {
        let wanted = OKLab(self)
        var best: (index: UInt8, distance: Double) = (16, .infinity)
        for (offset, lab) in xtermColours.enumerated() {
            let distance = wanted.distance(to: lab)
            if distance < best.distance { best = (UInt8(16 + offset), distance) }
        }
        return best.index
    }

    /// Relative luminance (WCAG 2).
    public var luminance: Double {
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }

    /// Contrast ratio to another colour, 1…21 (WCAG 2).
    public func contrast(to other: RGB) -> Double {
        let a = luminance
        let b = other.luminance
        return (max(a, b) + 0.05) / (min(a, b) + 0.05)
    }
}

/// Björn Ottosson's perceptual colour space: equal distances look equally different.
public struct OKLab: Sendable {
    /// 0…1.
    public var lightness: Double
    /// Green to red.
    public var a: Double
    /// Blue to yellow.
    public var b: Double

    init(lightness: Double, a: Double, b: Double) {
        self.lightness = lightness
        self.a = a
        self.b = b
    }

    /// Converts from sRGB.
    public init(_ colour: RGB) {
        self.init(linearRed: linear(colour.red), green: linear(colour.green), blue: linear(colour.blue))
    }

    /// Converts from linear light, each 0…1.
    public init(linearRed red: Double, green: Double, blue: Double) {
        let l = root(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue, 3)
        let m = root(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue, 3)
        let s = root(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue, 3)
        lightness = 0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s
        a = 1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s
        b = 0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s
    }

    /// How different two colours look.
    public func distance(to other: OKLab) -> Double {
        let dl = lightness - other.lightness
        let da = a - other.a
        let db = b - other.b
        return (dl * dl + da * da + db * db).squareRoot()
    }

    var rgb: RGB {
        let l = lightness + 0.3963377774 * a + 0.2158037573 * b
        let m = lightness - 0.1055613458 * a - 0.0638541728 * b
        let s = lightness - 0.0894841775 * a - 1.2914855480 * b
        let (l3, m3, s3) = (l * l * l, m * m * m, s * s * s)
        return RGB(
            encoded(4.0767416621 * l3 - 3.3077115913 * m3 + 0.2309699292 * s3),
            encoded(-1.2684380046 * l3 + 2.6097574011 * m3 - 0.3413193965 * s3),
            encoded(-0.0041960863 * l3 - 0.7034186147 * m3 + 1.7076147010 * s3)
        )
    }
}

/// Colours 16…255 of xterm: a 6×6×6 cube, then 24 greys.
private let xtermColours: [OKLab] = {
    let steps: [UInt8] = [0, 95, 135, 175, 215, 255]
    var colours: [OKLab] = []
    for red in steps {
        for green in steps {
            for blue in steps { colours.append(OKLab(RGB(red, green, blue))) }
        }
    }
    for grey in 0..<24 { colours.append(OKLab(RGB(UInt8(8 + 10 * grey), UInt8(8 + 10 * grey), UInt8(8 + 10 * grey)))) }
    return colours
}()

/// sRGB component to linear light, 0…1.
public func linear(_ component: UInt8) -> Double {
    let value = Double(component) / 255
    guard value > 0.04045 else { return value / 12.92 }
    // x^2.4 = x² · (x²)^(1/5)
    let base = (value + 0.055) / 1.055
    return base * base * root(base * base, 5)
}

private func encoded(_ linear: Double) -> UInt8 {
    let value = linear.clamped(to: 0...1)
    // x^(1/2.4) = (x^5)^(1/12)
    let coded = value <= 0.0031308 ? value * 12.92 : 1.055 * root(value * value * value * value * value, 12) - 0.055
    return UInt8((coded * 255).rounded().clamped(to: 0...255))
}

/// The `degree`-th root by Newton's method: the standard library has no powers of real numbers.
private func root(_ value: Double, _ degree: Int) -> Double {
    guard value > 0 else { return 0 }
    var guess = value < 1 ? 1.0 : value
    for _ in 0..<200 {
        var power = 1.0
        for _ in 1..<degree { power *= guess }
        let next = (Double(degree - 1) * guess + value / power) / Double(degree)
        if abs(next - guess) <= guess * 1e-12 { return next }
        guess = next
    }
    return guess
}
