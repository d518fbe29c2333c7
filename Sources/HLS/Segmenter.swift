import Media
import Wire

/// Turns frames into parts and segments, once the plan for the playlist's life is made.
///
/// One video frame is held back, because its duration is the distance to its successor. Media time starts at 10 s (so
/// that decode times before the first picture stay positive) and never goes back, not even at a discontinuity.
struct Segmenter: Sendable {
    let plan: PublicationPlan
    private let configuration: HLSConfiguration
    private(set) var window: SegmentWindow
    private(set) var measurements = HLSMeasurements()
    private var writer = FMP4Writer()
    private(set) var audio: AudioQueue?

    /// The parameter sets in the newest initialization segment.
    private(set) var parameterSets: H264ParameterSets
    private var initIndex = 0
    /// The audio track changed, so the next keyframe needs a new initialization segment.
    private var formatIsStale = false

    private var timeline: DecodeTimeline
    private let reorderDepth: Int
    private var cutter: PartCutter
    private var held: HeldFrame?
    private var run = FMP4Writer.Run(decodeTime: 0, samples: [])

    /// Added to timestamps (1/90000 s since `Instant.zero`) to get media time.
    private var shift: Int64?
    /// Media time at which the next part begins by what the playlist declares.
    private var declaredTime: Int64 = 0
    /// Where the next sample in a part begins.
    private var nextDecodeTime: Int64 = 0
    /// Presentation less decode time of keyframes.
    private var presentationDelay: Int64 = 0
    private var latestTimestamp: Int64?
    private var segmentArrival: Instant?
    /// When the first frame of the part being gathered arrived.
    private var partArrival: Instant?
    private let startedAt: Instant
    private var phase = Phase.awaitingKeyframe(isDiscontinuity: false)
    private var leadInIsDue: Bool

    private enum Phase: Equatable {
        /// Nothing is held; frames are dropped until a keyframe comes.
        case awaitingKeyframe(isDiscontinuity: Bool)
        case running
    }

    private struct HeldFrame {
        var decodeTime: Int64
        var sample: FMP4Writer.Sample
        var arrival: Instant
    }

    init(
        plan: PublicationPlan,
        configuration: HLSConfiguration,
        parameterSets: H264ParameterSets,
        reorderDepth: Int,
        audio: FMP4Writer.Audio?,
        withLeadIn: Bool,
        startedAt: Instant
    ) {
        self.plan = plan
        self.configuration = configuration
        self.parameterSets = parameterSets
        self.reorderDepth = reorderDepth
        self.audio = audio.map(AudioQueue.init)
        self.startedAt = startedAt
        leadInIsDue = withLeadIn && plan.partTarget != nil
        window = SegmentWindow(configuration)
        timeline = DecodeTimeline(depth: reorderDepth, frameInterval: plan.frameInterval)
        cutter = PartCutter(target: plan.partTarget, frameInterval: plan.frameInterval)
    }

    // MARK: Input

    /// Takes a video frame without parameter sets; `newest` are the sets in force when it is a keyframe.
    mutating func appendVideo(_ frame: AccessUnit, newest: H264ParameterSets, at now: Instant) {
        if let latestTimestamp {
            let jump = frame.timestamp &- latestTimestamp
            let longestStepBack = max(ticksPerSecond, 2 * Int64(timeline.depth) * plan.frameInterval)
            if jump > plan.longestInterval || jump < -longestStepBack { interrupt(at: now) }
        }
        if case .awaitingKeyframe(let isDiscontinuity) = phase {
            guard frame.isKeyframe else { return }
            start(with: frame, newest: newest, isDiscontinuity: isDiscontinuity)
            return
        }
        latestTimestamp = max(latestTimestamp ?? .min, frame.timestamp)
        let presentation = frame.timestamp &+ (shift ?? 0)
        let decodeTime = timeline.decodeTime(of: presentation)
        placeHeld(until: decodeTime, at: now)
        if frame.isKeyframe {
            let hasNewFormat = newest != parameterSets
            if hasNewFormat || keyframeEndsSegment {
                finishSegment(at: now)
                if hasNewFormat { adopt(newest) }
                beginSegment(isIndependent: true, isDiscontinuity: hasNewFormat)
            }
            presentationDelay = presentation - decodeTime
        }
        hold(frame, presentation: presentation, decodeTime: decodeTime)
    }

