/// Sound that some delivery cannot carry as the camera sends it, and what a codec process makes of it.
///
/// WebRTC carries Opus and G.711, HLS carries AAC and Opus. AAC becomes Opus, G.711 becomes AAC, and what neither
/// carries becomes Opus, which both do.
public struct AudioConversion: Equatable, Sendable {
    /// What goes in: frames with timestamps in this format's clock rate.
    public let source: TrackFormat
    /// What comes out: one codec frame each, with timestamps in this format's clock rate. Known before anything has
    /// been converted, so that the track can be negotiated ahead of its first frame.
    public let result: TrackFormat

    /// The conversion for a track; `nil` when both deliveries carry it as it is, or when it cannot be decoded.
    public init?(of source: TrackFormat) {
        guard (1...8).contains(source.channels), (8_000...192_000).contains(source.clockRate) else { return nil }
        let channels = min(source.channels, 2)
        switch source.codec {
        case .aac:
            guard source.aac != nil else { return nil }
            result = .opus(channels: channels)
        case .pcmu, .pcma:
            if source.isTelephone, let aac = TrackFormat.aac(channels: channels) {
                result = aac
            } else {
                result = .opus(channels: channels)
            }
        case .g722, .l16:
            result = .opus(channels: channels)
        default:
            return nil
        }
        self.source = source
    }

    /// What a stream with these tracks lacks: the track to convert and into what; `nil` when every delivery has sound
    /// or none can have any.
    public static func needed(for tracks: [TrackFormat]) -> (track: Int, conversion: AudioConversion)? {
        let sounds = tracks.filter { $0.codec.kind == .audio }
        let goesByWebRTC = sounds.contains { $0.codec == .opus || $0.isTelephone }
        let goesByHLS = sounds.contains { $0.codec == .opus || $0.codec == .aac }
        guard !(goesByWebRTC && goesByHLS) else { return nil }
        for (index, track) in tracks.enumerated() {
            if let conversion = AudioConversion(of: track) { return (index, conversion) }
        }
        return nil
    }

    /// The delivery that lacks sound without this conversion.
    public var delivery: String { result.codec == .aac ? "HLS" : source.codec == .aac ? "WebRTC" : "WebRTC and HLS" }

    /// Samples of one frame of the result, at its clock rate.
    public var samplesPerFrame: Int { result.codec == .aac ? 1_024 : 960 }
}

extension TrackFormat {
    /// G.711 as browsers take it by WebRTC (RFC 7874 §3).
    fileprivate var isTelephone: Bool {
        (codec == .pcmu || codec == .pcma) && clockRate == 8_000 && channels == 1
    }

    fileprivate static func opus(channels: Int) -> TrackFormat {
        TrackFormat(codec: .opus, encodingName: "opus", clockRate: 48_000, channels: channels)
    }

    /// AAC-LC at 48 kHz, whose frames are short: at 8 kHz each would take an eighth of a second.
    fileprivate static func aac(channels: Int) -> TrackFormat? {
        guard let configuration = try? AACConfiguration(sampleRate: 48_000, channels: channels) else { return nil }
        return TrackFormat(
            codec: .aac,
            encodingName: "MPEG4-GENERIC",
            clockRate: 48_000,
            channels: channels,
            aac: configuration
        )
    }
}
