import Media
import Wire

/// The sending side of one RTP stream (RFC 3550), shared by all of a camera's clients.
///
/// The demo's packets are made here and not by the relay's own RTP code, so that the relay is tried against packets
/// that it did not write itself.
struct RTPSender {
    /// Ticks of the RTP timestamp per second.
    let clockRate: Int64
    let payloadType: UInt8
    private(set) var ssrc: UInt32
    private(set) var nextSequenceNumber: UInt16
    private var timestampBase: UInt32
    private(set) var packetCount: UInt32 = 0
    private(set) var octetCount: UInt32 = 0

    /// Starts at random numbers (RFC 3550 §5.1).
    init(payloadType: UInt8, clockRate: Int64, using random: inout some RandomNumberGenerator) {
        self.payloadType = payloadType
        self.clockRate = clockRate
        ssrc = .random(in: 1 ... .max, using: &random)
        nextSequenceNumber = .random(in: 0 ... .max, using: &random)
        timestampBase = .random(in: 0 ... .max, using: &random)
    }

    /// Starts over with new random numbers, as a camera does that was switched off and on.
    mutating func restart(using random: inout some RandomNumberGenerator) {
        self = RTPSender(payloadType: payloadType, clockRate: clockRate, using: &random)
    }

    /// The RTP timestamp of media time `ticks`.
    func timestamp(ticks: Int64) -> UInt32 { timestampBase &+ UInt32(truncatingIfNeeded: ticks) }

    /// H.264 with single NAL units and FU-A (RFC 6184 §5.6, §5.8); the last packet carries the marker.
    mutating func packetsOfH264(annexB: [UInt8], ticks: Int64) -> [[UInt8]] {
        var packets: [[UInt8]] = []
        let units = AnnexB.split(annexB[...])
        for (index, unit) in units.enumerated() {
            let isLast = index == units.count - 1
            guard let first = unit.first, unit.count > Self.maximumPayload else {
                packets.append(packet(unit, marker: isLast, ticks: ticks))
                continue
            }
            var rest = unit.dropFirst()
            var start: UInt8 = 0x80
            while !rest.isEmpty {
                let fragment = rest.prefix(Self.maximumPayload - 2)
                rest = rest.dropFirst(fragment.count)
                let end: UInt8 = rest.isEmpty ? 0x40 : 0
                let indicator: [UInt8] = [first & 0xE0 | 28, start | end | first & 0x1F]
                packets.append(packet(indicator + fragment, marker: isLast && rest.isEmpty, ticks: ticks))
                start = 0
            }
        }
        return packets
    }

    /// One AAC frame with its AU header, mode AAC-hbr (RFC 3640 §3.3.6).
    mutating func packetOfAAC(_ frame: [UInt8], ticks: Int64) -> [UInt8] {
        let size = UInt16(truncatingIfNeeded: frame.count) << 3
        return packet([0, 16, UInt8(size >> 8), UInt8(size & 0xFF)] + frame, marker: true, ticks: ticks)
    }

    /// One packet of samples (RFC 3551 §4.5.14).
    mutating func packetOfPCMU(_ samples: [UInt8], ticks: Int64) -> [UInt8] {
        packet(samples, marker: false, ticks: ticks)
    }

    /// A compound sender report: SR (RFC 3550 §6.4.1) and SDES with the CNAME (§6.5).
    ///
    /// - Parameters:
    ///   - ticks: Media time of this very moment.
    ///   - unixNanoseconds: Wall-clock time of the same moment.
    func senderReport(ticks: Int64, unixNanoseconds: Int64) -> [UInt8] {
        var report: [UInt8] = [0x80, 200, 0, 6]
        report.append(ssrc)
        // Seconds from 1900 to 1970, RFC 3550 §4.
        report.append(UInt32(truncatingIfNeeded: unixNanoseconds / 1_000_000_000 + 2_208_988_800))
        report.append(UInt32(truncatingIfNeeded: (unixNanoseconds % 1_000_000_000) << 32 / 1_000_000_000))
        report.append(timestamp(ticks: ticks))
        report.append(packetCount)
        report.append(octetCount)
        let name = Array("signalbox-demo".utf8)
        // The item list ends with at least one zero and fills its last word.
        let itemBytes = (2 + name.count) / 4 * 4 + 4
        report += [0x81, 202]
        report.append(UInt16(truncatingIfNeeded: 1 + itemBytes / 4))
        report.append(ssrc)
        report += [1, UInt8(name.count)] + name
        report += [UInt8](repeating: 0, count: itemBytes - 2 - name.count)
        return report
    }

    private mutating func packet(_ payload: some Collection<UInt8>, marker: Bool, ticks: Int64) -> [UInt8] {
        var packet: [UInt8] = []
        packet.reserveCapacity(12 + payload.count)
        packet += [0x80, payloadType | (marker ? 0x80 : 0)]
        packet.append(nextSequenceNumber)
        packet.append(timestamp(ticks: ticks))
        packet.append(ssrc)
        packet.append(contentsOf: payload)
        nextSequenceNumber &+= 1
        packetCount &+= 1
        octetCount &+= UInt32(truncatingIfNeeded: payload.count)
        return packet
    }

    /// Bytes after the RTP header; with IP, UDP and RTP headers this stays below 1500.
    private static let maximumPayload = 1_400
}
