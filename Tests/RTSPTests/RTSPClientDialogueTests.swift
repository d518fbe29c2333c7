import RTSP
import TestSupport
import Testing
import Wire

@Suite struct RTSPClientDialogueTests {
    @Test(arguments: [1, 7, Int.max])
    func `an open camera is described, set up over TCP and played`(chunk: Int) throws {
        var camera = try ScriptedCamera("rtsp://cam:8554/stream", chunk: chunk, script: goodAnswer)
        try camera.connect()
        #expect(camera.methods == ["OPTIONS", "DESCRIBE", "SETUP", "SETUP", "PLAY"])
        #expect(camera.isPlaying)
        let requests = camera.requests
        #expect(requests.map(\.headers.cseq) == [1, 2, 3, 4, 5])
        #expect(requests.allSatisfy { $0.headers["User-Agent"] == "Signalbox" && $0.headers["Authorization"] == nil })
        #expect(requests[1].headers["Accept"] == "application/sdp")
        #expect(requests[2].uri == "rtsp://cam:8554/stream/track1")
        #expect(requests[2].headers["Transport"] == "RTP/AVP/TCP;unicast;interleaved=0-1")
        #expect(requests[2].headers["Session"] == nil)
        #expect(requests[3].headers["Transport"] == "RTP/AVP/TCP;unicast;interleaved=2-3")
        #expect(requests[3].headers["Session"] == "4711")
        #expect(requests[4].uri == "rtsp://cam:8554/stream")
        #expect(requests[4].headers["Range"] == "npt=0-")
        #expect(camera.client.phase == .playing)

        try camera.send(interleavedFrame(channel: 0, payload: rtpPacket()))
        try camera.send(interleavedFrame(channel: 3, payload: [0x80, 200, 0, 1]))
        #expect(camera.effects.suffix(2) == [.rtp(track: 0, rtpPacket()[...]), .rtcp(track: 1, [0x80, 200, 0, 1])])
    }

    @Test(arguments: [1, Int.max])
    func `TEARDOWN is sent and its answer waited for`(chunk: Int) throws {
        var camera = try ScriptedCamera(chunk: chunk, script: goodAnswer)
        try camera.connect()
        try camera.input { $0.teardown(at: $1, into: &$2) }
        #expect(camera.methods.last == "TEARDOWN")
        #expect(camera.requests.last?.headers["Session"] == "4711")
        #expect(camera.effects.last == .closed(nil))
        #expect(camera.client.nextDeadline == nil)
    }

    @Test func `a camera that does not answer TEARDOWN is left after a second`() throws {
        var camera = try ScriptedCamera { $0.method == .teardown ? [] : goodAnswer($0) }
        try camera.connect()
        try camera.input { $0.teardown(at: $1, into: &$2) }
        #expect(!camera.client.isClosed)
        try camera.advance(.seconds(1))
        #expect(camera.effects.last == .closed(nil))
    }

    @Test func `before SETUP there is nothing to tear down`() throws {
        var camera = try ScriptedCamera { _ in [] }
        try camera.connect()
        try camera.input { $0.teardown(at: $1, into: &$2) }
        #expect(camera.methods == ["OPTIONS"])
        #expect(camera.effects == [.closed(nil)])
    }

    @Test func `a response without CSeq, with a padded one and after a 100 is taken`() throws {
        var camera = try ScriptedCamera { request in
            switch request.method {
            case .options: Array("RTSP/1.0 100 Wait\r\n\r\nRTSP/1.0 200 OK\r\n\r\n".utf8)
            case .describe: RTSPResponse(200, "OK", body: Array(videoAndAudio.utf8)).bytes
            default: goodAnswer(request)
            }
        }
        try camera.connect()
        #expect(camera.isPlaying)
    }

    @Test func `the answer to an older request is not taken for the current one`() throws {
        var camera = try ScriptedCamera { request in
            request.method == .describe ? RTSPResponse(404, "Old", headers: ["CSeq": "1"]).bytes : goodAnswer(request)
        }
        try camera.connect()
        #expect(!camera.client.isClosed)
        #expect(camera.client.phase == .describe)
    }

