import DTLS
import ICE
import Media
import RTP
import Wire

extension Peer {
    /// Takes RTCP from the client. RTP is dropped: viewers send none.
    func receiveRTCP(
        _ datagram: ArraySlice<UInt8>,
        at now: Instant,
        into output: inout DatagramQueue,
        events: inout [PeerEvent]
    ) {
        guard case .ready(let media) = phase, let second = datagram.dropFirst().first,
            RTPHeader.isRTCP(secondByte: second), datagram.count <= maximumRTCP,
            let compound = try? media.receiver.unprotectRTCP(Array(datagram)),
            let packets = try? RTCPPacket.parse(compound)
        else {
            counters.dropped &+= 1
            return
        }
        for packet in packets {
            switch packet {
            case .receiverReport(_, let blocks): receiveReports(blocks, at: now, events: &events)
            case .senderReport(let report): receiveReports(report.blocks, at: now, events: &events)
            case .nack(_, let ssrc, let lost):
                retransmit(lost, of: ssrc, media, at: now, into: &output)
            case .pictureLossIndication(_, let ssrc):
                guard tracks.contains(where: { $0.ssrc == ssrc }) else { continue }
                counters.pictureLossIndications &+= 1
                wantKeyframe(at: now, events: &events)
            case .fullIntraRequest(_, let entries):
                guard let entry = entries.first(where: { entry in tracks.contains { $0.ssrc == entry.ssrc } }) else {
                    continue
                }
                counters.fullIntraRequests &+= 1
                // The same number again is the same request repeated (RFC 5104 §4.3.1.2).
                guard entry.sequenceNumber != fullIntraRequestSequence else { continue }
                fullIntraRequestSequence = entry.sequenceNumber
                wantKeyframe(at: now, events: &events)
            case .transportFeedback(let feedback):
                receive(feedback, at: now)
            case .receiverEstimatedMaximumBitrate(_, let bitrate, _):
                estimator.receive(limit: bitrate, at: now)
            case .sourceDescription, .goodbye, .other:
                continue
            }
        }
    }

    private func receiveReports(_ blocks: [RTCPPacket.ReportBlock], at now: Instant, events: inout [PeerEvent]) {
        for block in blocks {
            guard let index = tracks.firstIndex(where: { $0.ssrc == block.ssrc }) else { continue }
            let last = tracks[index].lastReport
            tracks[index].receive(block)
            if tracks[index].negotiated.kind == .video { noteLoss(in: block, after: last, at: now) }
            let middle = UInt32(truncatingIfNeeded: configuration.ntp(at: now) >> 16)
            if let measured = block.roundTripTime(arrivedAtMiddleNTP: middle), measured < .seconds(30) {
                roundTripTime = measured
            }
            if ladder.firstReceiverReport == nil { ladder.firstReceiverReport = now }
        }
    }

    private func retransmit(
        _ lost: [UInt16],
        of ssrc: UInt32,
        _ media: Media,
        at now: Instant,
        into output: inout DatagramQueue
    ) {
        guard let index = tracks.firstIndex(where: { $0.ssrc == ssrc }) else { return }
        counters.packetsAskedFor &+= UInt64(lost.count)
        guard !media.isSuspended else { return }
        let sent = tracks[index].retransmit(
            lost,
            roundTripTime: roundTripTime ?? ice.roundTripTime ?? .zero,
            with: media.sender,
            on: media.path,
            at: now,
            history: &history,
            into: &output
        )
        counters.datagramsSent &+= UInt64(sent.packets)
        counters.bytesSent &+= UInt64(sent.bytes)
        ice.countSent(sent.bytes)
    }

    /// Browsers ask every 200 ms until a keyframe comes; the owner hears of it twice a second at most, not while one is
    /// still on its way, and so rarely that what is shown again is at most twice what is shown anyway.
    private func wantKeyframe(at now: Instant, events: inout [PeerEvent]) {
        if let last = lastKeyframeRequest, now - last < max(minimumKeyframeInterval, replaySpan / 2) { return }
        guard burst.isEmpty else { return }
        if !awaitsKeyframe { quality.keyframeRequested(at: now) }
        lastKeyframeRequest = now
        events.append(.keyframeWanted)
    }

    /// Everything there is to see.
    public var status: PeerStatus {
        var closeReason: PeerCloseReason?
        var media: Media?
        var dtlsFailure: DTLSSession.Failure?
        if case .failed(let failure) = dtls.state { dtlsFailure = failure }
        switch phase {
        case .connecting: break
        case .ready(let current): media = current
        case .closed(let reason): closeReason = reason
        }
        return PeerStatus(
            ice: ice.state,
            dtls: dtlsStatus,
            dtlsFailure: dtlsFailure,
            dtlsLastError: dtls.lastError,
            srtpProfile: negotiatedProfile,
            isReady: media != nil,
            isSuspended: media?.isSuspended ?? false,
            closeReason: closeReason,
            pairs: ice.pairs,
            localCandidates: ice.localCandidates,
            remoteCandidates: ice.remoteCandidates,
            hiddenCandidates: ice.hiddenCandidates,
            rejectedChecks: ice.rejectedChecks,
            ladder: ladder,
            tracks: tracks.map(\.status),
            audioUnavailableReason: audioUnavailableReason,
            datagramsSent: counters.datagramsSent,
            bytesSent: counters.bytesSent,
            datagramsDropped: counters.dropped,
            packetsAskedFor: counters.packetsAskedFor,
            pliCount: counters.pictureLossIndications,
            firCount: counters.fullIntraRequests,
            roundTripTime: roundTripTime ?? ice.roundTripTime,
            queuedPackets: burst.count,
            queuedBytes: burst.byteCount,
            quality: quality.state,
            estimate: estimator.estimate,
            loss: estimator.latestLoss,
            packetsLeftOut: counters.leftOut,
            packetsDropped: counters.queueDropped
        )
    }

    /// The SRTP profile of the handshake, also after the end.
    var negotiatedProfile: SRTPProfile? { dtls.keys?.profile }

    private var dtlsStatus: PeerStatus.DTLSState {
        switch dtls.state {
        case .new: .new
        case .connecting: .connecting
        case .connected: .connected
        case .failed(let failure): .failed(failure.text)
        case .closed: .closed
        }
    }
}

/// RTCP of a viewer with two sources has a few hundred bytes; more than a datagram's worth is not RTCP.
private let maximumRTCP = 1_500
private let minimumKeyframeInterval = Duration.milliseconds(500)
