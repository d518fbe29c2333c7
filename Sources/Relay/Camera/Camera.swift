import Media
import RTP
import RTSP
import Wire

/// One camera: its configuration, the attempt to pull it, and the stream it feeds.
///
/// A passive record confined to its shard's loop; the transitions are in `RelayShard+Cameras.swift`.
final class Camera: Scheduled {
    /// When the shard looks at the camera next.
    var scheduledAt: Instant?
    let configuration: CameraConfiguration
    let stream = Stream()
    /// The converted sound track, where a delivery would have none.
    var sound: SoundWorker?

    /// Increases with every operator action, so that a command hits what its author saw.
    var generation: UInt64 = 1
    private(set) var state: CameraState
    private(set) var stateSince: Instant
    /// Why it is in this state; empty when simply live.
    private(set) var reason = ""
    /// What the operator can do; empty when nothing is wrong.
    private(set) var remedy = ""
    var lastError = ""
    /// It shows nothing though it should: from the first failure until it is live, new attempts included.
    private(set) var isFailing = false

    /// Number of the newest connection; inputs of older ones are ignored.
    var attempt: UInt64 = 0
    /// The RTSP session of this attempt, which is large: never looked at in place, because that would copy it.
    private var client: RTSPClient?
    /// Whether there is a session.
    private(set) var isOpen = false
    /// When the session has work.
    private(set) var clientDeadline: Instant?
    /// What the camera offers, in the order of the stream's tracks.
    var tracks: [RTSPTrack] = []
    /// Reception of each track, index as in ``tracks``.
    var ingests: [TrackIngest] = []
    /// What came before the camera had answered PLAY.
    var earlyPackets = EarlyPackets()
    /// Reception in the last attempt; timelines and sequence numbers go on from there.
    var earlierIngests: [TrackIngest] = []
    /// What the camera settled on; `nil` before PLAY.
    var transport: RTSPTransport?
    /// What was learned about this camera and overrides `auto` for later attempts.
    var learnedTransport: TransportPreference?
    /// Where a redirect sent us; forgotten after a failure.
    var redirected: RTSPURL?

    var backoff = Backoff()
    var credentialHold = CredentialHold()
    /// When the next attempt is due; `nil` when none is planned.
    var retryAt: Instant?
    /// Connections lost or given up.
    var reconnects = 0
    /// When media last began to flow; `nil` when it does not.
    var liveSince: Instant?
    /// When the last video packet (or the last packet, without video) arrived in this attempt.
    var lastMediaAt: Instant?
    /// On demand: when the last viewer left.
    var unwatchedSince: Instant?
    /// Received bytes of all tracks.
    var received = RateMeter()
    /// When the next receiver reports are due.
    var reportAt: Instant?
    /// Loss over the last ten seconds: (when, packets, lost) of the video track.
    var lossWindow: [(at: Instant, packets: UInt64, lost: UInt64)] = []
    /// Pictures are reordered (B-frames): no WebRTC.
    var reordersPictures = false

    init(_ configuration: CameraConfiguration, at now: Instant) {
        self.configuration = configuration
        state = .idle
        stateSince = now
    }

    var name: String { configuration.name }

    /// Whether an attempt is under way or media flows.
    var isPulled: Bool {
        switch state {
        case .connecting, .negotiating, .starting, .live, .stalled: true
        case .idle, .stopped, .retrying, .held: false
        }
    }

    /// Whether media flows or is about to, so that a viewer has something to see.
    var isShown: Bool { isPulled && !isFailing }

    /// Enters a state. The age starts anew only when the state differs.
    func enter(_ state: CameraState, reason: String = "", remedy: String = "", at now: Instant) {
        switch state {
        case .stalled, .retrying, .held: isFailing = true
        case .live, .stopped, .idle: isFailing = false
        case .connecting, .negotiating, .starting: break
        }
        if state != self.state {
            self.state = state
            stateSince = now
        }
        self.reason = reason
        self.remedy = remedy
    }

    /// Gives the session an input, when there is one.
    func drive(_ input: (inout RTSPClient) -> Void) {
        guard var session = client.take() else { return }
        input(&session)
        open(session)
    }

    /// The attempt has a session from here on.
    func open(_ session: consuming RTSPClient) {
        clientDeadline = session.nextDeadline
        client = consume session
        isOpen = true
    }

    /// The session is over.
    func close() {
        client = nil
        clientDeadline = nil
        isOpen = false
    }

    /// The video track's reception, if there is one.
    var videoIngest: TrackIngest? {
        zip(tracks, ingests).first { $0.0.format.codec.kind == .video }?.1
    }

    /// When something of this camera is due.
    var nextDeadline: Instant? {
        var deadline = earliest(clientDeadline, retryAt, reportAt)
        // By index, because a copy of an ingest would retain all it holds.
        for index in ingests.indices { deadline = earliest(deadline, ingests[index].nextDeadline) }
        return deadline
    }

    /// Sentences about tracks that do not reach a delivery.
    func notes(at now: Instant) -> [String] {
        var notes: [String] = []
        for delivery in [Delivery.webrtc, .hls] {
            if let silence = silence(for: delivery, at: now) { notes.append(silence) }
        }
        if reordersPictures {
            notes.append("pictures are reordered (B-frames): WebRTC is not possible, viewers get HLS")
        }
        return notes
    }

    /// Why viewers by a delivery hear nothing although the camera sends sound; `nil` when they hear it.
    func silence(for delivery: Delivery, at now: Instant) -> String? {
        let name = delivery == .hls ? "HLS" : "WebRTC"
        guard let sound else {
            let sounds = stream.tracks.filter { $0.codec.kind == .audio }
            let carried: Set<Codec> = delivery == .hls ? [.aac, .opus] : [.pcmu, .pcma, .opus]
            guard let first = sounds.first, !sounds.contains(where: { carried.contains($0.codec) }) else { return nil }
            return "\(first.codec.rawValue) sound does not reach \(name) viewers: signalbox-media, which converts it, "
                + "is not installed"
        }
        guard case .pausing(let until) = sound.phase, sound.conversion.delivery.contains(name) else { return nil }
        let pause = max(0, (until - now).inSeconds)
        return "no sound for \(name) viewers: \(sound.lastFailure); tried again in \(pause.tenths) s"
    }

    /// What pages are told.
    func sourceInfo(at now: Instant) -> SourceInfo {
        let video = stream.tracks.first { $0.codec.kind == .video }
        let audio = stream.tracks.first { $0.codec.kind == .audio }
        return SourceInfo(
            state: state,
            reason: state.sentenceForViewers,
            codec: video?.codec.rawValue,
            audio: audio?.codec.rawValue,
            gopMilliseconds: videoIngest?.counters(at: now).gopDuration.map { Int($0.inMilliseconds) },
            bframes: reordersPictures,
            notes: notes(at: now)
        )
    }
}
