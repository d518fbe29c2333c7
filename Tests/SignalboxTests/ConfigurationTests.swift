import Foundation
import Networking
import RTSP
import Relay
import Testing
import Wire

@testable import signalbox

/// What a configuration file means.
struct ConfigurationTests {
    private func read(_ text: String) throws -> Configuration {
        try ConfigurationReader.read(text: text, file: "signalbox.yml")
    }

    @Test func `the documented example is read, key by key`() throws {
        let folder = try TemporaryFolder()
        try folder.write("correct horse\n", to: "gate-north.secret")
        let path = try folder.write(
            """
            listen:
              http: "127.0.0.1:8080"
              https: ":8443"
              media: ":8189"
            advertise: [203.0.113.10, "2001:db8::10"]
            delivery: auto
            cameras:
              yard/gate-north:
                source: rtsp://10.2.0.31/stream1
                user: relay
                password: { file: gate-north.secret }
                transport: tcp
                substream: rtsp://10.2.0.31/stream2
                delivery: hls
                on-demand: true
                tags: [switch-3, entrance]
            viewers: { auth: open }
            """,
            to: "signalbox.yml"
        )
        let configuration = try ConfigurationReader.read(path: path)
        #expect(configuration.listen.http?.description == "127.0.0.1:8080")
        #expect(configuration.listen.https?.description == ":8443")
        #expect(configuration.listen.media.description == ":8189")
        #expect(configuration.advertise.map(\.description) == ["203.0.113.10", "2001:db8::10"])
        #expect(configuration.delivery == .auto)
        #expect(configuration.authorisation == .open)
        let camera = try #require(configuration.cameras.first)
        #expect(camera.name == "yard/gate-north")
        #expect(camera.source.description == "rtsp://10.2.0.31/stream1")
        #expect(camera.user == "relay")
        #expect(camera.password?.reveal() == "correct horse")
        #expect(camera.transport == .tcp && camera.delivery == .hls && camera.onDemand)
        #expect(camera.tags == ["switch-3", "entrance"])
        #expect(configuration.notices == ["cameras.yard/gate-north.substream is read but not used in this version"])
    }

