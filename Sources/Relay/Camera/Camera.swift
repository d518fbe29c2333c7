import HLS
import Media
import RTP
import RTSP
import Wire

/// One camera: its configuration, the attempt to pull it, and the stream it feeds.
///
/// A passive record confined to its shard's loop; the transitions are in `RelayShard+Cameras.swift`. What viewers on
/// other loops need to know of it is in its stream's facts.
final class Camera: Scheduled {
    /// Among those that the shard looks at.
    var place: Int?
    let configuration: CameraConfiguration
    /// Its media on this loop.
    let stream: Stream
    /// Numbers the stream's packets.
    var numbering = StreamNumbering()
    /// Everybody who watches it.
    var audience = Audience()
    /// The HLS stream, while somebody asks for it.
    var hls: HLSStream?
    /// Where the next HLS stream begins to number its segments: players that paused must not see numbers go back.
    private(set) var firstHLSSequence = 0
    /// The converted sound track, where a delivery would have none.
    var sound: SoundWorker?

    /// Increases with every operator action, so that a command hits what its author saw.
    var generation: UInt64 = 1
    private(set) var stateSince: Instant
    /// What the operator can do; empty when nothing is wrong.
    private(set) var remedy = ""
    var lastError = ""

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
    /// This attempt's pictures have been seen to be reordered.
    var hasSeenReordering = false
    /// Loss over the last ten seconds: (when, packets, lost) of the video track.
    var lossWindow: [(at: Instant, packets: UInt64, lost: UInt64)] = []

    init(_ configuration: CameraConfiguration, stream: Stream, at now: Instant) {
        self.configuration = configuration
        self.stream = stream
        stateSince = now
    }

    var name: String { configuration.name }

    /// Where it is on the way to media.
    var state: CameraState { stream.facts.state }
    /// Why it is in this state; empty when simply live.
    var reason: String { stream.facts.reason }
    /// It shows nothing though it should: from the first failure until it is live, new attempts included.
    var isFailing: Bool { stream.facts.isFailing }

    /// Enters a state. The age starts anew only when the state differs.
    func enter(_ state: CameraState, reason: String = "", remedy: String = "", at now: Instant) {
        var facts = stream.facts
        switch state {
        case .stalled, .retrying, .held: facts.isFailing = true
        case .live, .stopped, .idle: facts.isFailing = false
        case .connecting, .negotiating, .starting: break
        }
        if state != facts.state { stateSince = now }
        facts.state = state
        facts.reason = reason
        if facts != stream.facts { stream.facts = facts }
        self.remedy = remedy
    }

    /// The process that converts its sound changed, or there is one no more.
    func noteSound() {
        let facts = sound.map(StreamFacts.Sound.init)
        if facts != stream.facts.sound { stream.facts.sound = facts }
    }

    /// Ends the HLS stream.
    func closeHLS(at now: Instant) {
        if let last = hls?.muxer.status(at: now).segments.last?.mediaSequenceNumber {
            // One above the open segment, which may not be listed.
            firstHLSSequence = last + 2
        }
        hls = nil
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
}
