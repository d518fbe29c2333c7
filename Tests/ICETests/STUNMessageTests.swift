import Digests
import ICE
import TestSupport
import Testing
import Wire

@Suite struct STUNMessageTests {
    static let request = hex(
        "000100582112a442b7e7a701bc34d686fa87dfae 80220010 5354554e207465737420636c69656e74"
            + "00240004 6e0001ff 80290008 932ff9b151263b36 00060009 6576746a3a68367659 202020"
            + "00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2 80280004 e57a3bcf"
    )
    static let responseV4 = hex(
        "0101003c2112a442b7e7a701bc34d686fa87dfae 8022000b 7465737420766563746f7220"
            + "00200008 0001a147e112a643 00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004 c07d4c96"
    )
    static let responseV6 = hex(
        "010100482112a442b7e7a701bc34d686fa87dfae 8022000b 7465737420766563746f7220"
            + "00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
            + "00080014 a382954e4be67bf11784c97c8292c275bfe3ed41 80280004 c8fb0b4c"
    )
    static let longTerm = hex(
        "000100602112a44278ad3433c6ad72c029da412e 00060012 e3839ee38388e383aae38383e382afe382b9 0000"
            + "0015001c 662f2f3439396b39353464364f4c33346f4c39465354767936347341"
            + "0014000b 6578616d706c652e6f7267 00 00080014 f67024656dd64a3e02b8e0712e85c9a28ca89666"
    )
    static let password = Array("VOkJxbRl1RmTxUk/WvJxBt".utf8)

