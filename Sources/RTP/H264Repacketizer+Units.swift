import Media
import Wire

// What RTP payloads contain (RFC 6184 §5.6 to §5.8).
extension H264Repacketizer {
    /// Takes one RTP payload apart.
    mutating func process(
        _ payload: ArraySlice<UInt8>,
        _ context: Context,
        into packets: inout [StreamPacket],
        notices: inout [IngestNotice]
    ) {
        guard let header = payload.first else { return }
        switch header & 0x1F {
        case H264NALUnitType.fuA.rawValue:
            processFragment(payload, context, into: &packets, notices: &notices)
        case H264NALUnitType.stapA.rawValue:
            finishFragments(context, into: &packets, notices: &notices)
            processAggregate(payload.dropFirst(), context, into: &packets, notices: &notices)
        default:
            finishFragments(context, into: &packets, notices: &notices)
            processUnit(payload, context, into: &packets, notices: &notices)
        }
    }

    private mutating func processAggregate(
        _ units: ArraySlice<UInt8>,
        _ context: Context,
        into packets: inout [StreamPacket],
        notices: inout [IngestNotice]
    ) {
        var reader = ByteReader(units)
        do throws(Truncated) {
            while !reader.isAtEnd {
                let size = Int(try reader.readUInt16())
                // Cameras pad aggregates with zeros.
                if size == 0 { return }
                processUnit(try reader.readBytes(size), context, into: &packets, notices: &notices)
            }
        } catch {
            statistics.droppedUnits &+= 1
        }
    }

    /// Processes a whole NAL unit, or several with start codes between them where a single one should be.
    private mutating func processUnit(
        _ unit: ArraySlice<UInt8>,
        _ context: Context,
        into packets: inout [StreamPacket],
        notices: inout [IngestNotice]
    ) {
        guard AnnexB.startCode(in: unit) != nil else {
            processPlainUnit(unit, context, into: &packets, notices: &notices)
            return
        }
        hasInnerStartCodes = true
        for part in AnnexB.split(unit) { processPlainUnit(part, context, into: &packets, notices: &notices) }
    }

    private mutating func processPlainUnit(
        _ unit: ArraySlice<UInt8>,
        _ context: Context,
        into packets: inout [StreamPacket],
        notices: inout [IngestNotice]
    ) {
        guard let header = unit.first else { return }
        switch H264NALUnitType(header: header) {
        case .slice, .idrSlice:
            guard unit.count > 1, unit.count <= maximumUnit else {
                statistics.droppedUnits &+= 1
                return
            }
            if beginSlice(header: header, data: unit.dropFirst(), context, into: &packets, notices: &notices) {
                send(unit, header, context, into: &packets)
            }
        case .sps, .pps:
            store(parameterSet: unit)
        case .sei:
            noteSEI(unit, context)
        case .accessUnitDelimiter, .endOfSequence, .endOfStream, .filler:
            break
        case .partitionA, .partitionB, .partitionC, .stapA, .fuA, nil:
            statistics.droppedUnits &+= 1
        }
    }

    private mutating func send(
        _ whole: ArraySlice<UInt8>,
        _ header: UInt8,
        _ context: Context,
        into packets: inout [StreamPacket]
    ) {
        if whole.count <= StreamPacket.maximumPayload {
            emit(Array(whole), isDroppable: isDroppable(header), context, into: &packets)
        } else {
            startStreaming(header, context)
            append(whole.dropFirst(), context, into: &packets)
            finishFragments(context, into: &packets)
        }
    }
}

// Fragments.
extension H264Repacketizer {
    private mutating func processFragment(
        _ payload: ArraySlice<UInt8>,
        _ context: Context,
        into packets: inout [StreamPacket],
        notices: inout [IngestNotice]
    ) {
        guard payload.count >= 2 else {
            statistics.droppedUnits &+= 1
            return
        }
        let indicator = payload[payload.startIndex]
        let fragmentHeader = payload[payload.startIndex + 1]
        let data = payload.dropFirst(2)
        let isStart = fragmentHeader & 0x80 != 0
        let isEnd = fragmentHeader & 0x40 != 0
        if isStart {
            // The camera forgot to end the unit before this one.
            finishFragments(context, into: &packets, notices: &notices)
            let header = indicator & 0xE0 | fragmentHeader & 0x1F
            if isEnd {
                // Forbidden by RFC 6184 §5.8 and sent all the same.
                processUnit([header] + data, context, into: &packets, notices: &notices)
                return
            }
            startUnit(header, data, context, into: &packets, notices: &notices)
        } else {
            continueUnit(data, context, into: &packets)
        }
        if isEnd { finishFragments(context, into: &packets, notices: &notices) }
    }

