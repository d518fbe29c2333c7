import HLS
import Media
import RTP
import Wire

/// A camera's HLS stream, made while somebody asks for it: from packets to parts, and the requests that wait for them.
///
/// Confined to its shard's loop.
final class HLSStream {
    /// Serves playlists and media.
    var muxer: HLSMuxer
    /// Tickets of requests that wait for the playlist to change.
    var waiting: [UInt64] = []
    /// When anything was last asked for.
    var lastRequestAt: Instant
    var requests = RateMeter()
    var served = RateMeter()
    private var depacketizer = H264Depacketizer()
    private var units: [AccessUnit] = []

    /// Creates the stream and feeds it the cached GOP, so that the first request finds a picture.
    init(
        stream: Stream,
        firstSequence: Int,
        prefix: String,
        wallClockAtZero: Int64,
        frameInterval: Duration?,
        keyframeInterval: Duration?,
        at now: Instant
    ) throws(HLSFailure) {
        var configuration = HLSConfiguration(prefix: prefix, wallClockAtZero: wallClockAtZero)
        configuration.frameInterval = frameInterval
        configuration.keyframeInterval = keyframeInterval
        configuration.firstMediaSequenceNumber = firstSequence
        muxer = try HLSMuxer(tracks: stream.tracks, configuration: configuration, at: now)
        lastRequestAt = now
        if stream.cache.isUsable { _ = append(stream.cache.packets, isVideo: stream.isVideo, at: now) }
    }

    /// Counts a request.
    func noteRequest(at now: Instant) {
        lastRequestAt = now
        requests.add(1, at: now)
    }

    /// Takes live packets.
    ///
    /// - Returns: Whether the playlist changed.
    func append(_ packets: [StreamPacket], isVideo: (Int) -> Bool, at now: Instant) -> Bool {
        var isChanged = false
        for packet in packets {
            if isVideo(packet.track) {
                depacketizer.receive(packet, into: &units)
                for unit in units where muxer.append(unit, at: now) { isChanged = true }
                units.removeAll(keepingCapacity: true)
            } else {
                let unit = AccessUnit(
                    track: packet.track,
                    timestamp: packet.timestamp,
                    arrival: packet.arrival,
                    isKeyframe: true,
                    followsGap: packet.followsGap,
                    units: [packet.payload]
                )
                if muxer.append(unit, at: now) { isChanged = true }
            }
        }
        return isChanged
    }

    /// How the stream is cut; `nil` before anything is published.
    var pace: HLSPace? {
        muxer.targetDuration.map { HLSPace(isLowLatency: muxer.isLowLatency, targetDuration: $0) }
    }

    /// The camera's connection ended: what is held back is published, a discontinuity follows.
    func interrupt(at now: Instant) {
        depacketizer.reset()
        muxer.interrupt(at: now)
    }
}

/// A request that waits for a part.
struct PendingHLSRequest {
    let request: HLSRequest
    let camera: Camera
    /// The viewer's id, where it is one of the camera's.
    let viewer: String?
    let deadline: Instant
}
