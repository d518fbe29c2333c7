import Digests
import SDP
import Wire

/// One RTSP session with a camera (RFC 2326), from connecting to TEARDOWN, without I/O.
///
///     idle ─connected─▶ OPTIONS ─▶ DESCRIBE ─▶ SETUP… ─▶ PLAY ─▶ playing ─teardown─▶ TEARDOWN ─▶ closed
///                                     ▲            │
///                                     └─461, auto──┘
///
/// One value serves one connection; after ``RTSPEffect/closed(_:)`` the owner makes a new one. Requests go out one at a
/// time, except keep-alives, which nothing waits for. Responses, the camera's own requests and packets are taken in any
/// order at any time. Every input appends to the caller's list of effects; read ``nextDeadline`` again after every input
/// that produced other effects than packets, and when the deadline passes call ``handleTimeout(at:into:)``.
public struct RTSPClient: Sendable {
    /// What the session was made with.
    public let configuration: RTSPClientConfiguration

    var state = State.idle
    var decoder = RTSPDecoder()
    var authenticator: RTSPAuthenticator
    var routing = MediaRouting()
    var keepAlive = KeepAlive()
    var session = SessionContext()
    let ssrc: UInt32

    /// Where the session stands.
    enum State: Sendable {
        /// Not connected yet. Left by `connected`.
        case idle
        /// A request is out. Left by its answer or its deadline.
        case awaiting(Exchange)
        /// The owner binds ports for a track. Left by its answer or the deadline.
        case openingPorts(track: Int, deadline: Instant)
        /// Media flows. Left by a stall, by the camera, or by `teardown`.
        case playing
        /// TEARDOWN is out. Left by its answer or the deadline.
        case tearingDown(cseq: Int, deadline: Instant)
        /// Terminal.
        case closed
    }

    /// A request that waits for its answer.
    struct Exchange: Sendable {
        /// What the answer is for.
        enum Purpose: Equatable, Sendable {
            case options
            case describe
            case setup(track: Int, isAlternate: Bool)
            case play(withRange: Bool)
        }

        var purpose: Purpose
        var request: RTSPRequest
        var cseq: Int
        var deadline: Instant
        var carriedAnswer: Bool
        /// The request was repeated after a refusal of its answer; it is not repeated once more.
        var hadSecondChance = false
    }

    /// What was learned from the answers so far.
    struct SessionContext: Sendable {
        /// Methods listed by the camera; empty when it listed none.
        var methods: Set<RTSPMethod> = []
        var transport = RTSPTransport.tcp
        var base: ControlBase?
        var tracks: [RTSPTrack] = []
        var header: SessionHeader?
        var nextCSeq = 1
        /// PLAY succeeded at this time.
        var playingSince: Instant?
        var hasDatagrams = false
        var reportedDiscards = 0
        var reportedScheme = false
    }

    /// The keep-alive cycle.
    struct KeepAlive: Sendable {
        var nextAt: Instant?
        var lastSentAt: Instant?
        /// The last two whose answers may still come.
        var sent: [Sent] = []
        /// The camera refused the first choice in this session.
        var usesFallback = false
        /// Requests of the camera's answered since the last keep-alive.
        var answeredRequests = 0

        /// One keep-alive.
        struct Sent: Sendable {
            var cseq: Int
            var method: RTSPMethod
            var carriedAnswer: Bool
            /// Sent again with the nonce that came with a refusal; not repeated once more.
            var isRepeat: Bool
        }
    }

    /// Creates a session.
    public init(configuration: RTSPClientConfiguration, using random: inout some RandomNumberGenerator) {
        self.configuration = configuration
        let user = configuration.user ?? configuration.url.user
        authenticator = RTSPAuthenticator(
            user: user,
            // Cameras with a user and no password exist.
            password: configuration.password ?? configuration.url.password ?? user.map { _ in Secret("") },
            allowsBasic: configuration.allowsBasicInClear || configuration.url.scheme == .rtsps,
            clientNonce: random.word(24)
        )
        ssrc = UInt32.random(in: 1...UInt32.max, using: &random)
        session.transport = configuration.transport == .udp ? .udp : .tcp
    }

    // MARK: Inputs

    /// The connection (for rtsps: the TLS session) is up.
    public mutating func connected(at now: Instant, into effects: inout [RTSPEffect]) {
        guard case .idle = state else { return }
        send(.options, RTSPRequest(.options, uri: configuration.url.description), at: now, into: &effects)
    }

    /// Bytes arrived on the connection.
    public mutating func received(_ bytes: [UInt8], at now: Instant, into effects: inout [RTSPEffect]) {
        bytes.withUnsafeBytes { received($0, at: now, into: &effects) }
    }