    @Test func `OPTIONS may fail in any way but being full`() throws {
        for status in [400, 404, 405, 454, 501] {
            var camera = try ScriptedCamera { $0.method == .options ? reply($0, status) : goodAnswer($0) }
            try camera.connect()
            #expect(camera.isPlaying)
        }
        var camera = try ScriptedCamera { reply($0, 503) }
        try camera.connect()
        #expect(camera.failure == .refused(status: 503, reason: "No", phase: .options))
    }

    @Test(arguments: [
        (RTSPMethod.describe, 404, RTSPFailure.notFound(status: 404)), (.setup, 404, .notFound(status: 404)),
        (.describe, 500, .refused(status: 500, reason: "No", phase: .describe)),
        (.setup, 453, .refused(status: 453, reason: "No", phase: .setup)),
        (.setup, 463, .refused(status: 463, reason: "No", phase: .setup)),
        (.play, 455, .refused(status: 455, reason: "No", phase: .play)),
    ])
    func `a refusal names request and status`(method: RTSPMethod, status: Int, expected: RTSPFailure) throws {
        var camera = try ScriptedCamera { $0.method == method ? reply($0, status) : goodAnswer($0) }
        try camera.connect()
        #expect(camera.failure == expected)
        #expect(!expected.problem.isEmpty && !expected.remedy.isEmpty)
        #expect(method != .play || camera.methods.last == "TEARDOWN")
    }

    @Test func `PLAY is repeated without a range when the camera knows none`() throws {
        var camera = try ScriptedCamera {
            $0.method == .play && $0.headers["Range"] != nil ? reply($0, 457) : goodAnswer($0)
        }
        try camera.connect()
        #expect(camera.methods.suffix(2) == ["PLAY", "PLAY"])
        #expect(camera.isPlaying)
    }

    @Test func `refused audio does not cost the picture`() throws {
        var camera = try ScriptedCamera { $0.uri.hasSuffix("track2") ? reply($0, 500) : goodAnswer($0) }
        try camera.connect()
        #expect(camera.notices == [.trackRefused(track: 1, status: 500)])
        guard case .playing(.tcp, let tracks) = camera.effects.last else {
            Issue.record("not playing")
            return
        }
        #expect(tracks.map(\.index) == [0])
    }

    @Test func `a 404 on SETUP is tried again under the port the camera advertised`() throws {
        var camera = try ScriptedCamera("rtsp://cam:88/videoMain") { request in
            switch request.method {
            case .describe:
                reply(request, 200, ["Content-Base": "rtsp://cam:65534/videoMain/"], body: videoAndAudio)
            case .setup where !request.uri.hasPrefix("rtsp://cam:65534/"): reply(request, 404)
            default: goodAnswer(request)
            }
        }
        try camera.connect()
        #expect(camera.isPlaying)
        #expect(camera.requests[2].uri == "rtsp://cam:88/videoMain/track1")
        #expect(camera.requests[3].uri == "rtsp://cam:65534/videoMain/track1")
    }

    @Test func `the first session identifier is kept`() throws {
        var count = 0
        var camera = try ScriptedCamera { request in
            guard request.method == .setup else { return goodAnswer(request) }
            count += 1
            return reply(request, 200, ["Session": "id\(count);timeout=30"])
        }
        try camera.connect()
        #expect(camera.requests.last?.headers["Session"] == "id1")
        #expect(camera.isPlaying)
    }

    @Test func `an impossible session identifier ends the session`() throws {
        var camera = try ScriptedCamera {
            $0.method == .setup ? reply($0, 200, ["Session": String(repeating: "x", count: 10_240)]) : goodAnswer($0)
        }
        try camera.connect()
        #expect(camera.failure == .malformed("session identifier"))
    }

