import Foundation
import Gateway
import NIOCore
import NIOPosix
import NIOWebSocket
import Relay
import Testing

struct SignallingTests {
    private func joined(
        _ camera: String = "yard/gate-north",
        hello: String = #"{"type":"hello","codecs":["H264"],"mse":true}"#,
        _ body: @escaping @Sendable (GatewayHarness, inout WebSocketClient) async throws -> Void
    ) async throws {
        try await GatewayHarness.run { (box) async throws in
            try await WebSocketClient.open("/\(camera)/ws", port: box.port) { (client) async throws in
                try await client.send(hello)
                try await body(box, &client)
            }
        }
    }

    @Test func `hello is answered with identity, playlist, policy and source`() async throws {
        try await joined { (box, client) async throws in
            let welcome = try await client.message()
            #expect(welcome["type"] as? String == "welcome")
            #expect(welcome["viewer"] as? String == "viewer1")
            #expect(welcome["hls"] as? String == "/yard/gate-north/index.m3u8?viewer=viewer1")
            #expect(welcome["policy"] as? String == "auto")
            let servers = try #require(welcome["iceServers"] as? [[String: Any]])
            #expect(servers.first?["urls"] as? [String] == ["stun:127.0.0.1:8189"])
            #expect(servers.last?["urls"] as? [String] == ["turn:127.0.0.1:8189?transport=udp"])
            #expect(servers.last?["username"] as? String == "9:viewer1")
            #expect(servers.last?["credential"] as? String == "secret=")
            let source = welcome["source"] as? [String: any Sendable]
            #expect(source?["state"] as? String == "live")
            #expect(source?["gopMilliseconds"] as? Int == 2000)
            #expect(box.service.calls == [.join(camera: "yard/gate-north", control: .page, resume: nil)])
        }
    }

