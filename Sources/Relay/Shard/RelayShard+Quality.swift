import ICE
import WebRTC
import Wire

/// The quality ladder's upper end: what happens to a viewer whose peer says that its way carries less than the stream.
extension RelayShard {
    /// Looks at how every WebRTC viewer does.
    func watchQuality(at now: Instant, into effects: inout [ShardEffect]) {
        for viewer in viewers.values {
            returnToWebRTC(viewer, at: now, into: &effects)
            tellDropped(viewer, at: now)
            guard viewer.isSubscribed, let peer = viewer.peer, viewer.stream.facts.state == .live,
                let rates = viewer.stream.rates(at: now)
            else { continue }
            var events: [PeerEvent] = []
            peer.assessQuality(
                rates,
                mayUseHLS: mayMoveByItself(viewer),
                at: now,
                into: &outgoing,
                events: &events
            )
            apply(events, of: viewer, at: now, into: &effects)
            schedule(viewer)
        }
    }

    private func tellDropped(_ viewer: Viewer, at now: Instant) {
        guard let packets = viewer.peer?.takeDropped(at: now) else { return }
        log(
            .warning,
            "no room for what it is sent: \(packets) \(packets == 1 ? "packet" : "packets") dropped, up to a keyframe",
            camera: viewer.stream.name,
            viewer: viewer.id,
            at: now
        )
    }

    /// Whether nobody has said what this viewer is to use, and its page can be told.
    private func mayMoveByItself(_ viewer: Viewer) -> Bool {
        viewer.control == .page && viewer.channel != nil && viewer.switchingTo == nil
            && effectivePolicy(of: viewer) == .auto
    }

    /// A viewer gets less or more from now on.
    func qualityChanged(
        to state: QualityState,
        of viewer: Viewer,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        log(
            state.rung == .full ? .ok : .warning,
            "\(state.rung.text): \(state.reason)",
            camera: viewer.stream.name,
            viewer: viewer.id,
            at: now
        )
        if let channel = viewer.channel {
            effects.append(
                .message(viewer: viewer.id, channel: channel, .quality(rung: state.rung.rawValue, reason: state.reason))
            )
        }
        // While its page shows HLS and tries WebRTC behind it, the first step down ends the try.
        let isTrial = viewer.delivery == .hls && viewer.refuge != nil
        if state.rung == .hls || isTrial && state.rung != .full {
            takeRefuge(viewer, reason: state.reason, at: now, into: &effects)
        }
    }

    /// Where the viewer's last session stood; a new one shall not send again what did not fit.
    func earlierQuality(of viewer: Viewer, at now: Instant) -> QualityState? {
        if let earlier = viewer.peer?.status.quality { return earlier }
        guard let earlier = viewer.earlierQuality, now - earlier.endedAt < Self.qualityMemory else { return nil }
        return earlier.state
    }

    /// Tells a page whose new session does not begin with everything.
    func tellQuality(to viewer: Viewer, into effects: inout [ShardEffect]) {
        guard let channel = viewer.channel, let state = viewer.peer?.status.quality, state.rung != .full else { return }
        effects.append(
            .message(viewer: viewer.id, channel: channel, .quality(rung: state.rung.rawValue, reason: state.reason))
        )
    }

    /// A page that has come back is told again that HLS is its place for now.
    func remindOfRefuge(_ viewer: Viewer, into effects: inout [ShardEffect]) {
        guard let refuge = viewer.refuge, refuge.returnAt != nil,
            effectivePolicy(of: viewer) == .auto
        else { return }
        order(viewer, to: .hls, reason: refuge.reason, into: &effects)
    }

    /// Moves a viewer to HLS until its way to WebRTC is worth another try.
    private func takeRefuge(
        _ viewer: Viewer,
        reason: String,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        guard viewer.channel != nil else { return }
        let hold = viewer.refuge.map { min($0.hold * 2, Self.longestRefuge) } ?? Self.shortestRefuge
        viewer.refuge = Viewer.Refuge(reason: reason, hold: hold, returnAt: now + hold, takenAt: now)
        viewer.generation += 1
        if viewer.delivery != .hls { viewer.beginHLS(at: now) }
        order(viewer, to: .hls, reason: reason, into: &effects)
    }

    /// Gives a viewer that took refuge with HLS back to its page's own choice, which is WebRTC.
    private func returnToWebRTC(_ viewer: Viewer, at now: Instant, into effects: inout [ShardEffect]) {
        guard let refuge = viewer.refuge else { return }
        if viewer.delivery == .webrtc, refuge.returnAt == nil, now - refuge.takenAt >= Self.longestRefuge {
            // It has played WebRTC for long: what was is forgiven.
            viewer.refuge = nil
        }
        guard let returnAt = refuge.returnAt, now >= returnAt, viewer.channel != nil,
            effectivePolicy(of: viewer) == .auto
        else { return }
        viewer.refuge?.returnAt = nil
        viewer.refuge?.takenAt = now
        let seconds = Int(refuge.hold.inSeconds)
        let reason = "tries WebRTC again after \(seconds) s with HLS"
        log(.info, reason, camera: viewer.stream.name, viewer: viewer.id, at: now)
        order(viewer, to: .auto, reason: reason, into: &effects)
    }

    private static let shortestRefuge = Duration.seconds(30)
    private static let longestRefuge = Duration.seconds(480)
    /// What a way carried so long ago says nothing about today.
    private static let qualityMemory = Duration.seconds(600)
}

// MARK: - When the machine is the bottleneck

extension RelayShard {
    /// How the loop does; call a few times a second.
    ///
    /// - Parameters:
    ///   - lateness: How late its timers typically are; `nil` when none ran.
    ///   - overflowed: Datagrams dropped since the last call because there was no room to send them.
    public func noteLoad(lateness: Duration?, overflowed: Int, at now: Instant) {
        let before = admission.refusal
        admission.note(lateness: lateness, overflowed: overflowed, at: now)
        switch (before, admission.refusal) {
        case (nil, let reason?): log(.warning, "takes no new viewers: \(reason)", at: now)
        case (_?, nil): log(.ok, "takes new viewers again", at: now)
        case (nil, nil), (_?, _?): break
        }
    }

    /// So many datagrams on these paths were dropped because there was no room to send them: their viewers go on with
    /// the next keyframe instead of a torn picture. Where a connection did not take them, that is held against the
    /// viewer's way; where this machine did not, it is not.
    public func overflowed(_ paths: [FiveTuple: Int], at now: Instant) {
        for (path, count) in paths {
            guard let viewer = viewersByPath[path] else { continue }
            let isConnection = path.transport == .tcp || RelayedAddress.contains(path.remote.ip)
            viewer.peer?.dropToKeyframe(lost: count, isBehind: isConnection, at: now)
            schedule(viewer)
        }
    }
}
