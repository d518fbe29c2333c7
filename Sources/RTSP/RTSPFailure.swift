/// How far a session had come.
public enum RTSPPhase: String, Sendable, Codable {
    /// Opening the connection.
    case connect
    /// Asking for the methods.
    case options
    /// Asking for the description.
    case describe
    /// Setting up a track.
    case setup
    /// Starting the media.
    case play
    /// Media should flow.
    case playing
}

/// Why a session ended, in terms the operator can act on. Text that came from the camera is one printable line.
public enum RTSPFailure: Error, Equatable, Sendable {
    /// The camera refused user and password.
    case badCredentials(scheme: String)
    /// The camera asks for a user and none is configured.
    case authenticationRequired(realm: String)
    /// The camera offers only ways to authenticate that we do not have or do not allow.
    case unsupportedAuthentication(offered: String)
    /// The camera knows no stream under this path.
    case notFound(status: Int)
    /// The camera refused the transport or answered with another one.
    case unsupportedTransport(asked: RTSPTransport, reason: String)
    /// UDP was agreed but nothing arrived.
    case noDatagrams(seconds: Int)
    /// The camera refused TCP, and UDP, tried next, did not work either.
    case noUsableTransport(udp: String)
    /// No local UDP ports were free.
    case noLocalPorts
    /// The camera offers nothing that can be shown.
    case noPlayableTracks(offered: [String])
    /// The peer speaks something else.
    case notRTSP(String)
    /// The camera sends us elsewhere. Whether to follow is the owner's decision; credentials are not part of it.
    case redirected(to: RTSPURL)
    /// The camera sends us from TLS to plain text, or to something that is no RTSP URL.
    case redirectRefused(String)
    /// Any other refusal.
    case refused(status: Int, reason: String, phase: RTSPPhase)
    /// No answer in time.
    case timeout(RTSPPhase)
    /// The track stopped although the connection is up.
    case stalled(seconds: Int, track: Int)
    /// The connection ended without our doing.
    case connectionClosedByCamera(RTSPPhase)
    /// The camera broke the protocol.
    case malformed(String)

    /// What is wrong, as a sentence.
    public var problem: String {
        switch self {
        case .badCredentials(let scheme): "The camera refused the user name or password (\(scheme))."
        case .authenticationRequired(let realm):
            "The camera asks for a user and password" + (realm.isEmpty ? "." : " for \"\(realm)\".")
        case .unsupportedAuthentication(let offered): "The camera offers no usable authentication (\(offered))."
        case .notFound(let status): "The camera has no stream under this path (status \(status))."
        case .unsupportedTransport(let asked, let reason):
            "The camera does not deliver over \(asked.rawValue.uppercased()): \(reason)."
        case .noDatagrams(let seconds): "No UDP packet arrived within \(seconds) s of PLAY."
        case .noUsableTransport(let udp): "The camera refuses TCP, and UDP does not work: \(udp)."
        case .noLocalPorts: "No pair of UDP ports was free for the camera's media."
        case .noPlayableTracks(let offered):
            "The camera offers nothing that can be shown: \(offered.isEmpty ? "no media" : offered.joined(separator: ", "))."
        case .notRTSP(let what): "The host answers, but not in RTSP: \(what)."
        case .redirected(let url): "The camera refers to \(url)."
        case .redirectRefused(let target): "The camera refers to \(target), which is not allowed from here."
        case .refused(let status, let reason, let phase):
            status == 463
                ? "The camera demands encrypted media (status 463)."
                : "The camera refused \(phase.requestName) with status \(status)\(reason.isEmpty ? "" : " \(reason)")."
        case .timeout(.connect): "The connection was not established in time."
        case .timeout(let phase): "The camera did not answer \(phase.requestName) in time."
        case .stalled(let seconds, let track): "Track \(track) has sent nothing for \(seconds) s."
        case .connectionClosedByCamera(.playing): "The camera closed the connection."
        case .connectionClosedByCamera(let phase): "The camera closed the connection during \(phase.requestName)."
        case .malformed(let what): "The camera broke the RTSP protocol: \(what)."
        }
    }

    /// What to do about it, as a sentence.
    public var remedy: String {
        switch self {
        case .badCredentials:
            "Correct `user` and `password` of this camera; repeated failures make many cameras lock us out for 30 minutes."
        case .authenticationRequired: "Set `user` and `password` for this camera."
        case .unsupportedAuthentication: "Enable Digest authentication for RTSP on the camera, or use rtsps."
        case .notFound: "Check the path in `source` against the camera's manual or its ONVIF profile."
        case .unsupportedTransport(.tcp, _): "Set `transport: udp` for this camera."
        case .unsupportedTransport(.udp, _), .noLocalPorts: "Set `transport: tcp` for this camera."
        case .noDatagrams: "Let UDP from the camera through the firewall, or set `transport: tcp`."
        case .noUsableTransport:
            "Allow RTP over RTSP (TCP) on the camera, or let UDP from it through the firewall."
        case .noPlayableTracks: "Switch the camera's video to H.264."
        case .notRTSP: "Check the port in `source`, and whether it has to be rtsps instead of rtsp."
        case .redirected: "Put that URL into `source` if it is the right camera."
        case .redirectRefused: "Check where the camera should be reached and correct `source`."
        case .refused(453, _, _), .refused(503, _, _):
            "The camera is out of connections: end other viewers of it, or use one connection through this relay."
        case .refused(463, _, _): "Turn off SRTP for RTSP on the camera."
        case .refused: "Look into the camera's own log, or restart the camera."
        case .timeout(.connect): "Check the address, the cable and the firewall between relay and camera."
        case .timeout, .stalled: "Check the camera's load and the network; restart the camera if it stays."
        case .connectionClosedByCamera:
            "Check how many clients the camera serves and whether it restarts; the relay reconnects by itself."
        case .malformed: "Update the camera's firmware, or restart the camera."
        }
    }

    /// Whether connecting again at once makes sense. If not, wait: the same thing would happen, and it may do harm.
    public var canRetryAtOnce: Bool {
        switch self {
        case .unsupportedTransport, .noDatagrams, .stalled, .connectionClosedByCamera(.playing), .malformed,
            .refused(454, _, _):
            true
        case .badCredentials, .authenticationRequired, .unsupportedAuthentication, .notFound, .noUsableTransport,
            .noLocalPorts,
            .noPlayableTracks, .notRTSP, .redirected, .redirectRefused, .refused, .timeout, .connectionClosedByCamera:
            false
        }
    }

    /// The transport to try next, where another one may work. Follow it once only: a camera may refuse both.
    public var suggestedTransport: RTSPTransport? {
        switch self {
        case .unsupportedTransport(let asked, _): asked == .tcp ? .udp : .tcp
        case .noDatagrams, .noLocalPorts: .tcp
        default: nil
        }
    }
}

extension RTSPPhase {
    /// The request of the phase, for messages.
    fileprivate var requestName: String {
        switch self {
        case .connect: "connecting"
        case .playing: "the session"
        case .options, .describe, .setup, .play: rawValue.uppercased()
        }
    }
}
