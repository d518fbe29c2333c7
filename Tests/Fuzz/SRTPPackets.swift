import Wire

@testable import RTP

/// F7: SRTP and SRTCP with hostile headers under tags that are right, as only a client with the keys can make them.
enum Target: FuzzTarget {
    private static let key = (UInt8(0)..<16).map { $0 }
    private static let salt = (UInt8(16)..<30).map { $0 }

    static func seeds() -> [[UInt8]] {
        let packet: [UInt8] = [0x80, 96, 0, 5, 0, 0, 0, 9, 0, 0, 0, 7, 1, 2, 3, 4]
        let wrap: [UInt8] = [0x80, 96, 0xFF, 0xFE, 0, 0, 0, 9, 0, 0, 0, 7, 1, 2, 3, 4]
        let extended: [UInt8] = [
            0x91, 96, 0, 6, 0, 0, 0, 9, 0, 0, 0, 7, 0, 0, 0, 1, 0xBE, 0xDE, 0, 1, 0x10, 1, 0, 0, 5,
        ]
        let report: [UInt8] = [0x80, 201, 0, 1, 0, 0, 0, 7]
        return [UInt8(0), 1].flatMap { profile -> [[UInt8]] in
            [
                [profile] + Script.step(0, packet) + Script.step(0, packet) + Script.step(0, extended),
                [profile] + Script.step(0, wrap) + Script.step(4, packet) + Script.step(0, wrap),
                [profile] + Script.step(1, report) + Script.step(9, report) + Script.step(1, report),
                [profile] + Script.step(2, packet) + Script.step(3, report),
            ]
        }
    }

    static func run(_ input: [UInt8]) {
        var script = Script(input)
        let profile: SRTPProfile = (script.byte() ?? 0) & 1 == 0 ? .aeadAES128GCM : .aes128CMHMACSHA1_80
        guard let tools = Tools(profile, key, Array(salt.prefix(profile.saltLength))) else { return }
        // Bits 0–1: RTP, RTCP, RTP as it is, RTCP as it is; the rest: roll-over counter or SRTCP index.
        while let control = script.byte(), let piece = script.piece() {
            switch control & 3 {
            case 0: tools.rtp(piece, counter: UInt64(control >> 2 & 3))
            case 1: tools.rtcp(piece, index: UInt32(control >> 2))
            case 2: demand((try? tools.receiver.unprotectRTP(piece)) == nil || tools.has(piece), "no forgery passes")
            default: demand((try? tools.receiver.unprotectRTCP(piece)) == nil || tools.has(piece), "no forgery passes")
            }
        }
    }
}

/// A receiver, and the sender's ciphers without the sender's own care for indices.
private final class Tools {
    let profile: SRTPProfile
    let receiver: SRTPReceiver
    private let rtpCipher: SRTPCipher
    private let rtcpCipher: SRTPCipher
    /// Protected packets made so far.
    private var made: Set<[UInt8]> = []
    private var accepted: Set<[UInt8]> = []

    init?(_ profile: SRTPProfile, _ key: [UInt8], _ salt: [UInt8]) {
        self.profile = profile
        guard let receiver = try? SRTPReceiver(profile: profile, masterKey: key, masterSalt: salt),
            let rtp = try? SRTPKeys(profile, .rtp, masterKey: key, masterSalt: salt),
            let rtcp = try? SRTPKeys(profile, .rtcp, masterKey: key, masterSalt: salt),
            let rtpCipher = try? SRTPCipher(profile, rtp, encrypts: true),
            let rtcpCipher = try? SRTPCipher(profile, rtcp, encrypts: true)
        else { return nil }
        self.receiver = receiver
        self.rtpCipher = rtpCipher
        self.rtcpCipher = rtcpCipher
    }

    func has(_ packet: [UInt8]) -> Bool { made.contains(packet) }

    func rtp(_ plain: [UInt8], counter: UInt64) {
        // Without a header that can be walked there is nothing that could be encrypted behind it.
        let walked = Self.headerLength(plain)
        let clear = walked ?? plain.count
        guard plain.count >= 12 else {
            return demand((try? receiver.unprotectRTP(plain)) == nil, "a header has twelve bytes")
        }
        let sequence = UInt64(plain[2]) << 8 | UInt64(plain[3])
        let ssrc = plain[8..<12].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let count = plain.count
        var packet = plain + [UInt8](repeating: 0, count: profile.rtpTagLength)
        let isSealed = packet.withUnsafeMutableBufferPointer { buffer -> Bool in
            guard let start = buffer.baseAddress else { return false }
            guard rtpCipher.seal(start, clear: clear, count: count, ssrc: ssrc, index: counter << 16 | sequence) else {
                return false
            }
            if profile == .aes128CMHMACSHA1_80 {
                rtpCipher.writeTag(start, count: count, rollOverCounter: UInt32(counter), to: start + count)
            }
            return true
        }
        guard isSealed else { return }
        made.insert(packet)
        let opened = try? receiver.unprotectRTP(packet)
        demand(opened == nil || walked != nil, "an impossible header is refused whatever its tag")
        check(opened, plain, packet) { try? receiver.unprotectRTP($0) }
    }

    func rtcp(_ plain: [UInt8], index: UInt32) {
        guard plain.count >= 8 else {
            return demand((try? receiver.unprotectRTCP(plain)) == nil, "RTCP has eight bytes")
        }
        let count = plain.count
        let ssrc = plain[4..<8].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let word = 0x8000_0000 | index
        let isAEAD = profile == .aeadAES128GCM
        var packet = plain + [UInt8](repeating: 0, count: profile.rtcpOverhead)
        packet.write(word, at: isAEAD ? count + 16 : count)
        let isSealed = packet.withUnsafeMutableBufferPointer { buffer -> Bool in
            guard let start = buffer.baseAddress else { return false }
            let trailer = isAEAD ? word : nil
            guard rtcpCipher.seal(start, clear: 8, count: count, ssrc: ssrc, index: UInt64(index), trailer: trailer)
            else { return false }
            if !isAEAD { rtcpCipher.writeTag(start, count: count + 4, rollOverCounter: nil, to: start + count + 4) }
            return true
        }
        guard isSealed else { return }
        made.insert(packet)
        check(try? receiver.unprotectRTCP(packet), plain, packet) { try? receiver.unprotectRTCP($0) }
    }

    private func check(_ opened: [UInt8]?, _ plain: [UInt8], _ packet: [UInt8], _ again: ([UInt8]) -> [UInt8]?) {
        guard let opened else { return }
        demand(opened == plain, "what was protected comes out")
        demand(accepted.insert(packet).inserted, "nothing is accepted twice")
        demand(again(packet) == nil, "a replay is refused at once")
        var damaged = packet
        damaged[packet.count - 1] ^= 1
        demand(again(damaged) == nil, "a wrong tag is refused")
    }

    private static func headerLength(_ packet: [UInt8]) -> Int? {
        guard packet.count >= 12, packet[0] & 0xC0 == 0x80 else { return nil }
        var length = 12 + 4 * Int(packet[0] & 15)
        if packet[0] & 0x10 != 0 {
            guard length + 4 <= packet.count else { return nil }
            length += 4 + 4 * (Int(packet[length + 2]) * 256 + Int(packet[length + 3]))
        }
        return length <= packet.count ? length : nil
    }
}
