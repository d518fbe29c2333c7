import Media

/// Durations of audio payloads that are passed on as they are.
public enum AudioPayload {
    /// Ticks of the RTP clock that a payload lasts; 0 when it cannot be told.
    public static func duration(of codec: Codec, _ payload: ArraySlice<UInt8>, channels: Int) -> Int {
        switch codec {
        case .opus: opusDuration(payload)
        // G.722 has a 16 kHz signal in four bits a sample, and an RTP clock of 8 kHz (RFC 3551 §4.5.2).
        case .pcmu, .pcma, .g722: payload.count / max(1, channels)
        case .l16: payload.count / (2 * max(1, channels))
        default: 0
        }
    }

    /// Bytes of one sample of all channels, where a payload may be cut; `nil` for codecs that cannot be cut.
    static func sampleSize(of codec: Codec, channels: Int) -> Int? {
        switch codec {
        case .pcmu, .pcma, .g722: max(1, channels)
        case .l16: 2 * max(1, channels)
        default: nil
        }
    }

    /// The duration of an Opus packet in 48 kHz ticks (RFC 6716 §3.1 and §3.2).
    private static func opusDuration(_ payload: ArraySlice<UInt8>) -> Int {
        guard let toc = payload.first else { return 0 }
        let configuration = Int(toc >> 3)
        let frame =
            switch configuration {
            case 0..<12: [480, 960, 1_920, 2_880][configuration % 4]
            case 12..<16: [480, 960][configuration % 2]
            default: [120, 240, 480, 960][configuration % 4]
            }
        let count =
            switch toc & 0x03 {
            case 0: 1
            case 1, 2: 2
            default: Int((payload.dropFirst().first ?? 0) & 0x3F)
            }
        // A packet lasts 120 ms at most.
        return min(frame * count, 5_760)
    }
}
