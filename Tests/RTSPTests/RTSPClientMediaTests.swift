import RTSP
import TestSupport
import Testing
import Wire

@Suite struct RTSPClientMediaTests {
    /// A camera that answers SETUP with a transport of its own.
    private func camera(
        transport: TransportPreference = .auto,
        replies: [String?],
        chunk: Int = .max
    ) throws -> ScriptedCamera {
        var replies = replies
        return try ScriptedCamera(transport: transport, chunk: chunk) { request in
            guard request.method == .setup, !replies.isEmpty else { return goodAnswer(request) }
            guard let transport = replies.removeFirst() else { return reply(request, 200, ["Session": "1"]) }
            return reply(request, 200, ["Session": "1", "Transport": transport])
        }
    }

    // MARK: TCP

    @Test(
        arguments: [
            (["RTP/AVP/TCP;interleaved=10-11", "RTP/AVP/TCP;interleaved=12-13"], 10, 11, 12),
            (["RTP/AVP/TCP;interleaved=10-11", "RTP/AVP/TCP;interleaved=0"], 10, 11, 0),
            (["RTP/AVP;unicast", "RTP/AVP;unicast;interleaved=2-3"], 0, 1, 2),
            ([nil, nil], 0, 1, 2), (["nonsense", "RTP/AVP/TCP;interleaved=255-256"], 0, 1, 2),
            (["RTP/AVP/TCP;interleaved=0-1", "RTP/AVP/TCP;interleaved=0-1"], 0, 1, 2),
            (["RTP/AVP/TCP;interleaved=5-5", "RTP/AVP/TCP;interleaved=6-6"], 5, 5, 6),
        ] as [([String?], UInt8, UInt8, UInt8)]
    )
    func `packets are routed by the reply where it is usable`(
        replies: [String?],
        video: UInt8,
        report: UInt8,
        audio: UInt8
    ) throws {
        var camera = try camera(replies: replies)
        try camera.connect()
        #expect(camera.isPlaying)
        try camera.send(interleavedFrame(channel: video, payload: rtpPacket()))
        try camera.send(interleavedFrame(channel: report, payload: [0x80, 200, 0, 6]))
        try camera.send(interleavedFrame(channel: audio, payload: rtpPacket(8)))
        #expect(
            camera.effects.suffix(3)
                == [
                    .rtp(track: 0, rtpPacket()[...]), .rtcp(track: 0, [0x80, 200, 0, 6]),
                    .rtp(track: 1, rtpPacket(8)[...]),
                ]
        )
    }

    @Test func `a camera that ignores the channels agreed is recognised by the payload type`() throws {
        var camera = try camera(replies: [])
        try camera.connect()
        try camera.send(interleavedFrame(channel: 8, payload: rtpPacket(96)))
        try camera.send(interleavedFrame(channel: 9, payload: [0x80, 200, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]))
        try camera.send(interleavedFrame(channel: 10, payload: rtpPacket(8)))
        #expect(camera.packets(0).count == 1)
        #expect(camera.packets(1).count == 1)
        #expect(camera.effects.contains(.rtcp(track: 0, [0x80, 200, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])))
        #expect(camera.notices.isEmpty)
        // Now that both tracks flow, further channels are strangers.
        for _ in 0..<3 { try camera.send(interleavedFrame(channel: 20, payload: rtpPacket(96))) }
        #expect(camera.packets(0).count == 1)
        #expect(camera.notices == [.unknownChannel(20)])
    }

    @Test func `short packets on strange channels are ignored`() throws {
        var camera = try camera(replies: [])
        try camera.connect()
        for channel in UInt8.min...UInt8.max { try camera.send(interleavedFrame(channel: channel, payload: [])) }
        #expect(camera.notices.count == 252)
        #expect(!camera.client.isClosed)
    }

    @Test(arguments: [1, Int.max])
    func `media before the answer to PLAY is delivered, garbage before it is skipped`(chunk: Int) throws {
        var camera = try ScriptedCamera(chunk: chunk) { request in
            guard request.method == .play else { return goodAnswer(request) }
            return interleavedFrame(channel: 1, payload: [0x80, 200, 0, 6]) + Array("oops".utf8)
                + interleavedFrame(channel: 0, payload: rtpPacket(96, 1)) + goodAnswer(request)
                + interleavedFrame(channel: 0, payload: rtpPacket(96, 2))
        }
        try camera.connect()
        #expect(camera.packets(0) == [rtpPacket(96, 1), rtpPacket(96, 2)])
        let kinds = camera.effects.drop { if case .rtcp = $0 { false } else { true } }
        #expect(kinds.first == .rtcp(track: 0, [0x80, 200, 0, 6]))
        #expect(camera.isPlaying)
        #expect(camera.notices.contains { if case .discarded = $0 { true } else { false } })
        #expect(camera.client.discardedBytes == 4)
    }

    @Test func `64 KiB of garbage in the stream end the session with TEARDOWN`() throws {
        var camera = try ScriptedCamera(script: goodAnswer)
        try camera.connect()
        try camera.send([UInt8](repeating: 0xAA, count: 66_000))
        #expect(camera.methods.last == "TEARDOWN")
        #expect(camera.failure == .malformed("more than 65536 bytes that are neither packets nor messages"))
        #expect(camera.failure?.canRetryAtOnce == true)
    }

    @Test func `reports go out on the control channel of their track`() throws {
        var camera = try camera(replies: ["RTP/AVP/TCP;interleaved=4-5"])
        try camera.connect()
        try camera.input { client, _, effects in
            client.sendRTCP(track: 0, [0x81, 201], into: &effects)
            client.sendRTCP(track: 7, [0x81, 201], into: &effects)
        }
        #expect(camera.others == [.interleaved(channel: 5, payload: [0x81, 201])])
    }

    // MARK: UDP

    @Test(arguments: [1, Int.max])
    func `over UDP ports are bound, holes punched and packets taken`(chunk: Int) throws {
        var camera = try ScriptedCamera(transport: .udp, chunk: chunk, script: goodAnswer)
        try camera.connect()
        #expect(camera.methods == ["OPTIONS", "DESCRIBE", "SETUP", "SETUP", "PLAY"])
        #expect(camera.requests[3].headers["Transport"] == "RTP/AVP;unicast;client_port=40002-40003")
        let punched = camera.effects.compactMap { effect -> String? in
            guard case .sendDatagram(let track, let isRTCP, let port, let bytes) = effect else { return nil }
            #expect(bytes.count == (isRTCP ? 8 : 12) && bytes[0] == 0x80)
            return "\(track) \(isRTCP) \(port)"
        }
        #expect(punched == ["0 false 10000", "0 true 10001", "1 false 10002", "1 true 10003"])
        guard case .playing(.udp, _) = camera.effects.last else {
            Issue.record("not playing")
            return
        }
        try camera.input { $0.receivedDatagram(track: 0, isRTCP: false, from: 10_000, rtpPacket(), at: $1, into: &$2) }
        try camera.input { $0.receivedDatagram(track: 1, isRTCP: true, from: 10_003, [1], at: $1, into: &$2) }
        #expect(camera.effects.suffix(2) == [.rtp(track: 0, rtpPacket()[...]), .rtcp(track: 1, [1])])
        try camera.input { client, _, effects in client.sendRTCP(track: 1, [0x81, 201], into: &effects) }
        #expect(camera.effects.last == .sendDatagram(track: 1, isRTCP: true, port: 10_003, bytes: [0x81, 201]))
    }

    @Test func `a wrong or missing server port is learned from the first packet and then kept`() throws {
        var camera = try camera(transport: .udp, replies: ["RTP/AVP;server_port=7000-7001", "RTP/AVP"])
        try camera.connect()
        func receive(_ camera: inout ScriptedCamera, _ track: Int, _ port: UInt16) throws -> Bool {
            let count = camera.packets(track).count
            try camera.input {
                $0.receivedDatagram(track: track, isRTCP: false, from: port, rtpPacket(), at: $1, into: &$2)
            }
            return camera.packets(track).count > count
        }
        #expect(try receive(&camera, 0, 9_000))
        #expect(camera.notices == [.unexpectedSourcePort(track: 0, port: 9_000)])
        #expect(try !receive(&camera, 0, 9_001))
        #expect(try receive(&camera, 0, 7_000))
        #expect(try !receive(&camera, 0, 9_000))
        #expect(try receive(&camera, 1, 5_555))
        #expect(try !receive(&camera, 1, 5_556))
        #expect(camera.notices.count == 1)
        #expect(try !receive(&camera, 9, 1))
    }

    @Test func `UDP without a packet for 3 s asks for TCP next`() throws {
        var camera = try ScriptedCamera(transport: .udp, script: goodAnswer)
        try camera.connect()
        try camera.advance(.milliseconds(2_999))
        #expect(!camera.client.isClosed)
        try camera.advance(.milliseconds(1))
        #expect(camera.failure == .noDatagrams(seconds: 3))
        #expect(camera.failure?.suggestedTransport == .tcp)
        #expect(camera.failure?.canRetryAtOnce == true)
        #expect(camera.methods.last == "TEARDOWN")
    }

    @Test(arguments: ["RTP/AVP/TCP;interleaved=0-1", "RTP/AVP;multicast;destination=239.0.0.1;port=5000-5001"])
    func `another transport than UDP in the reply asks for TCP next`(transport: String) throws {
        var camera = try camera(transport: .udp, replies: [transport])
        try camera.connect()
        #expect(camera.failure?.suggestedTransport == .tcp)
    }

    @Test func `without free ports the session fails`() throws {
        var camera = try ScriptedCamera(transport: .udp, script: goodAnswer)
        camera.hasPorts = false
        try camera.connect()
        #expect(camera.failure == .noLocalPorts)
    }

    @Test func `when TCP is refused, auto describes again and asks for UDP`() throws {
        var camera = try ScriptedCamera { request in
            request.headers["Transport"]?.contains("TCP") == true ? reply(request, 461) : goodAnswer(request)
        }
        try camera.connect()
        #expect(camera.methods == ["OPTIONS", "DESCRIBE", "SETUP", "DESCRIBE", "SETUP", "SETUP", "PLAY"])
        #expect(camera.notices == [.fallingBackToUDP])
        #expect(camera.effects.filter { if case .described = $0 { true } else { false } }.count == 1)
        guard case .playing(.udp, _) = camera.effects.last else {
            Issue.record("not playing")
            return
        }
    }

    @Test(arguments: [(TransportPreference.tcp, RTSPTransport.tcp), (.udp, .udp)])
    func `a refused transport that was set by hand is a failure`(set: TransportPreference, asked: RTSPTransport) throws
    {
        var camera = try ScriptedCamera(transport: set) { $0.method == .setup ? reply($0, 461) : goodAnswer($0) }
        try camera.connect()
        #expect(camera.failure == .unsupportedTransport(asked: asked, reason: "it refused with status 461"))
        #expect(camera.failure?.suggestedTransport == (asked == .tcp ? .udp : .tcp))
    }

    @Test func `a camera that refuses both ends at UDP`() throws {
        var camera = try ScriptedCamera { $0.method == .setup ? reply($0, 461) : goodAnswer($0) }
        try camera.connect()
        #expect(camera.failure == .noUsableTransport(udp: "it refused with status 461"))
        #expect(camera.failure?.canRetryAtOnce == false)
        #expect(camera.failure?.suggestedTransport == nil)
    }

    @Test func `a camera that refuses TCP and sends no datagram either is not tried in circles`() throws {
        var camera = try ScriptedCamera { request in
            request.headers["Transport"]?.contains("TCP") == true ? reply(request, 461) : goodAnswer(request)
        }
        try camera.connect()
        try camera.advance(.seconds(3))
        #expect(camera.failure == .noUsableTransport(udp: "no packet arrived within 3 s"))
    }

    @Test func `a camera that answers TCP with UDP ports is asked for UDP next`() throws {
        var camera = try camera(replies: ["RTP/AVP;unicast;client_port=0-1;server_port=6970-6971"])
        try camera.connect()
        #expect(camera.failure == .unsupportedTransport(asked: .tcp, reason: "it answered with UDP"))
    }
}

