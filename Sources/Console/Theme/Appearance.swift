/// How many colours the terminal shows.
public enum ColourDepth: Int, Sendable, CaseIterable, Comparable {
    /// None: `NO_COLOR`, or a terminal without colours.
    case mono
    /// The eight of ECMA-48.
    case eight
    /// These and their bright variants.
    case sixteen
    /// xterm's palette.
    case indexed
    /// Red, green and blue.
    case direct

    /// Whether `lhs` shows less.
    public static func < (lhs: ColourDepth, rhs: ColourDepth) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// A colour as a terminal can be told it.
public enum Paint: Hashable, Sendable {
    /// An exact colour, to be approximated where the terminal cannot.
    case rgb(RGB)
    /// One of the user's own 16 colours.
    case ansi(UInt8)

    /// The names of the 16 colours in theme files, in order.
    public static let names = [
        "black", "red", "green", "yellow", "blue", "magenta", "cyan", "white",
        "brightblack", "brightred", "brightgreen", "brightyellow", "brightblue", "brightmagenta", "brightcyan",
        "brightwhite",
    ]
}

/// The looks of one cell.
public struct Appearance: Hashable, Sendable {
    /// Text colour; `nil` is the terminal's own.
    public var foreground: Paint?
    /// Background colour; `nil` is the terminal's own.
    public var background: Paint?
    /// Bold.
    public var isBold = false
    /// Faint.
    public var isDim = false
    /// Underlined.
    public var isUnderlined = false
    /// Foreground and background exchanged.
    public var isReversed = false

    /// Creates plain looks.
    public init(foreground: Paint? = nil, background: Paint? = nil) {
        self.foreground = foreground
        self.background = background
    }
}

extension Role {
    /// Looks with the user's own 16 colours, where a theme has no say. Eight-colour terminals get bold for bright.
    var sixteenColours: Appearance {
        var looks = Appearance()
        switch self {
        case .text, .dialog: break
        case .dim, .off, .keyOff, .border, .axis, .unknown: looks.foreground = .ansi(8)
        case .keyText, .tab, .headerDim: break
        case .strong, .title, .dialogTitle: looks.isBold = true
        case .borderFocus, .key, .tableHeader, .link: looks.foreground = .ansi(6)
        case .header: looks.isBold = true
        case .brand, .tabActive: looks.isReversed = true
        case .filter, .input, .pending: looks.foreground = .ansi(14)
        case .ok, .graphIn: looks.foreground = .ansi(2)
        case .info, .webrtc, .graphOut: looks.foreground = .ansi(6)
        case .warning, .threshold, .graphLoss: looks.foreground = .ansi(11)
        case .critical, .danger: looks.foreground = .ansi(9)
        case .hls, .graphLatency: looks.foreground = .ansi(13)
        case .graphFrames: looks.foreground = .ansi(12)
        case .badgeOK: looks = Appearance(foreground: .ansi(0), background: .ansi(2))
        case .badgeWarning: looks = Appearance(foreground: .ansi(0), background: .ansi(3))
        case .badgeCritical: looks = Appearance(foreground: .ansi(15), background: .ansi(1))
        case .badgeInfo: looks = Appearance(foreground: .ansi(0), background: .ansi(6))
        }
        if self == .critical || self == .danger || self == .pending { looks.isBold = true }
        return looks
    }

    /// Looks without any colour: weight, underline and reverse only. The meaning is in the words and marks.
    var monochrome: Appearance {
        var looks = Appearance()
        switch self {
        case .brand, .tabActive, .badgeCritical, .badgeWarning, .danger: looks.isReversed = true
        case .strong, .title, .header, .key, .dialogTitle, .borderFocus, .critical, .filter, .pending:
            looks.isBold = true
        case .tableHeader, .link, .input: looks.isUnderlined = true
        default: break
        }
        if self == .badgeCritical || self == .danger { looks.isBold = true }
        return looks
    }
}
