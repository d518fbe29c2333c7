import Relay
import TURN
import Testing
import Wire

@testable import Networking

@Suite struct ICEServerListTests {
    private func servers(
        advertise: [String] = [],
        media: String = ":8189",
        turn: String? = nil,
        host: String = "203.0.113.10",
        tlsPort: UInt16? = 443
    ) throws -> [ICEServer] {
        let list = ICEServerList(
            users: TURNUsers(
                credentials: RelayCredentials(secret: Array("a secret of more than twenty bytes".utf8))
            ),
            validity: .seconds(24 * 3_600),
            advertise: try advertise.map { try #require(IPAddress($0)) },
            media: try ListenAddress(parsing: media),
            turn: try turn.map { text throws(NodeError) in try ListenAddress(parsing: text) }
        )
        return list.servers(for: "v00abc", host: host, tlsPort: tlsPort, unixTime: 1_800_000_000)
    }

    /// Chromium, told of a STUN or TURN server by UDP at the media port, never completes a direct check to it.
    @Test func `the media port is named as a server by TCP only`() throws {
        let urls = try servers().flatMap(\.urls)
        #expect(urls == ["turn:203.0.113.10:8189?transport=tcp", "turns:203.0.113.10:443?transport=tcp"])
    }

    @Test func `a port of its own serves STUN and TURN by UDP and TCP`() throws {
        let urls = try servers(turn: ":3478", tlsPort: nil).map(\.urls)
        let relays = ["turn:203.0.113.10:3478?transport=udp", "turn:203.0.113.10:3478?transport=tcp"]
        #expect(urls == [["stun:203.0.113.10:3478"], relays])
    }

    @Test func `the customary port on an address of its own is named by that address`() throws {
        let (media, turn) = ("203.0.113.10:8189", "203.0.113.11:8189")
        let urls = try servers(media: media, turn: turn, tlsPort: nil).flatMap(\.urls)
        #expect(
            urls == [
                "stun:203.0.113.11:8189", "turn:203.0.113.11:8189?transport=udp",
                "turn:203.0.113.11:8189?transport=tcp",
            ]
        )
        #expect(
            try servers(media: media, turn: "203.0.113.10:3478", tlsPort: nil).first?.urls == ["stun:203.0.113.10:3478"]
        )
    }

    @Test(arguments: [
        (":8189", "[::1]:3478", "127.0.0.1", "[::1]:3478"), ("127.0.0.1:8189", "[::1]:3478", "127.0.0.1", "[::1]:3478"),
        ("127.0.0.1:8189", "127.0.0.1:3478", "localhost", "127.0.0.1:3478"),
        ("[::1]:8189", nil, "127.0.0.1", "[::1]:8189"), ("127.0.0.1:8189", nil, "::1", "127.0.0.1:8189"),
    ])
    func `what listens on loopback is named by the address it has there`(
        media: String,
        turn: String?,
        host: String,
        server: String
    ) throws {
        for advertise in [[], ["203.0.113.10"]] {
            let urls = try servers(advertise: advertise, media: media, turn: turn, host: host, tlsPort: nil)
                .flatMap(\.urls)
            #expect(urls.last == "turn:\(server)?transport=tcp")
            #expect(urls.allSatisfy { $0.contains(server) })
        }
    }

    @Test func `behind a name that may be a proxy's, an advertised address is named, and the name for TLS`() throws {
        let urls = try servers(advertise: ["2001:db8::5"], host: "cams.example").flatMap(\.urls)
        #expect(urls == ["turn:[2001:db8::5]:8189?transport=tcp", "turns:cams.example:443?transport=tcp"])
        #expect(
            try servers(host: "cams.example", tlsPort: nil).flatMap(\.urls) == ["turn:cams.example:8189?transport=tcp"]
        )
        #expect(
            try servers(host: "2001:db8::9", tlsPort: nil).flatMap(\.urls) == ["turn:[2001:db8::9]:8189?transport=tcp"]
        )
    }

    @Test func `credentials are good for a day and do not give the viewer's id away`() throws {
        let server = try #require(try servers().last)
        #expect(server.username?.hasPrefix("1800086400:") == true)
        #expect(server.username?.contains("v00abc") == false)
        #expect(server.credential?.utf8.count == 28)
    }
}
