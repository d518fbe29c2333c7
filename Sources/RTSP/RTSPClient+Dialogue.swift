import SDP
import Wire

/// Requests out, responses in.
extension RTSPClient {
    // MARK: Sending

    /// Writes a request with all headers it needs, and tells its number and whether it carries credentials.
    @discardableResult
    mutating func write(
        _ request: RTSPRequest,
        into effects: inout [RTSPEffect]
    ) -> (cseq: Int, carriedAnswer: Bool) {
        let cseq = session.nextCSeq
        session.nextCSeq += 1
        // Some cameras demand exactly this spelling, and expect it first.
        var headers: RTSPHeaders = ["CSeq": String(cseq), "User-Agent": configuration.userAgent]
        if let identifier = session.header?.identifier { headers.append("Session", identifier) }
        let authorization = authenticator.authorization(method: request.method, uri: request.uri)
        if let authorization { headers.append("Authorization", authorization) }
        for field in request.headers.fields { headers.append(field.name, field.value) }
        let complete = RTSPRequest(request.method, uri: request.uri, headers: headers, body: request.body)
        effects.append(.write(complete.bytes))
        return (cseq, authorization != nil)
    }

    /// Sends a request and waits for its answer.
    mutating func send(
        _ purpose: Exchange.Purpose,
        _ request: RTSPRequest,
        hadSecondChance: Bool = false,
        at now: Instant,
        into effects: inout [RTSPEffect]
    ) {
        let (cseq, carriedAnswer) = write(request, into: &effects)
        state = .awaiting(
            Exchange(
                purpose: purpose,
                request: request,
                cseq: cseq,
                deadline: now + configuration.timeouts.request,
                carriedAnswer: carriedAnswer,
                hadSecondChance: hadSecondChance
            )
        )
    }

    mutating func sendDescribe(at now: Instant, into effects: inout [RTSPEffect]) {
        let headers: RTSPHeaders = ["Accept": "application/sdp"]
        send(
            .describe,
            RTSPRequest(.describe, uri: configuration.url.description, headers: headers),
            at: now,
            into: &effects
        )
    }

    /// Goes on with the first track from `track` on, or with PLAY.
    mutating func setUp(from track: Int, at now: Instant, into effects: inout [RTSPEffect]) {
        guard routing[track] != nil else {
            punchHoles(into: &effects)
            sendPlay(withRange: true, at: now, into: &effects)
            return
        }
        switch session.transport {
        case .tcp:
            sendSetup(track, isAlternate: false, at: now, into: &effects)
        case .udp:
            state = .openingPorts(track: track, deadline: now + configuration.timeouts.request)
            effects.append(.openDatagramPorts(track: track))
        }
    }

    mutating func sendSetup(_ track: Int, isAlternate: Bool, at now: Instant, into effects: inout [RTSPEffect]) {
        guard let path = routing[track] else { return }
        let transport =
            switch session.transport {
            case .tcp: TransportHeader(.tcp, interleaved: askedChannels(track))
            case .udp: TransportHeader(.udp, clientPort: path.clientPort)
            }
        let uri = isAlternate ? path.track.alternateControl ?? path.track.control : path.track.control
        let request = RTSPRequest(.setup, uri: uri, headers: ["Transport": transport.text])
        send(.setup(track: track, isAlternate: isAlternate), request, at: now, into: &effects)
    }

    /// Two channels per track, in order.
    func askedChannels(_ track: Int) -> NumberPair<UInt8> {
        let first = UInt8(truncatingIfNeeded: track * 2)
        return NumberPair(first, first &+ 1)
    }

    mutating func sendPlay(withRange: Bool, at now: Instant, into effects: inout [RTSPEffect]) {
        let headers: RTSPHeaders = withRange ? ["Range": "npt=0-"] : [:]
        let request = RTSPRequest(.play, uri: baseURI, headers: headers)
        send(.play(withRange: withRange), request, at: now, into: &effects)
    }

    // MARK: Receiving