@Suite struct RTSPClientTimerTests {
    /// Lets packets come every 500 ms on the channels given.
    private func flow(_ camera: inout ScriptedCamera, _ channels: [UInt8], for duration: Duration) throws {
        for _ in 0..<Int(duration.inSeconds * 2) {
            if camera.client.isClosed { return }
            for channel in channels {
                try camera.send(interleavedFrame(channel: channel, payload: rtpPacket(channel == 0 ? 96 : 8)))
            }
            try camera.advance(.milliseconds(500))
        }
    }

    @Test func `silent video is a stall although audio and keep-alive answers come`() throws {
        var camera = try ScriptedCamera(script: goodAnswer)
        try camera.connect()
        try flow(&camera, [0, 2], for: .seconds(60))
        #expect(!camera.client.isClosed)
        try flow(&camera, [2], for: .seconds(11))
        #expect(camera.failure == .stalled(seconds: 10, track: 0))
        #expect(camera.methods.last == "TEARDOWN")
    }

    @Test func `silent audio is only reported, once per silence`() throws {
        var camera = try ScriptedCamera(script: goodAnswer)
        try camera.connect()
        try flow(&camera, [0], for: .seconds(35))
        #expect(camera.notices == [.audioSilent(track: 1)])
        try flow(&camera, [0, 2], for: .seconds(1))
        try flow(&camera, [0], for: .seconds(15))
        #expect(camera.notices == [.audioSilent(track: 1), .audioSilent(track: 1)])
    }

