import Media
import Wire

/// What one shard says to another about a camera that one of them has. Delivered in the order in which it was said.
public struct ShardMessage: Sendable {
    /// The camera.
    let camera: String
    /// Who says it.
    let sender: Int
    let content: Content

    enum Content: Sendable {
        case fromHome(FromHome)
        case fromViewers(FromViewers)
    }

    /// From the camera's shard to those that have viewers.
    enum FromHome: Sendable {
        /// What is known of the camera changed; `isNews` when pages are to be told.
        case facts(StreamFacts, isNews: Bool)
        /// Packets follow, from where the cache ends.
        case attached(GOPCache, attachment: UInt64)
        /// The next packets.
        case packets([StreamPacket])
        /// The camera's connection ended: what comes next does not continue what came before.
        case interrupted
        /// Show everybody the cached pictures again.
        case refresh
        /// A viewer fetched something by HLS.
        case fetched(HLSActivity, viewer: String)
    }

    /// From a shard that has viewers to the camera's.
    enum FromViewers: Sendable {
        /// A viewer came.
        case joined(viewer: String)
        /// A viewer is gone.
        case left(viewer: String)
        /// What the viewers there need.
        case demand(StreamDemand)
    }
}

/// Something a viewer asked for, or got, by HLS.
struct HLSActivity: Sendable {
    /// What it was.
    enum Kind: Sendable {
        /// A request came.
        case request(scheme: String)
        /// A playlist was served; `isMedia` when it names segments.
        case playlist(isMedia: Bool)
        /// Media was served; how old its first and its last moment were, where it is a part of the stream.
        case media(age: (start: Duration, end: Duration)?)
    }

    var kind: Kind
    /// When.
    var at: Instant
    /// Size of what was served.
    var byteCount = 0
    /// How the stream is cut; `nil` before that is known.
    var pace: HLSPace?
}

/// How often a player of a stream has something to ask for.
struct HLSPace: Sendable {
    /// Parts of segments are on offer.
    var isLowLatency: Bool
    /// Longest segment.
    var targetDuration: Duration
}
