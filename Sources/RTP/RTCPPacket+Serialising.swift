import Wire

extension RTCPPacket {
    /// The bytes of a compound packet.
    public static func serialize(_ packets: [RTCPPacket]) -> [UInt8] {
        var bytes: [UInt8] = []
        for packet in packets { packet.append(to: &bytes) }
        return bytes
    }

    /// Appends the packet's bytes; `other` appends nothing, transport-wide feedback neither, as a relay that sends
    /// media never makes it.
    public func append(to bytes: inout [UInt8]) {
        switch self {
        case .senderReport(let report):
            let blocks = report.blocks.prefix(31)
            Self.append(type: PacketType.senderReport, format: UInt8(blocks.count), to: &bytes) { body in
                body.append(report.ssrc)
                body.append(report.ntp)
                body.append(report.timestamp)
                body.append(report.packetCount)
                body.append(report.byteCount)
                for block in blocks { block.append(to: &body) }
            }
        case .receiverReport(let ssrc, let blocks):
            let blocks = blocks.prefix(31)
            Self.append(type: PacketType.receiverReport, format: UInt8(blocks.count), to: &bytes) { body in
                body.append(ssrc)
                for block in blocks { block.append(to: &body) }
            }
        case .sourceDescription(let names):
            let names = names.prefix(31)
            Self.append(type: PacketType.sourceDescription, format: UInt8(names.count), to: &bytes) { body in
                for name in names { name.append(to: &body) }
            }
        case .goodbye(let ssrcs):
            let ssrcs = ssrcs.prefix(31)
            Self.append(type: PacketType.goodbye, format: UInt8(ssrcs.count), to: &bytes) { body in
                for ssrc in ssrcs { body.append(ssrc) }
            }
        case .nack(let sender, let media, let lost):
            Self.appendFeedback(PacketType.transportSpecificFeedback, 1, sender, media, to: &bytes) { body in
                Self.append(lost: lost, to: &body)
            }
        case .pictureLossIndication(let sender, let media):
            Self.appendFeedback(PacketType.payloadSpecificFeedback, 1, sender, media, to: &bytes) { _ in }
        case .fullIntraRequest(let sender, let entries):
            Self.appendFeedback(PacketType.payloadSpecificFeedback, 4, sender, 0, to: &bytes) { body in
                for entry in entries {
                    body.append(entry.ssrc)
                    body.append(UInt32(entry.sequenceNumber) << 24)
                }
            }
        case .receiverEstimatedMaximumBitrate(let sender, let bitrate, let ssrcs):
            let ssrcs = ssrcs.prefix(255)
            Self.appendFeedback(PacketType.payloadSpecificFeedback, 15, sender, 0, to: &bytes) { body in
                let exponent = max(0, 46 - bitrate.leadingZeroBitCount)
                body.append(Self.rembIdentifier)
                body.append(
                    UInt32(ssrcs.count) << 24 | UInt32(exponent) << 18 | UInt32(truncatingIfNeeded: bitrate >> exponent)
                )
                for ssrc in ssrcs { body.append(ssrc) }
            }
        case .transportFeedback, .other:
            break
        }
    }

    private static func append(
        type: UInt8,
        format: UInt8,
        to bytes: inout [UInt8],
        _ body: (inout [UInt8]) -> Void
    ) {
        let start = bytes.count
        bytes.append(0x80 | format)
        bytes.append(type)
        bytes.append(UInt16(0))
        body(&bytes)
        bytes.write(UInt16(truncatingIfNeeded: (bytes.count - start) / 4 - 1), at: start + 2)
    }

    private static func appendFeedback(
        _ type: UInt8,
        _ format: UInt8,
        _ sender: UInt32,
        _ media: UInt32,
        to bytes: inout [UInt8],
        _ body: (inout [UInt8]) -> Void
    ) {
        append(type: type, format: format, to: &bytes) { bytes in
            bytes.append(sender)
            bytes.append(media)
            body(&bytes)
        }
    }

    /// Packs lost sequence numbers into pairs of a first number and a mask of the 16 that follow it.
    private static func append(lost: [UInt16], to body: inout [UInt8]) {
        var index = 0
        while index < lost.count {
            let first = lost[index]
            var mask: UInt16 = 0
            index += 1
            while index < lost.count, (1...16).contains(lost[index] &- first) {
                mask |= 1 << (lost[index] &- first &- 1)
                index += 1
            }
            body.append(first)
            body.append(mask)
        }
    }
}

extension RTCPPacket.ReportBlock {
    fileprivate func append(to body: inout [UInt8]) {
        // 24 bits, clamped as RFC 3550 §A.3 asks.
        let lost = UInt32(bitPattern: min(max(cumulativeLost, -0x80_0000), 0x7F_FFFF)) & 0xFF_FFFF
        body.append(ssrc)
        body.append(UInt32(fractionLost) << 24 | lost)
        body.append(extendedHighestSequence)
        body.append(jitter)
        body.append(lastSenderReport)
        body.append(delaySinceLastSenderReport)
    }
}

extension RTCPPacket.CanonicalName {
    fileprivate func append(to body: inout [UInt8]) {
        let start = body.count
        let name = Array(cname.utf8.prefix(255))
        body.append(ssrc)
        body.append(UInt8(1))
        body.append(UInt8(name.count))
        body.append(contentsOf: name)
        // At least one zero ends the items, then zeros up to a whole word.
        repeat { body.append(UInt8(0)) } while (body.count - start) % 4 != 0
    }
}
