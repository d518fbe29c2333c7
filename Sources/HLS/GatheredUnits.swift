import Media

/// Access units kept until the playlist is published, from a keyframe on.
struct GatheredUnits: Sendable {
    private var units: [AccessUnit] = []
    private var byteCount = 0
    private var presentationTimes: [Int64] = []
    private var keyframes: [Int] = []
    private(set) var hasAudio = false

    /// Most bytes gathered: as much as a stream's cache of a group of pictures holds.
    static let maximumBytes = 32 << 20
    /// Most access units gathered: 30 s of video with audio.
    static let maximumUnits = 4_096

    var isFull: Bool { byteCount > Self.maximumBytes || units.count >= Self.maximumUnits }

    /// From the first picture to the last, in 1/90000 s.
    var duration: Int64 {
        guard let first = presentationTimes.first, let last = presentationTimes.last else { return 0 }
        return max(last &- first, 0)
    }

    mutating func append(_ unit: AccessUnit, isVideo: Bool) {
        if isVideo, let last = presentationTimes.last {
            // An interruption says nothing about the camera's rhythm: begin again behind it.
            let jump = unit.timestamp &- last
            if jump > 10 * ticksPerSecond || jump < -2 * ticksPerSecond { self = GatheredUnits() }
        }
        if presentationTimes.isEmpty, !(isVideo && unit.isKeyframe) { return }
        if isVideo {
            if unit.isKeyframe { keyframes.append(presentationTimes.count) }
            presentationTimes.append(unit.timestamp)
        } else {
            hasAudio = true
        }
        byteCount += unit.units.reduce(0) { $0 + $1.count }
        units.append(unit)
    }

    mutating func take() -> [AccessUnit] {
        defer { self = GatheredUnits() }
        return units
    }

    /// What the pictures' times tell.
    struct Summary {
        var frameIntervals: [Int64]
        /// Longest distance of two keyframes; `nil` when there is one only.
        var keyframeInterval: Int64?
        /// From the first keyframe to the last.
        var keyframeSpan: Int64
        var timeSinceKeyframe: Int64
        var reorderDepth: Int
    }

    /// - Parameter reorderFrames: `max_num_reorder_frames` of the SPS.
    /// - Returns: `nil` without a picture.
    func summary(reorderFrames: Int) -> Summary? {
        guard let last = presentationTimes.max(), let lastKeyframe = keyframes.last else { return nil }
        let depth = max(DecodeTimeline.depth(of: presentationTimes), reorderFrames)
        var timeline = DecodeTimeline(depth: depth, frameInterval: 1)
        let decodeTimes = presentationTimes.map { timeline.decodeTime(of: $0) }
        // The first `depth` decode times are made up.
        let known = decodeTimes.dropFirst(depth)
        let keyframeTimes = keyframes.map { presentationTimes[$0] }
        return Summary(
            frameIntervals: zip(known.dropFirst(), known).map { $0 &- $1 },
            keyframeInterval: zip(keyframeTimes.dropFirst(), keyframeTimes).map { $0 &- $1 }.max(),
            keyframeSpan: (keyframeTimes.last ?? 0) &- (keyframeTimes.first ?? 0),
            timeSinceKeyframe: max(last &- presentationTimes[lastKeyframe], 0),
            reorderDepth: depth
        )
    }
}
