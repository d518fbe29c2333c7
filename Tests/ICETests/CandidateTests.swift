import ICE
import TestSupport
import Testing
import Wire

@Suite struct CandidateTests {
    @Test(arguments: [
        "candidate:842163049 1 udp 1677729535 203.0.113.9 61002 typ srflx",
        "candidate:u0 1 udp 2130706431 192.0.2.1 8189 typ host",
        "candidate:a+/9 1 tcp 1518280447 2001:db8::5 9 typ host tcptype active",
        "candidate:1 2 udp 1 192.0.2.1 1 typ relay",
    ])
    func `a candidate is written as it was read`(_ text: String) throws {
        #expect(try Candidate(parsing: text).attribute == text)
        #expect(try Candidate(parsing: "a=" + text + "\r\n").attribute == text)
    }

    @Test func `extensions are skipped`() throws {
        let text = "candidate:1 1 UDP 99 203.0.113.9 61002 typ srflx raddr 10.0.0.5 rport 50112 generation 0 ufrag x9Qf"
        let candidate = try Candidate(parsing: text)
        #expect(candidate.kind == .serverReflexive)
        #expect(candidate.address == address("203.0.113.9", 61_002))
    }

    @Test func `names are reported, not resolved`() {
        #expect(throws: Candidate.ParseError.name("4f1ce2.local")) {
            try Candidate(parsing: "candidate:1 1 udp 2113937151 4f1ce2.local 61002 typ host")
        }
    }

    @Test(arguments: [
        "", "candidate:", "candidate:1 1 udp 2113937151 192.0.2.1 61002", "candidate:1 0 udp 1 192.0.2.1 1 typ host",
        "candidate:1 1 udp -1 192.0.2.1 1 typ host", "candidate:1 1 udp 4294967296 192.0.2.1 1 typ host",
        "candidate:1 1 udp 1 192.0.2.1 65536 typ host", "candidate:1 1 udp 1 192.0.2.1 1 typ moon",
        "candidate:1 1 tcp 1 192.0.2.1 1 typ host", "candidate:1 1 udp 1 ; 1 typ host",
    ])
    func `malformed candidates are refused`(_ text: String) {
        #expect(throws: Candidate.ParseError.malformed) { try Candidate(parsing: text) }
    }

    @Test func `priorities follow RFC 8445 section 5.1.2.1 and UDP beats TCP`() {
        #expect(Candidate.priority(.host, localPreference: 65_535) == 2_130_706_431)
        #expect(Candidate.priority(.relayed, localPreference: 65_535) == 16_777_215)
        let candidates = Candidate.hosts(
            udp: [address("192.0.2.1", 1), address("2001:db8::1", 1)],
            tcp: [address("192.0.2.1", 1)]
        )
        #expect(candidates.map(\.priority) == candidates.map(\.priority).sorted(by: >))
        #expect(candidates.last?.tcpType == .passive)
    }

    @Test func `no corruption of a candidate traps`() {
        let samples = [
            "candidate:1 1 tcp 99 203.0.113.9 61002 typ srflx raddr 10.0.0.5 rport 50112 tcptype passive",
            "candidate:1 1 udp 2113937151 4f1ce2.local 61002 typ host",
        ]
        sweep(samples.map { Array($0.utf8) }, mutations: 3_000) { bytes in
            _ = try Candidate(parsing: String(decoding: bytes, as: UTF8.self))
        }
    }
}
