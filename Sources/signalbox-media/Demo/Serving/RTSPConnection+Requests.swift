import Digests
import NIOCore
import RTSP

/// The answers to each method (RFC 2326 §10).
extension RTSPConnection {
    /// Carries a request out and answers it.
    func response(to request: RTSPRequest) -> RTSPResponse {
        var response = answer(request)
        response.headers["CSeq"] = request.headers["CSeq"]
        response.headers["Server"] = "Signalbox demo camera"
        return response
    }

    private func answer(_ request: RTSPRequest) -> RTSPResponse {
        guard request.headers.cseq != nil else { return RTSPResponse(400, "Bad Request") }
        if request.method == .options { return RTSPResponse(200, "OK", headers: ["Public": Self.methods]) }
        let authorization = request.headers["Authorization"]
        let verdict = verifier.verify(authorization: authorization, method: request.method, uri: request.uri)
        guard verdict == .accepted else {
            let challenge = verifier.challenge(isStale: verdict == .stale)
            return RTSPResponse(401, "Unauthorized", headers: ["WWW-Authenticate": challenge])
        }
        switch request.method {
        case .describe: return describe(request)
        case .setup: return setup(request)
        case .play: return play(request)
        case .getParameter: return withSession(request) { RTSPResponse(200, "OK", headers: $0) }
        case .teardown:
            return withSession(request) { headers in
                session = nil
                return RTSPResponse(200, "OK", headers: headers)
            }
        default:
            return RTSPResponse(501, "Not Implemented", headers: ["Public": Self.methods])
        }
    }

    private func describe(_ request: RTSPRequest) -> RTSPResponse {
        guard path(of: request) == Self.path else { return RTSPResponse(404, "Not Found") }
        let headers: RTSPHeaders = ["Content-Base": base + "/", "Content-Type": "application/sdp"]
        return RTSPResponse(200, "OK", headers: headers, body: Array(server.sdp.utf8))
    }

    private func setup(_ request: RTSPRequest) -> RTSPResponse {
        if let given = request.headers["Session"], SessionHeader(parsing: given)?.identifier != session?.identifier {
            return RTSPResponse(454, "Session Not Found")
        }
        let track = server.senders.indices.first {
            path(of: request) == "\(Self.path)/\(SessionDescriptionText.control($0))"
        }
        guard let track else { return RTSPResponse(404, "Not Found") }
        guard session?.isPlaying != true else { return RTSPResponse(455, "Method Not Valid in This State") }
        let wanted = request.headers.values(named: "Transport").flatMap(TransportHeader.parse)
        guard let (transport, reply) = wanted.lazy.compactMap({ self.accept($0, track: track) }).first else {
            return RTSPResponse(461, "Unsupported Transport")
        }
        var session = self.session ?? Session(identifier: newIdentifier())
        session.tracks[track] = transport
        self.session = session
        var headers = sessionHeaders(session)
        headers["Transport"] = reply.text
        return RTSPResponse(200, "OK", headers: headers)
    }

    private func accept(_ wanted: TransportHeader, track: Int) -> (TrackTransport, TransportHeader)? {
        guard !wanted.isMulticast, wanted.profile == "RTP/AVP" else { return nil }
        let ssrc = server.senders[track].ssrc
        switch wanted.lowerTransport {
        case .tcp:
            let channels = wanted.interleaved ?? NumberPair(UInt8(2 * track), UInt8(2 * track + 1))
            return (.interleaved(channels), TransportHeader(.tcp, interleaved: channels, ssrc: ssrc))
        case .udp:
            guard let ports = wanted.clientPort, ports.rtp > 0, ports.rtcp > 0, let ours = server.datagramPorts,
                let rtp = clientAddress(port: ports.rtp), let rtcp = clientAddress(port: ports.rtcp)
            else { return nil }
            let pair = NumberPair(ours.rtp, ours.rtcp)
            return (
                .datagrams(rtp: rtp, rtcp: rtcp),
                TransportHeader(.udp, clientPort: ports, serverPort: pair, ssrc: ssrc)
            )
        }
    }

    private func play(_ request: RTSPRequest) -> RTSPResponse {
        withSession(request) { headers in
            guard var session, !session.tracks.isEmpty else {
                return RTSPResponse(455, "Method Not Valid in This State")
            }
            session.isPlaying = true
            self.session = session
            let now = SystemClock.monotonicNanoseconds
            let info = session.tracks.keys.sorted().map { track in
                let start = server.playbackStart(track: track, at: now)
                let url = "\(base)/\(SessionDescriptionText.control(track))"
                return "url=\(url);seq=\(start.sequenceNumber);rtptime=\(start.timestamp)"
            }
            var headers = headers
            headers["Range"] = "npt=0.000-"
            headers["RTP-Info"] = info.joined(separator: ",")
            return RTSPResponse(200, "OK", headers: headers)
        }
    }

    private func withSession(_ request: RTSPRequest, _ body: (RTSPHeaders) -> RTSPResponse) -> RTSPResponse {
        guard let given = request.headers["Session"] else {
            // A keep-alive without a session is harmless.
            return request.method == .getParameter ? RTSPResponse(200, "OK") : RTSPResponse(454, "Session Not Found")
        }
        guard let session, SessionHeader(parsing: given)?.identifier == session.identifier else {
            return RTSPResponse(454, "Session Not Found")
        }
        return body(sessionHeaders(session))
    }

    private func sessionHeaders(_ session: Session) -> RTSPHeaders {
        ["Session": SessionHeader(identifier: session.identifier, timeoutSeconds: server.sessionTimeoutSeconds).text]
    }

    private func newIdentifier() -> String {
        var random = SystemRandomNumberGenerator()
        return random.word(12)
    }

    private var base: String { "rtsp://127.0.0.1:\(server.port)\(Self.path)" }

    /// The request URI's path without a final slash.
    private func path(of request: RTSPRequest) -> String {
        let path: String
        do {
            path = try RTSPURL(parsing: request.uri).pathAndQuery
        } catch {
            path = request.uri
        }
        return path.hasSuffix("/") ? String(path.dropLast()) : path
    }

    static let path = "/live"
    private static let methods = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN"
}
