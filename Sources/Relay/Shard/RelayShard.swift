import DTLS
import Media
import RTP
import RTSP
import WebRTC
import Wire

/// What all cameras and viewers of a shard share.
public struct ShardConfiguration: Sendable {
    /// Our host candidates: addresses of the media port that clients can reach.
    public var candidates: [TransportAddress]
    /// The same for TCP (RFC 6544, passive).
    public var tcpCandidates: [TransportAddress]
    /// The certificate of our DTLS side.
    public var certificate: DTLSContext
    /// Wall clock of the monotonic clock's origin.
    public var clock: RelayClock
    /// The relay-wide delivery policy.
    public var delivery: DeliveryPolicy
    /// The shard's number; part of its viewers' ids.
    public var instance: UInt16
    /// The numbers of the other shards, which may have viewers of this one's cameras.
    public var others: [Int]
    /// Whether there is a program that converts sound between codecs.
    public var convertsSound: Bool
    /// Sessions at one time that were answered and have yet to connect.
    public var pendingLimit: Int

    /// Creates a configuration.
    public init(
        candidates: [TransportAddress],
        tcpCandidates: [TransportAddress] = [],
        certificate: DTLSContext,
        clock: RelayClock,
        delivery: DeliveryPolicy,
        instance: UInt16,
        others: [Int] = [],
        convertsSound: Bool = false,
        pendingLimit: Int = 256
    ) {
        self.candidates = candidates
        self.tcpCandidates = tcpCandidates
        self.certificate = certificate
        self.clock = clock
        self.delivery = delivery
        self.instance = instance
        self.others = others
        self.convertsSound = convertsSound
        self.pendingLimit = pendingLimit
    }
}

/// Some of the relay's cameras and some of its viewers, on one event loop.
///
/// A viewer may watch a camera of another shard: the two shards then tell each other what they need to know
/// (``ShardMessage``), and packets come as batches, one for all viewers here.
///
/// Does no I/O: inputs come with the time they arrived, effects are appended to a list, datagrams for viewers to
/// ``outgoing``. Not `Sendable`; the shell that drives it keeps it on its loop.
public final class RelayShard {
    let configuration: ShardConfiguration
    let events: EventLog
    let attempts: AttemptLog
    var random: any RandomNumberGenerator

    /// Datagrams for viewers; the shell sends and empties it after every batch of inputs.
    public var outgoing = DatagramQueue()
    /// Sends and empties ``outgoing`` in the middle of a batch, when it holds ``outgoingLimit`` bytes.
    public var flush: (inout DatagramQueue) -> Void = { _ in }

    var cameras: [String: Camera] = [:]
    /// Every camera's media as it is here, those of other shards' cameras included.
    var streams: [String: Stream] = [:]
    var viewers: [String: Viewer] = [:]
    var viewersByUfrag: [String: Viewer] = [:]
    var viewersByPath: [FiveTuple: Viewer] = [:]
    private var cameraDeadlines = DeadlineQueue<Camera>()
    private var viewerDeadlines = DeadlineQueue<Viewer>()
    var operations: [Operation] = []
    var pendingHLS: [UInt64: PendingHLSRequest] = [:]
    var nextChannel: UInt64 = 1
    var nextTicket: UInt64 = 1
    var nextProcess: UInt64 = 1
    var nextAttachment: UInt64 = 1
    var isShuttingDown = false
    /// Addresses at which our TURN server turned somebody away who is no viewer that we know, the newest last.
    var turnRefusals: [TURNRefusal] = []
    var admission = AdmissionControl()

    // Lists of one batch of a camera's packets, kept so that none is allocated anew.
    var rtspEffects: [RTSPEffect] = []
    var ingestedPackets: [StreamPacket] = []
    var admittedPackets: [StreamPacket] = []

    /// The earliest moment anything is due. Pulled earlier by inputs, recomputed by ``handleTimeout(at:into:)``.
    private var deadline: Instant?
    private var housekeepingAt: Instant

    /// Creates a shard without cameras.
    public init(
        configuration: ShardConfiguration,
        events: EventLog,
        attempts: AttemptLog = AttemptLog(),
        random: any RandomNumberGenerator,
        at now: Instant
    ) {
        self.configuration = configuration
        self.events = events
        self.attempts = attempts
        self.random = random
        housekeepingAt = now
        deadline = now
    }