    @Test func `offers are answered or refused, candidates passed on`() async throws {
        try await joined { (box, client) async throws in
            _ = try await client.message()
            try await client.send(#"{"type":"offer","sdp":"v=0\r\n"}"#)
            try await client.send(#"{"type":"candidate","candidate":"candidate:1 1 udp 1 192.0.2.1 5 typ host"}"#)
            let answer = try await client.message()
            #expect(answer["type"] as? String == "answer")
            #expect((answer["sdp"] as? String)?.hasPrefix("v=0\r\n") == true)
            try await client.send(#"{"type":"offer","sdp":"v=0 no h264 in here"}"#)
            let refused = try await client.message()
            #expect(refused["type"] as? String == "refused")
            #expect(refused["kind"] as? String == "incompatible")
            #expect(refused["reason"] as? String == "Your browser has no H.264.")
            #expect(
                box.service.calls.contains(.candidate("candidate:1 1 udp 1 192.0.2.1 5 typ host", viewer: "viewer1"))
            )
        }
    }

    @Test func `mode and statistics become reports, and a closed peer is closed here too`() async throws {
        try await joined { (box, client) async throws in
            _ = try await client.message()
            try await client.send(#"{"type":"mode","current":"hls","reason":"UDP\u0007 is blocked","peer":"closed"}"#)
            try await client.send(
                #"{"type":"stats","fps":24.5,"framesDecoded":100,"width":640,"height":-3,"behindLive":"soon","freezes":1e300,"isHidden":false,"freezeShare":7,"peer":{"packetsReceived":0,"serverError":401,"areCredentialsExpired":true,"jitterMilliseconds":"x"}}"#
            )
            try await client.send(#"{"type":"nobody-knows-this","fps":1}"#)
            try await client.send(#"{"type":"ping"}"#)
            #expect(try await client.message()["type"] as? String == "pong")
            var report = ViewerReport()
            report.playing = .hls
            report.reason = "UDP is blocked"
            let first = report
            report.fps = 24.5
            report.framesDecoded = 100
            report.freezes = 1_000_000_000_000_000
            report.width = 640
            report.height = 0
            report.isHidden = false
            report.freezeShare = 1
            var peer = PeerReport()
            peer.packetsReceived = 0
            peer.serverError = 401
            peer.areCredentialsExpired = true
            report.peer = peer
            #expect(
                Array(box.service.calls.dropFirst()) == [
                    .report(first, viewer: "viewer1"), .closePeer(viewer: "viewer1"),
                    .report(report, viewer: "viewer1"),
                ]
            )
        }
    }

    @Test func `what the relay has to say reaches the page`() async throws {
        try await joined { (box, client) async throws in
            _ = try await client.message()
            box.service.tell("viewer1", .source(SourceInfo(state: .stopped, reason: "Killed by ana.")))
            let source = try await client.message()
            #expect(source["type"] as? String == "source")
            #expect(source["state"] as? String == "stopped")
            #expect(source["reason"] as? String == "Killed by ana.")
            box.service.tell("viewer1", .switchTo(.hls, reason: "the operator asked"))
            let order = try await client.message()
            #expect(order["type"] as? String == "switch")
            #expect(order["to"] as? String == "hls")
            #expect(order["url"] as? String == "/yard/gate-north/index.m3u8?viewer=viewer1")
            box.service.tell(
                "viewer1",
                .clock(wallMilliseconds: 1_800_000_000_123, videoRTP: 4_000_000_000, audioRTP: nil)
            )
            let clock = try await client.message()
            #expect(clock["wallMs"] as? Int == 1_800_000_000_123)
            #expect(clock["video"] as? Int == 4_000_000_000)
            #expect(clock["audio"] == nil)
            box.service.tell("viewer1", .bye(reason: "Dropped.", retryAfter: 3))
            box.service.end("viewer1")
            let bye = try await client.message()
            #expect(bye["type"] as? String == "bye")
            #expect(bye["retryAfter"] as? Int == 3)
            #expect(await client.next() == .closed(1000))
        }
    }

    @Test func `goodbye ends the viewer, a broken socket does not, and it can be resumed`() async throws {
        try await joined { (box, client) async throws in
            _ = try await client.message()
            try await client.send(#"{"type":"bye","reason":"the page was closed"}"#)
            let call = await box.service.call { if case .leave = $0 { true } else { false } }
            #expect(call == .leave(viewer: "viewer1", reason: "the page was closed"))
            #expect(await client.next() == .closed(1000))
        }
        try await GatewayHarness.run { (box) async throws in
            try await WebSocketClient.open("/gate/ws", port: box.port) { (client) async throws in
                try await client.send(#"{"type":"hello"}"#)
                _ = try await client.message()
            }
            let call = await box.service.call { if case .controlClosed = $0 { true } else { false } }
            #expect(call == .controlClosed(viewer: "viewer1"))
            try await WebSocketClient.open("/gate/ws", port: box.port) { (client) async throws in
                try await client.send(#"{"type":"hello","viewer":"viewer1"}"#)
                #expect(try await client.message()["viewer"] as? String == "viewer1")
            }
            #expect(box.service.calls.contains(.join(camera: "gate", control: .page, resume: "viewer1")))
        }
    }

    @Test func `a viewer that is not admitted is told why and when to come back`() async throws {
        try await joined("yard") { (_, client) async throws in
            let bye = try await client.message()
            #expect(bye["type"] as? String == "bye")
            #expect(bye["reason"] as? String == "The relay is full.")
            #expect(bye["retryAfter"] as? Int == 7)
            #expect(bye["kind"] as? String == "unavailable")
            #expect(await client.next() == .closed(1000))
        }
    }

    @Test(arguments: [#"{"type":"ping"}"#, "not json", "[]", #"{"kind":"hello"}"#])
    func `a socket that does not begin with hello is closed`(first: String) async throws {
        try await joined(hello: first) { (box, client) async throws in
            #expect(try await client.message()["type"] as? String == "bye")
            #expect(await client.next() == .closed(1000))
            #expect(box.service.calls.isEmpty)
        }
    }

    @Test func `shutting down says goodbye`() async throws {
        try await joined { (box, client) async throws in
            _ = try await client.message()
            async let shutdown: Void = box.gateway.shutdown()
            #expect(try await client.message()["retryAfter"] as? Int == 2)
            #expect(await client.next() == .closed(1001))
            await shutdown
        }
    }

    // MARK: Frames

    @Test func `pings are answered and fragments joined`() async throws {
        try await joined { (_, client) async throws in
            _ = try await client.message()
            try await client.send(.ping, ByteBuffer(string: "hi"))
            #expect(await client.next() == .pong("hi"))
            try await client.send(.text, ByteBuffer(string: #"{"type""#), fin: false)
            try await client.send(.ping, ByteBuffer(string: "between"))
            try await client.send(.continuation, ByteBuffer(string: #":"ping"}"#))
            #expect(await client.next() == .pong("between"))
            #expect(try await client.message()["type"] as? String == "pong")
            try await client.send(.connectionClose)
            #expect(await client.next() == .closed(nil))
        }
    }

    @Test func `wrong frames close the socket with the code that says why`() async throws {
        let cases: [(UInt16, @Sendable (WebSocketClient) async throws -> Void)] = [
            (1002, { try await $0.send(.text, ByteBuffer(string: "{}"), isMasked: false) }),
            (1002, { try await $0.send(.continuation, ByteBuffer(string: "{}")) }),
            (
                1002,
                { client in
                    try await client.outbound.write(
                        WebSocketFrame(
                            fin: true,
                            rsv1: true,
                            opcode: .text,
                            maskKey: .random(),
                            data: ByteBuffer(string: "{}")
                        )
                    )
                }
            ),
            (1008, { client in for _ in 0..<60 { try await client.send(.ping, ByteBuffer(string: "x")) } }),
            (
                1008,
                { client in
                    try await client.send(.text, ByteBuffer(string: "{"), fin: false)
                    for _ in 0..<20 { try await client.send(.continuation, ByteBuffer(string: " "), fin: false) }
                }
            ),
            // What may not be sent (RFC 6455 §7.4.1), half a code, and a reason that is no text.
            (1002, { try await $0.send(.connectionClose, ByteBuffer(bytes: [0x03, 0xED])) }),
            (1002, { try await $0.send(.connectionClose, ByteBuffer(bytes: [0x03])) }),
            (1002, { try await $0.send(.connectionClose, ByteBuffer(bytes: [0x03, 0xE8, 0xC0, 0xAF])) }),
            (3999, { try await $0.send(.connectionClose, ByteBuffer(bytes: [0x0F, 0x9F])) }),
            (1003, { try await $0.send(.binary, ByteBuffer(string: "{}")) }),
            (1007, { try await $0.send(.text, ByteBuffer(bytes: [0xC0, 0xAF])) }),
            (
                1009,
                { (client) async throws in
                    for _ in 0..<3 {
                        try await client.send(.text, ByteBuffer(repeating: 0x20, count: 30_000), fin: false)
                    }
                }
            ),
            (1009, { try await $0.send(.text, ByteBuffer(repeating: 0x20, count: 70_000)) }),
            (1008, { client in for _ in 0..<80 { try await client.send(#"{"type":"nothing"}"#) } }),
        ]
        for (code, send) in cases {
            try await joined { (_, client) async throws in
                _ = try await client.message()
                // The gateway may close before all of it is written.
                try? await send(client)
                var event = await client.next()
                while case .pong = event { event = await client.next() }
                let isFragmentError = code == 1009 && event == .closed(1002)
                #expect(event == .closed(code) || isFragmentError, "\(code)")
            }
        }
    }

    @Test(arguments: [WebSocketOpcode.ping, .continuation, .text])
    func `a flood of ten thousand frames ends the socket`(opcode: WebSocketOpcode) async throws {
        try await joined { (box, client) async throws in
            _ = try await client.message()
            if opcode == .continuation { try await client.send(.text, ByteBuffer(string: "{"), fin: false) }
            let isWhole = opcode != .continuation
            for _ in 0..<10_000 {
                let isWritten: Void? = try? await client.send(
                    opcode,
                    ByteBuffer(string: #"{"type":"nothing"}"#),
                    fin: isWhole
                )
                if isWritten == nil { break }
            }
            var event = await client.next()
            while case .pong = event { event = await client.next() }
            // What says why may be lost when it is sent while we still write.
            #expect(event == .closed(1008) || event == .ended)
            _ = await box.service.call { if case .controlClosed = $0 { true } else { false } }
        }
    }

    /// A client that the library has no means to be.
    @Test(
        arguments: [
            // A frame of 2^63 bytes, and one of twice what a message may have.
            ([0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4], false),
            ([0x81, 0xFF, 0, 0, 0, 0, 0, 2, 0, 0, 1, 2, 3, 4], false),
            ([], true),
        ] as [([UInt8], Bool)]
    )
    func `a client that announces too much, or reads nothing, loses its socket`(
        bytes: [UInt8],
        isMute: Bool
    ) async throws {
        try await GatewayHarness.run {
            $0.limits.unreadMilliseconds = 300
        } _: { (box) async throws in
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelOption(.autoRead, value: !isMute)
                .channelOption(.socketOption(.so_rcvbuf), value: 4_096)
                .connect(host: "127.0.0.1", port: box.port)
                .get()
            let hello = Array(#"{"type":"hello"}"#.utf8)
            let request =
                "GET /gate/ws HTTP/1.1\r\nHost: 127.0.0.1:\(box.port)\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                + "Origin: http://127.0.0.1:\(box.port)\r\nSec-WebSocket-Version: 13\r\n"
                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            try await channel.writeAndFlush(ByteBuffer(string: request))
            // A key of zeros masks nothing.
            try await channel.writeAndFlush(ByteBuffer(bytes: [0x81, 0x80 | UInt8(hello.count), 0, 0, 0, 0] + hello))
            _ = await box.service.call { if case .join = $0 { true } else { false } }
            if isMute {
                // The fake keeps 64 messages for a viewer; together they are more than a kernel takes for a socket.
                let reason = String(repeating: "x", count: 400_000)
                for _ in 0..<64 { box.service.tell("viewer1", .source(SourceInfo(state: .live, reason: reason))) }
            } else {
                try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
            }
            _ = await box.service.call { if case .controlClosed = $0 { true } else { false } }
            while box.gateway.connectionCount > 0 { try await Task.sleep(for: .milliseconds(10)) }
            try? await channel.close()
        }
    }

    @Test func `handshakes that must not succeed say why`() async throws {
        try await GatewayHarness.run { (box) async throws in
            func handshake(
                _ path: String = "/gate/ws",
                version: String = "13",
                key: String = "dGhlIHNhbXBsZSBub25jZQ==",
                _ more: String = ""
            )
                async throws -> Int
            {
                let request =
                    "GET \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                    + "Sec-WebSocket-Version: \(version)\r\nSec-WebSocket-Key: \(key)\r\n\(more)\r\n"
                return try await box.exchange(request).status
            }
            #expect(try await handshake(version: "8") == 426)
            #expect(try await handshake(key: "short") == 400)
            #expect(try await handshake("/nosuch/ws") == 404)
            #expect(try await handshake("/gate/whep") == 404)
            #expect(try await handshake("/gate/ws", "Origin: https://evil.example\r\n") == 403)
            #expect(try await handshake("/gate/ws", "Origin: null\r\n") == 403)
            #expect(try await handshake("/gate/ws", "X-Forwarded-For: 192.0.2.1\r\n") == 403)
            #expect(try await handshake("/gate/ws", "Sec-Fetch-Site: cross-site\r\n") == 403)
            #expect(try await box.curl("/gate/ws").status == 426)
        }
    }
}
