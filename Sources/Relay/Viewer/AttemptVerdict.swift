import DTLS
import ICE
import WebRTC
import Wire

extension Verdict {
    /// Judges a session.
    ///
    /// The stage it reached says where to look; how long it has been stuck there, whether anything is wrong at all.
    ///
    /// - Returns: `nil` for a living session with which nothing is known to be wrong.
    init?(of facts: AttemptFacts) {
        if let failure = Self.handshakeFailure(facts) {
            self = failure
            return
        }
        let (stage, since) = facts.stage
        let waited = (facts.at - since).inSeconds
        let ofStage: Verdict? =
            if waited < Self.patience {
                nil
            } else {
                switch stage {
                case .offered: Self.unreached(facts)
                case .checked: Self.unchosen(facts, waited)
                case .nominated: Self.unsecured(facts, waited)
                case .hello: Self.stalled(facts, waited)
                case .secured: Self.silent(facts, waited)
                case .sending: Self.unheard(facts, waited)
                case .flowing: Self.undecoded(facts, waited)
                }
            }
        let other = Self.runOut(facts) ?? facts.end.map { Self.ended($0, facts) } ?? Self.detour(facts)
        guard let verdict = ofStage ?? other else {
            return nil
        }
        self = verdict
    }

    /// Seconds that each step may take before something is called wrong: several times what the slowest real network
    /// and browser need.
    private static let patience = 4.0

    // MARK: - Stage by stage

    private static func unreached(_ facts: AttemptFacts) -> Verdict {
        let status = facts.status
        let offered = status.localCandidates.map { "\($0.transport.rawValue) \($0.address)" }
        var evidence = [
            "0 checks received in \(facts.age.tenths) s",
            "advertised: \(offered.isEmpty ? "nothing" : offered.joined(separator: ", "))",
            "the client named \(addresses(status.remoteCandidates.count, hidden: status.hiddenCandidates.count))",
            "its signalling comes from \(facts.clientAddress)",
        ]
        if status.rejectedChecks > 0 {
            evidence[0] = "\(status.rejectedChecks) checks with a wrong password, 0 with the right one"
            return Verdict(
                .wrongPassword,
                .warning,
                .clientDevice,
                "its checks do not know our password",
                evidence: evidence,
                remedy: "Look for a proxy that rewrites SDP, or a client that goes on with an old answer."
            )
        }
        if let turn = turnFailure(facts) { return turn }
        if let unreachable = facts.unreachableAddresses {
            return Verdict(
                .noReachableCandidate,
                .critical,
                .server,
                "no reachable candidate advertised: "
                    + (unreachable.isEmpty
                        ? "none at all" : unreachable.map(\.description).joined(separator: ", ") + " only"),
                evidence: evidence,
                remedy: "Set advertise: to the address under which clients reach this machine."
            )
        }
        let ports = facts.ports([.udp, .tcp])
        // A browser always checks; behind a wall that is tight enough it finds no address of its own to name.
        if facts.control == .page {
            return Verdict(
                .udpBlocked,
                .warning,
                .clientNetwork,
                "\(ports) blocked from the client",
                evidence: evidence + ["the page reaches us by HTTPS"],
                remedy: "Let the client's network reach \(ports); until then it watches by HLS."
            )
        }
        if status.remoteCandidates.isEmpty, status.hiddenCandidates.isEmpty {
            return Verdict(
                .noUsableCandidates,
                .warning,
                .clientDevice,
                "the client sent no usable candidates and never checked",
                evidence: evidence,
                remedy: "Look at its network interfaces, for a policy that forbids it WebRTC, and whether our TURN "
                    + "server refuses it (ICE screen): one that may use relays only then has no address."
            )
        }
        return Verdict(
            .neverChecked,
            .warning,
            .clientNetwork,
            "offer answered, the client never checked",
            evidence: evidence,
            remedy: "Let the client's network reach \(ports); if it does, the client does no ICE."
        )
    }

