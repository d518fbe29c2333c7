import Media
import SDP

/// Why an offer gets no answer: what is wrong, and where it can be said, what to do about it.
public enum NegotiationError: Error, Equatable, Sendable {
    /// The text is no session description, or larger than one may be.
    case malformed(SDPError)
    /// A part every WebRTC offer has is missing or broken; the part by its SDP name.
    case missing(String)
    /// The offer asks for something this server does not do.
    case unsupported(String)
    /// No m-line is `recvonly` or `sendrecv`: the client does not want to receive.
    case nothingToReceive
    /// The client offers no video codec that the camera sends in a form it can take.
    case noCommonVideoCodec(offered: [String], camera: Codec)
    /// The camera's video cannot be carried to browsers by WebRTC.
    case unsupportedVideo(camera: String)
    /// The camera has no video, and no audio that WebRTC can carry.
    case nothingToSend(String)
    /// The stream has no tracks yet.
    case streamNotReady

    /// The HTTP status that says the same (WHEP draft §4.2).
    public var httpStatus: Int {
        switch self {
        case .malformed(.tooLarge), .malformed(.tooManyLines), .malformed(.tooManyMedia): 413
        case .malformed, .missing: 400
        case .unsupported, .nothingToReceive, .noCommonVideoCodec, .unsupportedVideo, .nothingToSend: 406
        case .streamNotReady: 503
        }
    }

    /// A sentence for whoever reads the answer.
    public var problem: String {
        switch self {
        case .malformed(let error): "The offer is not usable SDP: it \(error.fault)."
        case .missing(let part): "The offer has no valid \(part)."
        case .unsupported(let what): "The offer asks for \(what)."
        case .nothingToReceive: "The offer has no m-line that receives."
        case .noCommonVideoCodec(let offered, let camera):
            "The camera sends \(camera.rawValue); the browser offers "
                + (offered.isEmpty ? "no video codec." : offered.joined(separator: ", ") + ".")
        case .unsupportedVideo(let camera): "The camera sends \(camera) video, which WebRTC does not carry to browsers."
        case .nothingToSend(let reason): "The offer and the camera have no media in common: \(reason)"
        case .streamNotReady: "The camera's stream has not started."
        }
    }

    /// One sentence that names the way out, where there is one.
    public var remedy: String? {
        switch self {
        case .malformed, .missing: nil
        case .unsupported: "Offer BUNDLE with rtcp-mux over DTLS-SRTP and let the server be passive."
        case .nothingToReceive: "Offer recvonly transceivers."
        case .noCommonVideoCodec(let offered, _):
            offered.contains { $0.hasPrefix("H264") }
                ? "Offer H264 with packetization-mode=1." : "Play this camera by HLS in this browser."
        case .unsupportedVideo: "Play this camera by HLS, or set the camera to H.264."
        case .nothingToSend: "Offer an m-line for what the camera sends, or play it by HLS."
        case .streamNotReady: "Try again in a second."
        }
    }
}
