import Wire

/// Whether the queue on the way to a viewer grows: the slope of the one-way delay over the latest packets, held against
/// a threshold that adapts to the link's own jitter (Google congestion control, draft-ietf-rmcat-gcc-02 §5).
///
/// Only differences of arrival times count, so the two clocks need not agree.
struct DelayTrend {
    /// What the slope says.
    enum Signal: Equatable {
        /// The queue neither grows nor drains.
        case normal
        /// It grows: more is sent than the link carries.
        case overuse
        /// It drains.
        case underuse
    }

    private(set) var signal = Signal.normal

    /// Packets that left within 5 ms count as one, timed by the last of them.
    private struct Group {
        var firstSent: Instant
        var lastSent: Instant
        /// Microseconds of the receiver's clock.
        var lastArrival: Int64
    }

    private struct Point {
        /// Milliseconds since the first arrival.
        var arrival: Double
        /// Smoothed delay in milliseconds, from an arbitrary origin.
        var delay: Double
    }

    private var group: Group?
    private var previous: Group?
    private var firstArrival: Int64 = 0
    private var points: [Point] = []
    private var delay = 0.0
    private var smoothedDelay = 0.0
    private var deltaCount = 0
    private var threshold = initialThreshold
    private var lastArrival: Int64?
    private var overuseSince: Int64?
    private var lastTrend = 0.0

    /// Takes one packet in the order of sending; `arrival` is in microseconds of the receiver's clock.
    mutating func add(sent: Instant, arrival: Int64) {
        guard var current = group else {
            group = Group(firstSent: sent, lastSent: sent, lastArrival: arrival)
            return
        }
        // A packet that overtook others says nothing about the queue.
        guard sent >= current.firstSent else { return }
        if abs(arrival - current.lastArrival) > Self.discontinuity {
            self = DelayTrend()
            group = Group(firstSent: sent, lastSent: sent, lastArrival: arrival)
        } else if sent - current.firstSent <= Self.groupLength {
            current.lastSent = sent
            current.lastArrival = max(current.lastArrival, arrival)
            group = current
        } else {
            complete(current)
            previous = current
            group = Group(firstSent: sent, lastSent: sent, lastArrival: arrival)
        }
    }

    private mutating func complete(_ current: Group) {
        guard let previous else {
            firstArrival = current.lastArrival
            return
        }
        let sentDelta = (current.lastSent - previous.lastSent).inMilliseconds
        let arrivalDelta = Double(current.lastArrival - previous.lastArrival) / 1_000
        deltaCount = min(deltaCount + 1, Self.maximumDeltas)
        delay += arrivalDelta - sentDelta
        smoothedDelay = Self.smoothing * smoothedDelay + (1 - Self.smoothing) * delay
        if points.isEmpty { points.reserveCapacity(Self.windowLength) }
        if points.count == Self.windowLength { points.removeFirst() }
        points.append(Point(arrival: Double(current.lastArrival - firstArrival) / 1_000, delay: smoothedDelay))
        let trend = points.count == Self.windowLength ? slope * Double(deltaCount) * Self.gain : 0
        detect(trend, at: current.lastArrival)
    }

    /// Milliseconds of delay gained per millisecond, by least squares.
    private var slope: Double {
        let count = Double(points.count)
        let meanArrival = points.reduce(0) { $0 + $1.arrival } / count
        let meanDelay = points.reduce(0) { $0 + $1.delay } / count
        var covariance = 0.0
        var variance = 0.0
        for point in points {
            covariance += (point.arrival - meanArrival) * (point.delay - meanDelay)
            variance += (point.arrival - meanArrival) * (point.arrival - meanArrival)
        }
        return variance > 0 ? covariance / variance : 0
    }

    private mutating func detect(_ trend: Double, at arrival: Int64) {
        if trend > threshold {
            let since = overuseSince ?? arrival
            overuseSince = since
            // A single late group is no queue; neither is one that has begun to drain.
            if arrival - since > Self.patience, trend >= lastTrend { signal = .overuse }
        } else {
            overuseSince = nil
            signal = trend < -threshold ? .underuse : .normal
        }
        lastTrend = trend
        adapt(to: trend, at: arrival)
    }

    /// The threshold follows the trend slowly, so that a jittery link is not taken for a full one.
    private mutating func adapt(to trend: Double, at arrival: Int64) {
        defer { lastArrival = arrival }
        guard let lastArrival, abs(trend) <= threshold + Self.largestFollowed else { return }
        let gain = abs(trend) < threshold ? Self.fall : Self.rise
        let elapsed = Double(min(max(arrival - lastArrival, 0), 100_000)) / 1_000
        threshold += gain * (abs(trend) - threshold) * elapsed
        threshold = min(max(threshold, Self.thresholdRange.lowerBound), Self.thresholdRange.upperBound)
    }

    private static let groupLength = Duration.milliseconds(5)
    private static let windowLength = 20
    private static let smoothing = 0.9
    private static let gain = 4.0
    private static let maximumDeltas = 60
    private static let initialThreshold = 12.5
    private static let thresholdRange = 6.0...600.0
    private static let rise = 0.0087
    private static let fall = 0.039
    private static let largestFollowed = 15.0
    /// Microseconds.
    private static let patience: Int64 = 10_000
    /// Microseconds; a larger step is another clock.
    private static let discontinuity: Int64 = 10_000_000
}
