import Wire

/// A Partial Segment: one `moof` and its `mdat`.
struct PartialSegment: Sendable {
    /// Declared duration in 1/90000 s.
    var duration: Int64
    /// Contains a random access point.
    var isIndependent: Bool
    /// Shared by the part's and the segment's resource.
    var bytes: [UInt8]
}

/// A Media Segment: the concatenation of its parts.
struct MediaSegment: Sendable {
    var sequenceNumber: Int
    /// `EXT-X-DISCONTINUITY` stands before it.
    var isDiscontinuity: Bool
    /// Begins with a random access point.
    var isIndependent: Bool
    /// Which initialization segment it needs.
    var initIndex: Int
    /// UTC of its first frame in milliseconds since 1970.
    var programDateTime: Int64
    var parts: [PartialSegment] = []
    /// Sum of the parts' durations in 1/90000 s.
    var duration: Int64 = 0
    var byteCount = 0
    /// When it became complete.
    var publishedAt: Instant?
    /// From its first frame's arrival until then; `nil` for frames that had come before the muxer was made.
    var latency: Duration?

    mutating func append(_ part: PartialSegment) {
        parts.append(part)
        duration += part.duration
        byteCount += part.bytes.count
    }

    var containsKeyframe: Bool { parts.contains { $0.isIndependent } }
}

/// The segments that can be fetched: those in the playlist, the open one and a few that have just left it.
struct SegmentWindow: Sendable {
    private(set) var complete: [MediaSegment] = []
    /// The segment whose parts are being published.
    private(set) var open: MediaSegment?
    /// Gone from the playlist, still served to clients that have read of them.
    private(set) var retired: [MediaSegment] = []
    private(set) var initSegments: [Int: [UInt8]] = [:]
    /// EXT-X-DISCONTINUITY-SEQUENCE.
    private(set) var discontinuitySequence = 0
    /// Discontinuities so far.
    private(set) var discontinuities = 0
    private(set) var byteCount = 0
    private var nextSequenceNumber: Int
    private let segmentCount: Int
    private let maximumBytes: Int

    /// Segments kept after they left the playlist.
    static let retiredCount = 2

    init(_ configuration: HLSConfiguration) {
        nextSequenceNumber = max(configuration.firstMediaSequenceNumber, 0)
        segmentCount = max(configuration.segmentCount, 1)
        maximumBytes = max(configuration.maximumBytes, 1 << 20)
    }

    /// Media sequence number of the open segment, or of the one that will be opened next.
    var openSequenceNumber: Int { nextSequenceNumber }
    /// EXT-X-MEDIA-SEQUENCE.
    var mediaSequence: Int { complete.first?.sequenceNumber ?? nextSequenceNumber }
    /// Parts published of the open segment.
    var openPartCount: Int { open?.parts.count ?? 0 }
    /// The open segment takes too large a share of the memory.
    var openIsTooLarge: Bool { (open?.byteCount ?? 0) > maximumBytes / 4 }

    mutating func addInitSegment(_ bytes: [UInt8], index: Int) {
        initSegments[index] = bytes
        byteCount += bytes.count
    }

    /// Opens a segment; its sequence number is set here.
    mutating func begin(_ segment: MediaSegment) {
        var segment = segment
        segment.sequenceNumber = nextSequenceNumber
        // A segment that never got a part hands its tag on.
        if let open, open.isDiscontinuity {
            segment.isDiscontinuity = true
        } else if segment.isDiscontinuity {
            discontinuities += 1
        }
        open = segment
    }

    mutating func append(_ part: PartialSegment) {
        open?.append(part)
        byteCount += part.bytes.count
        if byteCount > maximumBytes { evict() }
    }

    /// Completes the open segment, if it has parts, and lets the oldest ones go.
    mutating func finish(latency: Duration?, at now: Instant) -> MediaSegment? {
        guard var segment = open, !segment.parts.isEmpty else { return nil }
        open = nil
        nextSequenceNumber += 1
        segment.publishedAt = now
        segment.latency = latency
        complete.append(segment)
        evict()
        return segment
    }

    private mutating func evict() {
        while complete.count > 1, isOverfull {
            let oldest = complete.removeFirst()
            // The tag of the new first segment is still in the playlist; it counts when it leaves itself.
            if oldest.isDiscontinuity { discontinuitySequence += 1 }
            retired.append(oldest)
        }
        while retired.count > Self.retiredCount || (byteCount > maximumBytes && !retired.isEmpty) {
            byteCount -= retired.removeFirst().byteCount
        }
        while byteCount > maximumBytes, complete.count > 1 {
            let oldest = complete.removeFirst()
            if oldest.isDiscontinuity { discontinuitySequence += 1 }
            byteCount -= oldest.byteCount
        }
        let needed = Set((retired + complete).map(\.initIndex) + [initSegments.keys.max() ?? 0])
        for (index, bytes) in initSegments where !needed.contains(index) {
            initSegments[index] = nil
            byteCount -= bytes.count
        }
    }

    private var isOverfull: Bool {
        // The open segment may take a quarter, and what has left the playlist needs room too.
        if complete.reduce(0, { $0 + $1.byteCount }) > maximumBytes / 8 * 5 { return true }
        guard complete.count > segmentCount else { return false }
        // A group of pictures longer than the window: keep its beginning, or nobody could join.
        return complete.dropFirst().contains { $0.containsKeyframe } || complete.count > 3 * segmentCount
    }

    /// A segment that can still be fetched.
    func segment(_ sequenceNumber: Int) -> MediaSegment? {
        if let open, open.sequenceNumber == sequenceNumber { return open }
        // Few enough for a linear search, and the newest are asked for most.
        return complete.last { $0.sequenceNumber == sequenceNumber }
            ?? retired.last { $0.sequenceNumber == sequenceNumber }
    }
}
