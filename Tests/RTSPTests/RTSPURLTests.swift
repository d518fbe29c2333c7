import RTSP
import SDP
import TestSupport
import Testing
import Wire

@Suite struct RTSPURLTests {
    @Test(arguments: [
        ("rtsp://10.2.0.31/stream1", "10.2.0.31", 554, "/stream1"),
        ("RTSP://cam.example.org:8554/a/b?x=1&y=2", "cam.example.org", 8554, "/a/b?x=1&y=2"),
        ("rtsps://cam", "cam", 322, "/"),
        ("rtsp://cam?channel=1", "cam", 554, "/?channel=1"),
        ("rtsp://cam:/x", "cam", 554, "/x"),
        ("  rtsp://[2001:db8::1]:554/x ", "2001:db8::1", 554, "/x"),
        ("rtsp://[fe80::1%25eth0]/x", "fe80::1%25eth0", 554, "/x"),
        ("rtsp://cam/a%20b//c", "cam", 554, "/a%20b//c"),
    ])
    func `host, port and path are taken apart`(text: String, host: String, port: UInt16, path: String) throws {
        let url = try RTSPURL(parsing: text)
        #expect(url.host == host)
        #expect(url.port == port)
        #expect(url.pathAndQuery == path)
        #expect(url.user == nil)
    }

    @Test func `what is printed names the port only when it is unusual`() throws {
        #expect(try RTSPURL(parsing: "rtsp://cam:554/x").description == "rtsp://cam/x")
        #expect(try RTSPURL(parsing: "rtsps://cam:554/x").description == "rtsps://cam:554/x")
        #expect(try RTSPURL(parsing: "rtsp://[2001:db8::1]/x").description == "rtsp://[2001:db8::1]/x")
    }

    @Test(arguments: [
        ("rtsp://relay:word@cam/x", "relay", "word"),
        ("rtsp://re%6Cay:w%40rd%2@cam/x", "relay", "w@rd%2"),
        ("rtsp://relay:p@ss:w@cam/x", "relay", "p@ss:w"),
        ("rtsp://relay:@cam/x", "relay", ""),
    ])
    func `user and password are decoded and never printed`(text: String, user: String, password: String) throws {
        let url = try RTSPURL(parsing: text)
        #expect(url.user == user)
        #expect(url.password?.reveal() == password)
        #expect(url.description == "rtsp://cam/x")
        #expect(!"\(String(reflecting: url))".contains("w@rd"))
    }

    @Test(arguments: [
        ("", RTSPURLError.empty), ("cam/stream", .missingScheme), ("admin:secret@cam", .missingScheme),
        ("http://cam/", .unsupportedScheme("http")), ("file:///etc/passwd", .unsupportedScheme("file")),
        ("rtsp:///x", .missingHost), ("rtsp://user:pw@/x", .missingHost), ("rtsp://cam:0/x", .invalidPort),
        ("rtsp://cam:65536/x", .invalidPort), ("rtsp://cam:+554/x", .invalidPort), ("rtsp://ca(m)/x", .invalidHost),
        ("rtsp://2001:db8::1/x", .invalidPort), ("rtsp://[2001:db8::1/x", .invalidHost),
        ("rtsp://[1.2.3.4]/x", .invalidHost), ("rtsp://[::1]x/", .invalidPort),
        ("rtsp://cam/a b", .forbiddenCharacter), ("rtsp://cam/a\r\nX: y", .forbiddenCharacter),
        ("rtsp://cam/ä", .forbiddenCharacter), ("rtsp://cam/x#y", .fragment),
        ("rtsp://user:pa/ss@cam/x", .unescapedCharacterInPassword),
        ("rtsp://user:pa#ss@cam/x", .unescapedCharacterInPassword),
    ])
    func `a bad URL is refused with its reason`(text: String, expected: RTSPURLError) {
        #expect(throws: expected) { try RTSPURL(parsing: text) }
        #expect(!expected.problem.contains("secret"))
        #expect(!expected.remedy.isEmpty)
    }

