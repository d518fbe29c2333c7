/// Cuts a sequence of frames into parts whose declared durations lie between 85 and 100 % of the part target.
///
/// A part ends before the frame that would exceed the target. Where whole frames cannot meet the limits (a camera that
/// stalls or changes its rhythm after publication) the declared boundary lies inside a frame's display time: the part
/// is declared at its limit and the difference is carried into the next one, so the declared durations always add up
/// to the media's and the target never has to change. All times are in 1/90000 s.
struct PartCutter: Sendable {
    /// PART-TARGET, or `nil` when parts are not published: then only the segment's end cuts.
    let target: Int64?
    /// The usual frame interval, to see without waiting that no further frame will fit.
    let frameInterval: Int64

    /// Declared time in the open part; negative when its predecessor borrowed from it.
    private(set) var accumulated: Int64 = 0
    /// Whether the open part has a frame.
    private(set) var hasFrames = false

    init(target: Int64?, frameInterval: Int64) {
        self.target = target
        self.frameInterval = frameInterval
    }

    enum Step: Equatable, Sendable {
        /// Close the open part; it lasts this long.
        case close(Int64)
        /// The frame belongs to the open part.
        case add
    }

    /// Places a frame that is displayed for `duration`.
    mutating func add(_ duration: Int64) -> [Step] {
        guard let target else {
            accumulated += duration
            hasFrames = true
            return [.add]
        }
        let floor = partFloor(target)
        var steps: [Step] = []
        if accumulated + duration > target, hasFrames || accumulated >= floor {
            steps.append(close(max(accumulated, floor)))
        }
        steps.append(.add)
        accumulated += duration
        hasFrames = true
        while accumulated > target { steps.append(close(target)) }
        if hasFrames, accumulated >= floor, accumulated + frameInterval > target { steps.append(close(accumulated)) }
        return steps
    }

    /// Ends the segment: the duration of its last part, or `nil` when no time is left for one.
    mutating func finish() -> Int64? {
        guard accumulated > 0 else { return nil }
        let duration = accumulated
        accumulated = 0
        hasFrames = false
        return duration
    }

    private mutating func close(_ duration: Int64) -> Step {
        accumulated -= duration
        hasFrames = false
        return .close(duration)
    }
}
