import ICE
import NIOCore
import NIOPosix
import Relay
import Synchronization
import TURN
import Wire

/// The relay in this process: event loops, shards, cameras' connections and the media port.
///
/// A camera lives on one loop, with its HLS stream; a viewer on one, too, which is its camera's until that has more to
/// do than another. Requests are routed by the camera's name, or by the shard's number that is part of every viewer's id.
/// Safe to use from any thread.
public final class RelayNode: ViewerService {
    /// The viewers' UDP port.
    public let media: MediaPlane
    /// What happened.
    public let events: EventLog
    /// WebRTC sessions that ended.
    let attemptLog: AttemptLog
    /// Maps the monotonic clock to wall clock time.
    public let clock: RelayClock

    let shards: [ShardHandle]
    let iceServers: ICEServerList
    let cameraShards: [String: Int]
    let directory: ShardDirectory
    private let group: any EventLoopGroup
    private let ownsGroup: Bool
    private let sampler: NodeSampler
    private let historyStore: HistoryStore
    private let phase = Mutex(Phase.running)

    private enum Phase { case running, stopping }

    private init(
        media: MediaPlane,
        events: EventLog,
        attempts: AttemptLog,
        clock: RelayClock,
        shards: [ShardHandle],
        iceServers: ICEServerList,
        cameraShards: [String: Int],
        directory: ShardDirectory,
        group: any EventLoopGroup,
        ownsGroup: Bool,
        sampler: NodeSampler,
        history: HistoryStore
    ) {
        self.media = media
        self.events = events
        attemptLog = attempts
        self.clock = clock
        self.shards = shards
        self.iceServers = iceServers
        self.cameraShards = cameraShards
        self.directory = directory
        self.group = group
        self.ownsGroup = ownsGroup
        self.sampler = sampler
        historyStore = history
    }

    /// Opens the media port and starts to pull the cameras.
    ///
    /// - Parameter group: The loops to run on; by default one per core, shut down with the node.
    /// - Throws: ``NodeError`` when a port or address cannot be used.
    public static func start(
        configuration: NodeConfiguration,
        group given: MultiThreadedEventLoopGroup? = nil
    ) async throws(NodeError) -> RelayNode {
        let listen = try ListenAddress(parsing: configuration.media)
        let group = given ?? MultiThreadedEventLoopGroup(numberOfThreads: System.coreCount)
        let loops = group.makeIterator().map { $0 }
        do throws(NodeError) {
            let media = try await MediaPlane.open(listen, on: loops[0], connections: group)
            return try await start(configuration, media, loops, group, ownsGroup: given == nil)
        } catch {
            if given == nil { try? await group.shutdownGracefully() }
            throw error
        }
    }

