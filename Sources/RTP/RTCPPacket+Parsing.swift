import Wire

extension RTCPPacket {
    /// Most packets one compound may hold.
    public static let maximumPackets = 64
    /// Most sequence numbers a NACK may name: more than a second of 20 Mbit/s video.
    public static let maximumNacked = 2_048
    /// Most packets that the transport-wide feedback of one compound may tell of. Two bytes can stand for 8,191 of them,
    /// so without a limit one datagram would cost megabytes.
    public static let maximumArrivals = 4_096

    /// Parses a compound packet, or a lone feedback packet (RFC 5506).
    ///
    /// - Throws: When not even the first packet can be read. Rubbish after good packets is ignored, because cameras
    ///   append it to good reports.
    public static func parse(_ compound: [UInt8]) throws(RTCPParseError) -> [RTCPPacket] {
        try parse(compound[...])
    }

    /// As ``parse(_:)-([UInt8])``, on a slice.
    public static func parse(_ compound: ArraySlice<UInt8>) throws(RTCPParseError) -> [RTCPPacket] {
        var packets: [RTCPPacket] = []
        var reader = RTCPReader(compound)
        var arrivalsLeft = maximumArrivals
        repeat {
            do throws(RTCPParseError) {
                packets.append(try parseOne(&reader, &arrivalsLeft))
            } catch {
                if packets.isEmpty { throw error }
                return packets
            }
        } while !reader.isAtEnd && packets.count < maximumPackets
        return packets
    }

    private static func parseOne(
        _ reader: inout RTCPReader,
        _ arrivalsLeft: inout Int
    ) throws(RTCPParseError) -> RTCPPacket {
        let first = try reader.u8()
        guard first >> 6 == 2 else { throw .version(first >> 6) }
        let type = try reader.u8()
        var body = try reader.bytes(4 * Int(try reader.u16()))
        if first & 0x20 != 0 {
            guard let padding = body.last, padding > 0, Int(padding) <= body.count else { throw .invalid("padding") }
            body = body.dropLast(Int(padding))
        }
        var fields = RTCPReader(body)
        let format = first & 0x1F
        switch type {
        case PacketType.senderReport:
            return .senderReport(try parseSenderReport(&fields, blockCount: Int(format)))
        case PacketType.receiverReport:
            let ssrc = try fields.u32()
            return .receiverReport(ssrc: ssrc, blocks: try parseBlocks(&fields, count: Int(format)))
        case PacketType.sourceDescription:
            return .sourceDescription(try parseNames(&fields, count: Int(format)))
        case PacketType.goodbye:
            var ssrcs: [UInt32] = []
            for _ in 0..<format { ssrcs.append(try fields.u32()) }
            return .goodbye(ssrcs: ssrcs)
        case PacketType.transportSpecificFeedback:
            return try parseTransportFeedback(&fields, format: format, &arrivalsLeft)
        case PacketType.payloadSpecificFeedback:
            return try parsePayloadFeedback(&fields, format: format)
        default:
            return .other(type: type, format: format)
        }
    }

    private static func parseSenderReport(
        _ fields: inout RTCPReader,
        blockCount: Int
    ) throws(RTCPParseError) -> SenderReport {
        var report = SenderReport(
            ssrc: try fields.u32(),
            ntp: UInt64(try fields.u32()) << 32 | UInt64(try fields.u32()),
            timestamp: try fields.u32(),
            packetCount: try fields.u32(),
            byteCount: try fields.u32()
        )
        report.blocks = try parseBlocks(&fields, count: blockCount)
        return report
    }

    private static func parseBlocks(_ fields: inout RTCPReader, count: Int) throws(RTCPParseError) -> [ReportBlock] {
        var blocks: [ReportBlock] = []
        for _ in 0..<count {
            let ssrc = try fields.u32()
            let loss = try fields.u32()
            blocks.append(
                ReportBlock(
                    ssrc: ssrc,
                    fractionLost: UInt8(loss >> 24),
                    cumulativeLost: Int32(bitPattern: loss << 8) >> 8,
                    extendedHighestSequence: try fields.u32(),
                    jitter: try fields.u32(),
                    lastSenderReport: try fields.u32(),
                    delaySinceLastSenderReport: try fields.u32()
                )
            )
        }
        return blocks
    }

    private static func parseNames(_ fields: inout RTCPReader, count: Int) throws(RTCPParseError) -> [CanonicalName] {
        var names: [CanonicalName] = []
        for _ in 0..<count {
            let chunkStart = fields.offset
            let ssrc = try fields.u32()
            while true {
                let item = try fields.u8()
                if item == 0 { break }
                let text = try fields.bytes(Int(try fields.u8()))
                if item == 1 { names.append(CanonicalName(ssrc: ssrc, cname: String(decoding: text, as: UTF8.self))) }
            }
            // Chunks are padded to whole words; the last one may lack the padding.
            let padding = (4 - (fields.offset - chunkStart) % 4) % 4
            _ = try fields.bytes(min(padding, fields.remaining))
        }
        return names
    }

