import DTLS
import ICE
import Media
import RTP
import SDP
import Wire

/// One viewer's WebRTC session, sans-IO: offer in, answer out, then datagrams and time in, datagrams and events out.
///
///     connecting ──pair nominated, DTLS done──▶ ready ◀──client silent 15 s / back──▶ suspended
///         │                                      │                                      │
///         └─────────────── 30 s silent, close_notify, DTLS failed, close() ─────────────┴──▶ closed
///
/// Confined to one event loop; not `Sendable`. After every call re-read ``nextDeadline``.
public final class Peer {
    /// Our side of the session description.
    public let answer: String
    /// Why the camera's sound is not part of the session; `nil` when it is.
    public let audioUnavailableReason: String?

    let configuration: PeerConfiguration
    var ice: ICEAgent
    let dtls: DTLSSession
    var tracks: [OutgoingTrack]
    /// Index into ``tracks`` by the stream's track index; -1 for tracks that do not go out.
    let trackIndex: [Int]
    var phase = Phase.connecting
    var ladder: PeerStatus.Ladder
    var burst = BurstQueue()
    /// What left with transport-wide sequence numbers.
    var history = TransportHistory()
    /// What the way to the viewer carries.
    var estimator = BandwidthEstimator()
    /// What the viewer gets, and why.
    var quality: QualityLadder
    /// What ``quality`` was last told.
    var conditions: QualityLadder.Conditions?
    var probe: Probe?
    /// The rung that the picture under way goes by, and that picture's timestamp.
    var rungInForce = QualityRung.full
    var pictureTimestamp: Int64?
    /// Live video waits for a random access point.
    var awaitsKeyframe = true
    let hasVideo: Bool
    /// Sound goes out.
    var hasSoundBegun = false
    var lipSync = LipSync()
    var counters = Counters()
    /// How much of what was dropped its owner knows of, and since when.
    var toldDropped: (packets: UInt64, at: Instant)?
    var lastKeyframeRequest: Instant?
    /// How much of the stream the last replay was.
    var replaySpan = Duration.zero
    var fullIntraRequestSequence: UInt8?
    var roundTripTime: Duration?

    private var iceEffects: [ICEEffect] = []
    private var handshakeDatagrams: [[UInt8]] = []
    /// Where the client's latest DTLS datagram came from, which is where the handshake goes on.
    private var handshakePath: FiveTuple?

    /// What the peer can do.
    enum Phase {
        /// No keys or no path yet.
        case connecting
        /// Media may flow with these.
        case ready(Media)
        /// Terminal.
        case closed(PeerCloseReason)
    }

    /// What media needs.
    struct Media {
        let sender: SRTPSender
        let receiver: SRTPReceiver
        var path: FiveTuple
        var isSuspended = false
    }

    struct Counters {
        var datagramsSent: UInt64 = 0
        var bytesSent: UInt64 = 0
        var dropped: UInt64 = 0
        /// Packets that NACKs named, each as often as they did.
        var packetsAskedFor: UInt64 = 0
        var pictureLossIndications: UInt64 = 0
        var fullIntraRequests: UInt64 = 0
        /// Packets left out because of the rung.
        var leftOut: UInt64 = 0
        /// Packets dropped because the viewer did not keep up.
        var queueDropped: UInt64 = 0
    }

