import Foundation
import Gateway
import NIOCore
import NIOPosix
import Relay
import Testing
import Wire

struct HLSRoutesTests {
    @Test func `what is asked reaches the relay, and what it says reaches the client`() async throws {
        try await GatewayHarness.run { (box) async throws in
            box.service.serve("e1_s4_p1.m4s", Array(repeating: 7, count: 100_000))
            let playlist = try await box.curl(
                "/yard/gate-north/media.m3u8?_HLS_msn=4&_HLS_part=1&_HLS_skip=YES&viewer=abc"
            )
            #expect(playlist.status == 200)
            #expect(playlist.headers["content-type"] == "application/vnd.apple.mpegurl")
            #expect(playlist.headers["cache-control"] == "no-cache")
            let request = try #require(box.service.requests.first)
            #expect(request.camera == "yard/gate-north")
            #expect(request.resource == "media.m3u8")
            #expect([request.msn, request.part, request.skip, request.viewer] == ["4", "1", "YES", "abc"])
            #expect(request.remote.isLoopback)
            #expect(request.scheme == "http")
            #expect(request.userAgent.hasPrefix("curl/"))
            for _ in 0..<2 {
                let part = try await box.curl("/yard/gate-north/e1_s4_p1.m4s")
                #expect(part.headers["content-length"] == "100000")
                #expect(part.headers["cache-control"] == "public, max-age=3600, immutable")
                #expect(part.body.utf8.count == 100_000)
            }
            let missing = try await box.curl("/gate/e1_s9.m4s")
            #expect(missing.status == 503)
            #expect(missing.headers["retry-after"] == "1")
            let ahead = try await box.curl("/gate/media.m3u8?_HLS_msn=99999999")
            #expect(ahead.status == 400)
            // A failure is told in the form that all others have.
            #expect(ahead.headers["content-type"] == "application/json")
            #expect(ahead.body == #"{"error":"too far","remedy":"Ask for parts as the playlist has them."}"#)
        }
    }

    @Test func `a connection remembers its viewer by camera, a header names it, a proxy's connection does not`()
        async throws
    {
        try await GatewayHarness.run {
            $0.access = .open
        } _: { (box) async throws in
            box.service.serve("a.m4s", [1])
            let origin = "http://127.0.0.1:\(box.port)"
            _ = try await box.curl(
                "/gate/media.m3u8?viewer=abc",
                "\(origin)/gate/a.m4s",
                "\(origin)/yard/gate-north/a.m4s"
            )
            #expect(box.service.requests.map(\.viewer) == ["abc", "abc", nil])
            _ = try await box.curl("/gate/a.m4s", "-H", "Signalbox-Viewer: xyz")
            #expect(box.service.requests.last?.viewer == "xyz")
            _ = try await box.curl(
                "/gate/media.m3u8?viewer=abc",
                "\(origin)/gate/a.m4s",
                "-H",
                "X-Forwarded-For: 192.0.2.9"
            )
            #expect(box.service.requests.last?.viewer == nil)
            _ = try await box.curl("/gate/a.m4s", "-H", "Signalbox-Viewer: not a word")
            #expect(box.service.requests.last?.viewer == nil)
            _ = try await box.curl("/gate/media.m3u8", "\(origin)/gate/a.m4s")
            #expect(box.service.requests.last?.viewer == "anonymous")
        }
    }

    @Test func `a page of another site cannot make viewers or start cameras`() async throws {
        try await GatewayHarness.run { (box) async throws in
            for header in ["Sec-Fetch-Site: cross-site", "Origin: https://evil.example"] {
                #expect(try await box.curl("/gate/media.m3u8", "-H", header).status == 403)
            }
            #expect(box.service.requests.isEmpty)
            #expect(try await box.curl("/gate/media.m3u8", "-H", "Sec-Fetch-Site: same-origin").status == 200)
        }
    }

    @Test func `a held request whose client leaves is taken back`() async throws {
        try await GatewayHarness.run { (box) async throws in
            let client = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "127.0.0.1", port: box.port).get()
            let request = ByteBuffer(string: "GET /gate/held.m4s HTTP/1.1\r\nHost: localhost\r\n\r\n")
            try await client.writeAndFlush(request)
            await box.service.hold()
            try await client.close()
            _ = await box.service.call { $0 == .takeBack(resource: "held.m4s") }
            box.service.release()
        }
    }

    @Test func `a held request is answered when the relay answers, and those behind it wait their turn`() async throws {
        try await GatewayHarness.run { (box) async throws in
            async let reply = box.exchange(
                "GET /gate/held.m4s HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            )
            await box.service.hold()
            box.service.release()
            let raw = try await reply.raw
            let first = try #require(raw.range(of: "video/mp4"))
            let second = try #require(raw.range(of: #"{"status":"ok"}"#))
            #expect(first.lowerBound < second.lowerBound)
        }
    }

    @Test func `a client that goes away while its request is held does no harm`() async throws {
        try await GatewayHarness.run { (box) async throws in
            _ = try await box.curl("/gate/held.m4s", "-m", "1")
            #expect(box.service.requests.count == 1)
            box.service.release()
            #expect(try await box.curl("/healthz").status == 200)
        }
    }
}