    /// Takes an audio frame with its timestamp in the track's clock rate.
    mutating func appendAudio(_ unit: [UInt8], timestamp: Int64) {
        guard let format = audio?.format, let shift, phase == .running else { return }
        let time = timestamp &+ shift.rescaled(from: ticksPerSecond, to: format.timescale)
        audio?.append(unit, at: time, videoTime: held?.decodeTime ?? declaredTime)
    }

    /// Publishes everything held and ends the segment; what follows begins with a keyframe and a discontinuity.
    mutating func interrupt(at now: Instant) {
        guard phase == .running else { return }
        if let held { placeHeld(until: held.decodeTime + plan.frameInterval, at: now) }
        held = nil
        finishSegment(isFinal: true, at: now)
        latestTimestamp = nil
        phase = .awaitingKeyframe(isDiscontinuity: true)
    }

    /// Replaces the audio track; takes effect, with a new initialization segment, at the next keyframe.
    mutating func replaceAudio(_ format: FMP4Writer.Audio?, at now: Instant) {
        interrupt(at: now)
        audio = format.map(AudioQueue.init)
        formatIsStale = true
    }

    /// The frames known at publication are in: makes sure that a playlist has a complete segment to show.
    mutating func finishBacklog(at now: Instant) {
        if leadInIsDue, let sample = run.samples.first ?? held?.sample { publishLeadIn(of: sample, at: now) }
        if plan.partTarget == nil, window.complete.isEmpty, cutter.hasFrames {
            finishSegment(at: now)
            beginSegment(isIndependent: false, isDiscontinuity: false)
        }
    }

    // MARK: Frames

    private mutating func start(with frame: AccessUnit, newest: H264ParameterSets, isDiscontinuity: Bool) {
        if initIndex == 0 || formatIsStale || newest != parameterSets { adopt(newest) }
        var shift = self.shift ?? 10 * ticksPerSecond &- frame.timestamp
        let newTimeline = DecodeTimeline(
            depth: reorderDepth,
            canReorder: newest.parsed.mayReorder != false,
            frameInterval: plan.frameInterval
        )
        timeline = newTimeline
        var decodeTime = timeline.decodeTime(of: frame.timestamp &+ shift)
        if decodeTime < declaredTime {
            shift = shift &+ (declaredTime &- decodeTime)
            timeline = newTimeline
            decodeTime = timeline.decodeTime(of: frame.timestamp &+ shift)
        }
        self.shift = shift
        let presentation = frame.timestamp &+ shift
        latestTimestamp = frame.timestamp
        declaredTime = decodeTime
        nextDecodeTime = decodeTime
        presentationDelay = presentation - decodeTime
        audio?.begin(at: presentation)
        phase = .running
        beginSegment(isIndependent: true, isDiscontinuity: isDiscontinuity)
        hold(frame, presentation: presentation, decodeTime: decodeTime)
    }

    private mutating func adopt(_ newest: H264ParameterSets) {
        parameterSets = newest
        initIndex += 1
        formatIsStale = false
        window.addInitSegment(FMP4Writer.initSegment(video: newest, audio: audio?.format), index: initIndex)
    }

    private mutating func hold(_ frame: AccessUnit, presentation: Int64, decodeTime: Int64) {
        let canReorder = parameterSets.parsed.mayReorder != false
        let sample = FMP4Writer.Sample(
            duration: 0,
            compositionOffset: canReorder ? presentation - decodeTime : 0,
            isSync: frame.isKeyframe,
            units: frame.units
        )
        held = HeldFrame(decodeTime: decodeTime, sample: sample, arrival: frame.arrival)
    }

