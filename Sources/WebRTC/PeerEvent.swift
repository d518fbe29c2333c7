import Wire

/// What happened to a ``Peer`` that its owner has to know.
public enum PeerEvent: Equatable, Sendable {
    /// Datagrams on this path belong to the peer from now on.
    case pathAdded(FiveTuple)
    /// And no longer.
    case pathRemoved(FiveTuple)
    /// Media may flow: hand over the cached group of pictures with ``Peer/replay(_:at:)``.
    case ready
    /// The client needs a random access point: replay the cache or ask the camera.
    case keyframeWanted
    /// The viewer gets less or more of the stream from now on; ``QualityRung/hls`` has to be brought about by the owner.
    case qualityChanged(QualityState)
    /// Terminal.
    case closed(PeerCloseReason)
}

/// Why a ``Peer`` ended.
public enum PeerCloseReason: Equatable, Sendable {
    /// No authenticated check ever arrived: the client cannot reach the media port.
    case neverReached
    /// The client fell silent for 30 s (RFC 7675).
    case consentExpired
    /// The DTLS handshake failed.
    case dtlsFailed(String)
    /// The client said close_notify: the page was closed or stopped playing.
    case closedByClient
    /// The relay ended it, with the reason to show.
    case closedByServer(String)

    /// What happened, for the operator: the rest of a sentence, without a full stop.
    public var text: String {
        switch self {
        case .neverReached: "no connectivity check reached the media port"
        case .consentExpired: "the client has been silent for 30 s"
        case .dtlsFailed(let reason): "the DTLS handshake failed: \(reason)"
        case .closedByClient: "the client closed the session"
        case .closedByServer(let reason): reason
        }
    }
}