    private static func addresses(_ count: Int, hidden: Int) -> String {
        "\(count) \(count == 1 ? "address" : "addresses")"
            + (hidden > 0 ? " and \(hidden) hidden behind \(hidden == 1 ? "a name" : "names")" : "")
    }

    private static func turnFailure(_ facts: AttemptFacts) -> Verdict? {
        let code = facts.report?.serverError
        let checks = "0 checks received in \(facts.age.tenths) s"
        let answer = code.map { ["the page's TURN server answered \($0)"] } ?? []
        let refusal = facts.turnRefusal
        if refusal?.reason == .expired || code != nil && facts.report?.areCredentialsExpired == true {
            return expired(facts, answer + [checks])
        }
        if refusal != nil || code == 401 {
            return Verdict(
                .turnUnauthorized,
                .warning,
                .turn,
                "TURN credentials wrong" + (refusal.map { ": \($0.reason.text)" } ?? ""),
                evidence: (refusal.map { [$0.evidence(at: facts.at)] } ?? []) + answer + [checks],
                remedy:
                    "Give the client the credentials that come with its session (WHEP: in the Link header): they are "
                    + "made anew at every start of the relay."
            )
        }
        // 701: the server was not reached at all, which is what a blocked network looks like and no news.
        guard let code, code != 701 else { return nil }
        return Verdict(
            .turnFailed,
            .warning,
            .turn,
            "TURN refused the client: \(code)",
            evidence: answer + [checks],
            remedy: "Reload the page; look for a TURN quota that is used up."
        )
    }

    private static func expired(_ facts: AttemptFacts, _ evidence: [String]) -> Verdict {
        let refusal = facts.turnRefusal.flatMap { $0.reason == .expired ? [$0.evidence(at: facts.at)] : nil }
        return Verdict(
            .turnExpired,
            .warning,
            .turn,
            "TURN credentials expired",
            evidence: (refusal ?? []) + evidence,
            remedy: "Reload the page, which brings new ones; if it comes back, compare the clocks."
        )
    }

    /// Media goes, or went until the client or its allocation ended, through TURN on credentials that are not taken any
    /// more.
    private static func runOut(_ facts: AttemptFacts) -> Verdict? {
        // Behind one address there may be many; only what is known of this client itself says that its relay ends.
        guard let refusal = facts.turnRefusal, refusal.reason == .expired, refusal.address == nil,
            let pair = facts.selectedPair, pair.remote.kind == .relayed
        else { return nil }
        switch facts.end {
        case .relay, .moved: return nil
        case .peer, .client, nil: break
        }
        return expired(facts, ["media \(facts.end == nil ? "goes" : "went") by TURN to \(pair.remote.address)"])
    }

    private static func unchosen(_ facts: AttemptFacts, _ waited: Double) -> Verdict {
        let pairs = facts.status.pairs
        let received = pairs.reduce(0) { $0 + $1.checksReceived }
        let sent = pairs.reduce(0) { $0 + $1.checksSent }
        let answers = pairs.reduce(0) { $0 + $1.responsesReceived }
        let evidence = [
            "\(received) checks received and answered", "\(sent) sent, \(answers) answers to them",
            "no pair nominated in \(waited.tenths) s",
        ]
        if sent > 0, answers == 0 {
            return Verdict(
                .answersLost,
                .warning,
                .ourNetwork,
                "its checks arrive, our answers do not get back",
                evidence: evidence,
                remedy:
                    "Look at the way back: outgoing UDP rules, a second interface with another address, asymmetric NAT."
            )
        }
        return Verdict(
            .notNominated,
            .warning,
            .clientDevice,
            "checks succeed, the client chooses no pair",
            evidence: evidence,
            remedy: "Look at the client: it controls, so it has to nominate."
        )
    }

    private static func unsecured(_ facts: AttemptFacts, _ waited: Double) -> Verdict {
        Verdict(
            .dtlsNotStarted,
            .warning,
            .clientDevice,
            "ICE connected, no DTLS ClientHello came",
            evidence: ["a pair was nominated, then nothing for \(waited.tenths) s"] + dropped(facts),
            remedy: "Look for a firewall that lets STUN pass and stops DTLS; force HLS until then."
        )
    }

