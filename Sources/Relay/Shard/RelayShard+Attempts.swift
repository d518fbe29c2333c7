import ICE
import Media
import RTP
import WebRTC
import Wire

/// WebRTC sessions as the operator sees them, while they live and after.
extension RelayShard {
    /// What a session of this viewer is judged by.
    func facts(
        of viewer: Viewer,
        _ status: PeerStatus,
        end: AttemptFacts.End? = nil,
        at now: Instant
    ) -> AttemptFacts {
        // A client asks for its allocations before it makes the offer they belong to, and may not be a viewer by then.
        let refusal = [viewer.turnRefusal, turnRefusals.last { $0.address == viewer.remote }].compactMap { $0 }
            .first { $0.at >= status.ladder.offer - .seconds(30) }
        return AttemptFacts(
            status: status,
            end: end,
            at: now,
            control: viewer.control,
            clientAddress: viewer.remote,
            report: viewer.report?.peer,
            firstFrame: viewer.peerFirstFrameAt,
            isCameraLive: viewer.stream.facts.state == .live,
            turnRefusal: refusal
        )
    }

    /// Our TURN server has turned somebody away.
    public func turnRefused(_ client: TURNRefusal.Client, _ reason: TURNRefusal.Reason, at now: Instant) {
        switch client {
        case .viewer(let id):
            viewers[id]?.turnRefusal = TURNRefusal(reason: reason, at: now)
        case .address(let address, let relayed):
            if let relayed, let viewer = viewers.values.first(where: { $0.paths.contains { $0.remote == relayed } }) {
                viewer.turnRefusal = TURNRefusal(reason: reason, at: now)
            } else {
                turnRefusals.removeAll { $0.address == address || now - $0.at > .seconds(60) }
                if turnRefusals.count >= Self.turnRefusalLimit { turnRefusals.removeFirst() }
                turnRefusals.append(TURNRefusal(reason: reason, at: now, address: address))
            }
        }
    }

    /// Addresses remembered that were turned away and are no viewer's yet.
    private static let turnRefusalLimit = 64

    /// What is wrong with a viewer's WebRTC session, or was with the last one while there is no better.
    func verdict(of viewer: Viewer, _ status: PeerStatus?, at now: Instant) -> Verdict? {
        guard let status else { return viewer.lastVerdict }
        let facts = facts(of: viewer, status, at: now)
        return Verdict(of: facts) ?? (facts.stage.reached == .flowing ? nil : viewer.lastVerdict)
    }

    /// Remembers a session that has just ended.
    func archive(_ status: PeerStatus, of viewer: Viewer, _ end: AttemptFacts.End, at now: Instant) {
        guard let verdict = Verdict(of: facts(of: viewer, status, end: end, at: now)) else { return }
        var attempt = attempt(of: viewer, verdict, from: status.ladder.offer, at: now)
        attempt.end = end.text
        attempt.path = status.path
        attempt.ice = status.ice.rawValue
        attempt.dtls = status.dtls.text
        attempt.srtp = status.srtpProfile?.name
        attempt.roundTrip = status.roundTripTime?.inMilliseconds
        attempt.loss = status.lossPercent
        attempt.bytes = status.bytesSent
        attempt.ladder = Self.steps(
            Self.steps(of: status) + [(ViewerSnapshot.LadderStep.firstDecodedFrame, viewer.peerFirstFrameAt)],
            since: status.ladder.offer
        )
        attempt.pairs = pairs(of: viewer, status, attempt: viewer.attempts, at: now)
        remember(attempt, of: viewer, at: now)
    }

    /// Remembers an offer that got no answer.
    func archiveRefusal(of viewer: Viewer, _ problem: String, remedy: String = "", cause: Cause?, at now: Instant) {
        viewer.attempts += 1
        let verdict = Verdict(refusing: problem, remedy: remedy, cause: cause)
        var attempt = attempt(of: viewer, verdict, from: now, at: now)
        attempt.end = "the offer was refused"
        attempt.ladder = [.init(name: "offer", after: 0)]
        remember(attempt, of: viewer, at: now)
    }