    @Test func `RFC 5769 section 2.1: the request parses and its integrity holds`() throws {
        let message = try STUNMessage(parsing: Self.request[...])
        #expect(message.class == .request)
        #expect(message.method == .binding)
        #expect(
            message.attributes == [
                .software("STUN test client"), .priority(0x6E00_01FF), .iceControlled(0x932F_F9B1_5126_3B36),
                .username("evtj:h6vY"),
            ]
        )
        #expect(message.hasFingerprint)
        #expect(message.hasValidIntegrity(key: Self.password))
        #expect(!message.hasValidIntegrity(key: Array("wrong".utf8)))
        #expect(STUNMessage.localUfrag(of: Self.request[...]) == "evtj")
    }

    @Test func `RFC 5769 sections 2.2 and 2.3: the responses reveal the mapped address`() throws {
        let v4 = try STUNMessage(parsing: Self.responseV4[...])
        #expect(v4.class == .successResponse)
        #expect(v4.xorMappedAddress?.description == "192.0.2.1:32853")
        #expect(v4.hasValidIntegrity(key: Self.password))
        let v6 = try STUNMessage(parsing: Self.responseV6[...])
        #expect(v6.xorMappedAddress?.description == "[2001:db8:1234:5678:11:2233:4455:6677]:32853")
        #expect(v6.hasValidIntegrity(key: Self.password))
        #expect(STUNMessage.localUfrag(of: Self.responseV4[...]) == nil)
    }

    @Test func `RFC 5769 section 2.4: a long-term credential's integrity holds`() throws {
        let message = try STUNMessage(parsing: Self.longTerm[...])
        #expect(message.username == "マトリックス")
        #expect(message.hasValidIntegrity(key: Digest.md5(Array("マトリックス:example.org:TheMatrIX".utf8))))
        #expect(message.attributes.contains(.realm("example.org")))
        #expect(message.attributes.contains(.nonce("f//499k954d6OL34oL9FSTvy64sA")))
    }

    @Test func `every attribute survives a round trip`() throws {
        let id = STUNTransactionID(high: 0x0102_0304, low: 0x0506_0708_090A_0B0C)
        for messageClass in [STUNMessage.Class.request, .indication, .successResponse, .errorResponse] {
            let attributes: [STUNAttribute] = [
                .username("abcd:efgh"), .priority(7), .useCandidate, .iceControlling(9), .iceControlled(10),
                .errorCode(487, reason: "Role Conflict"), .software("x"), .unknownAttributes([1, 0x7777, 3]),
                .xorMappedAddress(address("198.51.100.7", 65_535)), .xorMappedAddress(address("2001:db8::7", 1)),
                .mappedAddress(address("198.51.100.7", 9)), .other(type: 0x7F00, value: [1, 2, 3]),
                .realm("signalbox"), .nonce("0123"), .channelNumber(0x4001), .lifetime(600),
                .xorPeerAddress(address("203.0.113.10", 8_189)), .xorPeerAddress(address("2001:db8::9", 1)),
                .xorRelayedAddress(address("198.19.0.1", 49_152)), .data([1, 2, 3, 4, 5]),
                .requestedAddressFamily(2), .requestedTransport(17), .evenPort(reservesNext: true),
            ]
            let message = STUNMessage(
                messageClass,
                .init(rawValue: 0xABC),
                transactionID: id,
                attributes: attributes
            )
            let parsed = try STUNMessage(parsing: message.serialized(integrityKey: [1, 2, 3])[...])
            #expect(parsed.class == messageClass)
            #expect(parsed.method.rawValue == 0xABC)
            #expect(parsed.transactionID == id)
            #expect(parsed.attributes == attributes)
            #expect(parsed.hasValidIntegrity(key: [1, 2, 3]))
        }
    }

    @Test func `one flipped bit anywhere is noticed`() {
        // Without its type FINGERPRINT is an unknown attribute behind the integrity, which is ignored.
        let fingerprintType = (Self.request.count - 8) * 8..<(Self.request.count - 6) * 8
        for bit in 0..<Self.request.count * 8 where !fingerprintType.contains(bit) {
            var damaged = Self.request
            damaged[bit / 8] ^= 1 << (bit % 8)
            let accepted = (try? STUNMessage(parsing: damaged[...]))?.hasValidIntegrity(key: Self.password) ?? false
            #expect(!accepted, "bit \(bit)")
        }
    }

    @Test func `attributes behind the integrity are not believed`() throws {
        let id = STUNTransactionID(high: 1, low: 2)
        var bytes = STUNMessage(.request, transactionID: id, attributes: [.priority(1)])
            .serialized(integrityKey: [1], fingerprint: false)
        bytes += [0x00, 0x25, 0, 0]
        bytes.write(UInt16(bytes.count - 20), at: 2)
        let message = try STUNMessage(parsing: bytes[...])
        #expect(message.attributes == [.priority(1)])
        #expect(message.hasValidIntegrity(key: [1]))
    }

    @Test func `headers that are not STUN are refused`() {
        for text in [
            "", "00", String(repeating: "00", count: 19), "4001000021120000000000000000000000000000",
            "000100042112a442b7e7a701bc34d686fa87dfae", "000100022112a442b7e7a701bc34d686fa87dfae0000",
        ] {
            #expect(throws: STUNParseError.self) { try STUNMessage(parsing: hex(text)[...]) }
        }
        let many = STUNMessage(
            .request,
            transactionID: .init(high: 0, low: 0),
            attributes: Array(repeating: .useCandidate, count: 200)
        )
        #expect(throws: STUNParseError.tooManyAttributes) { try STUNMessage(parsing: many.serialized()[...]) }
    }

    @Test func `integrity and fingerprint do not count among the attributes that a message may have`() throws {
        let full = STUNMessage(
            .request,
            transactionID: STUNTransactionID(high: 1, low: 2),
            attributes: Array(repeating: .useCandidate, count: 32)
        )
        let parsed = try STUNMessage(parsing: full.serialized(integrityKey: [1, 2, 3])[...])
        #expect(parsed.attributes.count == 32 && parsed.hasValidIntegrity(key: [1, 2, 3]) && parsed.hasFingerprint)
    }

    @Test func `no prefix or corruption of a message traps`() {
        sweep([Self.request, Self.responseV4, Self.responseV6, Self.longTerm], mutations: 5_000) { bytes in
            _ = STUNMessage.localUfrag(of: bytes[...])
            let message = try STUNMessage(parsing: bytes[...])
            _ = message.hasValidIntegrity(key: Self.password)
            _ = message.serialized(integrityKey: Self.password)
        }
        // The fingerprint stops most corruptions; these have none.
        let bare = STUNMessage(
            .errorResponse,
            transactionID: .init(high: 1, low: 2),
            attributes: [
                .xorMappedAddress(address("2001:db8::7", 1)), .errorCode(420, reason: "no"), .unknownAttributes([1]),
                .username("a:b"), .iceControlled(1), .mappedAddress(address("192.0.2.1", 1)),
            ]
        ).serialized(fingerprint: false)
        sweep([bare], mutations: 20_000) { _ = try STUNMessage(parsing: $0[...]) }
    }
}

func hex(_ text: String) -> [UInt8] { [UInt8](hexadecimal: text) ?? [] }

func address(_ ip: String, _ port: UInt16) -> TransportAddress {
    TransportAddress(IPAddress(ip) ?? IPAddress(v4: 0), port: port)
}
