import DTLS
import Digests
import ICE
import Media
import WebRTC
import Wire

extension RelayShard {
    /// The shard whose viewer this is, read off the id; `nil` when it cannot be one of ours.
    public static func viewerShard(of id: String) -> Int? {
        let characters = Array(id.utf8)
        guard characters.count == idLength, characters[0] == UInt8(ascii: "v") else { return nil }
        return Int(String(decoding: characters[1...2], as: UTF8.self), radix: 36)
    }

    private func newViewerID() -> String {
        let instance = String(configuration.instance, radix: 36)
        return "v" + String(repeating: "0", count: max(0, 2 - instance.count)) + instance
            + random.word(Self.idLength - 3)
    }

    /// `v`, two digits of the shard, 22 random letters and digits (130 bits): whoever knows it may end the session.
    private static let idLength = 25
    /// Viewers of one shard at most; past it joining is refused before quality falls.
    private static let viewerLimit = 2_000

    /// Admits a viewer, or gives a page back the identity it had.
    public func join(
        _ request: JoinRequest,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) throws(ViewerRefusal) -> (id: String, channel: UInt64, policy: DeliveryPolicy, source: SourceInfo) {
        guard let stream = streams[request.camera] else {
            throw ViewerRefusal(.notFound, "there is no camera named \(request.camera)")
        }
        guard !isShuttingDown else {
            throw ViewerRefusal(.unavailable, "the relay is shutting down", retryAfter: Self.restartPause)
        }
        let viewer: Viewer
        if let id = request.resume, let known = viewers[id], known.stream === stream, known.control == .page {
            viewer = known
            if let old = viewer.channel { effects.append(.endMessages(viewer: id, channel: old)) }
            viewer.remote = request.remote
        } else {
            guard viewers.count < Self.viewerLimit else {
                let reason = "the relay has as many viewers as it takes"
                archiveTurnedAway(request, reason, at: now)
                throw ViewerRefusal(.unavailable, reason, retryAfter: 30)
            }
            if let reason = admission.refusal {
                archiveTurnedAway(request, reason, at: now)
                throw ViewerRefusal(.unavailable, reason, retryAfter: AdmissionControl.retryAfter)
            }
            let policy = policy(for: stream)
            viewer = Viewer(
                id: newViewerID(),
                stream: stream,
                control: request.control,
                delivery: request.control == .hls || policy == .hls ? .hls : .webrtc,
                remote: request.remote,
                userAgent: request.userAgent,
                at: now
            )
            viewers[viewer.id] = viewer
            stream.viewers[viewer.id] = viewer
            sayHome(.joined(viewer: viewer.id), of: stream, at: now, into: &effects)
        }
        let channel = nextChannel
        nextChannel += 1
        if request.control == .page {
            viewer.channel = channel
            viewer.channelClosedAt = nil
            viewer.isControlLossTold = false
            ended(.controlLost(viewer: viewer.id), at: now)
            remindOfRefuge(viewer, into: &effects)
        }
        return (viewer.id, channel, effectivePolicy(of: viewer), stream.facts.sourceInfo(at: now))
    }

    /// The policy for a camera's viewers: its own, or the relay's.
    func policy(for stream: Stream) -> DeliveryPolicy {
        stream.delivery == .auto ? configuration.delivery : stream.delivery
    }

    /// What this viewer may use: a policy binds, an operator's wish comes next.
    func effectivePolicy(of viewer: Viewer) -> DeliveryPolicy {
        let policy = policy(for: viewer.stream)
        return policy == .auto ? viewer.requested : policy
    }

    /// What the page says of itself.
    public func report(
        _ report: ViewerReport,
        viewer id: String,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        guard let viewer = viewers[id] else { return }
        viewer.report = report
        viewer.reportedAt = now
        if viewer.firstFrameAt == nil, report.framesDecoded ?? 0 > 0 {
            // The page measured it; the report may come 2 s later.
            let measured = report.firstFrameMilliseconds.map {
                viewer.joinedAt + .milliseconds(Int64(clampingMilliseconds: $0))
            }
            viewer.firstFrameAt = min(measured ?? now, now)
        }
        if report.playing == .hls, viewer.firstHLSFrameAt == nil, report.framesDecoded ?? 0 > 0 {
            // The page measured the first frame there was; when it was HLS's, that is the better time.
            let begun = viewer.hlsBegunAt ?? viewer.joinedAt
            viewer.firstHLSFrameAt = viewer.firstFrameAt.flatMap { $0 >= begun ? $0 : nil } ?? now
        }
        // Before there was a packet, the page speaks of the session before.
        if let offeredAt = viewer.offeredAt, viewer.peerFirstFrameAt == nil,
            let measured = report.peer?.firstFrameMilliseconds, let firstRTP = viewer.peer?.status.ladder.firstRTP
        {
            let shown = offeredAt + .milliseconds(Int64(clampingMilliseconds: measured))
            viewer.peerFirstFrameAt = max(min(shown, now), firstRTP)
        }
        if let playing = report.playing, playing != viewer.delivery {
            let reason = report.reason.flatMap { $0.isEmpty ? nil : ": \($0)" } ?? ""
            let isFallback = playing == .hls && viewer.switchingTo == nil && effectivePolicy(of: viewer) != .hls
            viewer.delivery = playing
            viewer.generation += 1
            ended(.fallback(viewer: id), at: now)
            log(
                isFallback ? .warning : .info,
                "now plays \(playing == .hls ? "HLS" : "WebRTC")\(reason)",
                camera: viewer.stream.name,
                viewer: id,
                lasting: isFallback ? .fallback(viewer: id) : nil,
                at: now
            )
        }
        advanceOperations(at: now, into: &effects)
    }

