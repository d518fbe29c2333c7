import Media
import Wire

/// What a viewer gets of a stream, best first. The order of the cases is the order of the ladder.
public enum QualityRung: String, CaseIterable, Codable, Sendable, Comparable {
    /// Everything.
    case full
    /// Pictures no other picture refers to (`nal_ref_idc` 0) are left out.
    case reduced
    /// Keyframes only.
    case keyframes
    /// No WebRTC: the viewer's page plays HLS.
    case hls

    /// Whether `lhs` is the lesser quality.
    public static func < (lhs: QualityRung, rhs: QualityRung) -> Bool { lhs.index > rhs.index }

    private var index: Int { Self.allCases.firstIndex(of: self) ?? 0 }

    /// Whether a packet of video goes out at this rung.
    func includes(_ packet: StreamPacket) -> Bool {
        switch self {
        case .full: true
        case .reduced: !packet.isDroppable
        case .keyframes, .hls: packet.isKeyframe
        }
    }

    /// The rung in words.
    public var text: String {
        switch self {
        case .full: "full quality"
        case .reduced: "droppable pictures left out"
        case .keyframes: "keyframes only"
        case .hls: "HLS"
        }
    }
}

/// Bits per second that a stream needs on the wire at each rung, averaged over seconds; sound is part of them.
public struct StreamRates: Equatable, Sendable {
    /// Everything.
    public var full: Double
    /// Without the pictures no other picture refers to; equal to ``full`` when there are none.
    public var reduced: Double
    /// Keyframes and sound.
    public var keyframes: Double

    /// Creates the rates.
    public init(full: Double, reduced: Double, keyframes: Double) {
        self.full = full
        self.reduced = reduced
        self.keyframes = keyframes
    }

    /// What `rung` needs of the WebRTC path.
    func needed(at rung: QualityRung) -> Double {
        switch rung {
        case .full: full
        case .reduced: reduced
        case .keyframes, .hls: keyframes
        }
    }
}

/// Where a viewer stands on the ladder, and why.
public struct QualityState: Equatable, Sendable {
    /// What it gets.
    public var rung: QualityRung
    /// Since when.
    public var since: Instant
    /// What brought it here, with the numbers; empty at the start.
    public var reason: String
    /// How long it stays below full quality before more is tried; doubles with every try that failed.
    public var hold: Duration
}
