import Media
import WebRTC
import Wire

/// A camera's live media on one loop, and everybody there who gets it.
///
/// Every shard has one for every camera. The one at the camera's shard, its home, is fed by the camera; the others by
/// batches from there, while somebody wants them. Outlives the camera's connections. Confined to its shard's loop.
final class Stream {
    /// The camera's name.
    let name: String
    /// The delivery that is configured for the camera.
    let delivery: DeliveryPolicy
    /// The number of the shard that has the camera.
    let home: Int

    /// What is known of the camera; away from home, what home last said.
    var facts: StreamFacts {
        didSet {
            isChanged = true
            guard facts.tracks != oldValue.tracks else { return }
            kinds = facts.tracks.map(\.codec.kind)
            hasVideo = kinds.contains(.video)
        }
    }
    /// At home: the facts changed since the other shards were told.
    var isChanged = false
    /// At home: what the others were last told.
    var published: StreamFacts
    private(set) var hasVideo = false
    /// The tracks' kinds, looked at for every packet.
    private(set) var kinds: [TrackKind?] = []
    private(set) var cache = GOPCache()
    private var meter = StreamRateMeter()

    /// Everybody on this loop who watches the camera, by whatever delivery.
    var viewers: [String: Viewer] = [:]
    /// WebRTC viewers whose peers take media.
    private(set) var subscribers: [Subscriber] = []
    /// What home was last told that the viewers here need.
    var demand = StreamDemand()
    /// Away from home: batches come in.
    private(set) var isAttached = false

    /// A WebRTC viewer that takes media.
    struct Subscriber {
        let viewer: Viewer
        /// Video is withheld until the next keyframe because there was no usable cache to start from.
        var awaitsKeyframe: Bool
    }

    init(name: String, delivery: DeliveryPolicy, home: Int, facts: StreamFacts = StreamFacts()) {
        self.name = name
        self.delivery = delivery
        self.home = home
        self.facts = facts
        published = facts
    }

    /// The tracks' formats.
    var tracks: [TrackFormat] { facts.tracks }

    /// Whether the index is a video track.
    func isVideo(_ track: Int) -> Bool { kinds.indices.contains(track) && kinds[track] == .video }

    // MARK: Media

    /// Takes in the next packets: counts them and fills the cache.
    func take(_ packets: ArraySlice<StreamPacket>) {
        for packet in packets {
            let isVideo = isVideo(packet.track)
            meter.add(packet, isVideo: isVideo, at: packet.arrival)
            cache.append(packet, kind: isVideo ? .video : .audio)
        }
    }

    /// The camera's connection ended.
    func interrupt() { cache.removeAll() }

    /// Away from home: begins where home is. Who waits for a picture is shown one.
    func attach(_ cache: GOPCache, at now: Instant) {
        isAttached = true
        self.cache = cache
        meter = StreamRateMeter()
        guard cache.isUsable else { return }
        for index in subscribers.indices where subscribers[index].awaitsKeyframe {
            subscribers[index].awaitsKeyframe = false
            subscribers[index].viewer.peer?.replay(cache.packets, at: now)
        }
    }

    /// Away from home: nobody here wants the media any more.
    func detach() {
        isAttached = false
        cache.removeAll()
    }

    /// What the stream needs on the wire, by rung of the quality ladder; `nil` before it has been watched for seconds.
    func rates(at now: Instant) -> StreamRates? { meter.rates(at: now) }

    // MARK: Subscribers

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

    /// Hands packets that were taken in to every subscriber, one batch each.
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