    @Test func `a demo takes free ports where somebody else has the usual ones, and says so`() throws {
        let other = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(other, $0, size) == 0 && getsockname(other, $0, &size) == 0
            }
        }
        try #require(isBound)
        let port = UInt16(bigEndian: address.sin_port)
        var usual = Configuration()
        usual.listen.http = try ListenAddress(parsing: "127.0.0.1:0")
        usual.listen.https = try ListenAddress(parsing: ":0")
        usual.listen.media = try ListenAddress(parsing: ":\(port)")
        let demo = Configuration.demo(usual)
        #expect(demo.media.description == "127.0.0.1:0")
        #expect(demo.notices == ["\(port) taken by another program: the demo uses free ports instead"])
        close(other)
        #expect(Configuration.demo(usual).media.port == port)
        #expect(Configuration.demo(usual).notices.isEmpty)
    }

    @Test func `the customary port may have the media port's number on another address`() throws {
        let listen = "listen: { media: \"203.0.113.10:8189\", turn: \"203.0.113.11:8189\" }\n"
        let configuration = try read(listen + "viewers: { auth: open, origins: [https://portal.example] }\n")
        #expect(configuration.turn?.description == "203.0.113.11:8189")
        #expect(configuration.media.description == "203.0.113.10:8189")
        #expect(configuration.origins == ["https://portal.example"])
    }

    @Test func `what is left out has its default, and everything stays on loopback`() throws {
        let configuration = try read("cameras:\n  gate: { source: rtsp://gate/1 }\n")
        #expect(configuration.authorisation == nil)
        #expect(configuration.listen.http?.description == "127.0.0.1:8080")
        #expect(configuration.listen.https?.description == ":8443")
        #expect(configuration.listen.media.description == ":8189")
        #expect(configuration.delivery == .auto && configuration.advertise.isEmpty && configuration.notices.isEmpty)
        let camera = try #require(configuration.cameras.first)
        #expect(camera.user == nil && camera.password == nil && camera.tags.isEmpty)
        #expect(camera.transport == .auto && camera.delivery == .auto && !camera.onDemand)
    }

    @Test func `a listener can be switched off, all but the media port`() throws {
        let configuration = try read("listen: { http: \"off\", https: \"off\" }")
        #expect(configuration.listen.http == nil && configuration.listen.https == nil)
        #expect(throws: ConfigurationError.self) { try read("listen: { media: \"off\" }") }
    }

    @Test func `cameras keep the order of the file`() throws {
        let configuration = try read(
            "cameras:\n  b: {source: rtsp://b}\n  a: {source: rtsp://a}\n  c/d: {source: rtsp://c}\n"
        )
        #expect(configuration.cameras.map(\.name) == ["b", "a", "c/d"])
    }

    @Test func `credentials in the URL are taken out of it, with a hint`() throws {
        let configuration = try read("cameras: { gate: { source: \"rtsp://admin:hun%74er2@gate/1\" } }")
        let camera = try #require(configuration.cameras.first)
        #expect(camera.user == "admin" && camera.password?.reveal() == "hunter2")
        #expect(camera.source.user == nil && camera.source.password == nil)
        #expect(!"\(camera)".contains("hunter2"))
        #expect(
            configuration.notices
                == ["cameras.gate.source carries a password; `password: { file: … }` keeps it out of this file"]
        )
    }

    @Test func `user and password beside the URL go before those in it`() throws {
        let text = "cameras: { gate: { source: \"rtsp://a:b@gate\", user: relay, password: \"12345\" } }"
        let camera = try #require(try read(text).cameras.first)
        #expect(camera.user == "relay" && camera.password?.reveal() == "12345")
    }

    @Test(arguments: ["true", "yes", "on", "True"])
    func `on-demand takes YAML's words for yes`(word: String) throws {
        let text = "cameras: { gate: { source: rtsp://gate, on-demand: \(word) } }"
        #expect(try read(text).cameras.first?.onDemand == true)
    }

    @Test func `an address is kept on loopback when it has to be`() throws {
        let everywhere = try #require(try read("listen: { https: \":8443\" }").listen.https)
        #expect(everywhere.onLoopback.description == "127.0.0.1:8443")
        let other = try #require(try read("listen: { https: \"192.0.2.1:9000\" }").listen.https)
        #expect(other.onLoopback.description == "127.0.0.1:9000")
        let v6 = try #require(try read("listen: { https: \"[::1]:8443\" }").listen.https)
        #expect(v6.onLoopback.description == "[::1]:8443")
    }
}

/// The rule for camera names, which are URL paths.
struct CameraNameTests {
    @Test(arguments: ["gate", "yard/gate-north", "a.b_c-D9/1", "x", "...", "whepx", String(repeating: "a", count: 128)])
    func `letters, digits, dot, underscore, hyphen, and slashes between parts make a name`(name: String) {
        #expect(CameraName.problem(with: name) == nil)
    }

    @Test(arguments: [
        ("", "is empty"), ("/gate", "has an empty part"), ("gate/", "has an empty part"), ("a//b", "has an empty part"),
        (".", "has a part `.`"), ("a/../b", "has a part `..`"),
        ("gate north", "has characters that are not allowed in a name"),
        ("tür", "has characters that are not allowed in a name"),
        ("a%2Fb", "has characters that are not allowed in a name"),
        ("a\\b", "has characters that are not allowed in a name"),
        ("a\u{0}", "has characters that are not allowed in a name"),
        (String(repeating: "a", count: 129), "is longer than 128 bytes"), ("api", "uses the reserved word `api`"),
        ("api/v1", "uses the reserved word `api`"), ("gate/whep", "uses the reserved word `whep`"),
        ("gate/ws", "uses the reserved word `ws`"), ("index.m3u8", "uses the reserved word `index.m3u8`"),
        ("metrics", "uses the reserved word `metrics`"), ("healthz", "uses the reserved word `healthz`"),
        ("preflight", "uses the reserved word `preflight`"), ("firewall", "uses the reserved word `firewall`"),
        ("gate/snapshot.jpg", "uses the reserved word `snapshot.jpg`"), ("-", "uses the reserved word `-`"),
    ])
    func `anything that would be another URL is refused`(name: String, problem: String) {
        #expect(CameraName.problem(with: name) == problem)
    }
}
