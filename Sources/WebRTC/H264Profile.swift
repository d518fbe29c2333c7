import Wire

/// An H.264 profile as WebRTC signals it (RFC 6184 §8.1, table 5): two `profile-level-id`s match when this is equal.
enum H264Profile: Equatable {
    case constrainedBaseline
    case baseline
    case main
    case constrainedHigh
    case high
    case highPredictive444
    case unknown

    init(profileIDC: UInt8, constraintFlags flags: UInt8) {
        switch profileIDC {
        case 0x42: self = flags & 0x40 != 0 ? .constrainedBaseline : .baseline
        case 0x4D: self = flags & 0x80 != 0 ? .constrainedBaseline : .main
        case 0x58: self = flags & 0xC0 == 0xC0 ? .constrainedBaseline : flags & 0x80 != 0 ? .baseline : .unknown
        case 0x64: self = flags & 0x0C == 0x0C ? .constrainedHigh : .high
        case 0xF4: self = .highPredictive444
        default: self = .unknown
        }
    }

    /// From `profile-level-id`; absent means Constrained Baseline to libwebrtc, whatever RFC 6184 says.
    init(profileLevelID text: String?) {
        guard let text else {
            self = .constrainedBaseline
            return
        }
        let bytes = [UInt8](hexadecimal: text) ?? []
        self = bytes.count == 3 ? Self(profileIDC: bytes[0], constraintFlags: bytes[1]) : .unknown
    }

    /// Which offered profile to answer with for a stream of this one, best first. Browsers decode what the bitstream
    /// says, except Safari, which shows black when High is announced as Baseline.
    var acceptable: [H264Profile] {
        switch self {
        case .constrainedBaseline: [.constrainedBaseline, .baseline]
        case .baseline: [.baseline, .constrainedBaseline]
        case .main: [.main, .constrainedBaseline]
        case .constrainedHigh: [.constrainedHigh, .high, .constrainedBaseline]
        case .high: [.high, .constrainedHigh, .constrainedBaseline]
        case .highPredictive444: [.highPredictive444, .high, .constrainedBaseline]
        case .unknown: [.constrainedBaseline]
        }
    }
}
