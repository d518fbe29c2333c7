/// What the viewers of a camera on one loop need of it.
struct StreamDemand: Sendable, Equatable {
    /// Some have a WebRTC session, so packets are wanted. A new number for every time that begins; `nil` when not.
    var attachment: UInt64?
    /// Some of those sessions carry the converted sound.
    var sound = false
    /// Sessions that take media.
    var subscribers = 0
    /// Viewers of whom nothing is heard any more.
    var gone: Set<String> = []
}

/// Everybody who watches a camera, over all loops, as far as the camera's shard needs to know.
struct Audience {
    /// Viewers and the number of the shard that has them.
    var viewers: [String: Int] = [:]
    private var demands: [Int: StreamDemand] = [:]

    /// Takes what a shard says of its viewers' needs.
    ///
    /// - Returns: Whether packets are wanted there that were not.
    mutating func note(_ demand: StreamDemand, of shard: Int) -> Bool {
        let before = demands.updateValue(demand, forKey: shard)
        return demand.attachment != nil && demand.attachment != before?.attachment
    }

    /// Those of whom something is heard.
    var present: Set<String> { demands.values.reduce(into: Set(viewers.keys)) { $0.subtract($1.gone) } }

    /// Whether a WebRTC session carries the converted sound.
    var wantsSound: Bool { demands.values.contains(where: \.sound) }

    /// WebRTC sessions that take media.
    var subscribers: Int { demands.values.reduce(0) { $0 + $1.subscribers } }

    /// The shards that want packets.
    var shards: some Sequence<Int> { demands.lazy.filter { $0.value.attachment != nil }.map(\.key) }
}