    private static func stalled(_ facts: AttemptFacts, _ waited: Double) -> Verdict {
        var evidence = ["ClientHello \(waited.tenths) s ago, no Finished"]
        if let pair = facts.selectedPair {
            evidence.append("\(pair.bytesReceived) bytes received, \(pair.bytesSent) sent on its pair")
        }
        if let error = facts.status.dtlsLastError { evidence.append("last error: \(error)") }
        return Verdict(
            .dtlsStalled,
            .warning,
            .clientNetwork,
            "DTLS stalled after ClientHello",
            evidence: evidence,
            remedy: "Look for loss or a low MTU on the way to the client: our certificate needs packets of 1200 bytes."
        )
    }

    private static func handshakeFailure(_ facts: AttemptFacts) -> Verdict? {
        switch facts.status.dtlsFailure {
        case nil, .timedOut: return nil
        case .fingerprintMismatch:
            return Verdict(
                .wrongFingerprint,
                .critical,
                .clientDevice,
                "wrong fingerprint: the client's certificate is not the one in its offer",
                evidence: ["DTLS finished after \(facts.age.tenths) s with another certificate"],
                remedy: "Look for something between that rewrites SDP or ends DTLS; nothing was sent to it."
            )
        case .noCommonSRTPProfile:
            return Verdict(
                .noProfile,
                .warning,
                .clientDevice,
                "no SRTP profile in common",
                evidence: ["we take AEAD_AES_128_GCM and AES128_CM_HMAC_SHA1_80"],
                remedy: "Update the client, or let it watch by HLS."
            )
        case .handshake(let reason):
            return Verdict(
                .dtlsFailed,
                .warning,
                .clientDevice,
                "DTLS failed: \(reason)",
                evidence: ["after \(facts.age.tenths) s"],
                remedy: "Update the client, or let it watch by HLS."
            )
        }
    }

    private static func silent(_ facts: AttemptFacts, _ waited: Double) -> Verdict? {
        guard facts.isCameraLive else {
            return Verdict(
                .cameraSilent,
                .warning,
                .camera,
                "connected, but the camera delivers nothing",
                evidence: ["0 packets to send in \(waited.tenths) s"],
                remedy: "See what the camera's row says."
            )
        }
        return Verdict(
            .cameraSilent,
            .warning,
            .camera,
            "connected, waiting for the camera's next keyframe",
            evidence: ["0 packets to send in \(waited.tenths) s"],
            remedy: "Set the camera's I-frame interval to 2 s."
        )
    }

    private static func unheard(_ facts: AttemptFacts, _ waited: Double) -> Verdict? {
        guard facts.packetsSent >= fewPackets else { return nil }
        var evidence = ["\(facts.packetsSent) packets sent in \(waited.tenths) s, 0 receiver reports"]
        if let received = facts.report?.packetsReceived { evidence.append("the page counts \(received) packets") }
        return Verdict(
            .noRTP,
            .critical,
            .clientNetwork,
            "connected but no RTP gets through",
            evidence: evidence + dropped(facts),
            remedy: "Look for a firewall that stops SRTP, or an MTU below 1250 bytes; force HLS until then."
        )
    }

    /// Less than a picture proves nothing.
    private static let fewPackets: UInt64 = 20

    private static func undecoded(_ facts: AttemptFacts, _ waited: Double) -> Verdict? {
        guard facts.firstFrame == nil, let report = facts.report, report.framesDecoded == 0,
            let received = report.packetsReceived, received >= fewPackets
        else { return nil }
        return Verdict(
            .noPicture,
            .warning,
            .clientDevice,
            "packets arrive, no picture is decoded",
            evidence: ["the page counts \(received) packets and 0 frames in \(waited.tenths) s"],
            remedy: "Look at the browser's H.264 decoder; let it watch by HLS until then."
        )
    }

