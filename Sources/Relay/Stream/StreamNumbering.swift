import Media

/// Numbers a camera's packets and withholds what cannot be decoded, over all its connections: viewers need no
/// renegotiation when the camera is restarted.
struct StreamNumbering {
    private var next: [UInt64] = []
    private var isInterrupted: [Bool] = []
    /// Video is withheld after a (re)start until it can be decoded.
    private var awaitsKeyframe = true

    /// The camera's connection ended: what comes next does not continue what came before.
    mutating func interrupt() {
        awaitsKeyframe = true
        for track in isInterrupted.indices { isInterrupted[track] = true }
    }

    /// Takes packets of a stream's tracks in order.
    ///
    /// - Parameters:
    ///   - kinds: The tracks' kinds.
    ///   - admitted: Receives what may be delivered, numbered.
    mutating func admit(_ packets: [StreamPacket], kinds: [TrackKind?], into admitted: inout [StreamPacket]) {
        if next.count < kinds.count {
            let missing = kinds.count - next.count
            next += [UInt64](repeating: 0, count: missing)
            isInterrupted += [Bool](repeating: false, count: missing)
        }
        for var packet in packets where kinds.indices.contains(packet.track) {
            if awaitsKeyframe, kinds[packet.track] == .video {
                guard packet.startsKeyframe else { continue }
                awaitsKeyframe = false
            }
            packet.sequence = next[packet.track]
            next[packet.track] += 1
            if isInterrupted[packet.track] {
                isInterrupted[packet.track] = false
                packet.followsGap = true
            }
            admitted.append(packet)
        }
    }
}
