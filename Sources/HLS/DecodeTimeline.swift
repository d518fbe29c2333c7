/// Derives decode times from presentation times that come in decode order.
///
/// RTP carries presentation times only. With a reorder depth of *d* the decode time of the *n*-th frame is the
/// (*n* − *d*)-th smallest presentation time; without reordering the two are the same. Times are in 1/90000 s.
struct DecodeTimeline: Sendable {
    /// Frames that precede another one in decode order and follow it in display order.
    private(set) var depth: Int
    private let frameInterval: Int64
    private var pending: [Int64] = []
    private var last: Int64?
    /// The latest presentation times, to notice reordering that was not announced.
    private var recent: [Int64] = []

    private let maximumDepth: Int

    /// - Parameter canReorder: False when the SPS proves that display order is decode order.
    init(depth: Int, canReorder: Bool = true, frameInterval: Int64) {
        maximumDepth = canReorder ? maximumReorderDepth : 0
        self.depth = min(max(depth, 0), maximumDepth)
        self.frameInterval = max(frameInterval, 1)
    }

    /// The decode time of the next frame; always later than that of the frame before.
    mutating func decodeTime(of presentation: Int64) -> Int64 {
        if last == nil {
            for index in stride(from: depth, to: 0, by: -1) {
                pending.append(presentation - Int64(index) * frameInterval)
            }
        }
        let overtaken = recent.reduce(0) { $1 > presentation ? $0 + 1 : $0 }
        // One frame is decoded a tick after its predecessor each time the depth turns out to be larger.
        if overtaken > depth { depth = min(overtaken, maximumDepth) }
        recent.append(presentation)
        if recent.count > maximumReorderDepth { recent.removeFirst() }

        pending.insert(presentation, at: pending.firstIndex { $0 > presentation } ?? pending.count)
        var time = last.map { $0 + 1 } ?? pending[0]
        while pending.count > depth { time = max(time, pending.removeFirst()) }
        last = time
        return time
    }

    /// The reorder depth that a sequence of presentation times in decode order shows.
    static func depth(of presentationTimes: [Int64]) -> Int {
        var depth = 0
        for (index, time) in presentationTimes.enumerated() {
            let before = presentationTimes[max(0, index - maximumReorderDepth)..<index]
            depth = max(depth, before.reduce(0) { $1 > time ? $0 + 1 : $0 })
        }
        return depth
    }
}

/// `max_num_reorder_frames` is at most 16 (ITU-T H.264 §E.2.1).
private let maximumReorderDepth = 16