    @Test func `an endless URL is refused`() {
        #expect(throws: RTSPURLError.tooLong) {
            try RTSPURL(parsing: "rtsp://cam/" + String(repeating: "a", count: 2_048))
        }
    }

    @Test func `no input makes the parser trap, and what it accepts it prints parseably`() {
        sweep([Array("rtsp://us%65r:p@ss@[2001:db8::1]:8554/a/b?c=d".utf8), Array("rtsps://cam.local/x".utf8)]) {
            let url = try RTSPURL(parsing: String(decoding: $0, as: UTF8.self))
            #expect(try RTSPURL(parsing: url.description) == url)
        }
    }
}

@Suite struct ControlBaseTests {
    private func base(
        session: String? = nil,
        contentBase: String? = nil,
        contentLocation: String? = nil,
        url: String = "rtsp://cam:8554/live?x=1"
    ) throws -> ControlBase {
        let description = SessionDescription(attributes: session.map { [SDPAttribute("control", $0)] } ?? [])
        return ControlBase(
            description,
            contentBase: contentBase,
            contentLocation: contentLocation,
            requested: try RTSPURL(parsing: url)
        )
    }

    @Test func `an absolute session control comes before Content-Base, Content-Location and the request`() throws {
        let content = "rtsp://cam:8554/base/"
        #expect(try base(session: "rtsp://cam:8554/s", contentBase: content).uri == "rtsp://cam:8554/s")
        #expect(try base(session: "*", contentBase: content, contentLocation: "rtsp://cam/l").uri == content)
        #expect(try base(contentLocation: "rtsp://cam/l").uri == "rtsp://cam:8554/l")
        #expect(try base(contentBase: "").uri == "rtsp://cam:8554/live?x=1")
    }

    @Test(arguments: [
        ("rtsp://::ffff:1.2.3.4/", "rtsp://cam:8554/"),
        ("rtsp://rtsp://10.0.0.1/a", "rtsp://cam:8554/a"),
        ("10.0.0.1:554/a/", "rtsp://cam:8554/a/"),
        ("/a/b/", "rtsp://cam:8554/a/b/"),
        ("rtsp://admin:secret@cam/a", "rtsp://cam:8554/a"),
        ("rtsp://evil.example/a", "rtsp://cam:8554/a"),
        ("RTSP://10.0.0.1", "rtsp://cam:8554/"),
        ("rtsp://10.0.0.1?a", "rtsp://cam:8554?a"),
        ("rtsp://cam/a b", "rtsp://cam:8554/live?x=1"),
    ])
    func `from a strange base only the path is taken`(contentBase: String, expected: String) throws {
        #expect(try base(contentBase: contentBase).uri == expected)
    }

    @Test(
        arguments: [
            (nil, "rtsp://cam:8554/live?x=1"), ("", "rtsp://cam:8554/live?x=1"), ("*", "rtsp://cam:8554/live?x=1"),
            ("trackID=1", "rtsp://cam:8554/live?x=1/trackID=1"), ("/track1", "rtsp://cam:8554/live?x=1/track1"),
            ("?ctype=video", "rtsp://cam:8554/live?x=1?ctype=video"),
            ("rtsp://192.0.2.9:554/live/track1?a", "rtsp://cam:8554/live/track1?a"),
            ("rtsp://169.254.169.254/latest", "rtsp://cam:8554/latest"),
        ] as [(String?, String)]
    )
    func `a media control is resolved on the connected host`(control: String?, expected: String) throws {
        #expect(try base().resolve(control) == expected)
    }

    @Test func `a control that cannot stand in a request line is refused`() throws {
        #expect(try base().resolve("track 1") == nil)
        #expect(try base().resolve("track\r\nX: y") == nil)
        #expect(try base(contentBase: "rtsp://cam/a/").resolve("track1") == "rtsp://cam:8554/a/track1")
    }

    @Test func `another port of the same host is kept as a second choice`() throws {
        let base = try base(contentBase: "rtsp://cam:65534/videoMain/")
        #expect(base.uri == "rtsp://cam:8554/videoMain/")
        #expect(base.resolveAdvertised("track1") == "rtsp://cam:65534/videoMain/track1")
        #expect(try self.base(contentBase: "rtsp://other:65534/videoMain/").resolveAdvertised("track1") == nil)
    }
}