    /// Takes an offer and makes the answer.
    ///
    /// - Parameters:
    ///   - offer: The client's session description.
    ///   - tracks: The stream's tracks; the index is ``StreamPacket/track``.
    ///   - configuration: What the relay knows about itself.
    ///   - earlier: Where an earlier session of the same viewer stood on the quality ladder.
    /// - Throws: ``NegotiationError``; nothing is left behind.
    public init(
        offer: String,
        tracks streamTracks: [TrackFormat],
        configuration: PeerConfiguration,
        continuing earlier: QualityState? = nil,
        at now: Instant,
        using random: inout some RandomNumberGenerator
    ) throws(NegotiationError) {
        let offered = try OfferedSession(parsing: offer)
        let negotiation = try Negotiation(offered, streamTracks: streamTracks)
        self.configuration = configuration
        audioUnavailableReason = negotiation.audioUnavailableReason
        let candidates = Candidate.hosts(udp: configuration.udpAddresses, tcp: configuration.tcpAddresses)
        ice = ICEAgent(
            local: ICECredentials(using: &random),
            remote: offered.credentials,
            localCandidates: candidates,
            at: now,
            using: &random
        )
        for candidate in offered.candidates { ice.addRemoteCandidate(candidate) }
        dtls = DTLSSession(context: configuration.dtls, fingerprints: offered.fingerprints, at: now)
        let sources = Self.sources(for: negotiation, using: &random)
        var outgoing: [OutgoingTrack] = []
        for (track, sources) in zip(negotiation.tracks, sources) {
            outgoing.append(OutgoingTrack(track, sources, using: &random))
        }
        tracks = outgoing
        hasVideo = outgoing.contains { $0.negotiated.kind == .video }
        trackIndex = streamTracks.indices.map { index in
            outgoing.firstIndex { $0.negotiated.streamTrack == index } ?? -1
        }
        ladder = PeerStatus.Ladder(offer: now)
        quality = QualityLadder(continuing: earlier, at: now)
        answer =
            SessionDescription(
                answering: offered,
                negotiation,
                AnswerParameters(
                    credentials: ice.local,
                    candidates: ice.localCandidates,
                    fingerprint: configuration.dtls.fingerprint,
                    sessionID: random.next(),
                    cname: configuration.cname,
                    streamID: configuration.streamID,
                    sources: sources
                )
            ).text
    }

    /// Synchronisation sources for all tracks, no two alike.
    private static func sources(
        for negotiation: Negotiation,
        using random: inout some RandomNumberGenerator
    ) -> [TrackSources] {
        var used: Set<UInt32> = []
        func draw() -> UInt32 {
            while true {
                let ssrc = UInt32.random(in: 1...UInt32.max, using: &random)
                if used.insert(ssrc).inserted { return ssrc }
            }
        }
        return negotiation.tracks.map { track in
            TrackSources(media: draw(), rtx: track.rtxPayloadType == nil ? nil : draw())
        }
    }

    /// The RTP timestamp that this moment of the relay's clock has on the track of a kind; `nil` without one.
    public func rtpTimestamp(of kind: TrackKind, at now: Instant) -> UInt32? {
        tracks.first { $0.negotiated.kind == kind }?.timestamp(at: now)
    }

    /// Whether a track of the stream goes out to this client.
    public func sends(streamTrack: Int) -> Bool {
        trackIndex.indices.contains(streamTrack) && trackIndex[streamTrack] >= 0
    }

    /// When the client was last heard, or the session began.
    public var lastHeard: Instant { ice.lastHeard }

    /// Names the session in the USERNAME of the client's checks (``STUNMessage/localUfrag(of:)``).
    public var localUfrag: String { ice.local.ufrag }
}

// MARK: Inputs

extension Peer {
    /// The answer has been handed over to signalling.
    public func answered(at now: Instant) { ladder.answer = ladder.answer ?? now }

    /// The client trickled a candidate: the value of an `a=candidate` line, with or without the name in front.
    public func addRemoteCandidate(_ attribute: String) { ice.addRemoteCandidate(attribute) }

    /// The client restarts ICE with new credentials (WHEP `PATCH`); DTLS and media go on.
    ///
    /// - Returns: Our new credentials and candidates as an SDP fragment (RFC 8840 §9).
    public func restartICE(
        remote: ICECredentials,
        at now: Instant,
        using random: inout some RandomNumberGenerator
    ) -> String {
        ice.restart(local: ICECredentials(using: &random), remote: remote, at: now)
        var lines = ["a=ice-ufrag:\(ice.local.ufrag)", "a=ice-pwd:\(ice.local.pwd)"]
        if let track = tracks.first {
            lines.append("m=\(track.negotiated.kind.rawValue) 9 UDP/TLS/RTP/SAVPF 0")
            if let mid = track.negotiated.mid { lines.append("a=mid:\(mid)") }
        }
        lines += ice.localCandidates.map { "a=\($0.attribute)" } + ["a=end-of-candidates", ""]
        return lines.joined(separator: "\r\n")
    }

