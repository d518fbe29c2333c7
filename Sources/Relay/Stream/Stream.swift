import HLS
import Media
import WebRTC
import Wire

/// A camera's live media and everybody who gets it.
///
/// Outlives the camera's connections: track sequence numbers and the timeline go on over a restart, so that viewers
/// need no renegotiation. Confined to its shard's loop.
final class Stream {
    /// The tracks' formats; index is ``StreamPacket/track``. Empty before the first DESCRIBE.
    private(set) var tracks: [TrackFormat] = [] {
        didSet {
            kinds = tracks.map(\.codec.kind)
            hasVideo = kinds.contains(.video)
        }
    }
    private(set) var hasVideo = false
    /// The tracks' kinds, looked at for every packet.
    private var kinds: [TrackKind?] = []
    private(set) var cache = GOPCache()
    /// WebRTC viewers whose peers take media.
    private(set) var subscribers: [Subscriber] = []
    /// The HLS stream, while somebody asks for it.
    var hls: HLSStream?
    /// Where the next HLS stream begins to number its segments: players that paused must not see numbers go back.
    private(set) var firstHLSSequence = 0

    private var meter = StreamRateMeter()
    private var nextSequence: [UInt64] = []
    private var isInterrupted: [Bool] = []
    /// Video is withheld after a (re)start until it can be decoded.
    private var awaitsKeyframe = true

    /// A WebRTC viewer that takes media.
    struct Subscriber {
        let viewer: Viewer
        /// Video is withheld until the next keyframe because there was no usable cache to start from.
        var awaitsKeyframe: Bool
    }

    /// Whether the index is a video track.
    func isVideo(_ track: Int) -> Bool { kinds.indices.contains(track) && kinds[track] == .video }

    /// The camera described its tracks, at first or after a restart.
    ///
    /// - Returns: Whether codecs changed, so that viewers must negotiate anew.
    func describe(_ formats: [TrackFormat]) -> Bool {
        let isChange = !tracks.isEmpty && tracks.map(\.codec) != formats.map(\.codec)
        tracks = formats
        if nextSequence.count < formats.count {
            nextSequence += [UInt64](repeating: 0, count: formats.count - nextSequence.count)
        }
        return isChange
    }

    /// New parameter sets came in band.
    func update(_ format: TrackFormat, track: Int) {
        guard tracks.indices.contains(track) else { return }
        tracks[track] = format
    }

    /// The camera's connection ended: what comes next does not continue what came before.
    func interrupt() {
        cache.removeAll()
        awaitsKeyframe = true
        isInterrupted = [Bool](repeating: true, count: tracks.count)
    }

    /// Ends the HLS stream.
    func closeHLS(at now: Instant) {
        if let last = hls?.muxer.status(at: now).segments.last?.mediaSequenceNumber {
            // One above the open segment, which may not be listed.
            firstHLSSequence = last + 2
        }
        hls = nil
    }

    /// Takes in packets of one track in order: numbers them, withholds what cannot be decoded, fills the cache.
    ///
    /// - Parameter admitted: Receives what may be delivered.
    func admit(_ packets: [StreamPacket], into admitted: inout [StreamPacket]) {
        for var packet in packets where kinds.indices.contains(packet.track) {
            let isVideo = isVideo(packet.track)
            if isVideo, awaitsKeyframe {
                guard packet.startsKeyframe else { continue }
                awaitsKeyframe = false
            }
            packet.sequence = nextSequence[packet.track]
            nextSequence[packet.track] += 1
            if isInterrupted.indices.contains(packet.track), isInterrupted[packet.track] {
                isInterrupted[packet.track] = false
                packet.followsGap = true
            }
            meter.add(packet, isVideo: isVideo, at: packet.arrival)
            cache.append(packet, kind: isVideo ? .video : .audio)
            admitted.append(packet)
        }
    }

    /// What the stream needs on the wire, by rung of the quality ladder; `nil` before it has been watched for seconds.
    func rates(at now: Instant) -> StreamRates? { meter.rates(at: now) }

    /// A peer is ready for media: it is shown the cached GOP, and live packets from now on.
    func subscribe(_ viewer: Viewer, at now: Instant) {
        unsubscribe(viewer)
        subscribers.append(Subscriber(viewer: viewer, awaitsKeyframe: hasVideo && !cache.isUsable))
        if cache.isUsable { viewer.peer?.replay(cache.packets, at: now) }
    }

    /// Shows a subscriber the cached GOP again, in answer to PLI or FIR.
    ///
    /// - Returns: Whether there was one to show.
    func refresh(_ viewer: Viewer, at now: Instant) -> Bool {
        guard cache.isUsable, subscribers.contains(where: { $0.viewer === viewer }) else { return false }
        viewer.peer?.replay(cache.packets, at: now)
        return true
    }

    /// The viewer takes no more media by WebRTC.
    func unsubscribe(_ viewer: Viewer) { subscribers.removeAll { $0.viewer === viewer } }

    /// Hands admitted packets to every subscriber, one batch each.
    ///
    /// - Parameter flush: Called between viewers, so that the datagrams of a keyframe for hundreds of them leave while
    ///   they are still in the processor's cache.
    func deliver(
        _ packets: [StreamPacket],
        at now: Instant,
        into output: inout DatagramQueue,
        flush: (inout DatagramQueue) -> Void
    ) {
        for index in subscribers.indices {
            flush(&output)
            guard subscribers[index].awaitsKeyframe else {
                subscribers[index].viewer.peer?.send(packets, at: now, into: &output)
                continue
            }
            let start = packets.firstIndex { $0.startsKeyframe }
            if start != nil { subscribers[index].awaitsKeyframe = false }
            let due = packets.enumerated().filter { offset, packet in
                !isVideo(packet.track) || start.map { offset >= $0 } ?? false
            }
            subscribers[index].viewer.peer?.send(due.map(\.element), at: now, into: &output)
        }
    }
}