    @Test func `a camera that plays nothing stalls 10 s after PLAY`() throws {
        var camera = try ScriptedCamera(script: goodAnswer)
        try camera.connect()
        try camera.advance(.milliseconds(9_999))
        #expect(!camera.client.isClosed)
        try camera.advance(.milliseconds(1))
        #expect(camera.failure == .stalled(seconds: 10, track: 0))
    }

    @Test(arguments: [("60", 25), ("30", 15), ("20", 10), ("0", 5), ("4294967296", 25)])
    func `keep-alives come at half the timeout and at least every 25 s`(timeout: String, interval: Int) throws {
        var camera = try ScriptedCamera {
            $0.method == .setup ? reply($0, 200, ["Session": "1;timeout=\(timeout)"]) : goodAnswer($0)
        }
        try camera.connect()
        try flow(&camera, [0, 2], for: .seconds(101))
        let keepAlives = camera.requests.filter { $0.method == .getParameter }
        #expect(keepAlives.count == 100 / interval)
        #expect(keepAlives.allSatisfy { $0.headers["Session"] == "1" && $0.uri == "rtsp://cam/stream" })
    }

    @Test func `without GET_PARAMETER in the list OPTIONS keeps the session alive`() throws {
        var camera = try ScriptedCamera {
            $0.method == .options ? reply($0, 200, ["Public": "DESCRIBE, SETUP, PLAY"]) : goodAnswer($0)
        }
        try camera.connect()
        try flow(&camera, [0, 2], for: .seconds(30))
        #expect(camera.methods.last == "OPTIONS")
        #expect(camera.requests.last?.headers["Session"] == "4711")
    }

