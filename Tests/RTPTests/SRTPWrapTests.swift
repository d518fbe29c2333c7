import Media
import TestSupport
import Testing
import Wire

@testable import RTP

/// The sequence number wraps every 65,536 packets and the roll-over counter beside it is only ever guessed
/// (RFC 3711 §3.3.1): both ends have to guess the same, whatever is lost at the wrap.
@Suite struct SRTPWrapTests {
    @Test(arguments: SRTPProfile.allCases, UInt64(1)...12)
    func `both ends stay in step over three wraps with loss, reordering and repetition`(
        profile: SRTPProfile,
        seed: UInt64
    ) throws {
        var random = SeededGenerator(seed: seed)
        let (sender, receiver) = try SRTPTests.pair(profile)
        var sequence = UInt16.random(in: 0..<0x8000, using: &random)
        // Packets on the way, with the sequence number they carry.
        var underway: [(sequence: UInt16, bytes: [UInt8])] = []
        var arrived = 0
        var wraps = 0
        while wraps < 3 {
            let packet = SRTPTests.packet(sequence)
            let protected = SRTPTests.protect(sender, packet)
            #expect(!protected.isEmpty)
            let isNearWrap = sequence > 65_400 || sequence < 136
            if !isNearWrap || Double.random(in: 0..<1, using: &random) >= 0.3 { underway.append((sequence, protected)) }
            // Within the window order does not matter; thousands of numbers apart it does.
            while underway.count > (isNearWrap ? 8 : 0) {
                let position = isNearWrap ? Int.random(in: 0..<underway.count, using: &random) : 0
                let next = underway.remove(at: position)
                #expect(try receiver.unprotectRTP(next.bytes) == SRTPTests.packet(next.sequence))
                #expect(throws: SRTPError.replayed) { try receiver.unprotectRTP(next.bytes) }
                arrived += 1
            }
            // Between the wraps most numbers are skipped: as if thousands of packets were lost in a row.
            let step: UInt16 = isNearWrap ? 1 : UInt16.random(in: 1...9_000, using: &random)
            let next = sequence > 65_400 || sequence &+ step > sequence ? sequence &+ step : 65_401
            if next < sequence { wraps += 1 }
            sequence = next
        }
        #expect(arrived > 300)
    }

    @Test(arguments: SRTPProfile.allCases)
    func `the packet that would have carried the wrap may be lost, with hundreds around it`(profile: SRTPProfile) throws
    {
        for lost in [1, 2, 100, 1_000, 20_000, 32_000] {
            let (sender, receiver) = try SRTPTests.pair(profile)
            let last = UInt16(65_535 - lost / 2)
            let first = UInt16(truncatingIfNeeded: Int(last) + lost + 1)
            for sequence in [last, first] {
                let protected = SRTPTests.protect(sender, SRTPTests.packet(sequence))
                #expect(try receiver.unprotectRTP(protected) == SRTPTests.packet(sequence), "\(lost) lost")
            }
        }
    }

    @Test(arguments: SRTPProfile.allCases)
    func `retransmissions from before the wrap are made and read after it`(profile: SRTPProfile) throws {
        let (sender, receiver) = try SRTPTests.pair(profile)
        var originals: [UInt16: [UInt8]] = [:]
        for offset in 0..<60 {
            let sequence = UInt16(truncatingIfNeeded: 65_506 + offset)
            originals[sequence] = SRTPTests.protect(sender, SRTPTests.packet(sequence))
            // Every third packet is lost the first time.
            if offset % 3 != 0, let bytes = originals[sequence] { _ = try receiver.unprotectRTP(bytes) }
        }
        for offset in stride(from: 0, to: 60, by: 3) {
            let sequence = UInt16(truncatingIfNeeded: 65_506 + offset)
            let again = SRTPTests.protect(sender, SRTPTests.packet(sequence), isRetransmission: true)
            #expect(again == originals[sequence], "the same index gives the same bytes: \(sequence)")
            #expect(try receiver.unprotectRTP(again) == SRTPTests.packet(sequence))
        }
    }

    @Test(arguments: SRTPProfile.allCases)
    func `the window reaches back 128 packets, over a wrap too, and refuses what is older`(profile: SRTPProfile) throws
    {
        for start in [UInt16(1_000), 65_450] {
            let (sender, receiver) = try SRTPTests.pair(profile)
            let packets = (0..<200).map { offset -> [UInt8] in
                SRTPTests.protect(sender, SRTPTests.packet(start &+ UInt16(offset)))
            }
            _ = try receiver.unprotectRTP(packets[0])
            _ = try receiver.unprotectRTP(packets[199])
            for offset in (1..<199).reversed() {
                if 199 - offset < 128 {
                    #expect(throws: Never.self) { try receiver.unprotectRTP(packets[offset]) }
                }
                #expect(throws: SRTPError.replayed) { try receiver.unprotectRTP(packets[offset]) }
            }
        }
    }

    @Test(arguments: SRTPProfile.allCases)
    func `forgeries from all over the circle leave the window and the counter where they were`(
        profile: SRTPProfile
    ) throws {
        let (sender, receiver) = try SRTPTests.pair(profile)
        let first = SRTPTests.protect(sender, SRTPTests.packet(65_530))
        _ = try receiver.unprotectRTP(first)
        // Numbers from all over the circle, which would drag a counter along that believed them.
        for index in 0..<20_000 {
            var forged = first
            forged.write(UInt16(truncatingIfNeeded: index &* 7_919), at: 2)
            #expect(throws: SRTPError.self) { try receiver.unprotectRTP(forged) }
        }
        for sequence in [UInt16(65_535), 3] {
            let packet = SRTPTests.packet(sequence)
            #expect(try receiver.unprotectRTP(SRTPTests.protect(sender, packet)) == packet)
        }
    }

    @Test(arguments: SRTPProfile.allCases)
    func `RTCP indices are each good once, in any order within the window`(profile: SRTPProfile) throws {
        var random = SeededGenerator(seed: 3)
        let (sender, receiver) = try SRTPTests.pair(profile)
        let report = RTCPPacket.serialize([.receiverReport(ssrc: 7, blocks: [])])
        let protected = (0..<100).map { _ in sender.protectRTCP(report) }
        for bytes in protected.shuffled(using: &random) {
            #expect(try receiver.unprotectRTCP(bytes) == report)
            #expect(throws: SRTPError.replayed) { try receiver.unprotectRTCP(bytes) }
        }
    }
}