    /// Takes one datagram that belongs to this peer, by ufrag or by path.
    public func receive(
        _ datagram: ArraySlice<UInt8>,
        on path: FiveTuple,
        at now: Instant,
        into output: inout DatagramQueue,
        events: inout [PeerEvent]
    ) {
        guard !isClosed, let first = datagram.first else { return }
        switch first {
        case 0...3:
            ice.receive(datagram, on: path, at: now, into: &iceEffects)
            applyICEEffects(at: now, into: &output, events: &events)
        case 20...63 where ice.isAuthenticated(path):
            ice.countReceived(datagram.count, on: path)
            receiveDTLS(datagram, on: path, at: now, into: &output, events: &events)
        case 128...191 where ice.isAuthenticated(path):
            ice.countReceived(datagram.count, on: path)
            receiveRTCP(datagram, at: now, into: &output, events: &events)
        default:
            counters.dropped &+= 1
        }
    }

    /// Nothing can come by `path` any more: its connection has closed.
    public func connectionClosed(
        _ path: FiveTuple,
        by end: ConnectionEnd,
        at now: Instant,
        into output: inout DatagramQueue,
        events: inout [PeerEvent]
    ) {
        guard !isClosed else { return }
        if handshakePath == path { handshakePath = nil }
        ice.connectionClosed(path, by: end, at: now, into: &iceEffects)
        applyICEEffects(at: now, into: &output, events: &events)
    }

    /// Does what is due.
    public func handleTimeout(at now: Instant, into output: inout DatagramQueue, events: inout [PeerEvent]) {
        guard !isClosed else { return }
        if let due = ice.nextDeadline, now >= due {
            ice.handleTimeout(at: now, into: &iceEffects)
            applyICEEffects(at: now, into: &output, events: &events)
        }
        if !isClosed, let due = dtls.nextDeadline, now >= due {
            dtls.handleTimeout(at: now, into: &handshakeDatagrams)
            sendHandshake(into: &output)
            followDTLS(at: now, into: &output, events: &events)
        }
        releaseBurst(at: now, into: &output)
        advanceProbe(at: now, into: &output, events: &events)
    }

    /// When ``handleTimeout(at:into:events:)`` next has work; `nil` once closed.
    public var nextDeadline: Instant? {
        isClosed ? nil : earliest(ice.nextDeadline, dtls.nextDeadline, burst.nextTick, probe?.nextTick)
    }

    /// Ends the session: tells the client, and forgets.
    public func close(_ reason: PeerCloseReason, at now: Instant, into output: inout DatagramQueue) {
        guard !isClosed else { return }
        // RFC 7675 §5.1: without consent nothing more is sent, not even a farewell.
        let hasConsent = ice.state != .expired
        if hasConsent, ice.selectedPath != nil, case .ready(let media) = phase {
            let goodbye = RTCPPacket.goodbye(ssrcs: tracks.map(\.ssrc))
            sendRTCP(tracks.first.map { $0.senderReport(configuration, at: now) } ?? [], goodbye, media, into: &output)
        }
        dtls.close(at: now, into: &handshakeDatagrams)
        if hasConsent { sendHandshake(into: &output) }
        phase = .closed(reason)
        burst.removeAll()
        for index in tracks.indices { tracks[index].ring.removeAll() }
    }

    /// Whether the session has ended.
    public var isClosed: Bool { if case .closed = phase { true } else { false } }
}

// MARK: ICE

