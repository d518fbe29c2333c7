import Media
import Relay

/// Numbers as the operator reads them: fixed width, three significant digits, `-` for what is not known.
enum Format {
    /// Bits per second, five cells at most: `0`, `412k`, `3.10M`, `1.04G`.
    static func bitrate(_ value: Double?) -> String {
        guard let value = finite(value) else { return "-" }
        return scaled(max(0, value), units: ["", "k", "M", "G", "T"], step: 1000)
    }

    /// Bytes in binary units: `412M` is MiB.
    static func bytes(_ value: Double?) -> String {
        guard let value = finite(value) else { return "-" }
        return scaled(max(0, value), units: ["", "k", "M", "G", "T"], step: 1024)
    }

    /// Percent, four cells: `0`, `0.02`, `1.84`, `12.4`, `100`.
    static func percent(_ value: Double?) -> String {
        guard let value = finite(value) else { return "-" }
        let clamped = min(max(0, value), 999)
        if clamped < 0.005 { return "0" }
        if clamped < 9.995 { return fixed(clamped, 2) }
        return clamped < 99.95 ? fixed(clamped, 1) : fixed(clamped, 0)
    }

    /// Milliseconds without a unit: `<1`, `38`, `1.2k`.
    static func milliseconds(_ value: Double?) -> String {
        guard let value = finite(value) else { return "-" }
        if value <= 0 { return "0" }
        if value < 0.95 { return "<1" }
        if value < 9999.5 { return fixed(value, 0) }
        return value < 999_500 ? fixed(value / 1000, 0) + "k" : ">1ks"
    }

    /// Frames per second: `25`, `18.2`.
    static func frames(_ value: Double?) -> String {
        guard let value = finite(value) else { return "-" }
        let clamped = min(max(0, value), 999)
        let rounded = clamped.rounded()
        return abs(clamped - rounded) <= 0.15 ? fixed(rounded, 0) : fixed(clamped, 1)
    }

    /// A length of time: `0.4s`, `41s`, `3m12`, `2h11`, `12d4h`.
    static func age(_ seconds: Double?) -> String {
        guard let seconds = finite(seconds) else { return "-" }
        let value = min(max(0, seconds), 8_640_000_000)
        if value < 9.95 { return fixed(value, 1) + "s" }
        return wholeAge(Int(value.rounded()))
    }

    /// A length of time in whole seconds, for cells that should rarely change.
    static func calmAge(_ seconds: Double?) -> String {
        guard let seconds = finite(seconds) else { return "-" }
        return wholeAge(Int(min(max(0, seconds), 8_640_000_000)))
    }

    private static func wholeAge(_ seconds: Int) -> String {
        switch seconds {
        case ..<60: "\(seconds)s"
        case ..<3600: "\(seconds / 60)m\(padded(seconds % 60))"
        case ..<86_400: "\(seconds / 3600)h\(padded(seconds / 60 % 60))"
        case ..<8_640_000: "\(seconds / 86_400)d\(seconds / 3600 % 24)h"
        default: "\(seconds / 86_400)d"
        }
    }

    /// A count: `0`, `31`, `12.4k`.
    static func count(_ value: UInt64) -> String {
        value < 10_000 ? "\(value)" : scaled(Double(value), units: ["", "k", "M", "G", "T"], step: 1000)
    }

    /// Time of day from milliseconds since the Unix epoch: `12:04:31`.
    static func clock(_ milliseconds: Int64, utcOffset: Int) -> String {
        let second = (milliseconds.clamped(to: 0...4_102_444_800_000 * 10) / 1000 + Int64(utcOffset)) % 86_400
        let ofDay = Int(second < 0 ? second + 86_400 : second)
        return "\(padded(ofDay / 3600)):\(padded(ofDay / 60 % 60)):\(padded(ofDay % 60))"
    }

    /// Whole number or one decimal, for axis labels in a metric's own unit.
    static func plain(_ value: Double?) -> String {
        guard let value = finite(value) else { return "-" }
        if value >= 9_999.5 { return scaled(value, units: ["", "k", "M", "G", "T"], step: 1000) }
        return value >= 10 || value == value.rounded() ? fixed(value, 0) : fixed(value, value < 1 ? 2 : 1)
    }

    /// Right-aligned in `width` cells.
    static func right(_ text: String, _ width: Int) -> String {
        let missing = width - displayWidth(text)
        return missing > 0 ? String(repeating: " ", count: missing) + text : text
    }

