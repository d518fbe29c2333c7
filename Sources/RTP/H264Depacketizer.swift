import Media

/// Puts the payloads of ``H264Repacketizer`` together to access units, as HLS needs them.
public struct H264Depacketizer: Sendable {
    /// Largest access unit in bytes; larger ones are dropped.
    public static let maximumAccessUnit = 5_000_000
    /// Most NAL units in one access unit.
    public static let maximumUnits = 256

    /// Access units that were dropped because a part was missing or they were too large.
    public private(set) var dropped: UInt64 = 0

    private var unit: AccessUnit?
    private var byteCount = 0
    private var isDamaged = false
    private var gapPending = false
    private var fragment: [UInt8] = []
    private var nextSequence: UInt64?

    /// Creates a depacketiser that has seen nothing.
    public init() {}

    /// Takes one packet and appends the access unit it completes, if any.
    public mutating func receive(_ packet: StreamPacket, into units: inout [AccessUnit]) {
        let isContinuous = nextSequence.map { $0 == packet.sequence } ?? true
        nextSequence = packet.sequence &+ 1
        if packet.followsGap || !isContinuous {
            if unit != nil { dropped &+= 1 }
            discard()
            gapPending = true
        } else if let current = unit, current.timestamp != packet.timestamp {
            finish(into: &units)
        }
        var current =
            unit
            ?? AccessUnit(
                track: packet.track,
                timestamp: packet.timestamp,
                arrival: packet.arrival,
                isKeyframe: false,
                units: []
            )
        unit = nil
        current.arrival = packet.arrival
        // Only its beginning makes a keyframe: the rest of one that was interrupted is none.
        if packet.startsKeyframe { current.isKeyframe = true }
        take(packet.payload, into: &current)
        unit = current
        if packet.isMarker { finish(into: &units) }
    }

    /// Forgets the access unit under way; the next one follows a gap.
    public mutating func reset() {
        discard()
        gapPending = true
        nextSequence = nil
    }

    private mutating func take(_ payload: [UInt8], into current: inout AccessUnit) {
        byteCount += payload.count
        guard let header = payload.first, byteCount <= Self.maximumAccessUnit,
            current.units.count < Self.maximumUnits
        else {
            isDamaged = true
            return
        }
        switch H264NALUnitType(header: header) {
        case .stapA: takeAggregate(payload, into: &current)
        case .fuA: takeFragment(payload, into: &current)
        default: current.units.append(payload)
        }
    }

    private mutating func takeAggregate(_ payload: [UInt8], into current: inout AccessUnit) {
        var position = 1
        while position + 2 <= payload.count {
            let size = Int(payload[position]) << 8 | Int(payload[position + 1])
            position += 2
            guard size > 0, position + size <= payload.count, current.units.count < Self.maximumUnits else {
                isDamaged = true
                return
            }
            current.units.append(Array(payload[position..<position + size]))
            position += size
        }
    }

    private mutating func takeFragment(_ payload: [UInt8], into current: inout AccessUnit) {
        guard payload.count > 2 else {
            isDamaged = true
            return
        }
        let isStart = payload[1] & 0x80 != 0
        if isStart {
            if !fragment.isEmpty { isDamaged = true }
            fragment = [payload[0] & 0xE0 | payload[1] & 0x1F]
        } else if fragment.isEmpty {
            isDamaged = true
            return
        }
        fragment.append(contentsOf: payload[2...])
        if payload[1] & 0x40 != 0 {
            current.units.append(fragment)
            fragment = []
        }
    }

    private mutating func finish(into units: inout [AccessUnit]) {
        guard var ended = unit else { return }
        let hasSlice = ended.units.contains {
            $0.first.flatMap(H264NALUnitType.init(header:))?.isSlice ?? false
        }
        if isDamaged || !fragment.isEmpty || !hasSlice {
            dropped &+= 1
            gapPending = true
        } else {
            ended.followsGap = gapPending
            gapPending = false
            units.append(ended)
        }
        discard()
    }

    private mutating func discard() {
        unit = nil
        byteCount = 0
        isDamaged = false
        fragment = []
    }
}
