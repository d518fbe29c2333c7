import Media
import Wire

/// What the viewers of a camera need to know of it, on whichever loop they are.
///
/// The camera's shard changes it and hands it to the others.
struct StreamFacts: Sendable, Equatable {
    /// The tracks' formats, converted ones last; index is ``StreamPacket/track``. Empty before the first DESCRIBE.
    var tracks: [TrackFormat] = []
    /// The camera's state.
    var state = CameraState.idle
    /// Why it is in this state, for operators; empty when simply live.
    var reason = ""
    /// It shows nothing though it should: from the first failure until it is live, new attempts included.
    var isFailing = false
    /// Pictures are reordered (B-frames): no WebRTC.
    var reordersPictures = false
    /// Time from keyframe to keyframe; `nil` before it is known.
    var keyframeInterval: Duration?
    /// The converted sound track, where a delivery would have none.
    var sound: Sound?

    /// A sound track that is converted from another.
    struct Sound: Sendable, Equatable {
        /// Its index.
        var track: Int
        /// For whom: `WebRTC`, `HLS`, `WebRTC and HLS`.
        var delivery: String
        /// Why the process that makes it ended without being asked to, the last time.
        var lastFailure: String
        /// Until then there is none because of that.
        var pausesUntil: Instant?
    }

    /// Whether an attempt to pull it is under way or media flows.
    var isPulled: Bool {
        switch state {
        case .connecting, .negotiating, .starting, .live, .stalled: true
        case .idle, .stopped, .retrying, .held: false
        }
    }

    /// Whether media flows or is about to, so that a viewer has something to see.
    var isShown: Bool { isPulled && !isFailing }

    /// Whether the camera described other codecs before, so that viewers must negotiate anew.
    func hasOtherCodecs(than earlier: StreamFacts) -> Bool {
        !earlier.tracks.isEmpty && earlier.tracks.map(\.codec) != tracks.map(\.codec)
    }

    /// Sentences about tracks that do not reach a delivery.
    func notes(at now: Instant) -> [String] {
        var notes = [Delivery.webrtc, .hls].compactMap { silence(for: $0, at: now) }
        if reordersPictures {
            notes.append("pictures are reordered (B-frames): WebRTC is not possible, viewers get HLS")
        }
        return notes
    }

    /// Why viewers by a delivery hear nothing although the camera sends sound; `nil` when they hear it.
    func silence(for delivery: Delivery, at now: Instant) -> String? {
        let name = delivery == .hls ? "HLS" : "WebRTC"
        guard let sound else {
            let sounds = tracks.filter { $0.codec.kind == .audio }
            let carried: Set<Codec> = delivery == .hls ? [.aac, .opus] : [.pcmu, .pcma, .opus]
            guard let first = sounds.first, !sounds.contains(where: { carried.contains($0.codec) }) else { return nil }
            return "\(first.codec.rawValue) sound does not reach \(name) viewers: signalbox-media, which converts it, "
                + "is not installed"
        }
        guard let until = sound.pausesUntil, sound.delivery.contains(name) else { return nil }
        let pause = max(0, (until - now).inSeconds)
        return "no sound for \(name) viewers: \(sound.lastFailure); tried again in \(pause.tenths) s"
    }

    /// What pages are told.
    func sourceInfo(at now: Instant) -> SourceInfo {
        SourceInfo(
            state: state,
            reason: state.sentenceForViewers,
            codec: tracks.first { $0.codec.kind == .video }?.codec.rawValue,
            audio: tracks.first { $0.codec.kind == .audio }?.codec.rawValue,
            gopMilliseconds: keyframeInterval.map { Int($0.inMilliseconds) },
            bframes: reordersPictures,
            notes: notes(at: now)
        )
    }
}

extension StreamFacts.Sound {
    init(_ worker: SoundWorker) {
        track = worker.track
        delivery = worker.conversion.delivery
        lastFailure = worker.lastFailure
        if case .pausing(let until) = worker.phase { pausesUntil = until }
    }
}