    /// Gives the held frame the duration until `next` and puts it into a part.
    private mutating func placeHeld(until next: Int64, at now: Instant) {
        guard var frame = held else { return }
        held = nil
        frame.sample.duration = next - frame.decodeTime
        if plan.partTarget == nil, cutter.hasFrames, cutter.accumulated + frame.sample.duration > plan.longestSegment {
            cutWithoutKeyframe(at: now)
        }
        for step in cutter.add(frame.sample.duration) {
            switch step {
            case .add:
                if run.samples.isEmpty {
                    run.decodeTime = frame.decodeTime
                    partArrival = frame.arrival
                }
                run.samples.append(frame.sample)
                nextDecodeTime = next
                segmentArrival = segmentArrival ?? frame.arrival
            case .close(let duration):
                closePart(duration, at: now)
                let longestPart = plan.partTarget ?? 0
                if (window.open?.duration ?? 0) + longestPart > plan.longestSegment || window.openIsTooLarge {
                    cutWithoutKeyframe(at: now)
                }
            }
        }
    }

    // MARK: Parts and segments

    private var keyframeEndsSegment: Bool {
        guard let open = window.open else { return true }
        // Nine tenths, or jitter would join two groups of pictures of one second each.
        let enough = configuration.minimumSegmentDuration.ticks / 10 * 9
        return !open.isIndependent || open.duration + cutter.accumulated >= enough
    }

    private mutating func cutWithoutKeyframe(at now: Instant) {
        finishSegment(carries: plan.partTarget != nil, at: now)
        beginSegment(isIndependent: false, isDiscontinuity: false)
    }

    private mutating func beginSegment(isIndependent: Bool, isDiscontinuity: Bool) {
        let presentation = declaredTime + presentationDelay
        let utc =
            configuration.wallClockAtZero &+ (presentation &- (shift ?? 0)).rescaled(from: ticksPerSecond, to: 1_000)
        segmentArrival = nil
        window.begin(
            MediaSegment(
                sequenceNumber: 0,
                isDiscontinuity: isDiscontinuity,
                isIndependent: isIndependent,
                initIndex: initIndex,
                programDateTime: utc
            )
        )
    }

    /// - Parameters:
    ///   - carries: Time declared beyond the last part stays for the next segment.
    ///   - isFinal: A discontinuity follows.
    private mutating func finishSegment(carries: Bool = false, isFinal: Bool = false, at now: Instant) {
        if !carries, let duration = cutter.finish() {
            closePart(duration, isFinal: isFinal, at: now)
        }
        let isBacklog = segmentArrival.map { $0 < startedAt } ?? true
        let latency = isBacklog ? nil : segmentArrival.map { now - $0 }
        if let segment = window.finish(latency: latency, at: now) { measurements.completed(segment) }
    }

    private mutating func closePart(_ duration: Int64, isFinal: Bool = false, at now: Instant) {
        if leadInIsDue, let sample = run.samples.first { publishLeadIn(of: sample, at: now) }
        let end = declaredTime + duration
        if run.samples.isEmpty { run.decodeTime = nextDecodeTime }
        let part = PartialSegment(
            duration: duration,
            isIndependent: run.samples.contains { $0.isSync },
            bytes: writer.fragment(
                video: run,
                audio: audio?.take(before: end + presentationDelay, isFinal: isFinal)
            )
        )
        run.samples.removeAll(keepingCapacity: true)
        declaredTime = end
        window.append(part)
        measurements.publishedPart(latency: partArrival.flatMap { $0 < startedAt ? nil : now - $0 }, at: now)
        partArrival = nil
    }

    /// Publishes the first picture as a still of one part's length before the real beginning.
    ///
    /// Players refuse a playlist without a complete segment, and the first one may take a whole group of pictures. The
    /// still is complete at once, leaves the group whole, and so lets everyone join at the live edge from its keyframe.
    private mutating func publishLeadIn(of sample: FMP4Writer.Sample, at now: Instant) {
        leadInIsDue = false
        guard let duration = plan.partTarget, let first = window.open else { return }
        var still = sample
        still.duration = duration
        var segment = first
        segment.programDateTime -= duration.rescaled(from: ticksPerSecond, to: 1_000)
        window.begin(segment)
        let video = FMP4Writer.Run(decodeTime: declaredTime - duration, samples: [still])
        let bytes = writer.fragment(video: video, audio: audio?.leadIn(duration))
        window.append(PartialSegment(duration: duration, isIndependent: true, bytes: bytes))
        _ = window.finish(latency: nil, at: now)
        window.begin(first)
        measurements.publishedPart(latency: nil, at: now)
    }
}