    private static func start(
        _ configuration: NodeConfiguration,
        _ media: MediaPlane,
        _ loops: [any EventLoop],
        _ group: any EventLoopGroup,
        ownsGroup: Bool
    ) async throws(NodeError) -> RelayNode {
        let now = MonotonicClock.now()
        let clock = RelayClock(monotonicNow: now, unixMilliseconds: MonotonicClock.wallMilliseconds())
        let events = EventLog()
        let attempts = AttemptLog()
        let history = HistoryStore()
        let candidates = InterfaceAddresses.candidates(for: media.listen, advertise: configuration.advertise)
        let turn = try await offerTURN(configuration, media, candidates, loops[0], group)
        let users = TURNUsers(credentials: turn.credentials)
        let iceServers = ICEServerList(
            users: users,
            validity: configuration.credentialValidity,
            advertise: media.listen.isLoopback ? [] : configuration.advertise,
            media: media.listen,
            turn: turn.listener?.listen
        )
        let sampler = NodeSampler(
            configuration: configuration,
            shards: loops.count,
            startedAt: now,
            clock: clock,
            events: events,
            history: history,
            mediaListeners: ["media/udp", "media/tcp"].map { .init(name: $0, address: media.listen.description) }
                + (turn.listener.map { [.init(name: "turn", address: $0.listen.description)] } ?? []),
            media: media.counters,
            turn: TURNSampler(traversal: media.traversal, users: users)
        )
        let cameras = configuration.cameras.sorted { $0.name < $1.name }
        let cameraShards = Dictionary(cameras.enumerated().map { ($1.name, $0 % loops.count) }) { first, _ in first }

        let directory = ShardDirectory(shards: loops.count, keptHome: configuration.viewersKeptHome)
        var handles: [ShardHandle] = []
        do {
            for (index, loop) in loops.enumerated() {
                let shardConfiguration = ShardConfiguration(
                    candidates: candidates,
                    tcpCandidates: candidates,
                    certificate: configuration.certificate,
                    clock: clock,
                    delivery: configuration.delivery,
                    instance: UInt16(clamping: index),
                    others: loops.indices.filter { $0 != index },
                    convertsSound: configuration.mediaProgram != nil,
                    pendingLimit: max(Self.pendingSessions / loops.count, 32)
                )
                let driver = try await loop.submit {
                    let driver = ShardDriver(
                        index: index,
                        shard: RelayShard(
                            configuration: shardConfiguration,
                            events: events,
                            attempts: attempts,
                            random: SystemRandomNumberGenerator(),
                            at: MonotonicClock.now()
                        ),
                        on: loop,
                        plane: media,
                        sender: try media.makeSender(offload: configuration.segmentationOffload),
                        mediaProgram: configuration.mediaProgram,
                        directory: directory,
                        publish: { snapshot in
                            let now = MonotonicClock.now()
                            let next = sampler.publish(snapshot, from: index, at: now)
                            // One shard's tick is the node's.
                            if index == 0 { sampler.merge(at: now) }
                            return next
                        }
                    )
                    return NIOLoopBound(driver, eventLoop: loop)
                }.get()
                let handle = ShardHandle(loop: loop, driver: driver)
                handles.append(handle)
                directory.register(handle, as: index)
                media.attach(
                    shard: index,
                    on: loop,
                    closed: { driver.value.closed($0, by: $1) },
                    receive: { driver.value.receive($0) }
                )
            }
            // Cameras begin when every shard can be told of them.
            for (index, handle) in handles.enumerated() {
                try await handle.loop.submit {
                    handle.driver.value.perform { shard, now, effects in
                        for home in loops.indices where home != index {
                            shard.introduce(cameras.filter { cameraShards[$0.name] == home }, of: home)
                        }
                    }
                }.get()
            }
            for (index, handle) in handles.enumerated() {
                let own = cameras.filter { cameraShards[$0.name] == index }
                try await handle.loop.submit {
                    handle.driver.value.perform { shard, now, effects in
                        shard.configure(own, at: now, into: &effects)
                    }
                    handle.driver.value.start()
                }.get()
            }
        } catch {
            for handle in handles { try? await handle.loop.submit { handle.driver.value.shutdown() }.get() }
            await media.close()
            throw error as? NodeError
                ?? NodeError(problem: "The relay could not start: \(error).", remedy: "Look at the system's log.")
        }
        let node = RelayNode(
            media: media,
            events: events,
            attempts: attempts,
            clock: clock,
            shards: handles,
            iceServers: iceServers,
            cameraShards: cameraShards,
            directory: directory,
            group: group,
            ownsGroup: ownsGroup,
            sampler: sampler,
            history: history
        )
        media.whenClosed { [weak node] in node?.mediaClosed() }
        media.traversal.whenLoginFails { [weak node] failure in
            node?.turnRefused(failure, viewer: failure.user.flatMap { users.viewer(behind: $0) })
        }
        return node
    }

    /// Lets the media port, and the extra one where there is one, serve TURN to our own media addresses.
    private static func offerTURN(
        _ configuration: NodeConfiguration,
        _ media: MediaPlane,
        _ candidates: [TransportAddress],
        _ loop: any EventLoop,
        _ group: any EventLoopGroup
    ) async throws(NodeError) -> (credentials: RelayCredentials, listener: TURNListener?) {
        var random = SystemRandomNumberGenerator()
        let credentials = RelayCredentials(using: &random)
        media.traversal.offer(TURNServer(peers: Set(candidates), credentials: credentials, using: &random))
        guard let turn = configuration.turn else { return (credentials, nil) }
        do throws(NodeError) {
            let listener = try await TURNListener.open(
                ListenAddress(parsing: turn),
                on: loop,
                connections: group,
                plane: media
            )
            media.traversal.listen(listener)
            return (credentials, listener)
        } catch {
            await media.close()
            throw error
        }
    }

    /// Takes over a TLS connection to another listener whose client speaks STUN. Call on its loop.
    public func takeSTUN(_ channel: any Channel) throws {
        try channel.pipeline.syncOperations.addHandler(
            MediaConnectionHandler(plane: media, carrier: .tls, framing: .selfDelimiting)
        )
    }