    /// Remembers an offer for which there was no room. Nothing is logged: a flood of them would fill the log.
    func archiveTurnedAway(_ viewer: Viewer, _ problem: String, cause: Cause, at now: Instant) {
        viewer.attempts += 1
        var attempt = attempt(of: viewer, Verdict(turningAway: problem, cause: cause), from: now, at: now)
        attempt.end = "there was no room for it"
        attempt.ladder = [.init(name: "offer", after: 0)]
        attempts.append(attempt)
    }

    /// Remembers a client that was not let in at all.
    func archiveTurnedAway(_ request: JoinRequest, _ problem: String, at now: Instant) {
        guard request.control != .hls else { return }
        var attempt = AttemptSnapshot(
            viewer: "-",
            number: 0,
            camera: request.camera,
            control: request.control,
            startedAt: configuration.clock.wallMilliseconds(at: now),
            endedAt: configuration.clock.wallMilliseconds(at: now),
            verdict: Verdict(turningAway: problem, cause: .server)
        )
        attempt.client = ClientName.short(request.userAgent)
        attempt.remote = request.remote.description
        attempt.end = "it was not let in"
        attempts.append(attempt)
    }

    private func attempt(
        of viewer: Viewer,
        _ verdict: Verdict,
        from start: Instant,
        at now: Instant
    )
        -> AttemptSnapshot
    {
        var attempt = AttemptSnapshot(
            viewer: viewer.id,
            number: viewer.attempts,
            camera: viewer.stream.name,
            control: viewer.control,
            startedAt: configuration.clock.wallMilliseconds(at: start),
            endedAt: configuration.clock.wallMilliseconds(at: now),
            verdict: verdict
        )
        attempt.client = viewer.client
        attempt.remote = viewer.remote.description
        attempt.duration = (now - start).inSeconds
        return attempt
    }

    private func remember(_ attempt: AttemptSnapshot, of viewer: Viewer, at now: Instant) {
        let verdict = attempt.verdict
        let isNews = verdict.severity >= .warning && verdict.rule != viewer.lastVerdict?.rule
        // The reason of a refusal is logged where it is given.
        if isNews, verdict.rule != .refused {
            log(verdict.severity, "no WebRTC: \(verdict.text)", camera: attempt.camera, viewer: viewer.id, at: now)
        }
        viewer.lastVerdict = verdict.severity >= .warning ? verdict : nil
        attempts.append(attempt)
    }

    // MARK: - Rows

    /// The steps of what the viewer watches by: of its WebRTC session since the offer, of HLS since it came to that.
    func ladder(of viewer: Viewer, _ status: PeerStatus?) -> [ViewerSnapshot.LadderStep] {
        if viewer.delivery == .webrtc, let status {
            return Self.steps(
                Self.steps(of: status) + [(ViewerSnapshot.LadderStep.firstDecodedFrame, viewer.peerFirstFrameAt)],
                since: status.ladder.offer
            )
        }
        return Self.steps(
            [
                ("playlist", viewer.firstHLSPlaylistAt), ("first part", viewer.firstHLSMediaAt),
                (ViewerSnapshot.LadderStep.firstDecodedFrame, viewer.firstHLSFrameAt),
            ],
            since: viewer.hlsBegunAt ?? viewer.joinedAt
        )
    }

    private static func steps(of status: PeerStatus) -> [(String, Instant?)] {
        let ladder = status.ladder
        return [
            ("offer", ladder.offer), ("answer", ladder.answer), ("first check", ladder.firstCheck),
            ("nominated", ladder.nominated), ("DTLS begun", ladder.dtlsStarted), ("DTLS", ladder.dtlsConnected),
            ("first RTP", ladder.firstRTP), ("first RR", ladder.firstReceiverReport),
        ]
    }

