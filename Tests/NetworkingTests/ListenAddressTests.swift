import Testing
import Wire

@testable import Networking

@Suite struct ListenAddressTests {
    @Test(arguments: [
        (":8189", ":8189", true), (":8189", ":3478", false), (":8189", "203.0.113.10:8189", true),
        ("203.0.113.10:8189", "203.0.113.10:8189", true), ("203.0.113.10:8189", "203.0.113.11:8189", false),
        ("0.0.0.0:8189", "203.0.113.11:8189", true), ("0.0.0.0:8189", "[2001:db8::1]:8189", false),
        ("[::]:8189", "[2001:db8::1]:8189", true), (":0", ":0", false),
    ])
    func `the same number on different addresses is no clash`(one: String, two: String, clash: Bool) throws {
        let (one, two) = (try ListenAddress(parsing: one), try ListenAddress(parsing: two))
        #expect(one.clashes(with: two) == clash && two.clashes(with: one) == clash)
    }

    @Test func `what listens on loopback is not offered under an address that others know`() throws {
        let advertised = try #require(IPAddress("203.0.113.10"))
        for (text, own) in [("127.0.0.1:7", "127.0.0.1:7"), ("[::1]:7", "[::1]:7")] {
            let candidates = InterfaceAddresses.candidates(
                for: try ListenAddress(parsing: text),
                advertise: [advertised]
            )
            #expect(candidates.map(\.description) == [own])
        }
    }

    @Test(arguments: [":8189", "127.0.0.1:8189", "0.0.0.0:0", "[::]:8189", "[2001:db8::1]:65535"])
    func `an address is read and shown alike`(text: String) throws {
        #expect(try ListenAddress(parsing: text).description == text)
    }

    @Test(arguments: [
        "", "8189", ":", ":+1", ":65536", ":-1", "::1:8189", "[127.0.0.1]:1", "host:1", "[::1]", "[]:1", ": 1",
    ])
    func `anything else is refused with an example`(text: String) {
        let error = #expect(throws: NodeError.self) { try ListenAddress(parsing: text) }
        #expect(error?.remedy.contains("127.0.0.1:8189") == true)
    }

    @Test func `a loopback listener offers loopback, a wildcard one everything but`() throws {
        let advertised = try required(IPAddress("203.0.113.10"))
        let loopback = InterfaceAddresses.candidates(for: try ListenAddress(parsing: "127.0.0.1:7"), advertise: [])
        #expect(loopback.map(\.description) == ["127.0.0.1:7"])
        let all = InterfaceAddresses.candidates(
            for: try ListenAddress(parsing: ":7"),
            advertise: [advertised, advertised]
        )
        #expect(all.first?.description == "203.0.113.10:7")
        #expect(all.allSatisfy { !$0.ip.isLoopback && !$0.ip.isLinkLocal && $0.port == 7 })
        #expect(Set(all).count == all.count)
    }

    @Test(arguments: [false, true])
    func `of what a machine has, bridges, link-local addresses and loopback never get out`(wantsLoopback: Bool) throws {
        let interfaces = [
            ("lo", "127.0.0.1"), ("lo", "::1"), ("eth0", "192.168.1.5"), ("eth0", "2001:db8::5"), ("eth0", "fe80::1"),
            ("eth0", "169.254.7.7"), ("docker0", "172.17.0.1"), ("docker0", "fe80::42"), ("br-4f1ce2aa", "172.18.0.1"),
            ("br-4f1ce2aa", "fd00:18::1"), ("veth1a2b", "172.17.0.9"), ("virbr0", "192.168.122.1"),
            ("cni0", "10.244.0.1"), ("flannel.1", "10.244.0.0"), ("wg0", "10.8.0.1"), ("eth1", "192.168.1.5"),
            ("eth2", "0.0.0.0"), ("eth3", "fdc3::7"),
        ]
        let all = try interfaces.map { ($0.0, try required(IPAddress($0.1))) }
        let shown = InterfaceAddresses.reachable(all, includingLoopback: wantsLoopback).map(\.description)
        let loopback = wantsLoopback ? ["127.0.0.1", "::1"] : []
        #expect(shown == loopback + ["192.168.1.5", "2001:db8::5", "10.8.0.1", "fdc3::7"])
    }

    @Test(arguments: [
        ("docker0", true), ("br-3f2a", true), ("veth12", true), ("eth0", false), ("br0", false), ("wg0", false),
    ])
    func `interfaces of containers are left out`(name: String, isVirtual: Bool) {
        #expect(InterfaceAddresses.isVirtual(name) == isVirtual)
    }
}
