import RTP
import TestSupport
import Testing
import Wire

@Suite struct RTCPPacketTests {
    static let block = RTCPPacket.ReportBlock(
        ssrc: 0xCAFE,
        fractionLost: 12,
        cumulativeLost: -3,
        extendedHighestSequence: 0x0001_0007,
        jitter: 90,
        lastSenderReport: 0x1122_3344,
        delaySinceLastSenderReport: 65_536
    )

    static let packets: [RTCPPacket] = [
        .senderReport(
            RTCPPacket.SenderReport(
                ssrc: 1,
                ntp: 0xE000_0000_8000_0000,
                timestamp: 77,
                packetCount: 5,
                byteCount: 6_000,
                blocks: [block]
            )
        ),
        .receiverReport(ssrc: 2, blocks: [block, block]),
        .receiverReport(ssrc: 2, blocks: []),
        .sourceDescription([.init(ssrc: 3, cname: "a"), .init(ssrc: 4, cname: "signalbox")]),
        .goodbye(ssrcs: [5, 6]),
        .nack(sender: 1, media: 2, lost: [10, 11, 26, 27, 65_535]),
        .pictureLossIndication(sender: 1, media: 2),
        .fullIntraRequest(sender: 1, entries: [.init(ssrc: 9, sequenceNumber: 3)]),
        .receiverEstimatedMaximumBitrate(sender: 1, bitrate: 2_500_000 & ~0xF, ssrcs: [9, 10]),
    ]

    @Test(arguments: packets) func `every packet reads back as it was written`(packet: RTCPPacket) throws {
        let bytes = RTCPPacket.serialize([packet])
        #expect(bytes.count % 4 == 0)
        #expect(try RTCPPacket.parse(bytes) == [packet])
    }

    @Test func `a compound reads back in order, on a slice too`() throws {
        let bytes = RTCPPacket.serialize(Self.packets)
        #expect(try RTCPPacket.parse(bytes) == Self.packets)
        #expect(try RTCPPacket.parse(([1, 2] + bytes)[2...]) == Self.packets)
    }

