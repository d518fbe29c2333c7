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
                throw ViewerRefusal(.unavailable, "the relay has as many viewers as it takes", retryAfter: 30)
            }
            if let reason = admission.refusal {
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

    /// Negotiates WebRTC; the offer replaces an earlier peer of the same viewer.
    public func offer(
        _ sdp: String,
        viewer id: String,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) throws(ViewerRefusal) -> String {
        guard let viewer = viewers[id] else { throw ViewerRefusal(.notFound, "this viewer's session is over") }
        let stream = viewer.stream
        if policy(for: stream) == .hls {
            // Pages offer before they know; what was never meant to be is no failure.
            if viewer.control != .page {
                archiveRefusal(of: viewer, "WebRTC is switched off for this camera", cause: nil, at: now)
            }
            throw ViewerRefusal(.policy, "WebRTC is switched off for this camera; use HLS")
        }
        if stream.facts.reordersPictures {
            archiveRefusal(
                of: viewer,
                "the camera's pictures are reordered (B-frames)",
                remedy: "Switch B-frames off in the camera and restart it, or leave its viewers on HLS.",
                cause: .camera,
                at: now
            )
            throw ViewerRefusal(
                .incompatible,
                "this camera's pictures are reordered (B-frames), which WebRTC cannot show; use HLS"
            )
        }
        guard !stream.tracks.isEmpty else {
            let facts = stream.facts
            let why = facts.reason.isEmpty ? "the camera is not ready" : facts.reason
            archiveRefusal(of: viewer, "the camera has nothing to show yet: \(why)", cause: .camera, at: now)
            let sentence = facts.state == .live ? "The camera is not ready." : facts.state.sentenceForViewers
            throw ViewerRefusal(
                .unavailable,
                sentence,
                retryAfter: facts.state.retryAfterForViewers,
                remedy: facts.state.remedyForViewers
            )
        }
        try makeRoomForSession(of: viewer, at: now, into: &effects)
        let peer: Peer
        do throws(NegotiationError) {
            peer = try Peer(
                offer: sdp,
                tracks: stream.tracks,
                configuration: PeerConfiguration(
                    udpAddresses: configuration.candidates,
                    tcpAddresses: configuration.tcpCandidates,
                    dtls: configuration.certificate,
                    cname: "signalbox",
                    streamID: stream.name.map { $0 == "/" ? "-" : $0 }.reduce(into: "") { $0.append($1) },
                    ntpAtZero: configuration.clock.ntpAtZero
                ),
                continuing: earlierQuality(of: viewer, at: now),
                at: now,
                using: &random
            )
        } catch {
            log(.warning, "WebRTC refused: \(error.problem)", camera: stream.name, viewer: id, at: now)
            archiveRefusal(of: viewer, error.problem, remedy: error.way, cause: error.cause, at: now)
            let text = [error.problem, error.remedy].compactMap { $0 }.joined(separator: " ")
            switch error.httpStatus {
            case 503: throw ViewerRefusal(.unavailable, text, retryAfter: 1)
            case 406: throw ViewerRefusal(.incompatible, text)
            default: throw ViewerRefusal(.malformed, text)
            }
        }
        endPeer(of: viewer, .client("a new offer took its place"), at: now, into: &effects)
        viewer.peer = peer
        viewer.attempts += 1
        viewer.offeredAt = now
        viewer.peerFirstFrameAt = nil
        viewer.report?.peer = nil
        viewer.meteredPeerBytes = 0
        if viewer.switchingTo == nil, viewer.delivery == .hls, viewer.control != .page { viewer.delivery = .webrtc }
        viewersByUfrag[peer.localUfrag] = viewer
        effects.append(.claim(ufrag: peer.localUfrag))
        updateDemand(for: stream, at: now, into: &effects)
        schedule(viewer)
        return peer.answer
    }

    /// The answer to the viewer's offer has been handed over.
    public func answered(viewer id: String, at now: Instant) { viewers[id]?.peer?.answered(at: now) }

    /// A trickled remote candidate.
    public func candidate(
        _ candidate: String,
        viewer: String,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        guard let viewer = viewers[viewer], let peer = viewer.peer else { return }
        peer.addRemoteCandidate(candidate)
        schedule(viewer)
    }

    /// Restarts ICE with the client's new credentials (RFC 8445 §9); paths stay known, and media goes on over them.
    public func restartICE(
        ufrag: String,
        pwd: String,
        viewer id: String,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) throws(ViewerRefusal) -> String {
        guard let viewer = viewers[id], let peer = viewer.peer, !peer.isClosed else {
            throw ViewerRefusal(.notFound, "this viewer has no WebRTC session")
        }
        guard let remote = ICECredentials(ufrag: ufrag, pwd: pwd) else {
            throw ViewerRefusal(.malformed, "the new ICE credentials are not well formed")
        }
        viewer.retiredUfrags.append(peer.localUfrag)
        let fragment = peer.restartICE(remote: remote, at: now, using: &random)
        viewersByUfrag[peer.localUfrag] = viewer
        effects.append(.claim(ufrag: peer.localUfrag))
        for path in viewer.paths { effects.append(.claimPath(path, ufrag: peer.localUfrag)) }
        // The agent takes the one before for ten seconds more; older ones are of no use.
        while viewer.retiredUfrags.count > 1 { release(viewer.retiredUfrags.removeFirst(), into: &effects) }
        schedule(viewer)
        return fragment
    }

    private func release(_ ufrag: String, into effects: inout [ShardEffect]) {
        viewersByUfrag[ufrag] = nil
        effects.append(.release(ufrag: ufrag))
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
        if let offeredAt = viewer.offeredAt, viewer.peer != nil, viewer.peerFirstFrameAt == nil,
            let measured = report.peer?.firstFrameMilliseconds
        {
            viewer.peerFirstFrameAt = min(offeredAt + .milliseconds(Int64(clampingMilliseconds: measured)), now)
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

    /// The viewer's peer ends, the viewer stays.
    public func closePeer(viewer id: String, at now: Instant, into effects: inout [ShardEffect]) {
        guard let viewer = viewers[id] else { return }
        let reason = viewer.report?.reason.map { $0.isEmpty ? "" : ": \($0)" } ?? ""
        endPeer(of: viewer, .client("the page closed it\(reason)"), at: now, into: &effects)
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

    /// Ends a viewer's WebRTC session.
    func endPeer(
        of viewer: Viewer,
        _ end: AttemptFacts.End,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        guard let peer = viewer.peer else { return }
        peer.close(.closedByServer("the viewer moved on"), at: now, into: &outgoing)
        forgetPeer(of: viewer, end, at: now, into: &effects)
    }

    /// Tells a viewer's page what to use from now on. The reason stays with the viewer: a session that ends because of it
    /// ends for that reason.
    func order(_ viewer: Viewer, to policy: DeliveryPolicy, reason: String, into effects: inout [ShardEffect]) {
        guard let channel = viewer.channel else { return }
        viewer.orderedToHLS = policy == .hls ? reason : nil
        effects.append(.message(viewer: viewer.id, channel: channel, .switchTo(policy, reason: reason)))
    }

    private func forgetPeer(
        of viewer: Viewer,
        _ end: AttemptFacts.End,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        guard let peer = viewer.peer else { return }
        let status = peer.status
        var end = end
        // What the client ends is what it was told to.
        switch end {
        case .client, .peer(.closedByClient):
            if let reason = viewer.orderedToHLS, viewer.channel != nil { end = .moved(reason) }
        case .peer, .relay, .moved: break
        }
        archive(status, of: viewer, end, at: now)
        viewer.earlierQuality = (status.quality, now)
        viewer.stream.unsubscribe(viewer)
        viewer.bytesOfEarlierPeers += status.bytesSent
        viewer.peer = nil
        unschedule(viewer)
        viewer.isSubscribed = false
        viewer.peerReadyAt = nil
        for path in viewer.paths where viewersByPath[path] === viewer { viewersByPath[path] = nil }
        viewer.paths = []
        for ufrag in viewer.retiredUfrags + [peer.localUfrag] { release(ufrag, into: &effects) }
        viewer.retiredUfrags = []
        updateDemand(for: viewer.stream, at: now, into: &effects)
    }
}

// MARK: - Media port

extension RelayShard {
    /// A datagram came on the media port and was found to be this shard's.
    public func receive(_ datagram: [UInt8], path: FiveTuple, at now: Instant, into effects: inout [ShardEffect]) {
        guard let viewer = viewersByPath[path] ?? viewerByUfrag(in: datagram), let peer = viewer.peer else { return }
        var events: [PeerEvent] = []
        peer.receive(datagram[...], on: path, at: now, into: &outgoing, events: &events)
        apply(events, of: viewer, at: now, into: &effects)
        // A replay that this datagram began leaves with it: the next timer is a millisecond away at least.
        if peer.hasQueue { handleTimeout(of: viewer, at: now, into: &effects) }
        schedule(viewer)
    }

    private func viewerByUfrag(in datagram: [UInt8]) -> Viewer? {
        STUNMessage.localUfrag(of: datagram[...]).flatMap { viewersByUfrag[$0] }
    }

    func apply(
        _ events: [PeerEvent],
        of viewer: Viewer,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        for event in events {
            switch event {
            case .pathAdded(let path):
                guard let peer = viewer.peer else { continue }
                viewersByPath[path] = viewer
                viewer.paths.append(path)
                effects.append(.claimPath(path, ufrag: peer.localUfrag))
            case .pathRemoved(let path):
                if viewersByPath[path] === viewer { viewersByPath[path] = nil }
                viewer.paths.removeAll { $0 == path }
            case .ready:
                viewer.clockToldAt = nil
                viewer.peerReadyAt = now
                viewer.isSubscribed = true
                viewer.stream.subscribe(viewer, at: now)
                updateDemand(for: viewer.stream, at: now, into: &effects)
                tellQuality(to: viewer, into: &effects)
            case .keyframeWanted:
                // A camera cannot be asked over RTSP; the cache answers, or the next keyframe does.
                _ = viewer.stream.refresh(viewer, at: now)
            case .closed(let reason):
                forgetPeer(of: viewer, .peer(reason), at: now, into: &effects)
                // A client that says goodbye is no event, by whatever channel its goodbye is the first to arrive.
                if reason != .closedByClient {
                    log(.info, "WebRTC ended: \(reason.text)", camera: viewer.stream.name, viewer: viewer.id, at: now)
                }
                if viewer.control == .whep {
                    end(viewer, reason: reason.text, retryAfter: nil, at: now, into: &effects)
                }
            case .qualityChanged(let state):
                qualityChanged(to: state, of: viewer, at: now, into: &effects)
            case .iceConnected, .pathChanged, .dtlsConnected, .firstReceiverReport, .suspended, .resumed:
                break
            }
        }
    }

    func handleTimeout(of viewer: Viewer, at now: Instant, into effects: inout [ShardEffect]) {
        guard let peer = viewer.peer, let deadline = peer.nextDeadline, now >= deadline else { return }
        var events: [PeerEvent] = []
        peer.handleTimeout(at: now, into: &outgoing, events: &events)
        apply(events, of: viewer, at: now, into: &effects)
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
