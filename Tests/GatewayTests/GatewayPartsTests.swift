import HTTPTypes
import NIOCore
import Relay
import TestSupport
import Testing
import Wire

@testable import Gateway

struct GatewayPartsTests {
    @Test(arguments: [
        ("/yard", "yard", ""), ("/yard/", "yard", ""), ("/yard/whep", "yard", "whep"),
        ("/yard/gate/whep/v1", "yard/gate", "whep/v1"), ("/yard/gate?x=/y", "yard/gate", ""),
        ("/yard/gat", "yard", "gat"), ("/yard/gate/e1_s4_p0.m4s?viewer=a", "yard/gate", "e1_s4_p0.m4s"),
    ])
    func `the longest known camera wins`(path: String, camera: String, rest: String) {
        let match = CameraCatalog.match(path, among: ["yard", "yard/gate", "gate"])
        #expect(match == CameraCatalog.Match(camera: camera, rest: Substring(rest)))
    }

    @Test(arguments: [
        "", "/", "//", "yard", "/nosuch/whep", "/Yard", "/yardgate", "/\(String(repeating: "a/", count: 400))",
    ])
    func `paths of no camera match none`(path: String) {
        #expect(CameraCatalog.match(path, among: ["yard", "yard/gate"]) == nil)
    }

    @Test func `any path can be matched and any query read`() {
        sweep([Array("/yard/gate/whep/v1?viewer=abc&_HLS_msn=4".utf8)]) { bytes in
            let path = String(decoding: bytes, as: UTF8.self)
            _ = CameraCatalog.match(path, among: ["yard", "yard/gate"])
            _ = queryValue("viewer", in: path)
        }
        #expect(queryValue("viewer", in: "/a?b=c&viewer=x&viewer=y") == "x")
        #expect(queryValue("viewer", in: "/a?viewer") == nil)
        #expect(queryValue("viewer", in: "/a") == nil)
    }

    @Test func `messages of a page are read or refused, whatever they are`() {
        let samples = [
            #"{"type":"hello","viewer":"abc","codecs":["H264"],"mse":true,"network":"4g"}"#,
            #"{"type":"offer","sdp":"v=0\r\n"}"#,
            #"{"type":"stats","fps":25,"framesDecoded":18446744073709551616,"width":1e400,"behindLive":-1}"#,
            #"{"type":"mode","current":"webrtc","reason":"\u202e\u0000x","peer":"open"}"#,
        ]
        sweep(samples.map { Array($0.utf8) }) { _ = ClientMessage(parsing: String(decoding: $0, as: UTF8.self)) }
        #expect(ClientMessage(parsing: samples[0]) == .hello(resume: "abc"))
        #expect(ClientMessage(parsing: #"{"type":"hello","viewer":"../x"}"#) == .hello(resume: nil))
        #expect(ClientMessage(parsing: samples[3]) == .mode(playing: .webrtc, reason: "x", peerIsClosed: false))
        #expect(ClientMessage(parsing: String(repeating: "[", count: 20_000)) == nil)
        #expect(ClientMessage(parsing: #"{"type":"offer"}"#) == .unknown)
    }

    @Test func `a trickle fragment gives its user name fragment and candidates (RFC 8840)`() throws {
        let text =
            "a=ice-ufrag:9uB6\r\na=ice-pwd:YH75Fviy6338Vbrhrlp8Yh\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 UDP 2130706431 198.51.100.1 49203 typ host\n"
        let fragment = try TrickleFragment(parsing: text)
        #expect(fragment.ufrag == "9uB6")
        #expect(fragment.candidates == ["candidate:1 1 UDP 2130706431 198.51.100.1 49203 typ host"])
        sweep([Array(text.utf8)]) { bytes in
            let candidates = try? TrickleFragment(parsing: String(decoding: bytes, as: UTF8.self)).candidates
            #expect(candidates?.allSatisfy { $0.hasPrefix("candidate:") } ?? true)
        }
        let many = String(repeating: "a=candidate:1 1 udp 1 192.0.2.1 5 typ host\n", count: 1000)
        #expect(try TrickleFragment(parsing: many).candidates.count == TrickleFragment.candidateLimit)
    }