extension Peer {
    private func applyICEEffects(at now: Instant, into output: inout DatagramQueue, events: inout [PeerEvent]) {
        for effect in iceEffects {
            switch effect {
            case .send(let bytes, let path):
                transmit(bytes, on: path, into: &output)
            case .pathAdded(let path):
                events.append(.pathAdded(path))
            case .pathRemoved(let path):
                events.append(.pathRemoved(path))
            case .selected(let path):
                selected(path, at: now)
            case .suspect(let isSuspect):
                suspend(isSuspect, at: now, events: &events)
            case .expired:
                let reason: PeerCloseReason = ice.firstCheck == nil ? .neverReached : .consentExpired
                close(reason, at: now, into: &output)
                events.append(.closed(reason))
            }
        }
        iceEffects.removeAll(keepingCapacity: true)
        ladder.firstCheck = ladder.firstCheck ?? ice.firstCheck
        becomeReady(at: now, events: &events)
    }

    private func selected(_ path: FiveTuple, at now: Instant) {
        ladder.nominated = ladder.nominated ?? now
        guard case .ready(var media) = phase else { return }
        media.path = path
        phase = .ready(media)
    }

    private func suspend(_ isSuspended: Bool, at now: Instant, events: inout [PeerEvent]) {
        guard case .ready(var media) = phase else { return }
        media.isSuspended = isSuspended
        phase = .ready(media)
        if isSuspended {
            burst.removeAll()
            awaitsKeyframe = true
        } else {
            lastKeyframeRequest = now
            events.append(.keyframeWanted)
        }
    }
}

// MARK: DTLS

extension Peer {
    private func receiveDTLS(
        _ datagram: ArraySlice<UInt8>,
        on path: FiveTuple,
        at now: Instant,
        into output: inout DatagramQueue,
        events: inout [PeerEvent]
    ) {
        handshakePath = path
        if ladder.dtlsStarted == nil {
            ladder.dtlsStarted = now
            if let roundTripTime = ice.roundTripTime { dtls.useRoundTripTime(roundTripTime) }
        }
        dtls.receive(datagram, at: now, into: &handshakeDatagrams)
        sendHandshake(into: &output)
        followDTLS(at: now, into: &output, events: &events)
    }

    private func sendHandshake(into output: inout DatagramQueue) {
        if let path = handshakePath ?? ice.selectedPath {
            for datagram in handshakeDatagrams { transmit(datagram, on: path, into: &output) }
        }
        handshakeDatagrams.removeAll()
    }

    private func followDTLS(at now: Instant, into output: inout DatagramQueue, events: inout [PeerEvent]) {
        let reason: PeerCloseReason
        switch dtls.state {
        case .new, .connecting: return
        case .connected: return becomeReady(at: now, events: &events)
        case .closed: reason = .closedByClient
        case .failed(let failure): reason = .dtlsFailed(failure.text)
        }
        close(reason, at: now, into: &output)
        events.append(.closed(reason))
    }

    private func becomeReady(at now: Instant, events: inout [PeerEvent]) {
        guard case .connecting = phase, let keys = dtls.keys else { return }
        ladder.dtlsConnected = ladder.dtlsConnected ?? now
        guard let path = ice.selectedPath else { return }
        do {
            phase = .ready(
                Media(
                    sender: try SRTPSender(
                        profile: keys.profile,
                        masterKey: keys.serverKey,
                        masterSalt: keys.serverSalt
                    ),
                    receiver: try SRTPReceiver(
                        profile: keys.profile,
                        masterKey: keys.clientKey,
                        masterSalt: keys.clientSalt
                    ),
                    path: path
                )
            )
            events.append(.ready)
        } catch {
            let reason = PeerCloseReason.dtlsFailed("SRTP keys were refused: \(error)")
            phase = .closed(reason)
            events.append(.closed(reason))
        }
    }
}

extension DTLSSession.Failure {
    /// The failure in words.
    var text: String {
        switch self {
        case .timedOut(let lastError): lastError.map { "not finished in 30 s (\($0))" } ?? "not finished in 30 s"
        case .fingerprintMismatch: "the client's certificate is not the one in its offer"
        case .noCommonSRTPProfile: "no SRTP profile in common"
        case .handshake(let reason): reason
        }
    }
}