    mutating func receivedResponse(_ response: RTSPResponse, at now: Instant, into effects: inout [RTSPEffect]) {
        // 1xx announces that the answer takes time; the deadline stays.
        guard response.status >= 200 else { return }
        let cseq = response.headers.cseq
        switch state {
        case .awaiting(let exchange):
            // A missing number is taken for the right one; an old one belongs to a request nobody waits for.
            if cseq == nil || cseq == exchange.cseq { answered(exchange, response, at: now, into: &effects) }
        case .tearingDown(let expected, _):
            if cseq == nil || cseq == expected { close(nil, into: &effects) }
        case .playing:
            guard let index = keepAlive.sent.firstIndex(where: { cseq == nil || $0.cseq == cseq }) else { return }
            keepAliveAnswered(response, keepAlive.sent.remove(at: index), at: now, into: &effects)
        case .idle, .openingPorts, .closed:
            return
        }
    }

    private mutating func answered(
        _ exchange: Exchange,
        _ response: RTSPResponse,
        at now: Instant,
        into effects: inout [RTSPEffect]
    ) {
        if response.status == 401 {
            refused(exchange, response, at: now, into: &effects)
            return
        }
        if exchange.carriedAnswer {
            authenticator.accepted()
            if !session.reportedScheme, let scheme = authenticator.schemeName {
                session.reportedScheme = true
                let inClear = authenticator.usesBasic && configuration.url.scheme == .rtsp
                effects.append(.report(.authenticated(scheme: scheme, inClear: inClear)))
            }
        }
        if [301, 302, 303, 305].contains(response.status), let location = response.headers["Location"] {
            redirected(to: location, into: &effects)
            return
        }
        switch exchange.purpose {
        case .options:
            // Cameras answer this one wrongly in every possible way; only being full is believed.
            if response.status == 503 || response.status == 453 {
                fail(refusal(response), into: &effects)
                return
            }
            if response.isSuccess { session.methods = listedMethods(response.headers) }
            sendDescribe(at: now, into: &effects)
        case .describe:
            describeAnswered(response, at: now, into: &effects)
        case .setup(let track, let isAlternate):
            setupAnswered(response, track: track, isAlternate: isAlternate, at: now, into: &effects)
        case .play(let withRange):
            playAnswered(response, withRange: withRange, at: now, into: &effects)
        }
    }

    private mutating func refused(
        _ exchange: Exchange,
        _ response: RTSPResponse,
        at now: Instant,
        into effects: inout [RTSPEffect]
    ) {
        let values = response.headers.values(named: "WWW-Authenticate")
        let scheme = authenticator.schemeName ?? "none"
        let decision = authenticator.refused(
            values,
            carriedAnswer: exchange.carriedAnswer,
            hadSecondChance: exchange.hadSecondChance
        )
        switch decision {
        case .retry:
            send(
                exchange.purpose,
                exchange.request,
                hadSecondChance: exchange.carriedAnswer,
                at: now,
                into: &effects
            )
        case .noCredentials(let realm):
            fail(.authenticationRequired(realm: printable(realm)), into: &effects)
        case .rejected:
            fail(.badCredentials(scheme: scheme), into: &effects)
        case .unsupported:
            let names = values.compactMap(\.blankSeparatedWords.first).joined(separator: ", ")
            fail(.unsupportedAuthentication(offered: names.isEmpty ? "none" : printable(names)), into: &effects)
        }
    }

    private mutating func describeAnswered(
        _ response: RTSPResponse,
        at now: Instant,
        into effects: inout [RTSPEffect]
    ) {
        guard response.isSuccess else {
            fail(refusal(response), into: &effects)
            return
        }
        let description: SessionDescription
        do throws(SDPError) {
            description = try SessionDescription(parsing: String(decoding: response.body, as: UTF8.self))
        } catch {
            fail(.malformed("its session description \(error.fault)"), into: &effects)
            return
        }
        let base = ControlBase(
            description,
            contentBase: response.headers["Content-Base"],
            contentLocation: response.headers["Content-Location"],
            requested: configuration.url
        )
        let selection = TrackSelection(description, base: base)
        guard !selection.tracks.isEmpty else {
            fail(.noPlayableTracks(offered: selection.ignored), into: &effects)
            return
        }
        session.base = base
        if session.tracks != selection.tracks { effects.append(.described(selection.tracks)) }
        session.tracks = selection.tracks
        routing = MediaRouting(tracks: selection.tracks)
        setUp(from: 0, at: now, into: &effects)
    }

