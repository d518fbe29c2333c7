import Foundation
import Testing
import Wire

@testable import Gateway

struct WHEPTests {
    static let offer = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\na=ice-ufrag:abcd\r\n"
    static let sdp = "Content-Type: application/sdp"
    static let fragment = "Content-Type: application/trickle-ice-sdpfrag"

    private func post(
        _ box: GatewayHarness,
        _ offer: String = offer,
        camera: String = "yard/gate-north",
        _ more: String...
    ) async throws
        -> Reply
    {
        let extra = more.first ?? "Accept: */*"
        return try await box.curl("/\(camera)/whep", "--data-binary", offer, "-H", Self.sdp, "-H", extra)
    }

    @Test func `a session begins, takes candidates and ends`() async throws {
        try await GatewayHarness.run { (box) async throws in
            let begun = try await post(box)
            #expect(begun.status == 201)
            #expect(begun.headers["content-type"] == "application/sdp")
            #expect(begun.headers["location"] == "/yard/gate-north/whep/viewer1")
            #expect(begun.headers["accept-patch"] == "application/trickle-ice-sdpfrag")
            #expect(begun.body.hasPrefix("v=0"))
            let tag = try #require(begun.headers["etag"])
            let url = try #require(begun.headers["location"])

            let candidate =
                "a=ice-ufrag:abcd\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 5 typ host\r\n"
            let patch = ["-X", "PATCH", "--data-binary", candidate, "-H", Self.fragment]
            func send(_ more: String...) async throws -> Int {
                let all = patch + more
                return try await box.curl(
                    url,
                    all[0],
                    all[1],
                    all[2],
                    all[3],
                    all[4],
                    all[5],
                    "-H",
                    more.last ?? "X: y"
                ).status
            }
            #expect(try await send("If-Match: \(tag)") == 204)
            #expect(
                box.service.calls.contains(.candidate("candidate:1 1 udp 1 192.0.2.1 5 typ host", viewer: "viewer1"))
            )
            #expect(try await send("If-Match: *") == 204)
            #expect(try await send("If-Match: \"other\"") == 412)
            #expect(try await send() == 428)

            #expect(try await box.curl("/gate/whep/viewer1", "-X", "DELETE").status == 404)
            #expect(try await box.curl(url, "-X", "DELETE").status == 200)
            #expect(box.service.calls.last == .leave(viewer: "viewer1", reason: "ended by the client"))
            #expect(try await box.curl(url, "-X", "DELETE").status == 404)
        }
    }

    @Test func `an ICE restart gets new credentials and a new tag; what belongs to the old session is ignored`()
        async throws
    {
        try await GatewayHarness.run { (box) async throws in
            let begun = try await post(box)
            let url = try #require(begun.headers["location"])
            let tag = try #require(begun.headers["etag"])
            func patch(_ fragment: String, _ match: String) async throws -> Reply {
                let body = ["-X", "PATCH", "--data-binary", fragment]
                return try await box.curl(url, body[0], body[1], body[2], body[3], "-H", Self.fragment, "-H", match)
            }
            let restart = "a=ice-ufrag:wxyz\r\na=ice-pwd:0123456789012345678901\r\n"
            // By its letter a restart needs `*`: with the tag these are candidates of some other session.
            #expect(try await patch(restart, "If-Match: \(tag)").status == 204)
            #expect(try await patch("a=ice-ufrag:wxyz\r\n", "If-Match: *").status == 422)
            #expect(!box.service.calls.contains { if case .restart = $0 { true } else { false } })

            let candidate = "a=candidate:1 1 udp 1 192.0.2.1 5 typ host"
            let reply = try await patch(restart + candidate + "\r\n", "If-Match: \"*\"")
            #expect(reply.status == 200)
            #expect(reply.headers["content-type"] == "application/trickle-ice-sdpfrag")
            #expect(reply.body.hasPrefix("a=ice-ufrag:ours"))
            let fresh = try #require(reply.headers["etag"])
            #expect(fresh != tag)
            let restarted = FakeViewerService.Call.restart(
                ufrag: "wxyz",
                pwd: "0123456789012345678901",
                viewer: "viewer1"
            )
            #expect(box.service.calls.contains(restarted))
            let given = FakeViewerService.Call.candidate("candidate:1 1 udp 1 192.0.2.1 5 typ host", viewer: "viewer1")
            #expect(box.service.calls.last == given)

            let count = box.service.calls.count
            #expect(try await patch("a=ice-ufrag:wxyz\r\n\(candidate)\r\n", "If-Match: \(tag)").status == 412)
            #expect(try await patch("a=ice-ufrag:abcd\r\n\(candidate)\r\n", "If-Match: \(fresh)").status == 204)
            #expect(box.service.calls.count == count)
            #expect(try await patch("a=ice-ufrag:wxyz\r\n\(candidate)\r\n", "If-Match: \(fresh)").status == 204)
            #expect(box.service.calls.count == count + 1)
        }
    }

    @Test func `changes of a session are limited, with the time to come again; other sessions are not concerned`()
        async throws
    {
        try await GatewayHarness.run {
            $0.limits.changesPerSession.perSecond = 0
            $0.limits.changesPerSession.burst = 3
        } _: { (box) async throws in
            let urls = [try await post(box), try await post(box)].compactMap { $0.headers["location"] }
            func restart(_ url: String, _ number: Int) async throws -> Reply {
                let fragment = "a=ice-ufrag:new\(number)\r\na=ice-pwd:0123456789012345678901\r\n"
                return try await box.curl(
                    url,
                    "-X",
                    "PATCH",
                    "--data-binary",
                    fragment,
                    "-H",
                    Self.fragment,
                    "-H",
                    "If-Match: *"
                )
            }
            for number in 0..<3 { #expect(try await restart(urls[0], number).status == 200) }
            let refused = try await restart(urls[0], 3)
            #expect(refused.status == 429)
            #expect(refused.headers["retry-after"] == "1")
            #expect(refused.body.contains(#""error":"Too many changes of sessions.""#))
            #expect(box.service.calls.count { if case .restart = $0 { true } else { false } } == 3)
            #expect(try await restart(urls[1], 0).status == 200)
            #expect(try await box.curl(urls[0], "-X", "DELETE").status == 200)
        }
        let usual = GatewayConfiguration.Limits()
        #expect(usual.changesPerSession.perSecond == 20 && usual.changes.perSecond == 20)
    }

    @Test func `clients that ask by OPTIONS are counted one by one, as many as an address may be`() async throws {
        try await GatewayHarness.run { (box) async throws in
            var names: [String] = []
            for _ in 0..<20 {
                let link = try #require(try await box.curl("/gate/whep", "-X", "OPTIONS").headers["link"])
                names.append(try #require(link.firstMatch(of: /username="9:(127\.0\.0\.1\/\d+)"/)).output.1.description)
            }
            #expect(Set(names).count == 16)
            #expect(names[0] == names[16])
        }
    }

    @Test func `answers and OPTIONS name STUN and TURN servers as the client can reach them`() async throws {
        try await GatewayHarness.run { (box) async throws in
            let begun = try await post(box)
            let link = try #require(begun.headers["link"])
            #expect(link.contains("<turn:127.0.0.1:8189?transport=udp>; rel=\"ice-server\"; username=\"9:viewer1\""))
            #expect(link.contains("credential=\"secret=\"; credential-type=\"password\""))
            let options = try await box.curl("/gate/whep", "-X", "OPTIONS")
            #expect(options.status == 204)
            #expect(options.headers["link"]?.contains("rel=\"ice-server\"") == true)
        }
    }

    @Test(arguments: [
        ("v=0 no h264 in here", "gate", 406), ("v=0 forbidden", "gate", 403), ("nonsense", "gate", 400),
        ("v=0", "yard", 503), ("v=0", "nosuch", 404),
    ])
    func `refusals map to statuses`(offer: String, camera: String, status: Int) async throws {
        try await GatewayHarness.run { (box) async throws in
            let reply = try await post(box, offer, camera: camera)
            #expect(reply.status == status)
            #expect(reply.body.contains(#""error":"#))
            if status == 503 { #expect(reply.headers["retry-after"] == "7") }
            if status == 406 {
                #expect(box.service.calls.last == .leave(viewer: "viewer1", reason: "Your browser has no H.264."))
            }
        }
    }

    @Test func `bodies of the wrong type, size or encoding are refused before anything is made`() async throws {
        try await GatewayHarness.run { (box) async throws in
            let big = String(repeating: "a", count: 64 * 1024 + 1)
            let file = FileManager.default.temporaryDirectory.appendingPathComponent("signalbox-\(UUID().uuidString)")
            try big.write(to: file, atomically: true, encoding: .utf8)
            defer { try? FileManager.default.removeItem(at: file) }
            #expect(try await box.curl("/gate/whep", "--data-binary", "@\(file.path)", "-H", Self.sdp).status == 413)
            let chunked = try await box.curl(
                "/gate/whep",
                "--data-binary",
                "@\(file.path)",
                "-H",
                Self.sdp,
                "-H",
                "Transfer-Encoding: chunked"
            )
            #expect(chunked.status == 413)
            #expect(
                try await box.curl("/gate/whep", "--data-binary", "v=0", "-H", "Content-Type: text/plain").status == 415
            )
            #expect(try await post(box, Self.offer, camera: "gate", "Content-Encoding: gzip").status == 415)
            #expect(try await post(box, Self.offer, camera: "gate", "Origin: https://evil.example").status == 403)
            #expect(try await post(box, Self.offer, camera: "gate", "Sec-Fetch-Site: cross-site").status == 403)
            #expect(box.service.calls.isEmpty)
            #expect(
                try await post(box, Self.offer, camera: "gate", "Origin: http://127.0.0.1:\(box.port)").status == 201
            )
        }
    }

    @Test(arguments: [
        ("rubbish", "Line 1 of the fragment is no line of SDP."),
        ("a=mid:0\r\n\r\n{\"candidate\":1}", "Line 3 of the fragment is no line of SDP."),
        ("", "The fragment has neither candidates nor ICE credentials in it."),
        ("a=mid:0\r\n", "The fragment has neither candidates nor ICE credentials in it."),
        ("a=candidate:1 1 udp 5\r\n", "The candidate in line 1 of the fragment is malformed."),
        ("a=ice-ufrag:a b\r\n", "The fragment's ice-ufrag is malformed."),
        ("a=ice-ufrag:abcd\r\na=ice-pwd:short\r\n", "The fragment's ice-pwd is malformed."),
    ])
    func `a PATCH that is no fragment is refused with what is wrong`(fragment: String, problem: String) async throws {
        try await GatewayHarness.run { (box) async throws in
            let begun = try await post(box)
            let url = try #require(begun.headers["location"])
            let count = box.service.calls.count
            let body = ["-X", "PATCH", "--data-binary", fragment, "-H", Self.fragment, "-H", "If-Match: *"]
            let reply = try await box.curl(url, body[0], body[1], body[2], body[3], body[4], body[5], body[6], body[7])
            #expect(reply.status == 400)
            #expect(reply.body.contains(problem), "\(reply.body)")
            #expect(box.service.calls.count == count)
        }
    }

    @Test func `the end of candidates, and attributes that mean nothing to us, are taken`() throws {
        let end = try TrickleFragment(parsing: "a=ice-ufrag:abcd\nm=audio 9 RTP/AVP 0\na=mid:0\na=end-of-candidates\n")
        #expect(end.ufrag == "abcd" && end.candidates.isEmpty)
        #expect(try TrickleFragment(parsing: "a=end-of-candidates").ufrag == nil)
        let named = "candidate:2 1 UDP 1 4f1c-2.local 61002 typ host generation 0 ufrag abcd"
        #expect(try TrickleFragment(parsing: "a=\(named)").candidates == [named])
    }

    @Test func `an address says which methods it takes, in the same way everywhere`() async throws {
        try await GatewayHarness.run { (box) async throws in
            let begun = try await post(box)
            let session = try #require(begun.headers["location"])
            let places: [(path: String, wrong: [String], allow: String)] = [
                ("/", ["POST", "PUT", "DELETE", "OPTIONS"], "GET, HEAD"),
                ("/healthz", ["POST", "PUT", "PATCH"], "GET, HEAD"),
                ("/api/v1/cameras", ["POST", "DELETE"], "GET, HEAD"),
                ("/gate", ["POST", "PUT", "TRACE"], "GET, HEAD"),
                ("/gate/ws", ["POST", "PUT"], "GET, HEAD"),
                ("/gate/whep", ["PUT", "PATCH", "DELETE"], "OPTIONS, GET, HEAD, POST"),
                (session, ["GET", "HEAD", "PUT", "POST"], "OPTIONS, PATCH, DELETE"),
                ("/gate/whep/nosuch", ["GET", "PUT"], "OPTIONS, PATCH, DELETE"),
                ("/gate/media.m3u8", ["POST", "PUT", "DELETE"], "OPTIONS, GET, HEAD"),
            ]
            for (path, wrong, allow) in places {
                for method in wrong {
                    let arguments = method == "HEAD" ? ["-I", "-s"] : ["-X", method]
                    let reply = try await box.curl(path, arguments[0], arguments[1])
                    #expect(reply.status == 405, "\(method) \(path)")
                    #expect(reply.headers["allow"] == allow, "\(method) \(path)")
                    if method != "HEAD" { #expect(reply.body.contains(#""error":"That method is not"#)) }
                }
            }
            #expect(try await box.curl("/nosuch", "-X", "PUT").status == 404)
            #expect(try await box.curl("/nosuch/whep", "-X", "POST").status == 404)
        }
    }

    @Test func `OPTIONS says what CORS asks, and names the origin where that is allowed`() async throws {
        let preflight = ["Origin: https://portal.example", "Access-Control-Request-Method: POST"]
        @Sendable func ask(_ box: GatewayHarness, _ path: String) async throws -> Reply {
            try await box.curl(path, "-X", "OPTIONS", "-H", preflight[0], "-H", preflight[1])
        }
        @Sendable func check(_ reply: Reply) {
            #expect(reply.status == 204)
            let headers = reply.headers["access-control-allow-headers"] ?? ""
            #expect(["Authorization", "Content-Type", "If-Match"].allSatisfy { headers.contains($0) })
            let exposed = reply.headers["access-control-expose-headers"] ?? ""
            #expect(["Location", "ETag", "Link", "Retry-After"].allSatisfy { exposed.contains($0) })
        }
        try await GatewayHarness.run { (box) async throws in
            let endpoint = try await ask(box, "/gate/whep")
            check(endpoint)
            #expect(endpoint.headers["access-control-allow-origin"] == nil, "no other site may until it is allowed")
            let methods = endpoint.headers["access-control-allow-methods"] ?? ""
            #expect(["OPTIONS", "POST", "PATCH", "DELETE"].allSatisfy { methods.contains($0) })
            check(try await ask(box, "/gate/whep/viewer1"))
        }
        try await GatewayHarness.run {
            $0.allowedOrigins = ["https://portal.example"]
        } _: { (box) async throws in
            for path in ["/gate/whep", "/gate/whep/viewer1", "/gate/media.m3u8"] {
                let reply = try await ask(box, path)
                check(reply)
                #expect(reply.headers["access-control-allow-origin"] == "https://portal.example")
            }
            let begun = try await post(box, Self.offer, camera: "gate", "Origin: https://portal.example")
            #expect(begun.status == 201)
            #expect(begun.headers["access-control-allow-origin"] == "https://portal.example")
            #expect(begun.headers["access-control-expose-headers"]?.contains("Location") == true)
        }
    }

    @Test func `what the relay says that helps is passed on`() async throws {
        try await GatewayHarness.run { (box) async throws in
            let reply = try await post(box, "v=0 stopped", camera: "gate")
            #expect(reply.status == 503)
            #expect(reply.body.contains("Ask the operator."), "\(reply.body)")
            #expect(!reply.body.contains("Try again"))
        }
    }

    @Test func `discovery answers HEAD, GET and OPTIONS`() async throws {
        try await GatewayHarness.run { (box) async throws in
            let head = try await box.curl("/gate/whep", "-I")
            #expect(head.status == 200)
            #expect(head.headers["content-type"] == "application/sdp")
            #expect(try await box.curl("/gate/whep").status == 204)
            #expect(try await box.curl("/gate/whep", "-X", "OPTIONS").headers["accept-post"] == "application/sdp")
            #expect(try await box.curl("/gate/whep", "-X", "DELETE").status == 405)
            #expect(try await box.curl("/gate/whep/viewer1", "-X", "DELETE").status == 404)
        }
    }
}
