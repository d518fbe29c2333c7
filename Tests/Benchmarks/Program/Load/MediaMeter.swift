import CBench
import RTP

/// What one viewer received, counted from the cleartext headers.
struct MediaMeter {
    private(set) var packets: UInt64 = 0
    private(set) var bytes: UInt64 = 0
    private(set) var source: UInt32?
    private var firstSequence: UInt64?
    private var hasStarted = false
    private(set) var highestSequence: UInt64 = 0

    /// Counts a protected RTP packet of the first source that sent.
    mutating func receive(_ packet: UnsafeRawBufferPointer) {
        let ssrc = UInt32(bigEndian: packet.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
        if source == nil { source = ssrc }
        guard ssrc == source else { return }
        packets += 1
        bytes += UInt64(packet.count)
        let sequence = UInt16(bigEndian: packet.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        if hasStarted {
            let distance = Int16(bitPattern: sequence &- UInt16(truncatingIfNeeded: highestSequence))
            if distance > 0 { highestSequence += UInt64(distance) }
        } else {
            // Far from zero, so that a packet that was overtaken needs no negative number.
            highestSequence = 0x1_0000 + UInt64(sequence)
            hasStarted = true
        }
        if firstSequence == nil { firstSequence = highestSequence }
    }

    /// Packets that never came.
    var lost: UInt64 {
        guard let firstSequence else { return 0 }
        let expected = highestSequence - firstSequence + 1
        return expected > packets ? expected - packets : 0
    }

    /// Begins to count anew.
    mutating func reset() {
        packets = 0
        bytes = 0
        firstSequence = nil
    }
}

/// How long frames were on their way, from the stamp the camera wrote to the kernel of the viewer.
struct LatencyMeter {
    private(set) var inter = Distribution()
    private(set) var keyframes = Distribution()

    /// Takes a decrypted packet.
    mutating func receive(_ payload: ArraySlice<UInt8>, isKeyframe: Bool, received: Int64) {
        guard received > 0, let sent = Stamp.find(in: payload) else { return }
        let milliseconds = Double(received - sent) / 1_000_000
        if isKeyframe { keyframes.add(milliseconds) } else { inter.add(milliseconds) }
    }

    mutating func reset() {
        inter.removeAll()
        keyframes.removeAll()
    }
}

/// Whether an H.264 RTP payload belongs to an IDR picture's slice (RFC 6184 §5.6, §5.8).
func isIDR(_ payload: ArraySlice<UInt8>) -> Bool {
    guard payload.count >= 2 else { return false }
    let type = payload[payload.startIndex] & 0x1F
    return type == 5 || type == 28 && payload[payload.startIndex + 1] & 0x1F == 5
}
