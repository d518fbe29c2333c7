import Media
import WebRTC
import Wire

/// What a stream needs on the wire at each rung of the quality ladder, averaged over ten seconds, so that a keyframe now
/// and then does not count for more than it is.
struct StreamRateMeter {
    private struct Bucket {
        var second: Int64 = -1
        var full = 0
        var droppable = 0
        var keyframes = 0
    }

    private var buckets = [Bucket](repeating: Bucket(), count: bucketCount)
    private var startedAt: Instant?

    /// Counts a packet that arrived at `now`. Sound counts as needed at every rung.
    mutating func add(_ packet: StreamPacket, isVideo: Bool, at now: Instant) {
        if startedAt == nil { startedAt = now }
        let second = now.nanoseconds / 1_000_000_000
        let slot = Int(second & Int64(Self.bucketCount - 1))
        if buckets[slot].second != second { buckets[slot] = Bucket(second: second) }
        let byteCount = packet.payload.count + Self.overhead
        buckets[slot].full += byteCount
        if !isVideo || packet.isKeyframe { buckets[slot].keyframes += byteCount }
        if isVideo, packet.isDroppable { buckets[slot].droppable += byteCount }
    }

    /// The rates over the last whole seconds; `nil` before three of them.
    func rates(at now: Instant) -> StreamRates? {
        guard let startedAt else { return nil }
        let end = now.nanoseconds / 1_000_000_000
        let begin = max(end - Self.window, startedAt.nanoseconds / 1_000_000_000 + 1)
        guard end - begin >= Self.fewest else { return nil }
        var sum = Bucket()
        for bucket in buckets where bucket.second >= begin && bucket.second < end {
            sum.full += bucket.full
            sum.droppable += bucket.droppable
            sum.keyframes += bucket.keyframes
        }
        let perSecond = 8 / Double(end - begin)
        return StreamRates(
            full: Double(sum.full) * perSecond,
            reduced: Double(sum.full - sum.droppable) * perSecond,
            keyframes: Double(sum.keyframes) * perSecond
        )
    }

    /// RTP header, transport-wide number and SRTP tag.
    private static let overhead = 36
    private static let window: Int64 = 10
    private static let fewest: Int64 = 3
    /// A power of two, more than the seconds of the window.
    private static let bucketCount = 16
}