    @Test func `a camera without usable media says what it has`() throws {
        var camera = try ScriptedCamera {
            $0.method == .describe
                ? reply(
                    $0,
                    200,
                    body: "v=0\r\nm=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\n"
                )
                : goodAnswer($0)
        }
        try camera.connect()
        #expect(camera.failure == .noPlayableTracks(offered: ["application vnd.onvif.metadata"]))
    }

    @Test(arguments: [
        ("", "its session description has neither a v= nor an m= line"),
        ("v=0\n" + String(repeating: "a=x\n", count: 3_000), "its session description has more than 2048 lines"),
        ("v=0\n" + String(repeating: "m=x\n", count: 500), "its session description has more than 64 m-lines"),
        (String(repeating: "v", count: 65_537), "its session description is larger than 65536 bytes"),
    ])
    func `an impossible description ends the session`(body: String, expected: String) throws {
        var camera = try ScriptedCamera { $0.method == .describe ? reply($0, 200, body: body) : goodAnswer($0) }
        try camera.connect()
        #expect(camera.failure == .malformed(expected))
    }

    @Test(arguments: [
        ("rtsp://cam", "rtsp://other:8554/x", RTSPFailure.redirected(to: try RTSPURL(parsing: "rtsp://other:8554/x"))),
        ("rtsp://cam", "rtsps://u:p@cam/x", .redirected(to: try RTSPURL(parsing: "rtsps://cam/x"))),
        ("rtsps://cam", "rtsp://user:secret@cam/x", .redirectRefused("rtsp://cam/x")),
        ("rtsp://cam", "http://169.254.169.254/", .redirectRefused("http://169.254.169.254/")),
        ("rtsp://cam", "file:///etc/passwd", .redirectRefused("file:///etc/passwd")),
        ("rtsp://cam", "http://user:secret@x/", .redirectRefused("…@x/")),
    ])
    func `a redirect ends the session and tells where to`(url: String, target: String, expected: RTSPFailure) throws {
        for status in [301, 302] {
            var camera = try ScriptedCamera(url) {
                $0.method == .describe ? reply($0, status, ["Location": target]) : goodAnswer($0)
            }
            try camera.connect()
            #expect(camera.failure == expected)
            #expect(!expected.problem.contains("secret"))
        }
        if case .redirected(let url) = expected { #expect(url.user == nil && url.password == nil) }
    }

    @Test func `requests of the camera are answered at any time`() throws {
        var camera = try ScriptedCamera { request in
            let question = RTSPRequest(.options, uri: "rtsp://relay", headers: ["CSeq": "900"]).bytes
            return question + goodAnswer(request)
        }
        try camera.connect()
        #expect(camera.isPlaying)
        #expect(camera.others.count == 5)
        guard case .response(let answer) = camera.others.first else {
            Issue.record("no answer")
            return
        }
        #expect(answer.status == 200 && answer.headers.cseq == 900)
        #expect(answer.headers["Public"] != nil)
        #expect(camera.notices.count == 5)

        let redirect = RTSPRequest(
            .redirect,
            uri: "rtsp://cam/stream",
            headers: ["CSeq": "1", "Location": "rtsp://b/x"]
        )
        try camera.send(redirect.bytes)
        #expect(camera.failure == .redirected(to: try RTSPURL(parsing: "rtsp://b/x")))
    }

    @Test func `a flood of requests from the camera ends the session`() throws {
        var camera = try ScriptedCamera(script: goodAnswer)
        try camera.connect()
        for _ in 0..<65 { try camera.send(RTSPRequest(.options, uri: "*", headers: ["CSeq": "1"]).bytes) }
        #expect(camera.failure == .malformed("a flood of requests"))
    }

    @Test(arguments: [
        ("HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n", "it speaks HTTP"), ("SSH-2.0-dropbear\r\n", "it speaks SSH"),
        ("\u{15}\u{03}\u{01}\0\u{02}\u{02}\u{46}", "it speaks TLS"),
    ])
    func `another protocol is recognised by its first bytes`(answer: String, expected: String) throws {
        var camera = try ScriptedCamera(chunk: 3) { _ in Array(answer.utf8) }
        try camera.connect()
        #expect(camera.failure == .notRTSP(expected))
    }

    @Test(arguments: [
        ("RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: -5\r\n\r\n", "an invalid Content-Length"),
        ("RTSP/1.0 200 OK\r\nContent-Length: 999999\r\n\r\n", "a body of more than 131072 bytes"),
        ("RTSP/1.0 200 " + String(repeating: "a", count: 5_000), "a first line of more than 4096 bytes"),
    ])
    func `a first answer that is broken RTSP is not taken for another protocol`(answer: String, expected: String) throws
    {
        var camera = try ScriptedCamera { _ in Array(answer.utf8) }
        try camera.connect()
        #expect(camera.failure == .malformed(expected))
    }

    @Test func `an unknown protocol shows by garbage, at the end of the connection or of patience`() throws {
        var endless = try ScriptedCamera { _ in [UInt8](repeating: 0x41, count: 2_000) }
        try endless.connect()
        #expect(endless.failure == .notRTSP("it sent \"AAAAAAAAAAAAAAAAAAAAAAAA\""))
        var short = try ScriptedCamera { _ in Array("220 ftp\u{1B}\r\n".utf8) }
        try short.connect()
        try short.input { $0.connectionClosed(at: $1, into: &$2) }
        #expect(short.failure == .notRTSP("it sent \"220 ftp···\""))
        var silent = try ScriptedCamera { _ in Array("220 ftp\r\n".utf8) }
        try silent.connect()
        try silent.advance(.seconds(11))
        #expect(silent.failure == .notRTSP("it sent \"220 ftp··\""))
    }

    @Test(arguments: [RTSPMethod.options, .describe, .setup, .play])
    func `a request that is not answered times out with its name`(method: RTSPMethod) throws {
        var camera = try ScriptedCamera { $0.method == method ? [] : goodAnswer($0) }
        try camera.connect()
        let phase = camera.client.phase
        try camera.advance(.milliseconds(9_999))
        #expect(!camera.client.isClosed)
        try camera.advance(.milliseconds(1))
        #expect(camera.failure == .timeout(phase))
        #expect(phase.rawValue.uppercased() == method.rawValue)
    }

    @Test(arguments: [RTSPMethod.options, .describe, .setup, .play])
    func `a connection that ends early says when`(method: RTSPMethod) throws {
        var camera = try ScriptedCamera { $0.method == method ? [] : goodAnswer($0) }
        try camera.connect()
        let phase = camera.client.phase
        try camera.input { $0.connectionClosed(at: $1, into: &$2) }
        #expect(camera.failure == .connectionClosedByCamera(phase))
        #expect(camera.failure?.canRetryAtOnce == false)
    }

    @Test func `no bytes from the camera make the session trap, and it always ends or waits`() {
        let bytes =
            goodAnswer(RTSPRequest(.options, uri: "x", headers: ["CSeq": "1"]))
            + goodAnswer(RTSPRequest(.describe, uri: "x", headers: ["CSeq": "2"]))
            + reply(
                RTSPRequest(.setup, uri: "x", headers: ["CSeq": "3"]),
                200,
                ["Session": "1", "Transport": "RTP/AVP/TCP"]
            )
            + interleavedFrame(channel: 0, payload: rtpPacket())
            + reply(
                RTSPRequest(.setup, uri: "x", headers: ["CSeq": "4"]),
                200,
                ["Transport": "RTP/AVP/TCP;interleaved=2-3"]
            )
            + reply(RTSPRequest(.play, uri: "x", headers: ["CSeq": "5"]))
            + interleavedFrame(channel: 2, payload: rtpPacket(8))
        var playing = 0
        sweep([bytes], mutations: 2_000) { input in
            var camera = try ScriptedCamera { _ in [] }
            try camera.connect()
            try camera.send(input)
            if camera.isPlaying { playing += 1 }
            try camera.advance(.seconds(120))
            #expect(camera.client.isClosed)
        }
        #expect(playing > 500)
    }
}
