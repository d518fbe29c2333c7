/// A measured series that the relay remembers: one value a second for 15 minutes.
public enum SeriesKey: Hashable, Codable, Sendable {
    /// What of a camera.
    public enum CameraMetric: String, Codable, Sendable, CaseIterable {
        /// Received bits per second.
        case bitrate
        /// Percent lost.
        case loss
        /// Frames per second.
        case fps
        /// Bits per second to all its viewers.
        case egress
    }

    /// What of a viewer.
    public enum ViewerMetric: String, Codable, Sendable, CaseIterable {
        /// Sent bits per second.
        case bitrate
        /// Milliseconds.
        case roundTrip
        /// Percent lost.
        case loss
        /// Seconds behind live.
        case behindLive
    }

    /// What of the node.
    public enum NodeMetric: String, Codable, Sendable, CaseIterable {
        /// Bits per second from cameras.
        case bitrateIn
        /// Bits per second to viewers.
        case bitrateOut
        /// Percent of a core.
        case cpu
    }

    case camera(String, CameraMetric)
    case viewer(String, ViewerMetric)
    /// Part latency of a camera's HLS stream in milliseconds (worst of each second).
    case hlsLatency(String)
    case node(NodeMetric)
}

/// Asks for the newest values of some series.
public struct HistoryRequest: Codable, Sendable {
    /// The series wanted; at most ``seriesLimit`` are answered.
    public var series: [SeriesKey]
    /// How many seconds back, 1…900.
    public var seconds: Int

    /// Most series in one answer.
    public static let seriesLimit = 256
    /// Seconds that are remembered.
    public static let secondsLimit = 900

    /// Creates a request.
    public init(series: [SeriesKey], seconds: Int) {
        self.series = series
        self.seconds = seconds
    }
}

/// The answer to a ``HistoryRequest``.
public struct HistoryReply: Codable, Sendable {
    /// In the order asked: values oldest first, one a second, ending now; `nil` where nothing was measured.
    /// Shorter than asked when the object is younger.
    public var values: [[Double?]]

    /// Creates a reply.
    public init(values: [[Double?]]) { self.values = values }
}

/// Asks for events older than those in the snapshot.
public struct EventsRequest: Codable, Sendable {
    /// Only events with a smaller id; `nil` begins with the newest.
    public var before: UInt64?
    /// At most this many, newest first (1…1000).
    public var limit: Int

    /// Creates a request.
    public init(before: UInt64? = nil, limit: Int) {
        self.before = before
        self.limit = limit
    }
}