    private static func steps(_ steps: [(String, Instant?)], since start: Instant) -> [ViewerSnapshot.LadderStep] {
        // The page tells its first frame late, but as it was; receiver reports come when it pleases the client.
        let reached = steps.enumerated().compactMap { position, step in
            step.1.map { (at: $0, position: position, name: step.0) }
        }
        return reached.sorted { ($0.at, $0.position) < ($1.at, $1.position) }
            .map { .init(name: $0.name, after: ($0.at - start).inMilliseconds) }
    }

    /// All candidate pairs of a session, and the names that hide candidates.
    ///
    /// - Parameter attempt: Number of an ended session, which goes into the rows' ids.
    func pairs(of viewer: Viewer, _ status: PeerStatus, attempt: Int? = nil, at now: Instant) -> [PairSnapshot] {
        let prefix = attempt.map { "\(viewer.id)#\($0)" } ?? viewer.id
        func row(
            _ number: String,
            local: String,
            remote: String,
            _ transport: String,
            _ state: String
        )
            -> PairSnapshot
        {
            PairSnapshot(
                id: "\(prefix)/\(number)",
                viewer: viewer.id,
                camera: viewer.stream.name,
                local: local,
                remote: remote,
                transport: transport,
                state: state
            )
        }
        let known = status.pairs.enumerated().map { index, pair in
            var shown = row(
                "\(index + 1)",
                local: "\(pair.local.kind.rawValue) \(pair.local.address)",
                remote: "\(pair.remote.kind.rawValue) \(pair.remote.address)",
                RelayedAddress.carrier(of: pair.remote.address.ip).map { "turn/\($0.rawValue)" }
                    ?? pair.remote.transport.rawValue,
                pair.state.rawValue
            )
            if RelayedAddress.contains(pair.remote.address.ip) { shown.relayed = pair.remote.address.description }
            shown.isNominated = pair.isNominated
            shown.isSelected = pair.isSelected
            shown.roundTrip = pair.roundTripTime?.inMilliseconds
            shown.checksReceived = UInt64(max(0, pair.checksReceived))
            shown.checksAnswered = UInt64(max(0, pair.checksAnswered))
            shown.checksSent = UInt64(max(0, pair.checksSent))
            shown.answersReceived = UInt64(max(0, pair.responsesReceived))
            shown.bytesSent = pair.bytesSent
            shown.bytesReceived = pair.bytesReceived
            shown.lastActivity = pair.lastActivity.map { (now - $0).inSeconds }
            return shown
        }
        let local = status.localCandidates.first.map { "\($0.kind.rawValue) \($0.address)" } ?? "-"
        return known
            + status.hiddenCandidates.enumerated().map { index, name in
                row("h\(index + 1)", local: local, remote: "host \(name)", "udp", "hidden")
            }
    }
}

extension PeerStatus {
    /// Kind and transport of the client's end of the pair in use, or of the one that was until its connection closed.
    var path: String? {
        let pair =
            pairs.first(where: \.isSelected)
            ?? pairs.filter { $0.bytesSent > 0 }.max { $0.bytesSent < $1.bytesSent }
        return pair.map { "\($0.remote.kind.rawValue)/\($0.remote.transport.rawValue)" }
    }

    /// Percent of packets lost over two seconds, or of the picture as last reported where that is not known.
    var lossPercent: Double? {
        (loss ?? (tracks.first { $0.kind == .video } ?? tracks.first)?.fractionLost).map { $0 * 100 }
    }
}

extension PeerStatus.DTLSState {
    var text: String {
        switch self {
        case .new: "new"
        case .connecting: "connecting"
        case .connected: "connected"
        case .failed(let reason): "failed: \(reason)"
        case .closed: "closed"
        }
    }
}

extension SRTPProfile {
    /// The name of its registry (RFC 7714 §14.2, RFC 5764 §4.1.2).
    var name: String {
        switch self {
        case .aeadAES128GCM: "AEAD_AES_128_GCM"
        case .aes128CMHMACSHA1_80: "AES128_CM_HMAC_SHA1_80"
        }
    }
}
