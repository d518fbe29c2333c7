import DTLS
import TestSupport
import Testing
import Wire

/// Browsers' ClientHello with an X25519MLKEM768 key share does not fit into one datagram (RFC 6347 §4.2.3).
@Suite struct PostQuantumHelloTests {
    /// How the two fragments arrive.
    enum Arrival: CaseIterable {
        case inOrder, reversed, inOneDatagram, firstRepeated, firstLostThenBoth, overlapping
    }

    @Test(arguments: Arrival.allCases)
    func `a hello of 1389 bytes in two fragments draws the server's whole flight`(arrival: Arrival) throws {
        let server = try Self.server()
        let hello = Self.hello()
        #expect(hello.count == 1_389)
        let (first, second) = (hello.fragment(0..<1_150, record: 0), hello.fragment(1_150..<1_389, record: 1))
        let arriving: [[UInt8]] =
            switch arrival {
            case .inOrder: [first, second]
            case .reversed: [second, first]
            case .inOneDatagram: [first + second]
            case .firstRepeated: [first, hello.fragment(0..<1_150, record: 2), second]
            case .firstLostThenBoth:
                [second, hello.fragment(0..<1_150, record: 2), hello.fragment(1_150..<1_389, record: 3)]
            case .overlapping: [hello.fragment(0..<700, record: 0), hello.fragment(600..<1_389, record: 1)]
            }
        var outgoing: [[UInt8]] = []
        for datagram in arriving { server.receive(datagram[...], at: .zero, into: &outgoing) }
        // ServerHello, Certificate, ServerKeyExchange, CertificateRequest, ServerHelloDone (RFC 5246 §7.4).
        #expect(outgoing.flatMap(handshakeTypes) == [2, 11, 12, 13, 14])
        #expect(outgoing.allSatisfy { $0.count <= DTLSSession.maximumDatagram })
        #expect(server.state == .connecting)
        #expect(server.lastError == nil)
    }

    @Test func `a repeated hello draws the flight again, at most every 50 ms`() throws {
        let server = try Self.server()
        let hello = Self.hello()
        var outgoing: [[UInt8]] = []
        func send(record: UInt8, at now: Instant) {
            server.receive(hello.fragment(0..<1_150, record: record)[...], at: now, into: &outgoing)
            server.receive(hello.fragment(1_150..<1_389, record: record + 1)[...], at: now, into: &outgoing)
        }
        send(record: 0, at: .zero)
        #expect(outgoing.flatMap(handshakeTypes) == [2, 11, 12, 13, 14])
        for record in UInt8(1)...20 { send(record: 2 * record, at: .zero + .milliseconds(2 * Int(record))) }
        #expect(outgoing.flatMap(handshakeTypes).count == 5)
        send(record: 50, at: .zero + .milliseconds(90))
        #expect(outgoing.flatMap(handshakeTypes) == [2, 11, 12, 13, 14, 2, 11, 12, 13, 14])
    }

    @Test func `half a hello draws nothing, however often it comes`() throws {
        let server = try Self.server()
        var outgoing: [[UInt8]] = []
        for record in UInt8(0)..<20 {
            let half = Self.hello().fragment(0..<1_150, record: record)
            server.receive(half[...], at: .zero + .milliseconds(100 * Int(record)), into: &outgoing)
        }
        #expect(outgoing.isEmpty)
        #expect(server.state == .connecting)
    }

    static func server() throws -> DTLSSession {
        let text = "sha-256 " + Array(repeating: "AB", count: 32).joined(separator: ":")
        return DTLSSession(
            context: try #require(Link.context),
            fingerprints: [try #require(Fingerprint(text))],
            at: .zero
        )
    }

    /// A ClientHello as Chromium has made it since 2025, with its extensions in one of the orders it shuffles them into.
    static func hello() -> HandshakeMessage {
        var random = SeededGenerator(seed: 7)
        func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) } }
        func short(_ value: Int) -> [UInt8] {
            [UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value)]
        }
        func words(_ values: [Int]) -> [UInt8] { short(2 * values.count) + values.flatMap(short) }
        func ext(_ type: Int, _ content: [UInt8]) -> [UInt8] { short(type) + short(content.count) + content }
        // An ML-KEM-768 encapsulation key has 1,184 bytes, an X25519 key 32.
        let shares = short(0x11EC) + short(1_216) + bytes(1_216) + short(0x001D) + short(32) + bytes(32)
        let extensions =
            ext(23, []) + ext(0xFF01, [0]) + ext(51, short(shares.count) + shares)
            + ext(10, words([0x11EC, 0x001D, 0x0017, 0x0018])) + ext(43, [4, 0xFE, 0xFC, 0xFE, 0xFD])
            + ext(14, short(4) + short(7) + short(1) + [0])
            + ext(13, words([0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601])) + ext(11, [1, 0])
        let suites = words([0x1301, 0xC02B, 0xC02F, 0xCCA9, 0xCCA8, 0xC00A, 0xC014])
        let body = [0xFE, 0xFD] + bytes(32) + [0, 0] + suites + [1, 0] + short(extensions.count) + extensions
        return HandshakeMessage(type: 1, number: 0, body: body)
    }
}

/// A handshake message in plaintext, to be cut into fragments by hand (RFC 6347 §4.2.2).
struct HandshakeMessage {
    var type: UInt8
    var number: UInt16
    var body: [UInt8]

    /// Length of the body: what fragments count.
    var count: Int { body.count }

    /// A record of epoch 0 that holds the bytes `range` of the body.
    func fragment(_ range: Range<Int>, record: UInt8, statedLength: Int? = nil) -> [UInt8] {
        func three(_ value: Int) -> [UInt8] { [16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) } }
        var content = [type] + three(statedLength ?? body.count)
        content.append(number)
        content += three(range.lowerBound) + three(range.count) + body[range]
        var bytes: [UInt8] = [22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, record]
        bytes.append(UInt16(truncatingIfNeeded: content.count))
        return bytes + content
    }
}

/// The types of the handshake messages in a plaintext datagram, those of fragments behind a message's first left out.
func handshakeTypes(_ datagram: [UInt8]) -> [UInt8] {
    var types: [UInt8] = []
    var offset = 0
    while offset + 25 <= datagram.count, datagram[offset] == 22 {
        if datagram[(offset + 19)..<(offset + 22)].allSatisfy({ $0 == 0 }) { types.append(datagram[offset + 13]) }
        offset += 13 + Int(datagram[offset + 11]) << 8 + Int(datagram[offset + 12])
    }
    return types
}
