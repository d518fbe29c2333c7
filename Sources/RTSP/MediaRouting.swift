import Media
import Wire

/// Which track a packet belongs to, and where the camera's ports are.
struct MediaRouting: Sendable {
    /// One track's path.
    struct Path: Sendable {
        var track: RTSPTrack
        /// SETUP succeeded.
        var isSetUp = false
        /// Our ports, once bound.
        var clientPort: NumberPair<UInt16>?
        /// The camera's ports as announced.
        var serverPort: NumberPair<UInt16>?
        /// Where packets really come from, once one has.
        var learnedPort: (rtp: UInt16?, rtcp: UInt16?) = (nil, nil)
        /// Our channels in use (TCP).
        var channels: NumberPair<UInt8>?
        /// When the last RTP packet came; before the first, when PLAY succeeded.
        var lastPacketAt: Instant?
        var hasPackets = false
        var reportedSilence = false
    }

    /// Where an interleaved packet goes.
    enum Route: Equatable {
        case rtp(track: Int)
        case rtcp(track: Int)
        /// Nowhere; `isNew` the first time on this channel.
        case unknown(isNew: Bool)
    }

    private(set) var paths: [Path] = []
    /// Per channel: track × 2, plus 1 for RTCP; or one of the two marks below.
    private var channels = [UInt8](repeating: unassigned, count: 256)

    init() {}

    init(tracks: [RTSPTrack]) { paths = tracks.map { Path(track: $0) } }

    subscript(track: Int) -> Path? {
        get { paths.indices.contains(track) ? paths[track] : nil }
        set {
            guard let newValue, paths.indices.contains(track) else { return }
            paths[track] = newValue
        }
    }

    /// The tracks that are set up.
    var activeTracks: [RTSPTrack] { paths.filter(\.isSetUp).map(\.track) }

    /// The track whose silence means that the camera has stalled: video if there is any.
    var mainTrack: Int? {
        paths.firstIndex { $0.isSetUp && $0.track.format.codec.kind == .video } ?? paths.firstIndex(where: \.isSetUp)
    }

    /// Routes a track's channels: those of the reply unless another track has them, else those that were asked for.
    mutating func assign(track: Int, asked: NumberPair<UInt8>, reply: NumberPair<UInt8>?) {
        guard paths.indices.contains(track) else { return }
        var pair = asked
        if let reply, channels[Int(reply.rtp)] == unassigned, channels[Int(reply.rtcp)] == unassigned { pair = reply }
        paths[track].channels = pair
        channels[Int(pair.rtcp)] = UInt8(truncatingIfNeeded: track << 1 | 1)
        channels[Int(pair.rtp)] = UInt8(truncatingIfNeeded: track << 1)
    }

    /// Finds the track of an interleaved packet.
    mutating func route(channel: UInt8, payload: ArraySlice<UInt8>) -> Route {
        let entry = channels[Int(channel)]
        guard entry < firstMark else { return learn(channel, payload, isNew: entry == unassigned) }
        let track = Int(entry >> 1)
        // Some cameras send both kinds on one channel; the second byte tells them apart (RFC 5761 §4).
        return entry & 1 == 1 || isRTCP(payload) ? .rtcp(track: track) : .rtp(track: track)
    }

    /// A camera that ignores the channels agreed is recognised by the payload type, as long as nothing has come on the
    /// channel agreed.
    private mutating func learn(_ channel: UInt8, _ payload: ArraySlice<UInt8>, isNew: Bool) -> Route {
        channels[Int(channel)] = unknown
        guard payload.count >= 12, payload[payload.startIndex] >> 6 == 2 else { return .unknown(isNew: isNew) }
        if isRTCP(payload) {
            let neighbour = channel == 0 ? unassigned : channels[Int(channel) - 1]
            guard neighbour < firstMark, neighbour & 1 == 0 else { return .unknown(isNew: isNew) }
            channels[Int(channel)] = neighbour | 1
            return .rtcp(track: Int(neighbour >> 1))
        }
        let type = payload[payload.startIndex + 1] & 0x7F
        let candidates = paths.indices.filter {
            paths[$0].isSetUp && !paths[$0].hasPackets && paths[$0].track.payloadType == type
        }
        guard candidates.count == 1, let track = candidates.first else { return .unknown(isNew: isNew) }
        channels[Int(channel)] = UInt8(truncatingIfNeeded: track << 1)
        return .rtp(track: track)
    }

    /// An RTP packet of the track arrived.
    mutating func received(track: Int, at now: Instant) {
        paths[track].lastPacketAt = now
        paths[track].hasPackets = true
        paths[track].reportedSilence = false
    }

    /// PLAY succeeded: silence counts from here.
    mutating func started(at now: Instant) {
        for index in paths.indices where paths[index].isSetUp && !paths[index].hasPackets {
            paths[index].lastPacketAt = now
        }
    }

    /// What a datagram's source port means.
    enum Source: Equatable {
        case accepted
        case acceptedFromUnexpectedPort
        case refused
    }

    /// Decides whether a datagram from the camera's host belongs to the track. The first port that sends is taken,
    /// because announced ports are often wrong; a packet from the announced one overrides that.
    mutating func accept(track: Int, isRTCP: Bool, from port: UInt16) -> Source {
        guard paths.indices.contains(track), paths[track].isSetUp || paths[track].clientPort != nil else {
            return .refused
        }
        let announced = isRTCP ? paths[track].serverPort?.rtcp : paths[track].serverPort?.rtp
        let learned = isRTCP ? paths[track].learnedPort.rtcp : paths[track].learnedPort.rtp
        if learned == port { return .accepted }
        guard learned == nil || port == announced else { return .refused }
        if isRTCP { paths[track].learnedPort.rtcp = port } else { paths[track].learnedPort.rtp = port }
        return announced == nil || announced == port ? .accepted : .acceptedFromUnexpectedPort
    }

    /// Where to send a track's datagrams, if that is known.
    func destination(track: Int, isRTCP: Bool) -> UInt16? {
        guard let path = self[track] else { return nil }
        return isRTCP
            ? path.learnedPort.rtcp ?? path.serverPort?.rtcp : path.learnedPort.rtp ?? path.serverPort?.rtp
    }
}

/// No track has the channel.
private let unassigned: UInt8 = 0xFF

/// Packets came, and belong to no track.
private let unknown: UInt8 = 0xFE

/// Entries below are tracks.
private let firstMark: UInt8 = 0xFE

/// Whether the packet is RTCP: packet types 200–207, which as RTP would be payload types 72–79 with a marker, never used.
private func isRTCP(_ packet: ArraySlice<UInt8>) -> Bool {
    packet.count >= 2 && (200...207).contains(packet[packet.startIndex + 1])
}