    /// When ``handleTimeout(at:into:)`` next has work.
    public var nextDeadline: Instant? { deadline }

    /// Makes sure that the shell wakes the shard by `instant`.
    func wake(by instant: Instant?) { deadline = earliest(deadline, instant) }

    /// Makes sure that the camera is looked at when it has work.
    func schedule(_ camera: Camera) {
        cameraDeadlines.schedule(camera)
        wake(by: cameraDeadlines.first)
    }

    /// Makes sure that the viewer's peer is looked at when it has work.
    func schedule(_ viewer: Viewer) {
        viewerDeadlines.schedule(viewer)
        wake(by: viewerDeadlines.first)
    }

    /// The viewer has no peer any more.
    func unschedule(_ viewer: Viewer) { viewerDeadlines.remove(viewer) }

    /// Does what is due at `now`. Calling early is harmless.
    public func handleTimeout(at now: Instant, into effects: inout [ShardEffect]) {
        for camera in cameraDeadlines.takeDue(at: now) {
            handleTimeout(of: camera, at: now, into: &effects)
            publish(camera, into: &effects)
            cameraDeadlines.schedule(camera)
        }
        for viewer in viewerDeadlines.takeDue(at: now) {
            handleTimeout(of: viewer, at: now, into: &effects)
            viewerDeadlines.schedule(viewer)
        }
        if now >= housekeepingAt {
            housekeepingAt = now + Self.housekeepingInterval
            watchCameras(at: now, into: &effects)
            watchQuality(at: now, into: &effects)
            expireViewers(at: now, into: &effects)
            expireHLS(at: now, into: &effects)
            watchDemand(at: now, into: &effects)
            watchSound(at: now, into: &effects)
            for camera in cameras.values { publish(camera, into: &effects) }
            operations.removeAll { $0.endedAt.map { now - $0 > Operation.visibleAfterEnd } ?? false }
        }
        advanceOperations(at: now, into: &effects)

        var next = earliest(housekeepingAt, cameraDeadlines.first, viewerDeadlines.first)
        if operations.contains(where: \.isRunning) { next = earliest(next, now + Self.operationInterval) }
        deadline = next
    }

    /// Whether the camera is this shard's.
    public func owns(camera: String) -> Bool { cameras[camera] != nil }

    /// Whether the viewer is this shard's.
    public func owns(viewer: String) -> Bool { viewers[viewer] != nil }

    /// Viewers that this shard has.
    public var viewerCount: Int { viewers.count }

    /// The shard's number.
    var number: Int { Int(configuration.instance) }

    /// A relay that is started again is back after about this many seconds.
    static let restartPause = 2

    /// Says goodbye to cameras and viewers.
    public func shutdown(at now: Instant, into effects: inout [ShardEffect]) {
        isShuttingDown = true
        for viewer in viewers.values.sorted(by: { $0.joinedAt < $1.joinedAt }) {
            end(viewer, reason: "the relay is shutting down", retryAfter: Self.restartPause, at: now, into: &effects)
        }
        refuseWaiting(into: &effects)
        for camera in cameras.values {
            stopSound(of: camera, into: &effects)
            disconnect(camera, at: now, into: &effects)
        }
    }

    func log(
        _ severity: Severity,
        _ text: String,
        camera: String? = nil,
        viewer: String? = nil,
        lasting condition: EventCondition? = nil,
        at now: Instant
    ) {
        events.append(
            severity,
            text,
            camera: camera,
            viewer: viewer,
            lasting: condition,
            at: configuration.clock.wallMilliseconds(at: now)
        )
    }

    /// What a lasting event reported is mended.
    func ended(_ condition: EventCondition, at now: Instant) {
        events.end(condition, at: configuration.clock.wallMilliseconds(at: now))
    }

    /// A fraction of a core's own cache.
    static let outgoingLimit = 128 * 1024
    /// How often stalls, silent viewers and idle streams are looked for.
    private static let housekeepingInterval: Duration = .milliseconds(250)
    /// How often a running operation is looked at.
    private static let operationInterval: Duration = .milliseconds(20)
}