    /// Tells the shards why TURN turned a client away; without a viewer's name in good credentials, any may have it.
    private func turnRefused(_ failure: TURNServer.LoginFailure, viewer: String?) {
        let client = viewer.map { TURNRefusal.Client.viewer($0) } ?? .address(failure.address, relayed: failure.relayed)
        let reason: TURNRefusal.Reason =
            switch failure.reason {
            case .expired: .expired
            case .unknownUser: .unknownUser
            case .wrongPassword: .wrongPassword
            }
        let owner = viewer.flatMap { shard(viewer: $0) }
        for shard in owner.map({ [$0] }) ?? shards {
            shard.loop.execute {
                shard.driver.value.perform { relay, now, _ in relay.turnRefused(client, reason, at: now) }
            }
        }
    }

    private func mediaClosed() {
        guard isRunning else { return }
        events.append(
            .critical,
            "the media port was closed by the system: no WebRTC until the relay is restarted",
            at: MonotonicClock.wallMilliseconds()
        )
    }

    /// What the program knows and the operator should see: the page's addresses, best first, listeners besides the media
    /// port, and standing remarks. Shown from the next snapshot on.
    public func present(pageURLs: [String], listeners: [ListenerSnapshot], notices: [String]) {
        sampler.present(pageURLs: pageURLs, listeners: listeners, notices: notices)
    }

    /// Says goodbye to cameras and viewers, closes the media port and ends the loops if they are ours.
    ///
    /// Takes at most ``shutdownLimit``; calling it again returns at once.
    public func shutdown() async {
        let isFirst = phase.withLock { phase in
            defer { phase = .stopping }
            return phase == .running
        }
        guard isFirst else { return }
        let work = Task {
            for shard in shards { try? await shard.loop.submit { shard.driver.value.shutdown() }.get() }
            await media.close()
            // TEARDOWNs get a moment to leave; connections close themselves after it.
            try? await Task.sleep(for: Self.flushTime)
            if ownsGroup { try? await group.shutdownGracefully() }
        }
        // Whichever comes first: a loop that hangs must not keep the process from ending.
        let (ended, continuation) = AsyncStream<Void>.makeStream()
        Task {
            await work.value
            continuation.finish()
        }
        Task {
            try? await Task.sleep(for: Self.shutdownLimit)
            continuation.finish()
        }
        for await _ in ended {}
    }

    // MARK: Routing

    private var isRunning: Bool { phase.withLock { $0 == .running } }

    /// The shard that has the camera.
    func shard(camera: String) -> ShardHandle? { isRunning ? cameraShards[camera].map { shards[$0] } : nil }

    /// The shard that has the viewer.
    func shard(viewer: String) -> ShardHandle? {
        guard isRunning, let index = RelayShard.viewerShard(of: viewer), shards.indices.contains(index) else {
            return nil
        }
        return shards[index]
    }

    // MARK: Window and door

    /// The latest snapshot: at most a second old, a quarter of one for somebody who looks all the time.
    public func snapshot() -> Snapshot? { sampler.latest(at: MonotonicClock.now()) }

    /// Values of some series.
    public func history(_ request: HistoryRequest) async -> HistoryReply { historyStore.reply(to: request) }

    /// Older events.
    public func events(_ request: EventsRequest) async -> [EventSnapshot] {
        events.newest(min(max(request.limit, 1), 1_000), before: request.before)
    }

    /// WebRTC sessions that ended in the last hour.
    public func attempts(_ request: AttemptsRequest) async -> [AttemptSnapshot] {
        attemptLog.newest(request, now: clock.wallMilliseconds(at: MonotonicClock.now()))
    }

    /// Asks for a change; the shard of the camera or viewer decides.
    public func submit(_ command: Command) async -> CommandReply {
        guard isRunning else { return .refused("the relay is shutting down") }
        let target: ShardHandle?
        let missing: String
        if let camera = command.action.camera {
            target = shard(camera: camera)
            missing = "there is no camera \(camera)"
        } else if let viewer = command.action.viewer {
            target = shard(viewer: viewer)
            missing = "there is no viewer \(viewer)"
        } else {
            return .refused("the command names neither a camera nor a viewer")
        }
        guard let target else { return .refused(missing) }
        return await target.run { driver in
            driver.perform { shard, now, effects in shard.submit(command, at: now, into: &effects) }
        }
    }

    /// Sessions of the node at one time that have yet to connect.
    private static let pendingSessions = 256
    /// Time that ``shutdown()`` takes at most.
    public static let shutdownLimit: Duration = .seconds(3)
    private static let flushTime: Duration = .milliseconds(100)
}