    // MARK: - The rest

    /// Media flows, but not as directly as it could.
    private static func detour(_ facts: AttemptFacts) -> Verdict? {
        guard facts.stage.reached >= .secured, facts.age >= patience, let pair = facts.selectedPair,
            pair.remote.transport == .tcp || pair.remote.kind == .relayed,
            !facts.status.pairs.contains(where: {
                $0.remote.transport == .udp && $0.remote.kind != .relayed && $0.checksReceived > 0
            })
        else { return nil }
        let named = facts.status.remoteCandidates
        if pair.remote.kind == .relayed, facts.status.hiddenCandidates.isEmpty, !named.isEmpty,
            named.allSatisfy({ $0.kind == .relayed })
        {
            return Verdict(
                .detour,
                .info,
                .clientDevice,
                "reached by TURN: the client named no other address",
                evidence: ["media goes by TURN to \(pair.remote.address)"],
                remedy: "Look for a policy in the client that allows it relays only (iceTransportPolicy)."
            )
        }
        let ports = facts.ports([.udp])
        let way = pair.remote.kind == .relayed ? "TURN" : "TCP"
        return Verdict(
            .detour,
            .info,
            .clientNetwork,
            "\(ports) blocked from the client: reached by \(way)",
            evidence: ["0 checks received by UDP", "media goes by \(way) to \(pair.remote.address)"],
            remedy: "Let the client's network reach \(ports): lost packets hold up nothing there."
        )
    }

    private static func ended(_ end: AttemptFacts.End, _ facts: AttemptFacts) -> Verdict {
        let stage = facts.stage.reached
        let lasted = facts.age.tenths
        let when = "after \(lasted) s, \(stage.awaited)"
        switch end {
        case .client, .peer(.closedByClient):
            return Verdict(.clientLeft, .ok, nil, "client left \(when)", evidence: [end.text])
        case .peer(.consentExpired), .peer(.neverReached):
            return Verdict(
                .clientSilent,
                .info,
                .clientNetwork,
                "client fell silent \(when)",
                evidence: ["nothing authenticated came for 30 s"],
                remedy: "Its machine was suspended, or its network went away; a page comes back by itself."
            )
        case .peer(.dtlsFailed(let reason)):
            return Verdict(.dtlsFailed, .warning, .clientDevice, "DTLS failed: \(reason)", evidence: [when])
        case .moved(let reason):
            return Verdict(.endedByRelay, .ok, nil, "moved to HLS \(when): \(reason)", evidence: [end.text])
        case .peer(.closedByServer(let reason)), .relay(let reason):
            return Verdict(.endedByRelay, .info, nil, "ended by the relay \(when): \(reason)", evidence: [end.text])
        }
    }

    private static func dropped(_ facts: AttemptFacts) -> [String] {
        facts.status.datagramsDropped > 0 ? ["\(facts.status.datagramsDropped) datagrams could not be used"] : []
    }
}

extension Verdict {
    /// Judges an offer that got no answer.
    init(refusing problem: String, remedy: String, cause: Cause?) {
        self.init(.refused, .warning, cause, "offer refused: \(problem)", remedy: remedy)
    }

    /// Judges a client that was turned away for want of room.
    init(turningAway problem: String, cause: Cause) {
        let remedy =
            cause == .server
            ? "Look at the load of the relay's machine; the client may try again."
            : "Look at what keeps the client's earlier sessions from connecting."
        self.init(.turnedAway, .warning, cause, "turned away: \(problem)", remedy: remedy)
    }
}

extension NegotiationError {
    /// Whose fault a refused offer is.
    var cause: Cause {
        switch self {
        case .malformed, .missing, .unsupported, .nothingToReceive, .noCommonVideoCodec: .clientDevice
        case .unsupportedVideo, .nothingToSend, .streamNotReady: .camera
        }
    }

    /// What the operator can do about it.
    var way: String { remedy ?? "Look at the client, and at what rewrites its SDP." }
}