    /// The page's signalling connection closed; media goes on.
    public func controlClosed(
        viewer id: String,
        channel: UInt64,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        guard let viewer = viewers[id], viewer.channel == channel else { return }
        viewer.channel = nil
        viewer.channelClosedAt = now
        effects.append(.endMessages(viewer: id, channel: channel))
    }

    /// The viewer ends its session.
    public func leave(viewer id: String, reason: String, at now: Instant, into effects: inout [ShardEffect]) {
        guard let viewer = viewers[id] else { return }
        endPeer(of: viewer, .client(reason), at: now, into: &effects)
        end(viewer, reason: reason, retryAfter: nil, at: now, into: &effects)
    }

    /// Ends a viewer and everything that is open for it.
    func end(
        _ viewer: Viewer,
        reason: String,
        retryAfter: Int?,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        endPeer(of: viewer, .relay(reason), at: now, into: &effects)
        if let channel = viewer.channel {
            effects.append(.message(viewer: viewer.id, channel: channel, .bye(reason: reason, retryAfter: retryAfter)))
            effects.append(.endMessages(viewer: viewer.id, channel: channel))
            viewer.channel = nil
        }
        viewers[viewer.id] = nil
        viewer.stream.viewers[viewer.id] = nil
        ended(.fallback(viewer: viewer.id), at: now)
        ended(.controlLost(viewer: viewer.id), at: now)
        sayHome(.left(viewer: viewer.id), of: viewer.stream, at: now, into: &effects)
    }

    /// Tells a viewer's page what to use from now on. The reason stays with the viewer: a session that ends because of it
    /// ends for that reason.
    func order(_ viewer: Viewer, to policy: DeliveryPolicy, reason: String, into effects: inout [ShardEffect]) {
        guard let channel = viewer.channel else { return }
        viewer.orderedToHLS = policy == .hls ? reason : nil
        effects.append(.message(viewer: viewer.id, channel: channel, .switchTo(policy, reason: reason)))
    }

    /// Lets go of viewers that are gone without a word.
    func expireViewers(at now: Instant, into effects: inout [ShardEffect]) {
        for viewer in viewers.values {
            tellClock(to: viewer, at: now, into: &effects)
            noteControlLoss(of: viewer, at: now)
            guard viewer.channel == nil, viewer.peer == nil, now - viewer.lastSignOfLife > Self.silenceLimit else {
                continue
            }
            end(viewer, reason: "nothing heard from it", retryAfter: nil, at: now, into: &effects)
        }
    }

    /// The viewer's row says so at once; the event list when it is more than a reconnect.
    private func noteControlLoss(of viewer: Viewer, at now: Instant) {
        guard !viewer.isControlLossTold, let lost = viewer.controlLost(at: now), lost >= Self.reconnectTime else {
            return
        }
        viewer.isControlLossTold = true
        log(
            .warning,
            "control connection lost without a goodbye",
            camera: viewer.stream.name,
            viewer: viewer.id,
            lasting: .controlLost(viewer: viewer.id),
            at: now
        )
    }

    /// Pages measure how far behind live they are against this.
    private func tellClock(to viewer: Viewer, at now: Instant, into effects: inout [ShardEffect]) {
        guard let channel = viewer.channel else { return }
        if let last = viewer.clockToldAt, now - last < Self.clockInterval { return }
        viewer.clockToldAt = now
        effects.append(
            .message(
                viewer: viewer.id,
                channel: channel,
                .clock(
                    wallMilliseconds: configuration.clock.wallMilliseconds(at: now),
                    videoRTP: viewer.peer?.rtpTimestamp(of: .video, at: now),
                    audioRTP: viewer.peer?.rtpTimestamp(of: .audio, at: now)
                )
            )
        )
    }

    private static let clockInterval: Duration = .seconds(5)
    /// A page whose signalling connection breaks is back by then, unless something is wrong.
    private static let reconnectTime: Duration = .seconds(3)
    /// A viewer without peer and without signalling is gone when it asked for nothing for this long.
    private static let silenceLimit: Duration = .seconds(20)
}

extension Int64 {
    /// A page's milliseconds: whatever it says, a day at most and never negative.
    fileprivate init(clampingMilliseconds value: Double) {
        self = value.isFinite ? Int64(Swift.min(Swift.max(value, 0), 86_400_000)) : 0
    }
}
