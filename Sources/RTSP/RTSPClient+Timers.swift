import Media
import Wire

/// Deadlines: answers, keep-alive, silence.
extension RTSPClient {
    /// When ``handleTimeout(at:into:)`` next has work, or `nil` when it never will.
    ///
    /// Packets only move it later: an owner may keep a timer that is already set and ask again when it fires.
    public var nextDeadline: Instant? {
        switch state {
        case .idle, .closed: nil
        case .awaiting(let exchange): exchange.deadline
        case .openingPorts(_, let deadline): deadline
        case .tearingDown(_, let deadline): deadline
        case .playing: earliest(keepAlive.nextAt, firstDatagramDeadline, stallDeadline, silenceDeadline)
        }
    }

    /// Does what is due at `now`. Calling early is harmless.
    public mutating func handleTimeout(at now: Instant, into effects: inout [RTSPEffect]) {
        guard let deadline = nextDeadline, now >= deadline else { return }
        switch state {
        case .idle, .closed:
            return
        case .awaiting, .openingPorts:
            let isForeign = decoder.decodedCount == 0 && decoder.discardedBytes > 0
            fail(isForeign ? .notRTSP(foreignProtocol) : .timeout(phase), into: &effects)
        case .tearingDown:
            close(nil, into: &effects)
        case .playing:
            handlePlayingTimeout(at: now, into: &effects)
        }
    }

    private mutating func handlePlayingTimeout(at now: Instant, into effects: inout [RTSPEffect]) {
        if let deadline = firstDatagramDeadline, now >= deadline {
            let seconds = Int(configuration.timeouts.firstDatagram.components.seconds)
            fail(
                hasFallenBack
                    ? .noUsableTransport(udp: "no packet arrived within \(seconds) s") : .noDatagrams(seconds: seconds),
                into: &effects
            )
            return
        }
        if let deadline = stallDeadline, now >= deadline, let track = routing.mainTrack {
            let seconds = configuration.timeouts.stall.components.seconds
            fail(.stalled(seconds: Int(seconds), track: track), into: &effects)
            return
        }
        if let deadline = silenceDeadline, now >= deadline {
            for track in routing.activeTracks where isSilent(track, at: now) {
                routing[track.index]?.reportedSilence = true
                effects.append(.report(.audioSilent(track: track.index)))
            }
        }
        if let nextAt = keepAlive.nextAt, now >= nextAt { sendKeepAlive(at: now, into: &effects) }
    }

    // MARK: Silence

    /// UDP only: nothing at all has arrived.
    private var firstDatagramDeadline: Instant? {
        guard session.transport == .udp, !session.hasDatagrams, let since = session.playingSince else { return nil }
        return since + configuration.timeouts.firstDatagram
    }

    /// The main track has gone silent. Answers to keep-alives do not count: the picture is what matters.
    private var stallDeadline: Instant? {
        guard let track = routing.mainTrack, let last = routing[track]?.lastPacketAt else { return nil }
        return last + configuration.timeouts.stall
    }

    /// Another track has gone silent and this was not yet said.
    private var silenceDeadline: Instant? {
        var result: Instant?
        for path in routing.paths where path.isSetUp && !path.reportedSilence && path.track.index != routing.mainTrack {
            result = earliest(result, path.lastPacketAt.map { $0 + configuration.timeouts.stall })
        }
        return result
    }

    private func isSilent(_ track: RTSPTrack, at now: Instant) -> Bool {
        guard track.index != routing.mainTrack, let path = routing[track.index], !path.reportedSilence,
            let last = path.lastPacketAt
        else { return false }
        return now >= last + configuration.timeouts.stall
    }

    // MARK: Keep-alive

    /// Half the session's timeout, 25 s at most: two in a row may get lost.
    var keepAliveInterval: Duration { .seconds(min(25, (session.header?.timeoutSeconds ?? 60) / 2)) }

    private var keepAliveMethod: RTSPMethod {
        let chosen = configuration.keepAlive ?? (session.methods.contains(.getParameter) ? .getParameter : .options)
        guard keepAlive.usesFallback else { return chosen }
        return chosen == .options ? .getParameter : .options
    }

    private mutating func sendKeepAlive(
        isRepeat: Bool = false,
        at now: Instant,
        into effects: inout [RTSPEffect]
    ) {
        let method = keepAliveMethod
        let (cseq, carriedAnswer) = write(RTSPRequest(method, uri: baseURI), into: &effects)
        let sent = KeepAlive.Sent(cseq: cseq, method: method, carriedAnswer: carriedAnswer, isRepeat: isRepeat)
        keepAlive.sent = keepAlive.sent.suffix(1) + [sent]
        keepAlive.lastSentAt = now
        keepAlive.nextAt = now + keepAliveInterval
        keepAlive.answeredRequests = 0
        punchHoles(into: &effects)
    }

    /// No status ends the session while media flows, not even 454: cameras answer keep-alives carelessly.
    mutating func keepAliveAnswered(
        _ response: RTSPResponse,
        _ sent: KeepAlive.Sent,
        at now: Instant,
        into effects: inout [RTSPEffect]
    ) {
        if response.isSuccess { return }
        if response.status == 401 {
            // An expired nonce; some cameras give a new one for every request.
            let decision = authenticator.refused(
                response.headers.values(named: "WWW-Authenticate"),
                carriedAnswer: sent.carriedAnswer,
                hadSecondChance: sent.isRepeat
            )
            if case .retry = decision {
                sendKeepAlive(isRepeat: true, at: now, into: &effects)
                return
            }
        } else {
            keepAlive.usesFallback.toggle()
        }
        effects.append(.report(.keepAliveRefused(method: sent.method, status: response.status)))
    }
}
