import Media
import Wire

/// Everything there is to see of the relay at one moment; immutable, merged from the loops four times a second.
///
/// The console, the HTTP API, `signalbox ctl`, the metrics page and the tests look at nothing else. Rates are
/// measured over the last second or two; a value that is not known is `nil`, never zero.
public struct Snapshot: Codable, Sendable {
    /// Version of this structure; changes when a field changes its meaning or goes.
    public var schema = 2
    /// When the values were read, on the relay's monotonic clock.
    public var sampledAt: Instant
    /// The same moment as milliseconds since the Unix epoch.
    public var wallClock: Int64
    /// The process and its machine.
    public var node: NodeSnapshot
    /// All configured cameras, by name.
    public var cameras: [CameraSnapshot]
    /// All living viewers, oldest first.
    public var viewers: [ViewerSnapshot]
    /// All candidate pairs of living WebRTC viewers.
    public var pairs: [PairSnapshot]
    /// The TURN server; `nil` where there is none.
    public var turn: TURNSnapshot?
    /// All HLS streams being made.
    public var hls: [HLSSnapshot]
    /// Operations that run, and those that ended in the last 15 s.
    public var operations: [OperationSnapshot]
    /// The newest events, newest first (at most ``eventLimit``), and behind them all older ones that last.
    public var events: [EventSnapshot]

    /// Events in a snapshot besides those that last; older ones are asked for with ``EventsRequest``.
    public static let eventLimit = 64

    /// Creates a snapshot.
    public init(
        sampledAt: Instant,
        wallClock: Int64,
        node: NodeSnapshot,
        cameras: [CameraSnapshot] = [],
        viewers: [ViewerSnapshot] = [],
        pairs: [PairSnapshot] = [],
        turn: TURNSnapshot? = nil,
        hls: [HLSSnapshot] = [],
        operations: [OperationSnapshot] = [],
        events: [EventSnapshot] = []
    ) {
        self.sampledAt = sampledAt
        self.wallClock = wallClock
        self.node = node
        self.cameras = cameras
        self.viewers = viewers
        self.pairs = pairs
        self.turn = turn
        self.hls = hls
        self.operations = operations
        self.events = events
    }
}

/// How bad something is. Orders from harmless to worst.
public enum Severity: Int, Codable, Sendable, Comparable, CaseIterable {
    case ok = 0
    case info
    case unknown
    case warning
    case critical

    /// Whether `lhs` is less bad.
    public static func < (lhs: Severity, rhs: Severity) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// The process as a whole.
public struct NodeSnapshot: Codable, Sendable {
    /// The node's name (host name by default).
    public var name: String
    /// Version of the program.
    public var version: String
    /// Process id.
    public var processID: Int32
    /// Seconds since the relay started.
    public var uptime: Double
    /// CPU use of this process in percent of one core.
    public var cpu: Double?
    /// Resident memory in bytes.
    public var residentBytes: Int64?
    /// Open file descriptors and their limit.
    public var descriptors: Int?
    /// Soft limit of ``descriptors``.
    public var descriptorLimit: Int?
    /// Threads of the process.
    public var threads: Int?
    /// Received from cameras, bits per second.
    public var bitrateIn: Double
    /// Sent to viewers, bits per second.
    public var bitrateOut: Double
    /// How late the loops run their timers: 99th percentile over the last seconds, in milliseconds.
    public var loopDelay: Double?
    /// What the media port could not send or did not take; `nil` before it was looked at.
    public var media: MediaPortSnapshot?
    /// The address to open in a browser, such as `https://127.0.0.1:8443/`.
    public var pageURL: String?
    /// Other addresses of the same page, such as the machine's IPv6 one.
    public var otherPageURLs: [String] = []
    /// What listens where.
    public var listeners: [ListenerSnapshot]
    /// Standing remarks for the operator, such as "showing demo cameras".
    public var notices: [String]
    /// The relay-wide delivery policy.
    public var delivery: DeliveryPolicy

    /// Creates a node snapshot.
    public init(
        name: String,
        version: String,
        processID: Int32,
        uptime: Double = 0,
        cpu: Double? = nil,
        residentBytes: Int64? = nil,
        descriptors: Int? = nil,
        descriptorLimit: Int? = nil,
        threads: Int? = nil,
        bitrateIn: Double = 0,
        bitrateOut: Double = 0,
        loopDelay: Double? = nil,
        pageURL: String? = nil,
        listeners: [ListenerSnapshot] = [],
        notices: [String] = [],
        delivery: DeliveryPolicy = .auto
    ) {
        self.name = name
        self.version = version
        self.processID = processID
        self.uptime = uptime
        self.cpu = cpu
        self.residentBytes = residentBytes
        self.descriptors = descriptors
        self.descriptorLimit = descriptorLimit
        self.threads = threads
        self.bitrateIn = bitrateIn
        self.bitrateOut = bitrateOut
        self.loopDelay = loopDelay
        self.pageURL = pageURL
        self.listeners = listeners
        self.notices = notices
        self.delivery = delivery
    }
}

/// What did not go through the media port since the relay started.
public struct MediaPortSnapshot: Codable, Sendable, Equatable {
    /// Datagrams dropped because the kernel's and our buffers were full.
    public var droppedFull: UInt64
    /// Datagrams that the kernel refused to send.
    public var sendErrors: UInt64
    /// Datagrams received that belong to nobody, and were dropped without an answer.
    public var droppedUnknown: UInt64
    /// Bursts leave with one system call; `false` once the kernel refused that.
    public var isOffloading: Bool

