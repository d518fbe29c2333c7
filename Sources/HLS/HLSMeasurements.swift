import Wire

/// Counters and short histories of a muxer, for its status and for the playlist's BANDWIDTH.
struct HLSMeasurements: Sendable {
    /// Parts published so far; changes whenever the playlist does.
    private(set) var publishedParts: UInt64 = 0
    private(set) var lastPartAt: Instant?
    private var latencies: [Duration] = []
    private var partLatencies: [Duration] = []
    private var bitRates: [Int] = []

    /// Segments over which latency is summarised.
    static let latencyHistory = 64
    /// Parts over which latency is summarised: about a minute.
    static let partLatencyHistory = 256
    /// Segments over which the peak bit rate is taken.
    static let bitRateHistory = 16

    /// - Parameter latency: From the arrival of its first frame; `nil` for frames that came from a cache.
    mutating func publishedPart(latency: Duration?, at now: Instant) {
        publishedParts += 1
        lastPartAt = now
        guard let latency else { return }
        partLatencies.append(latency)
        if partLatencies.count > Self.partLatencyHistory { partLatencies.removeFirst() }
    }

    mutating func completed(_ segment: MediaSegment) {
        if let latency = segment.latency {
            latencies.append(latency)
            if latencies.count > Self.latencyHistory { latencies.removeFirst() }
        }
        // A sliver with a keyframe says nothing about the rate.
        guard segment.duration >= ticksPerSecond / 2, let rate = Self.bitRate(segment) else { return }
        bitRates.append(rate)
        if bitRates.count > Self.bitRateHistory { bitRates.removeFirst() }
    }

    static func bitRate(_ segment: MediaSegment) -> Int? {
        guard segment.duration > 0 else { return nil }
        return Int(Int64(segment.byteCount) * 8 * ticksPerSecond / segment.duration)
    }

    var lastLatency: Duration? { latencies.last }
    var maximumLatency: Duration? { latencies.max() }
    var medianLatency: Duration? { Self.median(latencies) }
    var lastPartLatency: Duration? { partLatencies.last }
    var maximumPartLatency: Duration? { partLatencies.max() }
    var medianPartLatency: Duration? { Self.median(partLatencies) }

    private static func median(_ values: [Duration]) -> Duration? {
        let sorted = values.sorted()
        return sorted.isEmpty ? nil : sorted[sorted.count / 2]
    }

    /// Bits per second: the highest and the average of the recent segments.
    var bandwidth: (peak: Int, average: Int)? {
        guard let peak = bitRates.max() else { return nil }
        return (peak, bitRates.reduce(0, +) / bitRates.count)
    }
}
