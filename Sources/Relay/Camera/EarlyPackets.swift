/// RTP packets that came before the answer to PLAY.
///
/// Many cameras send the first ones before it, and among them is the keyframe that viewers wait for. Bounded; what does
/// not fit is dropped.
struct EarlyPackets {
    private(set) var packets: [(track: Int, bytes: [UInt8])] = []
    private var byteCount = 0

    /// Most bytes kept: a large keyframe.
    static let byteLimit = 2 << 20
    /// Most packets kept.
    static let packetLimit = 4_096

    mutating func append(_ bytes: [UInt8], track: Int) {
        guard packets.count < Self.packetLimit, byteCount + bytes.count <= Self.byteLimit else { return }
        byteCount += bytes.count
        packets.append((track, bytes))
    }

    /// The packets in order of arrival; none are left.
    mutating func take() -> [(track: Int, bytes: [UInt8])] {
        defer { self = EarlyPackets() }
        return packets
    }
}