    /// Datagrams that were to go out and did not.
    public var unsent: UInt64 { droppedFull &+ sendErrors }

    /// Creates a media port snapshot.
    public init(droppedFull: UInt64, sendErrors: UInt64, droppedUnknown: UInt64, isOffloading: Bool) {
        self.droppedFull = droppedFull
        self.sendErrors = sendErrors
        self.droppedUnknown = droppedUnknown
        self.isOffloading = isOffloading
    }
}

/// One listening socket.
public struct ListenerSnapshot: Codable, Sendable, Equatable {
    /// `https`, `http`, `media/udp`, `media/tcp`, `control`.
    public var name: String
    /// Where it listens.
    public var address: String

    /// Creates a listener snapshot.
    public init(name: String, address: String) {
        self.name = name
        self.address = address
    }
}

/// Which delivery viewers get.
public enum DeliveryPolicy: String, Codable, Sendable, CaseIterable {
    /// WebRTC first, HLS as the net.
    case auto
    /// WebRTC only.
    case webrtc
    /// HLS only.
    case hls
}

/// A way to bring media to a viewer.
public enum Delivery: String, Codable, Sendable, CaseIterable {
    /// Media over DTLS-SRTP.
    case webrtc
    /// Media over HTTP.
    case hls
}

/// Something worth remembering.
public struct EventSnapshot: Codable, Sendable, Identifiable {
    /// Increases from event to event.
    public var id: UInt64
    /// Milliseconds since the Unix epoch.
    public var at: Int64
    /// How bad it is.
    public var severity: Severity
    /// The camera it is about, if any.
    public var camera: String?
    /// The viewer it is about, if any.
    public var viewer: String?
    /// One sentence, such as `restarted by operator: up in 1.2 s, viewers 7/7 kept`.
    public var text: String
    /// When it was over (milliseconds since the Unix epoch): at once for things without duration; `nil` while what it
    /// reports lasts.
    public var endedAt: Int64?

    /// Creates an event.
    public init(
        id: UInt64,
        at: Int64,
        severity: Severity,
        camera: String? = nil,
        viewer: String? = nil,
        text: String,
        endedAt: Int64? = nil
    ) {
        self.id = id
        self.at = at
        self.severity = severity
        self.camera = camera
        self.viewer = viewer
        self.text = text
        self.endedAt = endedAt
    }
}

/// A command that is being carried out, or was a moment ago.
public struct OperationSnapshot: Codable, Sendable, Identifiable {
    /// How an operation ended, or that it has not.
    public enum Outcome: String, Codable, Sendable {
        /// Still waiting for the observed result.
        case running
        /// The result was observed.
        case succeeded
        /// It was observed to fail.
        case failed
        /// Nothing was observed in time.
        case timedOut
    }

    /// A step that was reached.
    public struct Stage: Codable, Sendable, Equatable {
        /// What was reached, such as `RTSP connected` or `first keyframe`.
        public var name: String
        /// Seconds after the operation began.
        public var after: Double

        /// Creates a stage.
        public init(name: String, after: Double) {
            self.name = name
            self.after = after
        }
    }

    /// The command's id.
    public var id: String
    /// The verb as the operator knows it: `restart`, `kill`, `start`, `switch to HLS`, `drop`, `keyframe`.
    public var verb: String
    /// The camera acted on, if any.
    public var camera: String?
    /// The viewer acted on, if any.
    public var viewer: String?
    /// Who asked.
    public var author: String
    /// Milliseconds since the Unix epoch when it was accepted.
    public var startedAt: Int64
    /// Seconds it has been running, or took.
    public var elapsed: Double
    /// Seconds after which it is given up.
    public var limit: Double
    /// What was reached so far, oldest first.
    public var stages: [Stage]
    /// What it waits for now, such as `waiting for keyframe`; empty once ended.
    public var waitingFor: String
    /// Whether it runs, and how it ended.
    public var outcome: Outcome
    /// The observed result in words, such as `up in 1.2 s, viewers 7/7 kept`; empty while it runs.
    public var result: String

    /// Creates an operation snapshot.
    public init(
        id: String,
        verb: String,
        camera: String? = nil,
        viewer: String? = nil,
        author: String,
        startedAt: Int64,
        elapsed: Double,
        limit: Double,
        stages: [Stage] = [],
        waitingFor: String = "",
        outcome: Outcome = .running,
        result: String = ""
    ) {
        self.id = id
        self.verb = verb
        self.camera = camera
        self.viewer = viewer
        self.author = author
        self.startedAt = startedAt
        self.elapsed = elapsed
        self.limit = limit
        self.stages = stages
        self.waitingFor = waitingFor
        self.outcome = outcome
        self.result = result
    }
}