    private mutating func startUnit(
        _ header: UInt8,
        _ data: ArraySlice<UInt8>,
        _ context: Context,
        into packets: inout [StreamPacket],
        notices: inout [IngestNotice]
    ) {
        let isSlice = H264NALUnitType(header: header)?.isSlice ?? false
        guard isSlice, !hasInnerStartCodes, AnnexB.startCode(in: data) == nil else {
            unit = UnitInProgress(state: .assembling, header: header, timestamp: context.timestamp, bytes: [header])
            unit.bytes.append(contentsOf: data)
            return
        }
        guard beginSlice(header: header, data: data, context, into: &packets, notices: &notices) else {
            return
        }
        startStreaming(header, context)
        append(data, context, into: &packets)
    }

    private mutating func continueUnit(
        _ data: ArraySlice<UInt8>,
        _ context: Context,
        into packets: inout [StreamPacket]
    ) {
        switch unit.state {
        case .none:
            break
        case .assembling:
            guard unit.bytes.count + data.count <= maximumUnit else { return abandonUnit() }
            unit.bytes.append(contentsOf: data)
        case .streaming:
            guard AnnexB.startCode(in: data) == nil else {
                hasInnerStartCodes = true
                return abandonUnit()
            }
            append(data, Context(timestamp: unit.timestamp, arrival: context.arrival), into: &packets)
        }
    }

    private mutating func abandonUnit() {
        statistics.droppedUnits &+= 1
        loseRemainder()
    }

    private mutating func startStreaming(_ header: UInt8, _ context: Context) {
        unit = UnitInProgress(state: .streaming, header: header, timestamp: context.timestamp, bytes: newFragment())
    }

    /// An empty fragment with room for its two header bytes and as much data as fits.
    private func newFragment() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(StreamPacket.maximumPayload)
        bytes.append(UInt8(0))
        bytes.append(UInt8(0))
        return bytes
    }

    /// Fills fragments. A full one leaves when more data follows it, so that the last one is never empty.
    private mutating func append(
        _ data: ArraySlice<UInt8>,
        _ context: Context,
        into packets: inout [StreamPacket]
    ) {
        unit.length += data.count
        guard unit.length <= maximumUnit else { return abandonUnit() }
        var position = data.startIndex
        while position < data.endIndex {
            if unit.bytes.count == StreamPacket.maximumPayload { sendFragment(isEnd: false, context, into: &packets) }
            let end = min(data.endIndex, position + StreamPacket.maximumPayload - unit.bytes.count)
            unit.bytes.append(contentsOf: data[position..<end])
            position = end
        }
    }

    private mutating func sendFragment(isEnd: Bool, _ context: Context, into packets: inout [StreamPacket]) {
        var payload: [UInt8] = []
        swap(&payload, &unit.bytes)
        if isEnd, !unit.isBegun {
            // It fits one packet after all.
            payload.removeFirst()
            payload[0] = unit.header
        } else {
            payload[0] = unit.header & 0xE0 | H264NALUnitType.fuA.rawValue
            payload[1] = (unit.isBegun ? 0 : 0x80) | (isEnd ? 0x40 : 0) | unit.header & 0x1F
        }
        // The last fragment is kept for seconds in the stream's ring: give back the room it does not need.
        if payload.count < StreamPacket.maximumPayload / 2 {
            payload = payload.withUnsafeBufferPointer { Array($0) }
        }
        unit.isBegun = true
        if !isEnd { unit.bytes = newFragment() }
        emit(payload, isDroppable: isDroppable(unit.header), context, into: &packets)
    }

    /// Ends the unit under way, as its last fragment or the beginning of another unit demands.
    private mutating func finishFragments(
        _ context: Context,
        into packets: inout [StreamPacket],
        notices: inout [IngestNotice]
    ) {
        if unit.state == .assembling {
            let whole = unit.bytes
            let context = Context(timestamp: unit.timestamp, arrival: context.arrival)
            unit = UnitInProgress()
            processUnit(whole[...], context, into: &packets, notices: &notices)
        } else {
            finishFragments(context, into: &packets)
        }
    }

    /// Sends the last fragment of a unit that was streamed.
    mutating func finishFragments(_ context: Context, into packets: inout [StreamPacket]) {
        guard unit.state == .streaming else { return }
        if unit.bytes.count > 2 {
            let context = Context(timestamp: unit.timestamp, arrival: context.arrival)
            sendFragment(isEnd: true, context, into: &packets)
        }
        unit = UnitInProgress()
    }

    private func isDroppable(_ header: UInt8) -> Bool { header & 0x60 == 0 }
}

/// Largest NAL unit that is passed on; a camera's keyframe has a few hundred kilobytes.
private let maximumUnit = 5_000_000
