/// The packet index of one source: roll-over counter and highest sequence number (RFC 3711 §3.3.1).
struct SRTPSource: Sendable {
    let ssrc: UInt32
    /// The highest index so far: ROC in bits 16 to 47, sequence number below.
    private(set) var highest: UInt64?
    var replay = ReplayWindow()

    init(ssrc: UInt32) { self.ssrc = ssrc }

    /// The index a packet with this sequence number most probably has (RFC 3711 appendix A).
    func estimateIndex(_ sequence: UInt16) -> UInt64 {
        guard let highest else { return UInt64(sequence) }
        let distance = Int64(Int16(bitPattern: sequence &- UInt16(truncatingIfNeeded: highest)))
        let index = Int64(highest) + distance
        // Before the first wrap there is no earlier cycle.
        return index < 0 ? UInt64(sequence) : UInt64(index)
    }

    /// Notes an index that was used.
    mutating func advance(to index: UInt64) { highest = max(highest ?? 0, index) }
}

/// RFC 3711 §9.2: a master key protects at most 2⁴⁸ RTP and 2³¹ RTCP packets.
let maximumRTPIndex: UInt64 = 1 << 48 - 1
let maximumRTCPIndex: UInt32 = 1 << 31 - 1
