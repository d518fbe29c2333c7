import ICE
import WebRTC
import Wire

/// Viewers' WebRTC sessions: from the offer over what comes on the media port to the end.
extension RelayShard {
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

    /// The viewer's peer ends, the viewer stays.
    public func closePeer(viewer id: String, at now: Instant, into effects: inout [ShardEffect]) {
        guard let viewer = viewers[id] else { return }
        let reason = viewer.report?.reason.map { $0.isEmpty ? "" : ": \($0)" } ?? ""
        endPeer(of: viewer, .client("the page closed it\(reason)"), at: now, into: &effects)
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

    /// Nothing can come by `path` any more: its connection has closed.
    public func connectionClosed(
        _ path: FiveTuple,
        by end: ConnectionEnd,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        guard let viewer = viewersByPath[path], let peer = viewer.peer else { return }
        var events: [PeerEvent] = []
        peer.connectionClosed(path, by: end, at: now, into: &outgoing, events: &events)
        apply(events, of: viewer, at: now, into: &effects)
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
            }
        }
    }

    func handleTimeout(of viewer: Viewer, at now: Instant, into effects: inout [ShardEffect]) {
        guard let peer = viewer.peer, let deadline = peer.nextDeadline, now >= deadline else { return }
        var events: [PeerEvent] = []
        peer.handleTimeout(at: now, into: &outgoing, events: &events)
        apply(events, of: viewer, at: now, into: &effects)
    }
}
