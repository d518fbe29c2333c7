import ICE
import WebRTC
import Wire

/// Everything a verdict about a WebRTC session is concluded from.
struct AttemptFacts {
    /// How a session ended.
    enum End: Equatable {
        /// By itself.
        case peer(PeerCloseReason)
        /// The client said so: the page was closed, a DELETE came, the page gave WebRTC up.
        case client(String)
        /// The relay or its operator did it.
        case relay(String)
        /// The viewer goes on with HLS, because it was told to.
        case moved(String)

        /// A sentence for the operator.
        var text: String {
            switch self {
            case .peer(let reason): reason.text
            case .client(let reason): reason.isEmpty ? "the client left" : reason
            case .relay(let reason): reason
            case .moved(let reason): "moved to HLS: \(reason)"
            }
        }
    }

    /// How far a session got.
    enum Stage: Int, Comparable {
        case offered, checked, nominated, hello, secured, sending, flowing

        static func < (a: Stage, b: Stage) -> Bool { a.rawValue < b.rawValue }

        /// What was being waited for.
        var awaited: String {
            switch self {
            case .offered: "before its first check"
            case .checked: "before it chose a pair"
            case .nominated: "before DTLS began"
            case .hello: "while DTLS was under way"
            case .secured: "before anything was sent to it"
            case .sending: "before it reported anything received"
            case .flowing: "while media flowed"
            }
        }
    }

    var status: PeerStatus
    /// `nil` while the session lives.
    var end: End?
    /// Now, or when it ended.
    var at: Instant
    var control: ControlChannel
    /// Its address as signalling sees it.
    var clientAddress: IPAddress
    /// What its page has said of this session.
    var report: PeerReport?
    /// When its first frame was decoded.
    var firstFrame: Instant?
    var isCameraLive: Bool
    /// When and why our TURN server last turned it away.
    var turnRefusal: TURNRefusal?

    /// Seconds since the offer.
    var age: Double { (at - status.ladder.offer).inSeconds }

    var hasMedia: Bool {
        status.ladder.firstReceiverReport != nil || status.estimate != nil || firstFrame != nil
            || report?.packetsReceived ?? 0 > 0
    }

    /// How far it got, and when it got there.
    var stage: (reached: Stage, at: Instant) {
        let ladder = status.ladder
        guard let check = ladder.firstCheck else { return (.offered, ladder.offer) }
        guard let nominated = ladder.nominated else { return (.checked, check) }
        guard let hello = ladder.dtlsStarted else { return (.nominated, nominated) }
        guard let secured = ladder.dtlsConnected else { return (.hello, hello) }
        guard let sent = ladder.firstRTP else { return (.secured, max(secured, nominated)) }
        guard hasMedia else { return (.sending, sent) }
        return (.flowing, sent)
    }

    var packetsSent: UInt64 { status.tracks.reduce(0) { $0 &+ $1.packetsSent } }
    var selectedPair: CandidatePair? { status.pairs.first(where: \.isSelected) }

    /// The ports of our candidates in words: `UDP 8189`, `UDP and TCP 8189`.
    func ports(_ transports: [TransportProtocol]) -> String {
        var words: [String] = []
        for transport in transports {
            var ports: [UInt16] = []
            for candidate in status.localCandidates where candidate.transport == transport {
                if !ports.contains(candidate.address.port) { ports.append(candidate.address.port) }
            }
            guard !ports.isEmpty else { continue }
            words.append(
                "\(transport == .udp ? "UDP" : "TCP") \(ports.map { "\($0)" }.joined(separator: ", "))"
            )
        }
        return words.isEmpty ? "UDP" : words.joined(separator: " and ")
    }

    /// Addresses that a client where this one is cannot reach, if that is all there is.
    var unreachableAddresses: [IPAddress]? {
        let addresses = status.localCandidates.map(\.address.ip)
        guard addresses.allSatisfy({ !$0.isReachable(from: clientAddress) }) else { return nil }
        var seen: Set<IPAddress> = []
        return addresses.filter { seen.insert($0).inserted }
    }
}

extension IPAddress {
    /// What of the Internet an address belongs to.
    private enum Scope {
        case loopback, linkLocal, bridge, privateUse, global
    }

    private var scope: Scope {
        if isLoopback { return .loopback }
        if isLinkLocal { return .linkLocal }
        let bytes = bytes
        if isIPv6 { return bytes[0] & 0xFE == 0xFC ? .privateUse : .global }
        switch (bytes[0], bytes[1]) {
        // Docker's default bridge, which exists on every such host and leads nowhere from outside.
        case (172, 17): return .bridge
        case (10, _), (192, 168), (172, 16...31), (100, 64...127): return .privateUse
        default: return .global
        }
    }

    /// Whether a host at `client` may reach this address at all.
    func isReachable(from client: IPAddress) -> Bool {
        switch scope {
        case .global: true
        case .loopback: client.isLoopback
        case .linkLocal: client.isLinkLocal
        case .bridge: client.scope == .bridge || client.isLoopback
        // A client behind a VPN or a tunnel may have any address; a public one is not inside.
        case .privateUse: client.scope != .global
        }
    }
}
