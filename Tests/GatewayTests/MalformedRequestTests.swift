import Foundation
import Gateway
import Testing

struct MalformedRequestTests {
    static let cases: [(name: String, request: String, status: Int)] = [
        ("no host", "GET / HTTP/1.1\r\n\r\n", 400),
        ("two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: localhost\r\n\r\n", 400),
        ("HTTP/1.0", "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n", 505),
        ("absolute form", "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ("connect", "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", 405),
        ("asterisk", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ("not HTTP", "\u{16}\u{3}\u{1}\r\n\r\n", 400),
        ("space in a name", "GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", 400),
        (
            "length and chunks",
            "POST /gate/whep HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400
        ),
        (
            "two lengths",
            "POST /gate/whep HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400
        ),
        ("signed length", "POST /gate/whep HTTP/1.1\r\nHost: localhost\r\nContent-Length: +5\r\n\r\nabcde", 400),
        ("negative length", "POST /gate/whep HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
        (
            "huge length",
            "POST /gate/whep HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n", 400
        ),
        ("long target", "GET /\(String(repeating: "a", count: 8200)) HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (
            "long header", "GET / HTTP/1.1\r\nHost: localhost\r\nX: \(String(repeating: "a", count: 20_000))\r\n\r\n",
            431
        ),
        ("many headers", "GET / HTTP/1.1\r\nHost: localhost\r\n\(String(repeating: "X: y\r\n", count: 80))\r\n", 431),
    ]

    @Test(arguments: cases.indices)
    func `is refused and the connection closed`(index: Int) async throws {
        let (name, request, status) = Self.cases[index]
        try await GatewayHarness.run { (box) async throws in
            let reply = try await box.exchange(request)
            #expect(reply.status == status, "\(name)")
            #expect(reply.headers["connection"] == "close", "\(name)")
        }
    }

    @Test func `a header that does not come in time ends the connection`() async throws {
        try await GatewayHarness.run {
            $0.limits.headerMilliseconds = 100
        } _: { (box) async throws in
            let reply = try await box.exchange("GET / HT")
            #expect(reply.raw.isEmpty)
        }
    }

    @Test func `a body that does not come in time ends the connection`() async throws {
        try await GatewayHarness.run {
            $0.limits.bodyMilliseconds = 100
        } _: { (box) async throws in
            let request =
                "POST /gate/whep HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\nContent-Length: 9\r\n\r\nv=0"
            let reply = try await box.exchange(request)
            #expect(reply.raw.isEmpty)
        }
    }

    @Test func `an idle connection is ended`() async throws {
        try await GatewayHarness.run {
            $0.limits.idleMilliseconds = 100
        } _: { (box) async throws in
            let reply = try await box.exchange("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(reply.status == 200)
        }
    }

    @Test func `connections beyond the limit are closed`() async throws {
        try await GatewayHarness.run {
            $0.limits.connections = 0
        } _: { (box) async throws in
            let reply = try await box.exchange("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(reply.raw.isEmpty)
        }
    }

    @Test(arguments: ["h2c", "TLS/1.0", "foo, bar"])
    func `an upgrade to something else is answered as if it had not been asked for`(other: String) async throws {
        try await GatewayHarness.run { (box) async throws in
            let request =
                "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: \(other)\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
            let reply = try await box.exchange(request)
            #expect(reply.status == 200)
        }
    }
}