    private static func parsePayloadFeedback(
        _ fields: inout RTCPReader,
        format: UInt8
    ) throws(RTCPParseError) -> RTCPPacket {
        let sender = try fields.u32()
        let media = try fields.u32()
        switch format {
        case 1:
            return .pictureLossIndication(sender: sender, media: media)
        case 4:
            var entries: [FullIntraRequestEntry] = []
            while fields.remaining >= 8 {
                let ssrc = try fields.u32()
                entries.append(FullIntraRequestEntry(ssrc: ssrc, sequenceNumber: try fields.u8()))
                _ = try fields.bytes(3)
            }
            return .fullIntraRequest(sender: sender, entries: entries)
        case 15:
            guard try fields.u32() == rembIdentifier else { return .other(type: 206, format: 15) }
            let count = Int(try fields.u8())
            let first = try fields.u8()
            let mantissa = UInt64(first & 0x03) << 16 | UInt64(try fields.u16())
            let exponent = UInt64(first >> 2)
            // 18 bits shifted by up to 63: what does not fit means "no limit".
            let bitrate = exponent <= 46 ? mantissa << exponent : mantissa == 0 ? 0 : UInt64.max
            var ssrcs: [UInt32] = []
            for _ in 0..<count { ssrcs.append(try fields.u32()) }
            return .receiverEstimatedMaximumBitrate(sender: sender, bitrate: bitrate, ssrcs: ssrcs)
        default:
            return .other(type: 206, format: format)
        }
    }

    private static func parseTransportFeedback(
        _ fields: inout RTCPReader,
        format: UInt8,
        _ arrivalsLeft: inout Int
    ) throws(RTCPParseError) -> RTCPPacket {
        let sender = try fields.u32()
        let media = try fields.u32()
        switch format {
        case 1:
            var lost: [UInt16] = []
            while fields.remaining >= 4, lost.count < maximumNacked {
                let first = try fields.u16()
                let mask = try fields.u16()
                lost.append(first)
                for bit in UInt16(0)..<16 where mask & 1 << bit != 0 { lost.append(first &+ bit &+ 1) }
            }
            return .nack(sender: sender, media: media, lost: lost)
        case 15:
            let feedback = try parseArrivals(&fields, sender: sender, media: media, limit: arrivalsLeft)
            arrivalsLeft -= feedback.arrivals.count
            return .transportFeedback(feedback)
        default:
            return .other(type: 205, format: format)
        }
    }

    /// Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).
    private static func parseArrivals(
        _ fields: inout RTCPReader,
        sender: UInt32,
        media: UInt32,
        limit: Int
    ) throws(RTCPParseError) -> TransportFeedback {
        let base = try fields.u16()
        let count = Int(try fields.u16())
        guard count <= limit else { throw .invalid("packet status count") }
        let reference = try fields.u32()
        // Two bits per packet: 0 not received, 1 small delta, 2 large or negative delta.
        var symbols: [UInt8] = []
        symbols.reserveCapacity(min(count, 512))
        while symbols.count < count {
            let chunk = try fields.u16()
            let wanted = count - symbols.count
            if chunk & 0x8000 == 0 {
                let run = min(Int(chunk & 0x1FFF), wanted)
                guard run > 0 else { throw .invalid("run length") }
                symbols.append(contentsOf: repeatElement(UInt8(chunk >> 13 & 0x03), count: run))
            } else if chunk & 0x4000 == 0 {
                for bit in 0..<min(14, wanted) { symbols.append(UInt8(chunk >> UInt16(13 - bit) & 0x01)) }
            } else {
                for pair in 0..<min(7, wanted) { symbols.append(UInt8(chunk >> UInt16(12 - 2 * pair) & 0x03)) }
            }
        }
        var arrivals: [Int32?] = []
        arrivals.reserveCapacity(count)
        var time: Int32 = 0
        for symbol in symbols {
            switch symbol {
            case 0:
                arrivals.append(nil)
            case 1:
                time &+= Int32(try fields.u8())
                arrivals.append(time)
            case 2:
                time &+= Int32(Int16(bitPattern: try fields.u16()))
                arrivals.append(time)
            default:
                throw .invalid("packet status symbol")
            }
        }
        return TransportFeedback(
            sender: sender,
            media: media,
            baseSequence: base,
            feedbackCount: UInt8(reference & 0xFF),
            referenceTime: Int32(bitPattern: reference) >> 8,
            arrivals: arrivals
        )
    }

    /// "REMB", the unique identifier of the message.
    static let rembIdentifier: UInt32 = 0x5245_4D42
}

/// A ``ByteReader`` whose failures are RTCP's.
private struct RTCPReader {
    private var reader: ByteReader

    init(_ bytes: ArraySlice<UInt8>) { reader = ByteReader(bytes) }

    var offset: Int { reader.offset }
    var remaining: Int { reader.remaining }
    var isAtEnd: Bool { reader.isAtEnd }

    mutating func u8() throws(RTCPParseError) -> UInt8 {
        do throws(Truncated) { return try reader.readUInt8() } catch { throw .truncated }
    }

    mutating func u16() throws(RTCPParseError) -> UInt16 {
        do throws(Truncated) { return try reader.readUInt16() } catch { throw .truncated }
    }

    mutating func u32() throws(RTCPParseError) -> UInt32 {
        do throws(Truncated) { return try reader.readUInt32() } catch { throw .truncated }
    }

    mutating func bytes(_ count: Int) throws(RTCPParseError) -> ArraySlice<UInt8> {
        do throws(Truncated) { return try reader.readBytes(count) } catch { throw .truncated }
    }
}