    /// Left-aligned in `width` cells.
    static func left(_ text: String, _ width: Int) -> String {
        let missing = width - displayWidth(text)
        return missing > 0 ? text + String(repeating: " ", count: missing) : text
    }

    /// `1 viewer`, `7 viewers`.
    static func plural(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

    /// Decimal with a fixed number of fraction digits (0…3), rounded half up.
    static func fixed(_ value: Double, _ digits: Int) -> String {
        let factors = [1.0, 10, 100, 1000]
        let factor = factors[min(max(0, digits), 3)]
        let limited = min(max(value, -9e14), 9e14)
        let scaled = Int64((abs(limited) * factor).rounded())
        let sign = limited < 0 && scaled != 0 ? "-" : ""
        guard digits > 0 else { return "\(sign)\(scaled)" }
        let whole = scaled / Int64(factor)
        let fraction = "\(scaled % Int64(factor))"
        return "\(sign)\(whole)." + String(repeating: "0", count: min(digits, 3) - fraction.count) + fraction
    }

    private static func finite(_ value: Double?) -> Double? {
        guard let value, value.isFinite else { return nil }
        return value
    }

    private static func padded(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }

    private static func scaled(_ value: Double, units: [String], step: Double) -> String {
        var value = value
        var unit = 0
        while value >= 999.5, unit + 1 < units.count {
            value /= step
            unit += 1
        }
        if unit == 0 { return fixed(value, 0) }
        if value < 9.995 { return fixed(value, 2) + units[unit] }
        return (value < 99.95 ? fixed(value, 1) : fixed(value, 0)) + units[unit]
    }
}

extension Comparable {
    func clamped(to range: ClosedRange<Self>) -> Self { min(max(self, range.lowerBound), range.upperBound) }
}

/// Words for what the relay reports.
enum Wording {
    /// The severity glyph of column 0; colour is never the only carrier.
    static func mark(_ severity: Severity) -> String {
        switch severity {
        case .critical: "X"
        case .warning: "!"
        case .unknown: "?"
        case .info: "."
        case .ok: " "
        }
    }

    /// A viewer's id as it is shown and may be typed: its beginning. Whoever knows the whole may end the session.
    static func viewer(_ id: String) -> String { String(id.prefix(7)) }

    /// One word for a severity, as filters name it.
    static func name(_ severity: Severity) -> String {
        switch severity {
        case .critical: "critical"
        case .warning: "warning"
        case .unknown: "unknown"
        case .info: "info"
        case .ok: "ok"
        }
    }

    /// `H264` and picture size in one word each.
    static func resolution(_ track: TrackSnapshot?) -> String {
        guard let width = track?.width, let height = track?.height, width > 0, height > 0 else { return "-" }
        let standard = [(3840, 2160), (2560, 1440), (1920, 1080), (1280, 720), (640, 480), (640, 360)]
        for (w, h) in standard where w == width && h == height { return "\(h)p" }
        return "\(width)x\(height)"
    }

    /// The codec as operators know it.
    static func codec(_ track: TrackSnapshot?) -> String { track?.codec.rawValue ?? "-" }

    /// `WebRTC` or `HLS`.
    static func delivery(_ delivery: Delivery) -> String {
        switch delivery {
        case .webrtc: "WebRTC"
        case .hls: "HLS"
        }
    }

    /// What a policy allows.
    static func policy(_ policy: DeliveryPolicy) -> String {
        switch policy {
        case .auto: "auto"
        case .webrtc: "WebRTC only"
        case .hls: "HLS only"
        }
    }

    /// What did not go through the media port.
    static func losses(_ media: MediaPortSnapshot) -> String {
        "packets: \(Format.count(media.droppedFull)) had no room to leave, "
            + "\(Format.count(media.sendErrors)) the kernel refused, \(Format.count(media.droppedUnknown)) came from nobody"
            + (media.isOffloading ? "" : "; one system call for each, as the kernel takes no bursts")
    }

    /// The state of a camera in six letters or so.
    static func state(_ state: CameraState) -> String {
        switch state {
        case .idle: "idle"
        case .stopped: "KILLED"
        case .connecting: "connect"
        case .negotiating: "RTSP"
        case .starting: "starting"
        case .live: "live"
        case .stalled: "STALLED"
        case .retrying: "RETRY"
        case .held: "HELD"
        }
    }
}