    @Test(arguments: [
        ("localhost", "localhost"), ("LOCALHOST:8080", "localhost"), ("[::1]:8443", "::1"), ("127.0.0.1", "127.0.0.1"),
        ("", nil), ("a b", nil), ("user@host", nil), ("[::1", nil), (":80", nil), ("é", nil),
    ])
    func `an authority gives its host`(authority: String, host: String?) {
        #expect(RequestPolicy.host(of: authority) == host)
    }

    @Test(arguments: [
        ("127.0.0.1:8080", true), ("[::1]:8443", true), ("localhost", true), ("relay.example:8443", true),
        ("evil.example", false), ("localhost.evil.example", false), ("", false),
    ])
    func `a name that somebody else made point here does not address us`(authority: String, isOurs: Bool) {
        var configuration = GatewayConfiguration()
        configuration.hostNames = ["relay.example"]
        let request = HTTPRequest(method: .get, scheme: "http", authority: authority, path: "/")
        #expect(RequestPolicy(configuration).isAddressed(request) == isOurs)
    }

    @Test func `dates are written as RFC 9110 has them`() {
        #expect(HTTPDate.text(for: 784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(HTTPDate.text(for: 951_782_400) == "Tue, 29 Feb 2000 00:00:00 GMT")
    }

    @Test func `sessions from one address are limited to a burst and a rate, loopback is not`() throws {
        let limiter = AddressLimiter(GatewayConfiguration.Limits().joins)
        let address = try #require(IPAddress("192.0.2.1"))
        let now = Instant(nanoseconds: 1_000_000_000)
        #expect((0..<12).map { _ in limiter.allows(address, at: now) }.count { $0 } == 10)
        #expect((0..<4).map { _ in limiter.allows(address, at: now + .seconds(1)) }.count { $0 } == 2)
        let loopback = try #require(IPAddress("127.0.0.1"))
        #expect((0..<100).allSatisfy { _ in limiter.allows(loopback, at: now) })
    }

    @Test func `all addresses of an IPv6 network share its limit`() throws {
        let limiter = AddressLimiter(GatewayConfiguration.Limits().joins)
        let now = Instant(nanoseconds: 1_000_000_000)
        let network = try (1...30).map { try #require(IPAddress("2001:db8:0:1::\($0)")) }
        #expect(network.count { limiter.allows($0, at: now) } == 10)
        #expect(limiter.allows(try #require(IPAddress("2001:db8:0:2::1")), at: now))
    }

    @Test func `a flood of addresses does not grow the limiter without end`() throws {
        let limiter = AddressLimiter(GatewayConfiguration.Limits().joins)
        let now = Instant(nanoseconds: 1_000_000_000)
        let allowed = (0..<10_000).count { limiter.allows(IPAddress(v4: 0xC000_0000 + UInt32($0)), at: now) }
        #expect(allowed == 4096)
        #expect(limiter.allows(IPAddress(v4: 0xC100_0000), at: now + .seconds(60)))
    }

    @Test func `the same bytes become one buffer, and the cache stays within its limit`() {
        let bodies = SharedBodies(byteLimit: 100_000)
        let part = [UInt8](repeating: 1, count: 40_000)
        let one = bodies.buffer(for: part)
        let other = bodies.buffer(for: part)
        #expect(one == other)
        #expect(bodies.byteCount == 40_000)
        for value in 0..<20 {
            let bytes = [UInt8](repeating: UInt8(value), count: 30_000)
            #expect(bodies.buffer(for: bytes).readableBytesView.elementsEqual(bytes))
        }
        #expect(bodies.byteCount <= 100_000)
        #expect(bodies.buffer(for: []).readableBytes == 0)
    }

    @Test func `a session table forgets sessions whose viewers are gone`() {
        let table = WHEPSessionTable()
        let tag = table.begin(viewer: "a", camera: "gate", ufrag: "u") { nil }
        #expect(table["a"]?.tag == tag)
        #expect(tag.hasPrefix("\"") && tag.hasSuffix("\""))
        table.end(viewer: "a")
        #expect(table["a"] == nil)
    }
}