    private mutating func playAnswered(
        _ response: RTSPResponse,
        withRange: Bool,
        at now: Instant,
        into effects: inout [RTSPEffect]
    ) {
        if response.status == 457, withRange {
            sendPlay(withRange: false, at: now, into: &effects)
            return
        }
        guard response.isSuccess else {
            fail(refusal(response), into: &effects)
            return
        }
        state = .playing
        session.playingSince = now
        routing.started(at: now)
        keepAlive.nextAt = now + keepAliveInterval
        effects.append(.playing(transport: session.transport, tracks: routing.activeTracks))
    }

    private mutating func redirected(to location: String, into effects: inout [RTSPEffect]) {
        guard var target = try? RTSPURL(parsing: location) else {
            fail(.redirectRefused(printable(withoutUserInfo(location))), into: &effects)
            return
        }
        (target.user, target.password) = (nil, nil)
        if configuration.url.scheme == .rtsps, target.scheme == .rtsp {
            fail(.redirectRefused(target.description), into: &effects)
        } else {
            fail(.redirected(to: target), into: &effects)
        }
    }

    // MARK: The camera's requests

    mutating func receivedRequest(_ request: RTSPRequest, into effects: inout [RTSPEffect]) {
        keepAlive.answeredRequests += 1
        guard keepAlive.answeredRequests <= maximumRequestsFromCamera else {
            fail(.malformed("a flood of requests"), into: &effects)
            return
        }
        var headers: RTSPHeaders = [:]
        if let cseq = request.headers["CSeq"] { headers.append("CSeq", cseq) }
        if let identifier = session.header?.identifier { headers.append("Session", identifier) }
        if request.method == .options {
            headers.append("Public", "OPTIONS, GET_PARAMETER, SET_PARAMETER, ANNOUNCE, REDIRECT, TEARDOWN")
        }
        effects.append(.write(RTSPResponse(200, "OK", headers: headers).bytes))
        effects.append(.report(.requestFromCamera(request.method)))
        if request.method == .redirect, let location = request.headers["Location"] {
            redirected(to: location, into: &effects)
        }
    }

    // MARK: Ending

    /// What a refusal means.
    func refusal(_ response: RTSPResponse) -> RTSPFailure {
        if response.status == 404, phase == .describe || phase == .setup { return .notFound(status: 404) }
        return .refused(status: response.status, reason: printable(response.reason, limit: 60), phase: phase)
    }

    /// Ends the session with a failure; tells the camera if it has a session, without waiting for the answer.
    mutating func fail(_ failure: RTSPFailure, into effects: inout [RTSPEffect]) {
        switch state {
        case .closed: return
        case .tearingDown:
            close(nil, into: &effects)
            return
        case .idle, .awaiting, .openingPorts, .playing: break
        }
        if hasSession { write(RTSPRequest(.teardown, uri: baseURI), into: &effects) }
        close(failure, into: &effects)
    }

    mutating func close(_ failure: RTSPFailure?, into effects: inout [RTSPEffect]) {
        state = .closed
        effects.append(.closed(failure))
    }
}

/// The methods in a `Public` header; unknown ones are skipped.
private func listedMethods(_ headers: RTSPHeaders) -> Set<RTSPMethod> {
    var methods: Set<RTSPMethod> = []
    for value in headers.values(named: "Public") {
        for name in value.utf8.split(whereSeparator: { $0 == 0x2C || $0 == 0x20 }) {
            if let method = RTSPMethod(rawValue: String(decoding: name, as: UTF8.self).uppercased()) {
                methods.insert(method)
            }
        }
    }
    return methods
}

/// The text with everything between `//` and the last `@` taken out, for a message.
private func withoutUserInfo(_ text: String) -> String {
    guard let at = text.utf8.lastIndex(of: 0x40) else { return text }
    return "…" + text[at...]
}

/// Requests of the camera's that are answered between two keep-alives.
private let maximumRequestsFromCamera = 64
