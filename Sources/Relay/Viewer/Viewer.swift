import WebRTC
import Wire

/// Somebody watching, by whatever delivery. A passive record confined to its shard's loop.
final class Viewer: Scheduled {
    let id: String
    /// The camera it watches, on this loop.
    let stream: Stream
    let control: ControlChannel
    let joinedAt: Instant
    var remote: IPAddress
    let userAgent: String
    /// The program's name and version, for people.
    let client: String

    /// Increases with every switch.
    var generation: UInt64 = 1
    /// The signalling connection in use; `nil` while there is none.
    var channel: UInt64?
    /// When the signalling connection closed.
    var channelClosedAt: Instant?
    /// The event list says that the signalling connection is lost.
    var isControlLossTold = false
    /// When its page was last told the relay's time.
    var clockToldAt: Instant?
    /// What an operator asked for.
    var requested = DeliveryPolicy.auto
    /// The delivery in use, or being set up.
    var delivery: Delivery
    /// Why its page was told to go on with HLS; `nil` when it never was, or has been told something else since.
    var orderedToHLS: String?
    /// Told to change delivery, not there yet.
    var switchingTo: DeliveryPolicy?

    /// Moved to HLS because its way did not carry WebRTC.
    struct Refuge {
        var reason: String
        /// How long HLS is kept; doubles with every try that failed.
        var hold: Duration
        /// When WebRTC is tried again; `nil` while that is being done.
        var returnAt: Instant?
        /// When it was moved, and after that when it was given back.
        var takenAt: Instant
    }

    /// Set from the first time on that WebRTC did not do.
    var refuge: Refuge?
    /// Where its last WebRTC session stood on the quality ladder when it ended; the next goes on from there.
    var earlierQuality: (state: QualityState, endedAt: Instant)?

    /// The WebRTC session; `nil` when there is none.
    var peer: Peer?
    /// Paths that lead to the peer, as far as the shard knows them by it.
    var paths: [FiveTuple] = []
    /// Ufrags of the peer from before it restarted ICE, which the client may still use for a moment.
    var retiredUfrags: [String] = []
    /// Among those whose peers the shard looks at.
    var place: Int?
    /// The peer takes media.
    var isSubscribed = false
    var peerReadyAt: Instant?
    /// Offers it has made.
    var attempts = 0
    /// When the newest offer came.
    var offeredAt: Instant?
    /// When the first frame of the newest session was decoded, as the page measured it.
    var peerFirstFrameAt: Instant?
    /// When our TURN server last turned it away for its credentials, and why.
    var turnRefusal: TURNRefusal?
    /// What was wrong with its last WebRTC session that ended; `nil` when nothing was.
    var lastVerdict: Verdict?
    /// Bytes sent by earlier peers of this viewer.
    var bytesOfEarlierPeers: UInt64 = 0
    /// What the newest peer had sent when the meter was last fed.
    var meteredPeerBytes: UInt64 = 0

    /// HLS: when it last asked for anything, and for media.
    var lastHLSRequestAt: Instant?
    var lastHLSMediaAt: Instant?
    /// When it came to HLS, or was told to; the steps of its start there count from then.
    var hlsBegunAt: Instant?
    var firstHLSPlaylistAt: Instant?
    var firstHLSMediaAt: Instant?
    var firstHLSFrameAt: Instant?
    var hlsBytes: UInt64 = 0
    /// How old the first media was that it fetched, and how far the end of the newest was from live: a player plays on
    /// from where it began, so it is at least this far behind live.
    var hlsJoinedBehind: Duration?
    var hlsFetchedBehind: Duration?
    /// How the stream that it fetched from is cut.
    var hlsPace: HLSPace?
    var hlsScheme = "https"

    /// Bytes sent by any delivery.
    var sent = RateMeter()
    /// Bytes sent by HLS, over the time of two segments: who fetches whole ones gets nothing in between.
    var sentInSegments = RateMeter(window: .seconds(20))
    var report: ViewerReport?
    var reportedAt: Instant?
    var firstFrameAt: Instant?