    @Test func `RFC 4585 and RFC 5104: feedback as browsers send it`() throws {
        let pli = try #require([UInt8](hexadecimal: "81ce000200000001cafebabe"))
        #expect(try RTCPPacket.parse(pli) == [.pictureLossIndication(sender: 1, media: 0xCAFE_BABE)])
        let nack = try #require([UInt8](hexadecimal: "81cd000300000001cafebabe00648001"))
        #expect(try RTCPPacket.parse(nack) == [.nack(sender: 1, media: 0xCAFE_BABE, lost: [100, 101, 116])])
        let fir = try #require([UInt8](hexadecimal: "84ce00040000000100000000cafebabe05000000"))
        #expect(
            try RTCPPacket.parse(fir)
                == [.fullIntraRequest(sender: 1, entries: [.init(ssrc: 0xCAFE_BABE, sequenceNumber: 5)])]
        )
        let remb = try #require([UInt8](hexadecimal: "8fce0005000000010000000052454d420107a120cafebabe"))
        #expect(
            try RTCPPacket.parse(remb)
                == [
                    .receiverEstimatedMaximumBitrate(
                        sender: 1,
                        bitrate: UInt64(0x3A120) << 1,
                        ssrcs: [0xCAFE_BABE]
                    )
                ]
        )
    }

    @Test func `a REMB without limit does not overflow`() throws {
        let remb = try #require([UInt8](hexadecimal: "8fce0005000000010000000052454d4201ffffffcafebabe"))
        guard case .receiverEstimatedMaximumBitrate(_, let bitrate, _) = try RTCPPacket.parse(remb).first else {
            Issue.record("no REMB")
            return
        }
        #expect(bitrate == .max)
    }

    @Test func `transport-wide feedback: run lengths, vectors and all deltas`() throws {
        // Base 10, 12 packets, reference time -2: a run of 2 small, one vector of 1-bit symbols 1010000…, then cut.
        var body = try #require([UInt8](hexadecimal: "00000001cafebabe000a000cfffffe07"))
        body += [0x20, 0x02]
        body += [0xA8, 0x00]
        body += [4, 8, 1, 2]
        body += [0, 0]
        // 2-bit vector: large, none, small in seven.
        var packet: [UInt8] = [0x8F, 205]
        packet.append(UInt16((body.count + 3) / 4))
        packet += body
        while packet.count % 4 != 0 { packet.append(UInt8(0)) }
        guard case .transportFeedback(let feedback) = try RTCPPacket.parse(packet).first else {
            Issue.record("no feedback")
            return
        }
        #expect(feedback.baseSequence == 10)
        #expect(feedback.referenceTime == -2)
        #expect(feedback.feedbackCount == 7)
        #expect(feedback.arrivals == [4, 12, 13, nil, 15, nil, nil, nil, nil, nil, nil, nil])
    }

    @Test func `transport-wide feedback: large and negative deltas in two-bit symbols`() throws {
        let packet = try #require(
            [UInt8](
                hexadecimal: "8fcd0006" + "00000001cafebabe" + "ffff0003" + "00000105" + "e600" + "0400fffe09"
                    + "000000"
            )
        )
        guard case .transportFeedback(let feedback) = try RTCPPacket.parse(packet).first else {
            Issue.record("no feedback")
            return
        }
        // Symbols 2, 1, 2 would be e600's first pairs 10 01 10.
        #expect(feedback.arrivals.count == 3)
        #expect(feedback.arrivals == [1_024, 1_024 + 0xFF, 1_024 + 0xFF - 503])
    }

    @Test func `rubbish after good packets is ignored, alone it is an error`() throws {
        let good = RTCPPacket.serialize([Self.packets[0]])
        #expect(try RTCPPacket.parse(good + [1, 2, 3, 4]) == [Self.packets[0]])
        #expect(try RTCPPacket.parse(good + good.prefix(9)) == [Self.packets[0]])
        #expect(throws: RTCPParseError.truncated) { try RTCPPacket.parse([]) }
        #expect(throws: RTCPParseError.version(0)) { try RTCPPacket.parse([0, 200, 0, 0]) }
        #expect(throws: RTCPParseError.truncated) { try RTCPPacket.parse([0x81, 201, 0, 1, 0, 0, 0, 1]) }
        #expect(throws: RTCPParseError.invalid("padding")) { try RTCPPacket.parse([0xA1, 201, 0, 1, 0, 0, 0, 9]) }
    }

    @Test func `round-trip time is what RFC 3550 figure 2 computes`() throws {
        let block = RTCPPacket.ReportBlock(
            ssrc: 1,
            lastSenderReport: 0xB705_2000,
            delaySinceLastSenderReport: 0x0005_4000
        )
        let time = try #require(block.roundTripTime(arrivedAtMiddleNTP: 0xB710_8000))
        #expect(abs(time.inSeconds - 6.125) < 0.001)
        #expect(block.roundTripTime(arrivedAtMiddleNTP: 0xB700_0000) == nil)
        #expect(RTCPPacket.ReportBlock(ssrc: 1).roundTripTime(arrivedAtMiddleNTP: 5) == nil)
    }

    @Test func `no input traps`() {
        let feedback: [UInt8] = [0x8F, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 10, 0, 3, 0, 0, 1, 7, 0x20, 3, 4, 8]
        var samples = Self.packets.map { RTCPPacket.serialize([$0]) }
        samples.append(feedback)
        samples.append(RTCPPacket.serialize(Self.packets))
        let tried = sweep(samples, mutations: 3_000) { input in
            _ = RTCPPacket.serialize(try RTCPPacket.parse(input))
        }
        #expect(tried > 30_000)
    }

    /// Feedback on `count` packets of which none arrived: two bytes for every 8,191 of them.
    private func silence(about count: Int) -> [UInt8] {
        var packet: [UInt8] = [0x8F, 205, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0]
        packet.append(UInt16(count))
        packet += [0, 0, 0, 0]
        var left = count
        while left > 0 {
            packet.append(UInt16(min(left, 0x1FFF)))
            left -= 0x1FFF
        }
        while packet.count % 4 != 0 { packet.append(UInt8(0)) }
        packet.write(UInt16(packet.count / 4 - 1), at: 2)
        return packet
    }

    @Test func `a datagram of feedback cannot claim more packets than two seconds of any stream have`() throws {
        let limit = RTCPPacket.maximumArrivals
        #expect(try RTCPPacket.parse(silence(about: limit)).count == 1)
        #expect(throws: RTCPParseError.invalid("packet status count")) {
            try RTCPPacket.parse(silence(about: limit + 1))
        }
        #expect(throws: RTCPParseError.self) { try RTCPPacket.parse(silence(about: 65_535)) }
        // The limit is the compound's, not each packet's.
        let many = (0..<40).flatMap { _ in silence(about: 1_000) }
        #expect(try RTCPPacket.parse(many).count == 4)
    }
}
