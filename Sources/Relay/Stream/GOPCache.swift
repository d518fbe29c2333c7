import Media
import Wire

/// The stream's packets since its last keyframe, from which a new viewer is shown a picture at once.
///
/// Bounded in time, bytes and packets; a GOP that does not fit is not cached at all, because its tail cannot be decoded.
struct GOPCache {
    /// The packets of all tracks in order of arrival; the first belongs to a keyframe.
    private(set) var packets: [StreamPacket] = []
    /// Payload bytes held.
    private(set) var byteCount = 0
    /// Pictures held.
    private(set) var frameCount = 0
    private var state = State.empty

    private enum State {
        /// Waiting for a keyframe.
        case empty
        /// Holds a decodable run of packets.
        case usable
        /// The GOP outgrew the limits or lost packets; waits for the next keyframe.
        case spoiled
    }

    /// Longest GOP that is cached.
    static let durationLimit: Duration = .seconds(12)
    /// Largest GOP that is cached, in payload bytes.
    static let byteLimit = 32 << 20

    /// Most packets that are cached: a GOP at the byte limit has less than half as many, one of tiny packets would cost a
    /// multiple of its payload.
    static let packetLimit = 65_536

    /// Whether a viewer can be served from it.
    var isUsable: Bool { state == .usable }

    /// Takes in the stream's next packet.
    mutating func append(_ packet: StreamPacket, kind: TrackKind) {
        if packet.startsKeyframe {
            removeAll()
            state = .usable
        }
        guard state == .usable else { return }
        if kind == .video, packet.followsGap, !packet.startsKeyframe {
            spoil()
            return
        }
        guard let first = packets.first ?? Optional(packet), packet.arrival - first.arrival <= Self.durationLimit,
            byteCount + packet.payload.count <= Self.byteLimit, packets.count < Self.packetLimit
        else {
            spoil()
            return
        }
        packets.append(packet)
        byteCount += packet.payload.count
        if kind == .video, packet.isMarker { frameCount += 1 }
    }

    /// Forgets everything, as after a camera's restart.
    mutating func removeAll() {
        packets.removeAll(keepingCapacity: true)
        byteCount = 0
        frameCount = 0
        state = .empty
    }

    private mutating func spoil() {
        removeAll()
        state = .spoiled
    }
}
