import Media
import Wire

/// Transports, packets and holes.
extension RTSPClient {
    // MARK: SETUP

    mutating func setupAnswered(
        _ response: RTSPResponse,
        track: Int,
        isAlternate: Bool,
        at now: Instant,
        into effects: inout [RTSPEffect]
    ) {
        guard response.isSuccess else {
            setupRefused(response, track: track, isAlternate: isAlternate, at: now, into: &effects)
            return
        }
        if session.header == nil, let value = response.headers["Session"] {
            guard let header = SessionHeader(parsing: value) else {
                fail(.malformed("session identifier"), into: &effects)
                return
            }
            // Some cameras give another one with the second track; the first is the one that counts.
            session.header = header
        }
        let reply = response.headers["Transport"].flatMap { TransportHeader.parse($0).first }
        switch session.transport {
        case .tcp:
            // "RTP/AVP" alone is what some cameras answer although they mean TCP; ports make it a different matter.
            if let reply, reply.lowerTransport == .udp, reply.interleaved == nil, reply.serverPort != nil {
                failTransport("it answered with UDP", into: &effects)
                return
            }
            routing.assign(track: track, asked: askedChannels(track), reply: reply?.interleaved)
        case .udp:
            if let reply, reply.lowerTransport == .tcp || reply.interleaved != nil || reply.isMulticast {
                let other = reply.isMulticast ? "multicast" : "TCP"
                failTransport("it answered with \(other)", into: &effects)
                return
            }
            routing[track]?.serverPort = reply?.serverPort
        }
        routing[track]?.isSetUp = true
        setUp(from: track + 1, at: now, into: &effects)
    }

    private mutating func setupRefused(
        _ response: RTSPResponse,
        track: Int,
        isAlternate: Bool,
        at now: Instant,
        into effects: inout [RTSPEffect]
    ) {
        guard let path = routing[track] else { return }
        if response.status == 404, !isAlternate, path.track.alternateControl != nil {
            sendSetup(track, isAlternate: true, at: now, into: &effects)
            return
        }
        if response.status == 461 {
            if session.transport == .tcp, configuration.transport == .auto, session.header == nil {
                // Some cameras want to describe anew before they accept another transport.
                session.transport = .udp
                effects.append(.report(.fallingBackToUDP))
                sendDescribe(at: now, into: &effects)
            } else {
                failTransport("it refused with status 461", into: &effects)
            }
            return
        }
        guard path.track.format.codec.kind == .audio, !routing.activeTracks.isEmpty else {
            fail(refusal(response), into: &effects)
            return
        }
        // Pictures without sound are better than none.
        effects.append(.report(.trackRefused(track: track, status: response.status)))
        setUp(from: track + 1, at: now, into: &effects)
    }

    private mutating func failTransport(_ reason: String, into effects: inout [RTSPEffect]) {
        fail(
            hasFallenBack
                ? .noUsableTransport(udp: reason) : .unsupportedTransport(asked: session.transport, reason: reason),
            into: &effects
        )
    }

    // MARK: Packets

    mutating func receivedInterleaved(
        _ channel: UInt8,
        _ payload: ArraySlice<UInt8>,
        at now: Instant,
        into effects: inout [RTSPEffect]
    ) {
        switch routing.route(channel: channel, payload: payload) {
        case .rtp(let track):
            routing.received(track: track, at: now)
            effects.append(.rtp(track: track, payload))
        case .rtcp(let track):
            effects.append(.rtcp(track: track, payload))
        case .unknown(let isNew):
            if isNew { effects.append(.report(.unknownChannel(channel))) }
        }
    }

    /// Sends one packet out of every port, so that firewalls and address translators let the camera's packets in.
    mutating func punchHoles(into effects: inout [RTSPEffect]) {
        guard session.transport == .udp else { return }
        for track in routing.activeTracks {
            var rtp: [UInt8] = [0x80, track.payloadType, 0, 0, 0, 0, 0, 0]
            rtp.append(ssrc)
            // A receiver report without reports (RFC 3550 §6.4.2).
            var rtcp: [UInt8] = [0x80, 201, 0, 1]
            rtcp.append(ssrc)
            for (isRTCP, bytes) in [(false, rtp), (true, rtcp)] {
                guard let port = routing.destination(track: track.index, isRTCP: isRTCP) else { continue }
                effects.append(.sendDatagram(track: track.index, isRTCP: isRTCP, port: port, bytes: bytes))
            }
        }
    }

    // MARK: Garbage

    /// Tells of skipped bytes, and ends a session with something that is clearly no camera.
    mutating func noticeGarbage(into effects: inout [RTSPEffect]) {
        guard decoder.discardedBytes > 0 else { return }
        if decoder.decodedCount == 0 {
            let limit = isRecognisedForeign ? 5 : maximumForeignBytes
            if decoder.discardedBytes >= limit { fail(.notRTSP(foreignProtocol), into: &effects) }
        } else if decoder.discardedBytes > session.reportedDiscards {
            // Reported when it has doubled, so that a camera that does it all the time does not flood the events.
            session.reportedDiscards = decoder.discardedBytes * 2
            effects.append(.report(.discarded(bytes: decoder.discardedBytes)))
        }
    }

    private var isRecognisedForeign: Bool {
        let start = decoder.firstDiscarded
        return start.starts(with: "HTTP/".utf8) || start.starts(with: "SSH-".utf8) || isTLSAlert
    }

    private var isTLSAlert: Bool { decoder.firstDiscarded.starts(with: [0x15, 0x03]) }

    /// What the peer seems to speak.
    var foreignProtocol: String {
        let start = decoder.firstDiscarded
        if start.starts(with: "HTTP/".utf8) { return "it speaks HTTP" }
        if start.starts(with: "SSH-".utf8) { return "it speaks SSH" }
        if isTLSAlert { return "it speaks TLS" }
        return "it sent \"\(printable(String(decoding: start, as: UTF8.self), limit: 24))\""
    }
}

extension RTSPDecodingError {
    /// For messages.
    var explanation: String {
        switch self {
        case .lineTooLong: "a first line of more than \(RTSPDecoder.maximumLineBytes) bytes"
        case .headTooLarge: "headers of more than \(RTSPDecoder.maximumHeadBytes) bytes"
        case .tooManyFields: "more than \(RTSPDecoder.maximumFields) header fields"
        case .bodyTooLarge: "a body of more than \(RTSPDecoder.maximumBodyBytes) bytes"
        case .invalidContentLength: "an invalid Content-Length"
        case .containsNUL: "a NUL byte in a header"
        case .invalidFirstLine: "an invalid first line"
        case .noSynchronisation:
            "more than \(RTSPDecoder.maximumGarbageBytes) bytes that are neither packets nor messages"
        }
    }
}

/// Bytes of an unknown protocol before the first RTSP message after which the peer is taken for something else.
private let maximumForeignBytes = 1_024
