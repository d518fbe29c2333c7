import Media
import RTSP
import Wire

/// Why an attempt to pull a camera ended, in words for the operator, and what follows from it.
struct CameraFailure: Equatable {
    /// What the relay does next.
    enum Next: Equatable {
        /// Try again after a pause that grows.
        case retry
        /// Try again at once by another transport, and remember it.
        case retryBy(TransportPreference)
        /// Try again at once at another address.
        case follow(RTSPURL)
        /// Retrying soon cannot help.
        case hold
        /// Retrying soon locks us out of the camera.
        case holdForCredentials
    }

    var problem: String
    var remedy: String
    var next: Next
}

extension CameraFailure {
    init(_ failure: RTSPFailure, camera: Camera) {
        problem = failure.problem
        remedy = failure.remedy
        switch failure {
        case .badCredentials, .authenticationRequired, .unsupportedAuthentication:
            next = .holdForCredentials
        case .noPlayableTracks, .redirectRefused:
            next = .hold
        case .redirected(let url):
            next = .follow(url)
        case .unsupportedTransport, .noDatagrams, .noLocalPorts:
            if camera.configuration.transport == .auto, camera.learnedTransport == nil,
                let other = failure.suggestedTransport
            {
                next = .retryBy(other == .tcp ? .tcp : .udp)
            } else {
                next = .retry
            }
        case .notFound, .notRTSP, .noUsableTransport, .refused, .timeout, .stalled, .connectionClosedByCamera,
            .malformed:
            next = .retry
        }
    }

    init(_ failure: ConnectionFailure, source: RTSPURL) {
        let place = "\(source.host):\(source.port)"
        next = .retry
        switch failure {
        case .unresolvable(let host):
            problem = "The name \(host) does not resolve."
            remedy = "Check the host in `source`, or this machine's name service."
        case .refused:
            problem = "Nothing accepts connections at \(place)."
            remedy = "Check the port in `source`, and that RTSP is switched on in the camera."
        case .timedOut:
            problem = "\(place) does not answer."
            remedy = "Check the address, the camera's power, and firewalls between relay and camera."
        case .unreachable:
            problem = "There is no route to \(place)."
            remedy = "Check this machine's network and the camera's address."
        case .tls(let reason):
            problem = "TLS with \(place) failed: \(reason)."
            remedy = "Check that the camera speaks rtsps on this port."
        case .other(let reason):
            problem = "The connection to \(place) broke: \(reason)."
            remedy = "Check the network between relay and camera."
        }
    }

    /// The camera's video is of a kind that reaches no viewer; `nil` when it does.
    init?(unsupported tracks: [RTSPTrack]) {
        guard let video = tracks.first(where: { $0.format.codec.kind == .video })?.format, video.codec != .h264 else {
            return nil
        }
        problem = "The camera sends \(video.encodingName) video, which reaches no viewer yet."
        remedy = "Set the camera's main stream to H.264."
        next = .hold
    }

    /// The camera ended the session without an error.
    static let closedByCamera = CameraFailure(
        problem: "The camera closed the connection.",
        remedy: "Check how many clients the camera serves; the relay reconnects by itself.",
        next: .retry
    )
}
