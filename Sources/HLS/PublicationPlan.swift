import Wire

/// What is fixed when a playlist is first published: part target, target duration and where segments are cut.
///
/// Clients treat a changed PART-TARGET, PART-HOLD-BACK or TARGETDURATION as a broken playlist, so all three are chosen
/// from what was seen before the first publication and never touched again. Durations are in 1/90000 s.
struct PublicationPlan: Equatable, Sendable {
    /// PART-TARGET; `nil` when frames are too far apart for parts.
    var partTarget: Int64?
    /// TARGETDURATION in seconds.
    var targetDuration: Int
    /// A segment is cut, even without a keyframe, before it would become longer than this.
    var longestSegment: Int64
    /// The usual frame interval.
    var frameInterval: Int64
    /// A longer interval between two frames is an interruption and becomes a discontinuity.
    var longestInterval: Int64

    /// Chooses from observed frame intervals, keyframe distances (longest) and the time since the last keyframe.
    ///
    /// - Returns: `nil` when there is no interval to choose from.
    init?(
        frameIntervals: [Int64],
        keyframeInterval: Int64?,
        timeSinceKeyframe: Int64,
        configuration: HLSConfiguration
    ) {
        let sorted = frameIntervals.filter { $0 > 0 }.sorted()
        guard !sorted.isEmpty else { return nil }
        let median = sorted[sorted.count / 2]
        frameInterval = median
        let wanted = max(configuration.partDuration.ticks, 1)
        let most = max(configuration.maximumPartTarget.ticks, wanted)
        if configuration.allowsLowLatency, median <= most {
            // Losses are not the camera's rhythm.
            let rhythm = frameIntervals.filter { $0 > 0 && $0 <= 3 * median }
            partTarget = Self.partTarget(for: rhythm, from: wanted, through: most)
        }
        targetDuration = Self.targetDuration(keyframeInterval: keyframeInterval, timeSinceKeyframe: timeSinceKeyframe)
        longestInterval = 3 * ticksPerSecond
        if partTarget == nil {
            // A plain segment holds at least a few frames, however slow they come.
            targetDuration = max(targetDuration, Int(min(3 * median / ticksPerSecond + 1, 30)))
            longestInterval = min(max(longestInterval, 4 * median), Int64(targetDuration) * ticksPerSecond)
        }
        longestSegment = Int64(targetDuration) * ticksPerSecond
    }

    /// Segments are whole groups of pictures up to 10 s; longer groups are cut every 6 s (they would make players
    /// without parts hold back half a minute).
    private static func targetDuration(keyframeInterval: Int64?, timeSinceKeyframe: Int64) -> Int {
        let longestGroup = 10 * ticksPerSecond + ticksPerSecond / 2
        let cut = 6
        guard timeSinceKeyframe <= longestGroup else { return cut }
        guard let keyframeInterval else {
            return max(cut, min(11, Int(timeSinceKeyframe / ticksPerSecond) + 2))
        }
        guard keyframeInterval <= longestGroup else { return cut }
        let interval = max(keyframeInterval, timeSinceKeyframe)
        // One second more than the group rounded up, where a few milliseconds of jitter do not count as a second.
        return max(2, Int((interval + ticksPerSecond - ticksPerSecond / 20) / ticksPerSecond) + 1)
    }

    /// The shortest target, in steps of 5 ms, that lets parts of whole frames be cut between 85 and 100 % of it.
    private static func partTarget(for rhythm: [Int64], from wanted: Int64, through most: Int64) -> Int64 {
        let step: Int64 = 450
        var best = (target: wanted, misfits: Int.max)
        for target in stride(from: wanted, through: most, by: Int(step)) {
            let misfits = misfits(of: rhythm, target: target)
            if misfits < best.misfits { best = (target, misfits) }
            if misfits == 0 { break }
        }
        return best.target
    }

    private static func misfits(of rhythm: [Int64], target: Int64) -> Int {
        let floor = partFloor(target)
        var misfits = 0
        // Parts start anew at every keyframe, so the cut has to work from any frame on.
        for start in 0..<min(rhythm.count, 8) {
            var sum: Int64 = 0
            for interval in rhythm[start...].prefix(256) {
                if interval > target { misfits += 1 }
                if sum + interval > target {
                    if sum < floor { misfits += 1 }
                    sum = 0
                }
                sum += interval
            }
            // Too few frames were seen to fill one part: the rhythm goes on as it was.
            if sum < floor, let last = rhythm.last, rhythm.count < 16 {
                while sum + last <= target { sum += last }
                if sum < floor { misfits += 1 }
            }
        }
        return misfits
    }
}

/// The shortest part a target allows: 85 % (RFC 8216bis §4.4.4.9).
func partFloor(_ target: Int64) -> Int64 { (target * 85 + 99) / 100 }

/// Playlist and video time: 1/90000 s.
let ticksPerSecond: Int64 = 90_000

extension Duration {
    /// The duration in 1/90000 s.
    var ticks: Int64 {
        let nanoseconds = wholeNanoseconds
        return nanoseconds / 100_000 * 9 + nanoseconds % 100_000 * 9 / 100_000
    }
}

extension Int64 {
    /// The time in another timescale, rounded down; for times, not durations, so that no error adds up.
    func rescaled(from old: Int64, to new: Int64) -> Int64 {
        let (seconds, rest) = quotientAndRemainder(dividingBy: old)
        return seconds &* new &+ (rest * new / old)
    }
}
