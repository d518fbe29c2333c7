/// Where the fault lies when a picture is bad or missing.
public enum Cause: String, Codable, Sendable, CaseIterable {
    /// The camera sends nothing, or what it sends cannot be shown.
    case camera
    /// Between camera and relay, or the relay's own way to the outside.
    case ourNetwork = "our network"
    /// The relay, its configuration or its machine.
    case server
    /// The TURN service between client and relay.
    case turn = "TURN"
    /// Between relay and client.
    case clientNetwork = "client network"
    /// The client's machine, browser or program.
    case clientDevice = "client device"

    /// What helps where a viewer's picture is bad because of this and nothing more particular is known.
    ///
    /// - Parameter canSwitch: Whether the operator can move it from WebRTC to HLS.
    public func remedy(canSwitch: Bool) -> String {
        switch self {
        case .camera: "See why the camera is not live (w on its row); viewers resume with it."
        case .ourNetwork:
            "Packets are lost between camera and relay: look at that network; TCP transport hides small losses."
        case .server:
            "The relay is late with its own work: fewer viewers, or more processors (loop p99, cpu in the first line)."
        case .turn: "Its way through TURN is bad: open the media port to this client, so that it comes directly."
        case .clientNetwork:
            "Its network loses or delays packets: compare other viewers from there."
                + (canSwitch ? " s moves this viewer to HLS, which waits for what was lost." : "")
        case .clientDevice: "Its machine or browser does not keep up: close other programs, or try another browser."
        }
    }
}

/// What is wrong with a WebRTC session, or why it ended: in words, with what it is concluded from and what helps.
public struct Verdict: Codable, Sendable, Equatable {
    /// Which of the known stories it is.
    public enum Rule: String, Codable, Sendable, CaseIterable {
        /// The offer got no answer.
        case refused
        /// There was no room for it: nothing was wrong with it.
        case turnedAway = "turned-away"
        /// No check came although the client does ICE and its signalling gets through.
        case udpBlocked = "udp-blocked"
        /// Nothing that was advertised can be reached from where the client is.
        case noReachableCandidate = "no-reachable-candidate"
        /// The client named no address, and did not check either.
        case noUsableCandidates = "no-usable-candidates"
        /// A client without a page did not check.
        case neverChecked = "never-checked"
        /// Checks came that do not know our password.
        case wrongPassword = "wrong-ice-password"
        /// The TURN server refused the client because its credentials are too old.
        case turnExpired = "turn-credentials-expired"
        /// The TURN server refused the client because its user name or password is not one of ours.
        case turnUnauthorized = "turn-credentials-wrong"
        /// The TURN server refused the client, or could not be reached by it.
        case turnFailed = "turn-failed"
        /// Checks come, nothing of ours gets back.
        case answersLost = "answers-lost"
        /// Checks go both ways, the client nominates no pair.
        case notNominated = "not-nominated"
        /// A pair is nominated, no ClientHello comes.
        case dtlsNotStarted = "dtls-not-started"
        /// The handshake began and went no further.
        case dtlsStalled = "dtls-stalled"
        /// The handshake failed.
        case dtlsFailed = "dtls-failed"
        /// The client's certificate is not the one in its offer.
        case wrongFingerprint = "wrong-fingerprint"
        /// No SRTP profile in common.
        case noProfile = "no-srtp-profile"
        /// Connected, and there is nothing to send.
        case cameraSilent = "camera-silent"
        /// Packets leave, none arrive.
        case noRTP = "no-rtp"
        /// Packets arrive, nothing is decoded.
        case noPicture = "no-picture"
        /// Media flows, by a detour.
        case detour
        /// The client said goodbye.
        case clientLeft = "client-left"
        /// The client fell silent.
        case clientSilent = "client-silent"
        /// The relay ended it.
        case endedByRelay = "ended-by-relay"
    }

    /// Which story it is.
    public var rule: Rule
    /// How bad it is.
    public var severity: Severity
    /// Whose fault it is; `nil` when it is nobody's.
    public var cause: Cause?
    /// The verdict, such as `UDP 8189 blocked from the client`.
    public var text: String
    /// What it is concluded from, one observation each.
    public var evidence: [String]
    /// What the operator can do about it; empty when nothing is wrong.
    public var remedy: String

    /// Creates a verdict.
    public init(
        _ rule: Rule,
        _ severity: Severity,
        _ cause: Cause?,
        _ text: String,
        evidence: [String] = [],
        remedy: String = ""
    ) {
        self.rule = rule
        self.severity = severity
        self.cause = cause
        self.text = text
        self.evidence = evidence
        self.remedy = remedy
    }
}
