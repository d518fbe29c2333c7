import Digests
import Foundation
import Gateway
import Testing

struct RoutesTests {
    @Test func `pages come with a strict policy and no banner`() async throws {
        try await GatewayHarness.run { (box) async throws in
            for path in ["/", "/gate", "/yard/gate-north", "/yard/gate-north/"] {
                let reply = try await box.curl(path)
                #expect(reply.status == 200)
                #expect(reply.headers["content-type"] == "text/html; charset=utf-8")
                let policy = reply.headers["content-security-policy"] ?? ""
                #expect(policy.hasPrefix("default-src 'none'; script-src 'self'"))
                #expect(policy.contains("; style-src 'self'; connect-src 'self' ws://127.0.0.1:"))
                #expect(!policy.contains("unsafe"))
                #expect(reply.headers["x-content-type-options"] == "nosniff")
                #expect(reply.headers["referrer-policy"] == "no-referrer")
                #expect(reply.headers["server"] == nil)
                #expect(reply.headers["strict-transport-security"] == nil)
            }
        }
    }

    @Test func `a document names its scripts by content, and these may be kept for ever`() async throws {
        try await GatewayHarness.run { (box) async throws in
            let page = try await box.curl("/gate").body
            let path = try #require(page.firstMatch(of: #/src="(/-/[^"]+/player\.js)"/#)?.1)
            let script = try await box.curl(String(path))
            #expect(script.status == 200)
            #expect(script.headers["content-type"] == "text/javascript; charset=utf-8")
            #expect(script.headers["cache-control"] == "public, max-age=31536000, immutable")
            let other = try await box.curl("/-/old/player.js")
            #expect(other.headers["cache-control"] == "no-cache")
            let tag = try #require(other.headers["etag"])
            #expect(try await box.curl("/-/old/player.js", "-H", "If-None-Match: \(tag)").status == 304)
            #expect(!page.contains("style="))
        }
    }

