import NIOCore

/// What a camera sees and hears, encoded in real time whether or not anybody watches.
///
/// Pictures and sound are due at absolute times on the monotonic clock; between them the feed sleeps in the event
/// loop's timer. Belongs to its camera's event loop, on which encoding takes place as well: a picture costs about 3 ms.
final class LiveFeed {
    /// Receives what was encoded, on the event loop.
    struct Sink {
        /// An access unit and its time in pictures since the origin.
        var video: (AccessUnit) -> Void
        /// An audio frame and its time in samples since the origin.
        var audio: (AudioFrame) -> Void
        /// The encoder failed; the feed has stopped.
        var failure: (MediaError) -> Void
    }

    /// Parameter sets for the SDP, Annex B.
    var parameterSets: [UInt8] { videoEncoder.parameterSets }
    /// The AAC configuration for the SDP, when there is AAC.
    var aacConfiguration: [UInt8]? {
        if case .aac(let encoder) = audioEncoder { encoder.configuration } else { nil }
    }
    /// Monotonic time of media time zero, common to picture and sound.
    private(set) var origin: Int64 = 0

    private let loop: any EventLoop
    private let plan: CameraPlan
    private var picture: TestPicture
    private let videoEncoder: VideoEncoder
    private let audioEncoder: AudioEncoder?
    private var sink: Sink?
    private var video: MediaTimeline
    private var audio: MediaTimeline?
    private var keyframeWanted = false

    init(_ plan: CameraPlan, on loop: any EventLoop) throws(MediaError) {
        self.loop = loop
        self.plan = plan
        let (width, height) = (plan.video.width, plan.video.height)
        picture = try TestPicture(name: plan.name, hue: plan.hue, width: width, height: height)
        videoEncoder = try VideoEncoder(plan.video)
        var audioEncoder: AudioEncoder?
        if let format = plan.audio { audioEncoder = try AudioEncoder(format) }
        self.audioEncoder = audioEncoder
        video = MediaTimeline(start: 0, rate: Int64(plan.video.framesPerSecond), ticksPerUnit: 1)
    }

    /// Starts pictures and sound; call once.
    ///
    /// - Parameter origin: Monotonic time of the first picture.
    func start(origin: Int64, into sink: Sink) {
        self.sink = sink
        self.origin = origin
        video = MediaTimeline(start: origin, rate: video.rate, ticksPerUnit: 1)
        scheduleVideo()
        guard let format = plan.audio else { return }
        // A packet's sound is complete, and due, when its last sample has been heard.
        let samples = Int64(format.samplesPerPacket)
        let duration = samples * 1_000_000_000 / format.sampleRate
        audio = MediaTimeline(start: origin + duration, rate: format.sampleRate, ticksPerUnit: samples)
        scheduleAudio()
    }

    /// Makes the next picture an IDR picture.
    func requestKeyframe() { keyframeWanted = true }

    /// Media time of a moment, in ticks of an RTP clock.
    func ticks(at moment: Int64, clockRate: Int64) -> Int64 {
        MediaTimeline(start: origin, rate: 1, ticksPerUnit: 1).ticks(at: moment, clockRate: clockRate)
    }

    private func scheduleVideo() {
        let deadline = NIODeadline.uptimeNanoseconds(UInt64(clamping: video.nextDeadline))
        loop.assumeIsolated().scheduleTask(deadline: deadline) { self.videoDue() }
    }

    private func scheduleAudio() {
        guard let audio else { return }
        let deadline = NIODeadline.uptimeNanoseconds(UInt64(clamping: audio.nextDeadline))
        loop.assumeIsolated().scheduleTask(deadline: deadline) { self.audioDue() }
    }

    private func videoDue() {
        do throws(MediaError) {
            // No tolerance: a late camera drops pictures, it does not fall behind.
            if let index = video.take(at: SystemClock.monotonicNanoseconds, tolerance: 0) {
                picture.draw(unixMilliseconds: SystemClock.unixNanoseconds / 1_000_000)
                let units = try videoEncoder.encode(picture.canvas, index: index, keyframe: keyframeWanted)
                keyframeWanted = false
                for unit in units { sink?.video(unit) }
            }
            scheduleVideo()
        } catch {
            sink?.failure(error)
        }
    }

    private func audioDue() {
        guard let format = plan.audio, let encoder = audioEncoder else { return }
        do throws(MediaError) {
            let now = SystemClock.monotonicNanoseconds
            let wallClockOffset = SystemClock.unixNanoseconds - now
            // Sound is continuous through a hiccup of a second; after a longer one it jumps with the picture.
            let tolerance = format.sampleRate / Int64(format.samplesPerPacket)
            while let index = audio?.take(at: now, tolerance: tolerance) {
                let first = index * Int64(format.samplesPerPacket)
                let heard =
                    origin + first / format.sampleRate * 1_000_000_000
                    + first % format.sampleRate * 1_000_000_000 / format.sampleRate
                let samples = Tone.samples(
                    count: format.samplesPerPacket,
                    rate: format.sampleRate,
                    start: heard + wallClockOffset
                )
                for frame in try encoder.encode(samples, firstSample: first) { sink?.audio(frame) }
            }
            scheduleAudio()
        } catch {
            sink?.failure(error)
        }
    }
}
