import RTP
import Wire

/// F9: compound RTCP, as it comes out of SRTCP from a client that has the keys.
enum Target: FuzzTarget {
    static func seeds() -> [[UInt8]] {
        let block = RTCPPacket.ReportBlock(ssrc: 7, fractionLost: 1, cumulativeLost: -2, extendedHighestSequence: 3)
        let packets: [RTCPPacket] = [
            .senderReport(.init(ssrc: 1, ntp: 2, timestamp: 3, packetCount: 4, byteCount: 5, blocks: [block])),
            .receiverReport(ssrc: 1, blocks: [block, block]),
            .sourceDescription([.init(ssrc: 1, cname: "signalbox")]),
            .nack(sender: 1, media: 2, lost: [1, 2, 17, 65_535]),
            .pictureLossIndication(sender: 1, media: 2),
            .fullIntraRequest(sender: 1, entries: [.init(ssrc: 2, sequenceNumber: 3)]),
            .receiverEstimatedMaximumBitrate(sender: 1, bitrate: 2_000_000, ssrcs: [2]),
            .goodbye(ssrcs: [1]),
        ]
        let extended: [UInt8] = [0x80, 207, 0, 3, 0, 0, 0, 1, 5, 0, 0, 1, 0, 0, 0, 9]
        return packets.map { RTCPPacket.serialize([$0]) } + [RTCPPacket.serialize(packets), extended]
            + [
                arrivals([0x20, 0x02, 0xC1, 0x55, 0x90, 0x00]), arrivals([0x1F, 0xFF]),
                arrivals([0xD6, 0x40, 1, 2, 3, 4]),
            ]
    }

    /// Transport-wide feedback on 40 packets with the given chunks and deltas.
    private static func arrivals(_ tail: [UInt8]) -> [UInt8] {
        var body: [UInt8] = [0, 0, 0, 1, 0, 0, 0, 2, 0, 9, 0, 40, 0, 0, 5, 1] + tail
        body += [UInt8](repeating: 4, count: 40)
        while body.count % 4 != 0 { body.append(UInt8(0)) }
        return [0x8F, 205, 0, UInt8(body.count / 4)] + body
    }

    static func run(_ input: [UInt8]) {
        guard let packets = try? RTCPPacket.parse(input) else { return }
        demand(packets.count <= RTCPPacket.maximumPackets && packets.count * 4 <= input.count, "packets are bounded")
        var items = 0
        for packet in packets {
            switch packet {
            case .nack(_, _, let lost):
                demand(lost.count <= RTCPPacket.maximumNacked + 16, "a NACK is bounded")
                items += lost.count
            case .transportFeedback(let feedback): items += feedback.arrivals.count
            case .senderReport(let report): items += report.blocks.count
            case .receiverReport(_, let blocks): items += blocks.count
            case .fullIntraRequest(_, let entries): items += entries.count
            case .receiverEstimatedMaximumBitrate(_, _, let ssrcs), .goodbye(let ssrcs): items += ssrcs.count
            case .sourceDescription(let names): items += names.count
            case .pictureLossIndication, .other: continue
            }
        }
        demand(
            items <= RTCPPacket.maximumArrivals + 8 * input.count,
            "work is in proportion to the bytes: \(items) items"
        )

        for packet in packets {
            let written = RTCPPacket.serialize([packet])
            guard !written.isEmpty else { continue }
            demand(written.count % 4 == 0, "packets are whole words")
            guard let again = try? RTCPPacket.parse(written) else { return demand(false, "what is written parses") }
            demand(again.count == 1, "one packet is written")
            let stable = RTCPPacket.serialize(again)
            demand(stable == written || packet.isLossy, "writing again changes nothing: \(packet)")
        }
    }
}

extension RTCPPacket {
    /// What is written may be less than what was read: names are cut, numbers of NACKs regrouped, bit rates rounded.
    fileprivate var isLossy: Bool {
        switch self {
        case .sourceDescription, .nack, .receiverEstimatedMaximumBitrate: true
        default: false
        }
    }
}