    /// Bytes arrived on the connection; they are copied.
    public mutating func received(
        _ bytes: UnsafeRawBufferPointer,
        at now: Instant,
        into effects: inout [RTSPEffect]
    ) {
        if isClosed { return }
        decoder.push(bytes)
        do throws(RTSPDecodingError) {
            while let incoming = try decoder.next() {
                switch incoming {
                case .interleaved(let channel, let payload):
                    receivedInterleaved(channel, payload, at: now, into: &effects)
                case .response(let response):
                    receivedResponse(response, at: now, into: &effects)
                case .request(let request):
                    receivedRequest(request, into: &effects)
                }
                if isClosed { return }
            }
        } catch {
            let isForeign = decoder.decodedCount == 0 && !decoder.firstDiscarded.isEmpty
            fail(isForeign ? .notRTSP(foreignProtocol) : .malformed(error.explanation), into: &effects)
            return
        }
        noticeGarbage(into: &effects)
    }

    /// A datagram from the camera's host arrived on one of the track's ports.
    public mutating func receivedDatagram(
        track: Int,
        isRTCP: Bool,
        from port: UInt16,
        _ bytes: [UInt8],
        at now: Instant,
        into effects: inout [RTSPEffect]
    ) {
        if isClosed { return }
        switch routing.accept(track: track, isRTCP: isRTCP, from: port) {
        case .accepted: break
        case .acceptedFromUnexpectedPort: effects.append(.report(.unexpectedSourcePort(track: track, port: port)))
        case .refused: return
        }
        session.hasDatagrams = true
        if isRTCP {
            effects.append(.rtcp(track: track, bytes[...]))
        } else {
            routing.received(track: track, at: now)
            effects.append(.rtp(track: track, bytes[...]))
        }
    }

    /// The ports asked for are bound; RTCP is on the port after `rtpPort`.
    public mutating func datagramPortsOpened(
        track: Int,
        rtpPort: UInt16,
        at now: Instant,
        into effects: inout [RTSPEffect]
    ) {
        guard case .openingPorts(let expected, _) = state, expected == track else { return }
        routing[track]?.clientPort = NumberPair(rtpPort, rtpPort &+ 1)
        sendSetup(track, isAlternate: false, at: now, into: &effects)
    }

    /// The ports asked for cannot be bound.
    public mutating func datagramPortsFailed(track: Int, into effects: inout [RTSPEffect]) {
        guard case .openingPorts(let expected, _) = state, expected == track else { return }
        fail(.noLocalPorts, into: &effects)
    }

    /// The connection ended.
    public mutating func connectionClosed(at now: Instant, into effects: inout [RTSPEffect]) {
        switch state {
        case .closed: return
        case .tearingDown: close(nil, into: &effects)
        case .idle, .awaiting, .openingPorts, .playing:
            if decoder.decodedCount == 0, decoder.discardedBytes > 0 {
                close(.notRTSP(foreignProtocol), into: &effects)
                return
            }
            if let last = keepAlive.sent.last, let sentAt = keepAlive.lastSentAt, now - sentAt < .seconds(2) {
                effects.append(.report(.closedAfterKeepAlive(last.method)))
            }
            close(.connectionClosedByCamera(phase), into: &effects)
        }
    }

    /// Ends the session. `closed(nil)` follows when the camera has answered, or after ``RTSPTimeouts/teardown``.
    public mutating func teardown(at now: Instant, into effects: inout [RTSPEffect]) {
        switch state {
        case .closed, .tearingDown: return
        case .idle, .awaiting, .openingPorts, .playing:
            guard hasSession else {
                close(nil, into: &effects)
                return
            }
            let cseq = write(RTSPRequest(.teardown, uri: baseURI), into: &effects).cseq
            state = .tearingDown(cseq: cseq, deadline: now + configuration.timeouts.teardown)
        }
    }

    /// Sends an RTCP packet of ours, such as a receiver report, on the track's path.
    public mutating func sendRTCP(track: Int, _ bytes: [UInt8], into effects: inout [RTSPEffect]) {
        guard !isClosed, let path = routing[track], path.isSetUp else { return }
        switch session.transport {
        case .tcp:
            if let channel = path.channels?.rtcp {
                effects.append(.write(interleavedFrame(channel: channel, payload: bytes)))
            }
        case .udp:
            guard let port = routing.destination(track: track, isRTCP: true) else { return }
            effects.append(.sendDatagram(track: track, isRTCP: true, port: port, bytes: bytes))
        }
    }

    // MARK: Queries

    /// Whether ``RTSPEffect/closed(_:)`` was given.
    public var isClosed: Bool { if case .closed = state { true } else { false } }

    /// How far the session has come.
    public var phase: RTSPPhase {
        switch state {
        case .idle: .connect
        case .openingPorts: .setup
        case .playing, .tearingDown, .closed: .playing
        case .awaiting(let exchange):
            switch exchange.purpose {
            case .options: .options
            case .describe: .describe
            case .setup: .setup
            case .play: .play
            }
        }
    }

    /// Bytes skipped on this connection because they were no RTSP.
    public var discardedBytes: Int { decoder.discardedBytes }

    /// Whether the camera keeps state for us that TEARDOWN ends.
    var hasSession: Bool { session.header != nil || !routing.activeTracks.isEmpty }

    /// TCP was refused and UDP is tried.
    var hasFallenBack: Bool { configuration.transport == .auto && session.transport == .udp }

    /// The aggregate request URI.
    var baseURI: String { session.base?.uri ?? configuration.url.description }
}
