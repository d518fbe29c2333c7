/// What a shard has to contribute to the next snapshot.
public struct ShardSnapshot: Sendable {
    /// The shard's cameras.
    public var cameras: [CameraSnapshot] = []
    /// Its viewers, of its own cameras and of others'.
    public var viewers: [ViewerSnapshot] = []
    /// Their candidate pairs.
    public var pairs: [PairSnapshot] = []
    /// The cameras' HLS streams.
    public var hls: [HLSSnapshot] = []
    /// Operations on cameras and viewers.
    public var operations: [OperationSnapshot] = []
    /// Bits per second from cameras.
    public var bitrateIn = 0.0
    /// Bits per second to viewers.
    public var bitrateOut = 0.0
    /// How late the shard's loop runs its timers (99th percentile), in milliseconds; where that is long, viewers suffer
    /// by our fault.
    public var loopDelay: Double?

    /// Creates an empty contribution.
    public init() {}

    /// Brings cameras and their viewers together, which may be on different shards: counts viewers and judges them by
    /// what their cameras do.
    public static func merged(_ shards: [ShardSnapshot]) -> ShardSnapshot {
        var result = ShardSnapshot()
        result.cameras = shards.flatMap(\.cameras).sorted { $0.id < $1.id }
        result.hls = shards.flatMap(\.hls).sorted { $0.id < $1.id }
        result.pairs = shards.flatMap(\.pairs)
        result.operations = shards.flatMap(\.operations).sorted { $0.startedAt < $1.startedAt }
        result.bitrateIn = shards.reduce(0) { $0 + $1.bitrateIn }
        result.bitrateOut = shards.reduce(0) { $0 + $1.bitrateOut }
        result.loopDelay = shards.compactMap(\.loopDelay).max()

        let positions = Dictionary(uniqueKeysWithValues: result.cameras.indices.map { (result.cameras[$0].id, $0) })
        for shard in shards {
            for var viewer in shard.viewers {
                if let position = positions[viewer.camera] {
                    let camera = result.cameras[position]
                    viewer.score = ViewerScore(of: viewer, camera: camera, loopDelay: shard.loopDelay)
                    let health = ViewerHealth(of: viewer, camera: camera)
                    viewer.severity = health.severity
                    viewer.why = health.why
                    viewer.hint = health.hint
                    switch viewer.delivery {
                    case .webrtc: result.cameras[position].webrtcViewers += 1
                    case .hls: result.cameras[position].hlsViewers += 1
                    }
                }
                result.viewers.append(viewer)
            }
        }
        result.viewers.sort { ($1.age, $0.id) < ($0.age, $1.id) }
        for index in result.hls.indices {
            guard let position = positions[result.hls[index].id] else { continue }
            result.hls[index].viewers = result.cameras[position].hlsViewers
        }
        return result
    }
}