    init(
        id: String,
        stream: Stream,
        control: ControlChannel,
        delivery: Delivery,
        remote: IPAddress,
        userAgent: String,
        at now: Instant
    ) {
        self.id = id
        self.stream = stream
        self.control = control
        self.delivery = delivery
        self.remote = remote
        self.userAgent = userAgent
        client = ClientName.short(userAgent)
        joinedAt = now
        if delivery == .hls { hlsBegunAt = now }
    }

    /// It begins with HLS, or is told to: what it did there before is another story.
    func beginHLS(at now: Instant) {
        hlsBegunAt = now
        firstHLSPlaylistAt = nil
        firstHLSMediaAt = nil
        firstHLSFrameAt = nil
    }

    /// Takes note of an HLS request.
    func requestedHLS(at now: Instant) {
        // Who comes back to HLS after this long has been elsewhere meanwhile.
        let isAnew = lastHLSRequestAt.map { now - $0 > .seconds(20) } ?? (hlsBegunAt == nil)
        let isAwaited = hlsBegunAt.map { begun in lastHLSRequestAt.map { begun > $0 } ?? true } ?? false
        if isAnew, !isAwaited { beginHLS(at: now) }
        lastHLSRequestAt = now
    }

    /// Whether it gives no sign of life any more, though it has not been let go yet.
    func isGone(at now: Instant) -> Bool {
        guard channel == nil else { return false }
        let heard = peer.map { max($0.lastHeard, lastSignOfLife) } ?? lastSignOfLife
        return now - heard > Self.goneAfter
    }

    /// Longer than the pauses of a player that fetches whole segments, and of a WebRTC client's consent checks.
    private static let goneAfter = Duration.seconds(10)

    /// How long its page's signalling connection has been away; `nil` while there is one, and for viewers without.
    func controlLost(at now: Instant) -> Duration? {
        guard control == .page, channel == nil else { return nil }
        return channelClosedAt.map { now - $0 }
    }

    /// Takes note of something it asked for or got by HLS.
    func note(_ activity: HLSActivity) {
        if let pace = activity.pace { hlsPace = pace }
        switch activity.kind {
        case .request(let scheme):
            requestedHLS(at: activity.at)
            hlsScheme = scheme
            return
        case .playlist(isMedia: false): break
        case .playlist(isMedia: true):
            if firstHLSPlaylistAt == nil { firstHLSPlaylistAt = activity.at }
        case .media(let age):
            lastHLSMediaAt = activity.at
            if firstHLSMediaAt == nil { firstHLSMediaAt = activity.at }
            if let age {
                if hlsJoinedBehind == nil { hlsJoinedBehind = age.start }
                hlsFetchedBehind = age.end
            }
        }
        hlsBytes += UInt64(activity.byteCount)
        sent.add(activity.byteCount, at: activity.at)
        sentInSegments.add(activity.byteCount, at: activity.at)
    }

    /// Counts what its peer has sent since the last call.
    func meter(peerBytes: UInt64, at now: Instant) {
        sent.add(Int(clamping: peerBytes &- min(peerBytes, meteredPeerBytes)), at: now)
        meteredPeerBytes = peerBytes
    }

    /// When the peer has work.
    var nextDeadline: Instant? { peer?.nextDeadline }

    /// When it last gave a sign of life by signalling or HTTP. A peer's liveness is ICE's business.
    var lastSignOfLife: Instant {
        [joinedAt, channelClosedAt, lastHLSRequestAt, reportedAt].compactMap { $0 }.max() ?? joinedAt
    }

    /// The delivery it shows pictures by, as its page says; `nil` while it has none, or is on its way to another.
    var steadilyPlayed: Delivery? {
        guard switchingTo == nil, let playing = report?.playing, playing == delivery else { return nil }
        return playing
    }

    /// Its page's tab is in the background, as far as the page could tell.
    var isInBackground: Bool { channel != nil && report?.isHidden == true }

    /// Whether the operator may move it, or why not.
    var reasonAgainstSwitch: String? {
        switch control {
        case .page:
            channel == nil
                ? "its page has no signalling connection at the moment; try again when it has reconnected" : nil
        case .whep:
            "it came by bare WHEP, which has no channel to tell it; it can only be dropped"
        case .hls:
            "it is a bare HLS player, which has no channel to tell it; it can only be dropped"
        }
    }
}
