/// One demo camera as it was asked for.
struct CameraPlan: Sendable {
    /// The name it gets in the relay, `demo/clock`.
    var name: String
    /// In turns; tells the cameras apart at a glance.
    var hue: Double
    var video: VideoSettings
    var audio: AudioFormat?

    /// `H264 1280x720 25 fps GOP 2 s`
    var videoSummary: String {
        let gop = video.gopSeconds == video.gopSeconds.rounded() ? "\(Int(video.gopSeconds))" : "\(video.gopSeconds)"
        let bFrames = video.bFrames > 0 ? " B-frames \(video.bFrames)" : ""
        return "H264 \(video.width)x\(video.height) \(video.framesPerSecond) fps GOP \(gop) s\(bFrames)"
    }

    /// `AAC 48000/2`, `PCMU 8000/1`, or `nil` for a silent camera.
    var audioSummary: String? {
        switch audio {
        case .aac: "AAC 48000/2"
        case .pcmu: "PCMU 8000/1"
        case nil: nil
        }
    }

    /// The first `count` demo cameras: four that differ in what matters to a relay, then the same again with numbers.
    static func demo(count: Int, video: VideoSettings) -> [CameraPlan] {
        (0..<count).map { index in
            let (name, audio, gop, hue) = models[index % models.count]
            let round = index / models.count
            var video = video
            video.gopSeconds = gop
            return CameraPlan(
                name: round == 0 ? "demo/\(name)" : "demo/\(name)-\(round + 1)",
                // Later rounds are shifted, so that no two of the first sixteen look the same.
                hue: (hue + 0.06 * Double(round)).truncatingRemainder(dividingBy: 1),
                video: video,
                audio: audio
            )
        }
    }

    private static let models: [(name: String, audio: AudioFormat?, gopSeconds: Double, hue: Double)] = [
        ("clock", nil, 2, 0.60), ("yard", .aac, 2, 0.36), ("gate", .pcmu, 2, 0.06), ("roof", nil, 10, 0.80),
    ]
}
