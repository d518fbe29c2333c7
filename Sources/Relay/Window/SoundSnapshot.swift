import Media
import Wire

/// A camera's sound converted for the delivery that does not carry it as it comes, and the process that does it.
public struct SoundSnapshot: Codable, Sendable, Equatable {
    /// What the process is doing.
    public enum State: String, Codable, Sendable {
        /// Nobody listens, so there is none.
        case idle
        /// It opens its codecs.
        case starting
        /// It converts.
        case running
        /// The last one failed; the next follows by itself.
        case waiting
    }

    /// What the camera sends.
    public var from: Codec
    /// What it is converted to.
    public var to: Codec
    /// For whom: `WebRTC`, `HLS`, `WebRTC and HLS`.
    public var delivery: String
    /// What the process is doing.
    public var state: State
    /// Frames made since the relay started.
    public var frames: UInt64
    /// Processes that ended without being asked to.
    public var failures: Int
    /// Why the last of them did; empty while none did.
    public var lastFailure: String
    /// Seconds until the next is started; `nil` unless waiting.
    public var nextStart: Double?
}

extension SoundSnapshot {
    init(_ sound: SoundWorker, at now: Instant) {
        from = sound.conversion.source.codec
        to = sound.conversion.result.codec
        delivery = sound.conversion.delivery
        frames = sound.frames
        failures = sound.failures
        lastFailure = sound.lastFailure
        switch sound.phase {
        case .idle: state = .idle
        case .starting: state = .starting
        case .running: state = .running
        case .pausing(let until):
            state = .waiting
            nextStart = max(0, (until - now).inSeconds)
        }
    }
}
