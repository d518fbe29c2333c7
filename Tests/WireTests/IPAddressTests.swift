import TestSupport
import Testing
import Wire

/// Text forms in and out (RFC 4291 §2.2, RFC 5952 §4), and what kind of address it is.
struct IPAddressTests {
    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"),
        ("2001:db8::1", "2001:db8::1"), ("2001:DB8:0:0:8:800:200C:417A", "2001:db8::8:800:200c:417a"),
        ("FF01:0:0:0:0:0:0:101", "ff01::101"), ("0:0:0:0:0:0:0:1", "::1"), ("::", "::"), ("::1", "::1"),
        ("2001:0db8::0001", "2001:db8::1"), ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"), ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"), ("1::", "1::"),
        ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
    ])
    func `an address is read in every text form and written in the canonical one`(
        text: String,
        canonical: String
    ) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == canonical)
        #expect(IPAddress(canonical) == address)
        #expect(IPAddress(bytes: address.bytes) == address)
    }

    @Test(arguments: [
        "", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.", ".1.2.3", "1.2.3.-4", "1.2.3.+4", " 1.2.3.4", "1.2.3.4 ",
        "01.2.3.4", "1.2.3.0004", "0x7f.0.0.1", "localhost", "１.2.3.4",
        ":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8",
        "12345::", "g::", "::-0", "::+1", "fe80::1%eth0", "[::1]", "1.2.3.4::", "::1.2.3", "::1.2.3.4:5", "1:2",
    ])
    func `what is no address is refused`(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func `an IPv4-mapped IPv6 address is the IPv4 address`() {
        #expect(IPAddress("::ffff:192.0.2.1") == IPAddress("192.0.2.1"))
        #expect(IPAddress("::ffff:c000:201")?.isIPv6 == false)
        #expect(
            IPAddress(bytes: [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF, 10, 0, 0, 1]) == IPAddress("10.0.0.1")
        )
    }

    @Test func `an IPv6 address whose low words look like IPv4 stays another address`() {
        #expect(IPAddress("::192.0.2.1") != IPAddress("192.0.2.1"))
        #expect(IPAddress("::192.0.2.1")?.description == "::c000:201")
    }

    @Test(arguments: [0, 1, 3, 5, 8, 15, 17])
    func `only 4 or 16 bytes make an address`(count: Int) {
        #expect(IPAddress(bytes: [UInt8](repeating: 1, count: count)) == nil)
    }

    @Test(arguments: [
        ("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("::1", "::1"),
    ])
    func `limits count an IPv4 address by itself and an IPv6 one by its network`(text: String, counted: String) {
        #expect(IPAddress(text)?.subscriber == IPAddress(counted))
    }

    @Test(arguments: [
        ("127.0.0.1", true), ("127.255.255.254", true), ("::1", true), ("::ffff:127.0.0.1", true), ("128.0.0.1", false),
        ("::2", false), ("0.0.0.0", false), ("10.0.0.127", false),
    ])
    func `loopback is 127 slash 8 and the IPv6 one`(text: String, isLoopback: Bool) {
        #expect(IPAddress(text)?.isLoopback == isLoopback)
    }

    @Test(arguments: [
        ("169.254.0.1", true), ("fe80::1", true), ("febf::1", true), ("fec0::1", false), ("169.253.0.1", false),
    ])
    func `link-local is 169 254 slash 16 and fe80 slash 10`(text: String, isLinkLocal: Bool) {
        #expect(IPAddress(text)?.isLinkLocal == isLinkLocal)
    }

    @Test func `unspecified is all zeroes in both families`() {
        #expect(IPAddress("0.0.0.0")?.isUnspecified == true)
        #expect(IPAddress("::")?.isUnspecified == true)
        #expect(IPAddress("::1")?.isUnspecified == false)
    }

    @Test func `an address with a port puts IPv6 in brackets`() throws {
        let v4 = TransportAddress(IPAddress(v4: 0xC000_0201), port: 5_000)
        let v6 = TransportAddress(try #require(IPAddress("2001:db8::1")), port: 5_000)
        #expect(v4.description == "192.0.2.1:5000")
        #expect(v6.description == "[2001:db8::1]:5000")
        #expect(FiveTuple(.udp, local: v6, remote: v4).description == "udp 192.0.2.1:5000")
    }

    @Test(arguments: 1...20)
    func `every address survives the way through its text`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            // Half of the words zero, so that runs of them occur.
            let words = (0..<8).map { _ in
                Bool.random(using: &random) ? 0 : UInt16.random(in: 0...0xFFFF, using: &random)
            }
            let bytes = words.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
            let address = IPAddress(bytes: Bool.random(using: &random) ? bytes : Array(bytes.prefix(4)))
            #expect(address.flatMap { IPAddress($0.description) } == address)
        }
    }

    @Test func `broken text never traps`() {
        let samples = ["192.0.2.1", "2001:db8::8:800:200c:417a", "64:ff9b::192.0.2.33", "::"].map { Array($0.utf8) }
        #expect(sweep(samples) { _ = IPAddress(String(decoding: $0, as: UTF8.self)) } > 4_000)
    }
}
