import Media
import TestSupport
import Testing
import Wire

@testable import RTP

@Suite struct SRTPTests {
    static func bytes(_ text: String) throws -> [UInt8] { try #require([UInt8](hexadecimal: text)) }

    static func pair(_ profile: SRTPProfile) throws -> (SRTPSender, SRTPReceiver) {
        let material = (UInt8(0)..<30).map { $0 }
        let key = Array(material[..<16])
        let salt = Array(material[16..<(16 + profile.saltLength)])
        return (
            try SRTPSender(profile: profile, masterKey: key, masterSalt: salt),
            try SRTPReceiver(profile: profile, masterKey: key, masterSalt: salt)
        )
    }

    static func protect(
        _ sender: SRTPSender,
        _ packet: [UInt8],
        headerLength: Int = 12,
        isRetransmission: Bool = false
    ) -> [UInt8] {
        var buffer = packet + [UInt8](repeating: 0, count: sender.profile.rtpTagLength)
        let length = buffer.withUnsafeMutableBytes {
            sender.protectRTP(
                $0,
                headerLength: headerLength,
                count: packet.count,
                isRetransmission: isRetransmission
            )
        }
        return Array(buffer.prefix(length))
    }

    static func packet(_ sequence: UInt16, ssrc: UInt32 = 7, payload: [UInt8] = [1, 2, 3, 4, 5]) -> [UInt8] {
        var packet: [UInt8] = [0x80, 96]
        packet.append(sequence)
        packet.append(UInt32(sequence) * 3_000)
        packet.append(ssrc)
        return packet + payload
    }

    @Test func `RFC 3711 B.2: AES counter mode key stream`() throws {
        let keys = SRTPKeys(
            cipherKey: try Self.bytes("2B7E151628AED2A6ABF7158809CF4F3C"),
            authenticationKey: [],
            salt: try Self.bytes("F0F1F2F3F4F5F6F7F8F9FAFBFCFD")
        )
        let cipher = try SRTPCipher(.aes128CMHMACSHA1_80, keys, encrypts: true)
        var stream = [UInt8](repeating: 0, count: 48)
        let isSealed = stream.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.map { cipher.seal($0, clear: 0, count: 48, ssrc: 0, index: 0) } ?? false
        }
        #expect(isSealed)
        let expected =
            "e03ead0935c95e80e166b16dd92b4eb4d23513162b02d0f72a43a2fe4a5f97ab41e95b3bb0a2e8dd477901e4fca894c0"
        #expect(stream.hexadecimal == expected)
    }

    @Test(arguments: [
        (UInt8(0), 16, "c61e7a93744f39ee10734afe3ff7a087"), (1, 20, "cebe321f6ff7716b6fd4ab49af256a156d38baa4"),
        (2, 14, "30cbbc08863d8c85d49db34a9ae1"), (3, 16, "4c1aa45a81f73d61c800bbb00fbb1eaa"),
        (4, 20, "8d54534feb49ae8e7993a6bd0b844fc323a93dfd"), (5, 14, "9581c7ad87b3e530bf3e4454a8b3"),
    ])
    func `RFC 3711 B.3: key derivation`(label: UInt8, count: Int, expected: String) throws {
        let key = try Self.bytes("E1F97A0D3E018BE0D64FA32C06DE4139")
        let salt = try Self.bytes("0EC675AD498AFEEBB6960B3AABE6")
        #expect(try SRTPKeys.derive(label, count, key, salt).hexadecimal == expected)
    }

    static func rfc7714Keys() throws -> SRTPKeys {
        SRTPKeys(
            cipherKey: (UInt8(0)..<16).map { $0 },
            authenticationKey: [],
            salt: Array("Quid pro quo".utf8)
        )
    }

    @Test func `RFC 7714 §16.1.1: AES-128-GCM of an RTP packet, both ways`() throws {
        let header = try Self.bytes("8040f17b8041f8d35501a0b2")
        let plain = Array("Gallia est omnis divisa in partes tres".utf8)
        let expected =
            "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce"
        var packet = header + plain + [UInt8](repeating: 0, count: 16)
        let count = header.count + plain.count
        let sender = try SRTPCipher(.aeadAES128GCM, try Self.rfc7714Keys(), encrypts: true)
        let receiver = try SRTPCipher(.aeadAES128GCM, try Self.rfc7714Keys(), encrypts: false)
        try packet.withUnsafeMutableBufferPointer { buffer in
            let start = try #require(buffer.baseAddress)
            #expect(sender.seal(start, clear: 12, count: count, ssrc: 0x5501_A0B2, index: 0xF17B))
        }
        #expect(packet.prefix(12).elementsEqual(header))
        #expect(packet[12...].hexadecimal == expected)
        try packet.withUnsafeMutableBufferPointer { buffer in
            let start = try #require(buffer.baseAddress)
            try receiver.open(start, clear: 12, count: count, ssrc: 0x5501_A0B2, index: 0xF17B)
        }
        #expect(packet[12..<count].elementsEqual(plain))
    }

