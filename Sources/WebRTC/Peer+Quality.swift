import ICE
import Media
import RTP
import Wire

extension Peer {
    /// Looks at how the viewer does and changes what it gets; call about four times a second while media flows.
    ///
    /// - Parameters:
    ///   - rates: What the stream needs, averaged over several seconds.
    ///   - mayUseHLS: Whether the viewer can be moved to HLS, which its owner does on ``PeerEvent/qualityChanged(_:)``.
    public func assessQuality(
        _ rates: StreamRates,
        mayUseHLS: Bool,
        at now: Instant,
        into output: inout DatagramQueue,
        events: inout [PeerEvent]
    ) {
        guard case .ready(let media) = phase, !media.isSuspended, ladder.firstRTP != nil, rates.full > 0,
            let video = tracks.first(where: { $0.negotiated.kind == .video })
        else { return }
        var available: Set<QualityRung> = [.keyframes]
        if rates.reduced < worthLeavingOut * rates.full { available.insert(.reduced) }
        if mayUseHLS { available.insert(.hls) }
        let conditions = QualityLadder.Conditions(
            estimate: estimator.estimate,
            loss: estimator.loss(at: now),
            rates: rates,
            available: available,
            mayProbe: video.rtxSSRC != nil && video.negotiated.transportExtension != nil
        )
        self.conditions = conditions
        // What is reported right after a step was sent before it, and so was what is sent again for it.
        if now - quality.state.since < stepEchoes { estimator.restartLoss() }
        limitBurst(at: now)
        carryOut(quality.assess(conditions, at: now), at: now, events: &events)
    }

    private func carryOut(_ action: QualityLadder.Action?, at now: Instant, events: inout [PeerEvent]) {
        switch action {
        case .none:
            break
        case .probe(let rate):
            probe = Probe(rate: rate, bytesSent: counters.bytesSent, at: now)
        case .step:
            probe = nil
            limitBurst(at: now)
            if quality.state.rung <= .keyframes { _ = burst.drop(at: now) { $0.isKeyframe } }
            events.append(.qualityChanged(quality.state))
        }
    }

    /// Whether a picture's packets are to go out at the rung in force; called in order, with every packet of video.
    func isWanted(_ packet: StreamPacket) -> Bool {
        // A rung takes effect between two pictures: half a picture is of no use to anybody.
        if packet.timestamp != pictureTimestamp {
            pictureTimestamp = packet.timestamp
            if rungInForce <= .keyframes, quality.state.rung > .keyframes { awaitsKeyframe = true }
            rungInForce = quality.state.rung
        }
        return rungInForce.includes(packet)
    }

    /// Whether live video is paced instead of leaving when it comes: a keyframe in one burst would drown the sound on
    /// a way that carries little.
    var isPacing: Bool { rungInForce < .full && burst.rateLimit != nil }

    /// There is no room for what waits for the viewer: all but the picture on its way is dropped, and video goes on
    /// with the next keyframe.
    ///
    /// - Parameters:
    ///   - lost: Packets that left here and were dropped before they reached the network.
    ///   - isBehind: Whether the viewer's own way does not keep up, which counts against it on the quality ladder.
    public func dropToKeyframe(lost: Int = 0, isBehind: Bool = true, at now: Instant) {
        counters.queueDropped &+= UInt64(burst.drop(at: now) { _ in false }) &+ UInt64(max(0, lost))
        // Sound that finds no room while the keyframe is awaited is the same overflow.
        guard !awaitsKeyframe else { return }
        awaitsKeyframe = true
        if isBehind { quality.fellBehind(at: now) }
    }

    /// Packets dropped for want of room since the last call that returned any; `nil` where there are none, or that was
    /// less than ten seconds ago.
    public func takeDropped(at now: Instant) -> UInt64? {
        if let toldDropped, now - toldDropped.at < droppedInterval { return nil }
        let untold = counters.queueDropped &- (toldDropped?.packets ?? 0)
        guard untold > 0 else { return nil }
        toldDropped = (counters.queueDropped, now)
        return untold
    }

    /// Paces what waits by what the way carries, and at least by what the rung needs: an estimate that is too low must
    /// not starve the pictures that were chosen to fit.
    private func limitBurst(at now: Instant) {
        let rung = quality.state.rung
        burst.rateLimit = estimator.estimate.flatMap { estimate in
            guard rung < .full || estimator.isCongested(at: now) else { return nil }
            let needed = rung < .full ? pacedMargin * (conditions?.rates.needed(at: rung) ?? 0) : 0
            return Int(min(max(pacedShare * estimate / 8, needed / 8, leastPace), mostPace))
        }
    }

    // MARK: Feedback

    func receive(_ feedback: RTCPPacket.TransportFeedback, at now: Instant) {
        estimator.receive(feedback, history: &history, at: now)
        probe?.note(estimator.acknowledged)
        limitBurst(at: now)
    }

    func noteLoss(in block: RTCPPacket.ReportBlock, after last: RTCPPacket.ReportBlock?, at now: Instant) {
        let expected = last.map { block.extendedHighestSequence &- $0.extendedHighestSequence } ?? 0
        // More than any second has is a source that began anew.
        guard expected > 0, expected < 65_536 else { return }
        estimator.receive(fractionLost: block.fractionLost, expected: Int(expected), at: now)
        guard let index = tracks.firstIndex(where: { $0.ssrc == block.ssrc }) else { return }
        tracks[index].playoutDelay.note(fractionLost: block.fractionLost, at: now)
    }

    // MARK: Probing

    func advanceProbe(at now: Instant, into output: inout DatagramQueue, events: inout [PeerEvent]) {
        guard var current = probe, now >= current.nextTick, case .ready(let media) = phase, let conditions else {
            return
        }
        guard current.isSending else {
            probe = nil
            carryOut(quality.probed(current.peak, conditions, at: now), at: now, events: &events)
            return
        }
        if current.isOver(at: now, congestedAt: estimator.congestedAt) {
            current.stop(at: now, roundTripTime: roundTripTime ?? ice.roundTripTime ?? .zero)
            probe = current
            return
        }
        let due = current.due(at: now, bytesSent: counters.bytesSent)
        probe = current
        guard !media.isSuspended, let index = tracks.firstIndex(where: { $0.rtxSSRC != nil }) else { return }
        var sent = 0
        while sent < due {
            let count = tracks[index].sendPadding(
                with: media.sender,
                on: media.path,
                at: now,
                history: &history,
                into: &output
            )
            guard count > 0 else { break }
            sent += count
            counters.datagramsSent &+= 1
        }
        counters.bytesSent &+= UInt64(sent)
        ice.countSent(sent)
    }
}

/// How long reports go on to speak of what was sent before a step.
private let stepEchoes = Duration.seconds(1)
/// One overflow after the other is one piece of news.
private let droppedInterval = Duration.seconds(10)
/// Leaving out less than a twentieth of the stream helps nobody.
private let worthLeavingOut = 0.95
/// What a paced burst may take of the estimate; sound and retransmissions need the rest.
private let pacedShare = 0.8
private let pacedMargin = 1.15
/// Bytes a second.
private let leastPace = 25_000.0
private let mostPace = 1e9