    @Test func `a camera's page carries its first script, and the policy admits that one alone`() async throws {
        try await GatewayHarness.run { (box) async throws in
            let page = try await box.curl("/gate")
            let scripts = page.body.matches(of: #/<script>([^<]*)</script>/#).map { String($0.1) }
            let script = try #require(scripts.first)
            #expect(scripts.count == 1)
            #expect(script.contains("new RTCPeerConnection("))
            let hash = Data(Digest.sha256(Array(script.utf8))).base64EncodedString()
            let policy = page.headers["content-security-policy"] ?? ""
            #expect(policy.contains("script-src 'self' 'sha256-\(hash)'; "))
            let others = try await box.curl("/")
            #expect(!others.body.contains("<script>"))
            #expect(others.headers["content-security-policy"]?.contains("script-src 'self'; ") == true)
        }
    }

    @Test func `the cameras' page fetches ahead everything a camera's page will ask for`() async throws {
        try await GatewayHarness.run { (box) async throws in
            func modules(preloadedBy path: String) async throws -> Set<String> {
                let page = try await box.curl(path).body
                return Set(page.matches(of: #/rel="modulepreload" href="(/-/[^"]+\.js)"/#).map { String($0.1) })
            }
            let page = try await box.curl("/gate").body
            let entry = try #require(page.firstMatch(of: #/<script type="module" src="([^"]+)"/#)?.1)
            var reached: Set<String> = []
            var waiting = [String(entry)]
            while let path = waiting.popLast() {
                guard reached.insert(path).inserted else { continue }
                let folder = path[...(path.lastIndex(of: "/") ?? path.startIndex)]
                let source = try await box.curl(path).body
                waiting += source.matches(of: #/from "\./([a-z]+\.js)"/#).map { "\(folder)\($0.1)" }
            }
            #expect(reached.count > 5)
            #expect(try await modules(preloadedBy: "/gate").union([String(entry)]) == reached)
            #expect(try await modules(preloadedBy: "/").isSuperset(of: reached.filter { !$0.hasSuffix("/words.js") }))
        }
    }

    @Test(arguments: [
        "/nosuch", "/gate/nosuch", "/-/x/nosuch.js", "/-/x/..%2fplayer.html", "/api/v1/nosuch", "/yard/../gate",
        "//gate", "/gate%2fws",
    ])
    func `what is not there says so in JSON`(path: String) async throws {
        try await GatewayHarness.run { (box) async throws in
            let reply = try await box.curl(path)
            #expect(reply.status == 404)
            #expect(reply.headers["content-type"] == "application/json")
            #expect(reply.body.contains(#""remedy":"#))
        }
    }

    @Test func `a browser that asks for a camera that is not there gets a page`() async throws {
        try await GatewayHarness.run { (box) async throws in
            let reply = try await box.curl("/nosuch", "-H", "Accept: text/html,*/*")
            #expect(reply.status == 404)
            #expect(reply.headers["content-type"] == "text/html; charset=utf-8")
        }
    }

    @Test func `the camera list says nothing of where cameras are`() async throws {
        try await GatewayHarness.run { (box) async throws in
            let reply = try await box.curl("/api/v1/cameras")
            #expect(reply.status == 200)
            #expect(reply.headers["cache-control"] == "no-store")
            #expect(reply.body.contains(#""name":"yard/gate-north""#))
            #expect(reply.body.contains(#""state":"live""#))
            #expect(reply.body.contains("The camera needs the operator's attention."))
            for secret in ["rtsp", "10.2.0.31", "root", "password"] { #expect(!reply.body.contains(secret)) }
        }
    }

    @Test func `the snapshot is for this machine, not for those who ask through a proxy`() async throws {
        try await GatewayHarness.run {
            $0.access = .open
        } _: { (box) async throws in
            let reply = try await box.curl("/api/v1/snapshot")
            #expect(reply.status == 200)
            #expect(reply.body.contains(#""schema":2"#))
            for header in [
                "X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.1", "X-Real-IP: 192.0.2.1", "Via: 1.1 proxy",
            ] {
                #expect(try await box.curl("/api/v1/snapshot", "-H", header).status == 403)
                #expect(try await box.curl("/", "-H", header).status == 200)
            }
        }
    }

    @Test func `until access is opened a forwarded request is no loopback request`() async throws {
        try await GatewayHarness.run { (box) async throws in
            for path in ["/", "/gate/media.m3u8", "/api/v1/cameras", "/gate/whep"] {
                let reply = try await box.curl(path, "-H", "X-Forwarded-For: 127.0.0.1")
                #expect(reply.status == 403)
                #expect(reply.body.contains("viewers.auth"))
            }
        }
    }

    @Test func `a name that is not ours is refused, against rebinding`() async throws {
        try await GatewayHarness.run {
            $0.hostNames = ["cams.example"]
        } _: { (box) async throws in
            #expect(try await box.curl("/", "-H", "Host: evil.example").status == 421)
            #expect(try await box.curl("/gate/media.m3u8", "-H", "Host: evil.example").status == 421)
            #expect(try await box.curl("/", "-H", "Host: CAMS.example:8443").status == 200)
            #expect(try await box.curl("/", "-H", "Host: localhost").status == 200)
            #expect(try await box.curl("/", "-H", "Host: a@b").status == 400)
        }
    }

    @Test func `HEAD answers like GET without a body, and other methods are refused`() async throws {
        try await GatewayHarness.run { (box) async throws in
            for path in ["/", "/gate", "/healthz", "/gate/media.m3u8"] {
                let reply = try await box.curl(path, "-I")
                #expect(reply.status == 200)
                #expect(reply.body.isEmpty)
                #expect(Int(reply.headers["content-length"] ?? "") ?? 0 > 0)
            }
            #expect(try await box.curl("/gate", "-X", "DELETE").status == 405)
            #expect(try await box.curl("/gate/media.m3u8", "-X", "POST").status == 405)
            #expect(try await box.curl("/gate", "-X", "PUT").status == 405)
            #expect(try await box.curl("/gate", "-X", "TRACE").status == 405)
        }
    }

    @Test func `before the relay has a snapshot everything answers 503 with Retry-After`() async throws {
        try await GatewayHarness.run { (box) async throws in
            box.service.isStarted = false
            for path in ["/gate", "/healthz", "/api/v1/cameras", "/gate/media.m3u8"] {
                let reply = try await box.curl(path)
                #expect(reply.status == 503)
                #expect(reply.headers["retry-after"] == "1")
            }
        }
    }

    @Test func `other sites read nothing unless their origin is allowed`() async throws {
        let origin = "Origin: https://portal.example"
        try await GatewayHarness.run { (box) async throws in
            let reply = try await box.curl("/gate/media.m3u8", "-H", origin)
            #expect(reply.headers["access-control-allow-origin"] == nil)
            #expect(reply.headers["cross-origin-resource-policy"] == "same-origin")
        }
        try await GatewayHarness.run {
            $0.allowedOrigins = ["https://portal.example"]
        } _: { (box) async throws in
            let reply = try await box.curl("/gate/media.m3u8", "-H", origin)
            #expect(reply.headers["access-control-allow-origin"] == "https://portal.example")
            #expect(reply.headers["vary"] == "Origin")
            #expect(
                reply.headers["access-control-expose-headers"]?.contains("Location, ETag, Link, Retry-After") == true
            )
            let preflight = try await box.curl("/gate/whep", "-X", "OPTIONS", "-H", origin)
            #expect(preflight.status == 204)
            #expect(preflight.headers["access-control-allow-methods"]?.contains("PATCH") == true)
            #expect(preflight.headers["access-control-allow-headers"]?.contains("If-Match") == true)
            let other = try await box.curl("/gate/media.m3u8", "-H", "Origin: https://evil.example")
            #expect(other.headers["access-control-allow-origin"] == nil)
        }
    }
}