    @Test func `RFC 7714 §17.1: AES-128-GCM of an RTCP packet`() throws {
        let plain = try Self.bytes(
            "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef"
        )
        let expected =
            "63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275bc84aa45896cf4d2fc5abf87245d9eade"
        var packet = plain + [UInt8](repeating: 0, count: 16)
        let cipher = try SRTPCipher(.aeadAES128GCM, try Self.rfc7714Keys(), encrypts: true)
        try packet.withUnsafeMutableBufferPointer { buffer in
            let start = try #require(buffer.baseAddress)
            #expect(
                cipher.seal(
                    start,
                    clear: 8,
                    count: plain.count,
                    ssrc: 0x4D61_7273,
                    index: 0x5D4,
                    trailer: 0x8000_05D4
                )
            )
        }
        #expect(packet[8...].hexadecimal == expected)
    }

    /// Made with libsrtp 2: key and salt 00 01 02 …, one header extension, sequence numbers over the wrap.
    static let foreign: [(SRTPProfile, rtp: [String], rtcp: [String])] = [
        (
            .aeadAES128GCM,
            [
                "9060fffe01020304cafebabebede000110aa0000a0819cf456a82bbb016b2fe13085bf28f48367e00e20163108b531d65931ab808d761259",
                "9060ffff01020304cafebabebede000110aa00004baec066b5471158a8ae9d8aa7986f5bb486ffaaf357164ba0707234e4eccb5748b06cc7",
                "9060000001020304cafebabebede000110aa00005f9a93326191af55b5edd90c6ad9ba8b1f2baf4b06fb3c8ee1bf9b66344f243727949d5d",
                "9060000101020304cafebabebede000110aa000069566a50b24cee5b1ac1269980c242216010238190631dfe7f161a5ea0c125ae103546c5",
            ],
            [
                "80c90001cafebabe4ad327101055f535d53e3c67a3ae3d04d00ea7b249e715408635d80a80000001",
                "80c90001cafebabe48312e48ff9f6843f11e35ae80f556bb23d15e6d115695bde3e94cc280000002",
            ]
        ),
        (
            .aes128CMHMACSHA1_80,
            [
                "9060fffe01020304cafebabebede000110aa00004500811441395af89f9381baafd893b9d29235b1a64c9238ab189b03e726",
                "9060ffff01020304cafebabebede000110aa00001747f95ff1fd40b48e1e9f06ad217026238edfdbc77e3a4c6b15aeb06c3e",
                "9060000001020304cafebabebede000110aa00004c149497feabca9f246628fa3406ae14a1627ef40af2890d484b60c8ebd3",
                "9060000101020304cafebabebede000110aa000080d3f236566b8af42c14800ba1f9868e11a5c8f094fae89339f71743f97a",
            ],
            [
                "80c90001cafebabe07ae7a099636901dc04c650c800000017f182a7e1127fe983850",
                "80c90001cafebabebbe591da1a89fbddb2242d3a80000002ad9b29018a17700cb7f8",
            ]
        ),
    ]

    @Test(arguments: SRTPProfile.allCases)
    func `libsrtp makes and reads the same bytes, over the wrap of the sequence number`(profile: SRTPProfile) throws {
        let vectors = try #require(Self.foreign.first { $0.0 == profile })
        let (sender, receiver) = try Self.pair(profile)
        for (text, sequence) in zip(vectors.rtp, [UInt16(65_534), 65_535, 0, 1]) {
            var plain: [UInt8] = [0x90, 0x60]
            plain.append(sequence)
            plain += try Self.bytes("01020304cafebabebede000110aa0000")
            plain += (UInt8(0)..<20).map { $0 }
            #expect(Self.protect(sender, plain, headerLength: 20).hexadecimal == text)
            #expect(try receiver.unprotectRTP(try Self.bytes(text)) == plain)
        }
        let report = try Self.bytes("80c90001cafebabe81ce0002cafebabe12345678")
        for text in vectors.rtcp {
            #expect(sender.protectRTCP(report).hexadecimal == text)
            #expect(try receiver.unprotectRTCP(try Self.bytes(text)) == report)
        }
    }

    @Test(arguments: SRTPProfile.allCases)
    func `the receiver survives the wrap with losses and reordering around it`(profile: SRTPProfile) throws {
        let (sender, receiver) = try Self.pair(profile)
        let sequences: [UInt16] = [65_500, 65_530, 65_533, 2, 5, 40]
        let protected = sequences.map { Self.protect(sender, Self.packet($0)) }
        for index in [0, 1, 3, 2, 5, 4] {
            #expect(try receiver.unprotectRTP(protected[index]) == Self.packet(sequences[index]))
        }
    }

    @Test(arguments: SRTPProfile.allCases)
    func `three cycles of sequence numbers stay in step`(profile: SRTPProfile) throws {
        let (sender, receiver) = try Self.pair(profile)
        var sequence: UInt16 = 1_000
        for _ in 0..<20 {
            let packet = Self.packet(sequence)
            #expect(try receiver.unprotectRTP(Self.protect(sender, packet)) == packet)
            sequence &+= 10_000
        }
    }

    @Test(arguments: SRTPProfile.allCases)
    func `a replayed, an old and a tampered packet are refused`(profile: SRTPProfile) throws {
        let (sender, receiver) = try Self.pair(profile)
        let first = Self.protect(sender, Self.packet(1))
        let second = Self.protect(sender, Self.packet(2))
        let late = Self.protect(sender, Self.packet(400))
        for index in second.indices {
            var bad = second
            bad[index] ^= 0x10
            #expect(throws: SRTPError.self) { try receiver.unprotectRTP(bad) }
        }
        #expect(try receiver.unprotectRTP(second) == Self.packet(2))
        #expect(throws: SRTPError.replayed) { try receiver.unprotectRTP(second) }
        #expect(try receiver.unprotectRTP(late) == Self.packet(400))
        #expect(throws: SRTPError.replayed) { try receiver.unprotectRTP(first) }

        let report = RTCPPacket.serialize([.pictureLossIndication(sender: 1, media: 2)])
        let protected = sender.protectRTCP(report)
        for index in protected.indices {
            var bad = protected
            bad[index] ^= 0x01
            #expect(throws: SRTPError.self) { try receiver.unprotectRTCP(bad) }
        }
        #expect(try receiver.unprotectRTCP(protected) == report)
        #expect(throws: SRTPError.replayed) { try receiver.unprotectRTCP(protected) }
    }

    @Test(arguments: SRTPProfile.allCases)
    func `no sequence number is protected twice, except the same bytes again`(profile: SRTPProfile) throws {
        let (sender, _) = try Self.pair(profile)
        let first = Self.protect(sender, Self.packet(10))
        #expect(first.count == 17 + profile.rtpTagLength)
        #expect(Self.protect(sender, Self.packet(10, payload: [9])).isEmpty)
        #expect(Self.protect(sender, Self.packet(9)).isEmpty)
        #expect(!Self.protect(sender, Self.packet(11)).isEmpty)
        #expect(Self.protect(sender, Self.packet(10), isRetransmission: true) == first)
        #expect(Self.protect(sender, Self.packet(12), isRetransmission: true).isEmpty)
    }

    @Test(arguments: SRTPProfile.allCases)
    func `all short lengths are refused before anything else`(profile: SRTPProfile) throws {
        let (sender, receiver) = try Self.pair(profile)
        for length in 0...64 {
            for fill in [UInt8(0), 0x80, 0x9F, 0xFF] {
                let input = [UInt8](repeating: fill, count: length)
                #expect(throws: SRTPError.self) { try receiver.unprotectRTP(input) }
                #expect(throws: SRTPError.self) { try receiver.unprotectRTCP(input) }
            }
        }
        var tight = Self.packet(1)
        let noRoom = tight.withUnsafeMutableBytes { sender.protectRTP($0, headerLength: 12, count: $0.count) }
        #expect(noRoom == 0)
        #expect(sender.protectRTCP([0x80, 200, 0]).isEmpty)
    }

    @Test func `keys of the wrong length are refused`() {
        #expect(throws: SRTPError.keyLength) {
            try SRTPSender(profile: .aeadAES128GCM, masterKey: [1], masterSalt: [2])
        }
        #expect(throws: SRTPError.keyLength) {
            try SRTPReceiver(
                profile: .aes128CMHMACSHA1_80,
                masterKey: [UInt8](repeating: 0, count: 16),
                masterSalt: [UInt8](repeating: 0, count: 12)
            )
        }
        #expect(SRTPProfile.aeadAES128GCM.keyingMaterialLength == 56)
        #expect(SRTPProfile.aes128CMHMACSHA1_80.keyingMaterialLength == 60)
    }

    @Test(arguments: SRTPProfile.allCases)
    func `corrupted packets never get through and never trap`(profile: SRTPProfile) throws {
        let (sender, receiver) = try Self.pair(profile)
        let rtp = Self.protect(sender, Self.packet(77))
        let rtcp = sender.protectRTCP(RTCPPacket.serialize([.goodbye(ssrcs: [1])]))
        sweep([rtp], mutations: 3_000) { input in
            if input != rtp, (try? receiver.unprotectRTP(input)) != nil { Issue.record("forged \(input)") }
        }
        sweep([rtcp], mutations: 3_000) { input in
            if input != rtcp, (try? receiver.unprotectRTCP(input)) != nil { Issue.record("forged \(input)") }
        }
    }

    @Test(arguments: UInt64(0)..<50) func `a window accepts no index twice`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var window = ReplayWindow()
        var accepted: Set<UInt64> = []
        var highest: UInt64 = 0
        for _ in 0..<2_000 {
            let index = UInt64(max(0, Int(highest) + Int.random(in: -200...40, using: &random)))
            if window.accepts(index) {
                #expect(accepted.insert(index).inserted)
                window.insert(index)
                highest = max(highest, index)
            } else {
                #expect(accepted.contains(index) || highest - index >= 128)
            }
        }
    }
}