    @Test(arguments: [400, 405, 454, 501])
    func `a refused keep-alive harms nothing and the other method is tried`(status: Int) throws {
        var camera = try ScriptedCamera { $0.method == .getParameter ? reply($0, status) : goodAnswer($0) }
        try camera.connect()
        try flow(&camera, [0, 2], for: .seconds(80))
        #expect(camera.methods.suffix(3) == ["GET_PARAMETER", "OPTIONS", "OPTIONS"])
        #expect(camera.notices == [.keepAliveRefused(method: .getParameter, status: status)])
    }

    @Test func `an answer to a keep-alive is not waited for`() throws {
        var camera = try ScriptedCamera { $0.method == .getParameter ? [] : goodAnswer($0) }
        try camera.connect()
        try flow(&camera, [0, 2], for: .seconds(120))
        #expect(!camera.client.isClosed)
        #expect(camera.notices.isEmpty)
    }

    @Test func `holes are punched again with every keep-alive`() throws {
        var camera = try ScriptedCamera(transport: .udp, script: goodAnswer)
        try camera.connect()
        for _ in 0..<60 {
            try camera.input { $0.receivedDatagram(track: 0, isRTCP: false, from: 10_000, [0x80], at: $1, into: &$2) }
            try camera.advance(.milliseconds(500))
        }
        #expect(camera.effects.filter { if case .sendDatagram = $0 { true } else { false } }.count == 8)
    }

    @Test func `a camera that hangs up on a keep-alive is remarked`() throws {
        var camera = try ScriptedCamera { $0.method == .getParameter ? [] : goodAnswer($0) }
        try camera.connect()
        try flow(&camera, [0, 2], for: .seconds(25))
        try camera.input { $0.connectionClosed(at: $1, into: &$2) }
        #expect(camera.notices == [.closedAfterKeepAlive(.getParameter)])
        #expect(camera.failure == .connectionClosedByCamera(.playing))
        #expect(camera.failure?.canRetryAtOnce == true)
    }

    @Test func `nothing is due before the session begins and after it ends`() throws {
        var camera = try ScriptedCamera(script: goodAnswer)
        #expect(camera.client.nextDeadline == nil)
        try camera.connect()
        #expect(camera.client.nextDeadline != nil)
        let count = camera.effects.count
        try camera.input { $0.handleTimeout(at: $1, into: &$2) }
        #expect(camera.effects.count == count)
        try camera.input { $0.connectionClosed(at: $1, into: &$2) }
        #expect(camera.client.nextDeadline == nil)
        try camera.send(interleavedFrame(channel: 0, payload: rtpPacket()))
        try camera.input { $0.teardown(at: $1, into: &$2) }
        #expect(camera.failure == .connectionClosedByCamera(.playing))
    }
}
