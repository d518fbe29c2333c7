import Foundation
import Glibc
import NIOCore
import NIOPosix
import Relay
import Synchronization
import Wire

/// Why a control client has no relay to talk to: what is wrong, and what to do about it.
public struct ControlError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of error.
    public enum Kind: Sendable {
        /// Nobody listens on the socket.
        case noRelay
        /// The socket, or the relay behind it, does not let this user in.
        case denied
        /// Somebody listens who speaks another protocol, or another version of it.
        case incompatible
        /// No answer in time.
        case timedOut
    }

    /// What kind of error.
    public var kind: Kind
    /// What is wrong, in one sentence that names the socket.
    public var problem: String
    /// What to do, in one imperative sentence.
    public var remedy: String

    /// Problem and remedy.
    public var description: String { "\(problem) \(remedy)" }
}

/// The window and door of a relay in another process, over its control socket.
///
/// Connects again by itself when the relay is restarted; until then ``snapshot()`` is the last one it had and
/// ``isStale`` is `true`. Safe to use from any thread.
public final class ControlClient: RelayService {
    /// How the connection stands.
    public enum Status: Sendable, Equatable {
        /// Connected to the relay with this process id.
        case connected(processID: Int32)
        /// Not connected, for this reason; it is tried again.
        case lost(ControlError)
        /// ``ControlClient/close()`` was called.
        case closed
    }

    private struct State {
        var status: Status
        var channel: (any Channel)?
        var latest: Snapshot?
        var receivedAt: Instant?
        var pending: [UInt64: @Sendable (Result<ControlReply, ControlError>) -> Void] = [:]
        var nextID: UInt64 = 1
        var failures = 0
    }

    /// The socket's path.
    public let path: String
    /// Yields after every new snapshot or change of ``status``, the newest only. For one reader.
    public let updates: AsyncStream<Void>
    private let updated: AsyncStream<Void>.Continuation
    private let isSubscribing: Bool
    private let loop: any EventLoop
    private let state: Mutex<State>

    private init(path: String, subscribing: Bool) {
        self.path = path
        isSubscribing = subscribing
        (updates, updated) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        loop = NIOSingletons.posixEventLoopGroup.next()
        state = Mutex(State(status: .lost(Self.noRelay(path))))
    }

    /// Connects to the relay whose socket is at `path`.
    ///
    /// - Parameters:
    ///   - subscribing: Whether snapshots flow from now on; without, they are asked for with ``fetchSnapshot()``.
    ///   - waiting: Do not fail when there is no relay yet; keep trying, as after a loss.
    public static func connect(
        path: String,
        subscribing: Bool = true,
        waiting: Bool = false
    ) async throws(ControlError) -> ControlClient {
        let client = ControlClient(path: path, subscribing: subscribing)
        do throws(ControlError) {
            try await client.open()
        } catch {
            guard waiting else {
                await client.close()
                throw error
            }
            client.lost(error)
        }
        return client
    }

    /// How the connection stands.
    public var status: Status { state.withLock { $0.status } }

    /// Whether ``snapshot()`` is old: the connection is lost, or nothing came for ``staleAfter``.
    public var isStale: Bool {
        let (status, receivedAt) = state.withLock { ($0.status, $0.receivedAt) }
        guard case .connected = status, let receivedAt else { return true }
        return MonotonicClock.now() - receivedAt > Self.staleAfter
    }

    /// Ends the connection for good.
    public func close() async {
        let (channel, pending) = state.withLock { state in
            state.status = .closed
            defer {
                state.channel = nil
                state.pending = [:]
            }
            return (state.channel, state.pending)
        }
        for resume in pending.values { resume(.failure(Self.noRelay(path))) }
        updated.finish()
        try? await channel?.close().get()
    }

    // MARK: Window and door

    /// The last snapshot received; see ``isStale``.
    public func snapshot() -> Snapshot? { state.withLock { $0.latest } }

    /// Asks for the latest snapshot; `nil` when the relay has none yet.
    public func fetchSnapshot() async throws(ControlError) -> Snapshot? {
        try await ask(ControlRequest(id: 0, kind: .snapshot)).snapshot
    }

    /// Values of some series; empty ones without a relay.
    public func history(_ request: HistoryRequest) async -> HistoryReply {
        let empty = HistoryReply(values: request.series.map { _ in [] })
        return (try? await ask(ControlRequest(id: 0, kind: .history, history: request)).history) ?? empty
    }

    /// Older events; none without a relay.
    public func events(_ request: EventsRequest) async -> [EventSnapshot] {
        (try? await ask(ControlRequest(id: 0, kind: .events, events: request)).events) ?? []
    }

    /// Ended WebRTC sessions; none without a relay.
    public func attempts(_ request: AttemptsRequest) async -> [AttemptSnapshot] {
        (try? await ask(ControlRequest(id: 0, kind: .attempts, attempts: request)).attempts) ?? []
    }

    /// Asks for a change; refused without a relay.
    public func submit(_ command: Command) async -> CommandReply {
        do throws(ControlError) {
            let reply = try await ask(ControlRequest(id: 0, kind: .submit, command: command))
            return reply.reply ?? .refused(reply.error ?? "the relay gave no answer")
        } catch {
            return .refused(error.description)
        }
    }

    // MARK: Requests

    private func ask(_ request: ControlRequest) async throws(ControlError) -> ControlReply {
        var request = request
        let (id, channel) = state.withLock { state in
            defer { state.nextID += 1 }
            return (state.nextID, state.channel)
        }
        request.id = id
        guard let channel, let frame = try? ControlProtocol.frame(request, by: ControlProtocol.makeEncoder()) else {
            if case .lost(let error) = status { throw error }
            throw Self.noRelay(path)
        }
        let timeout = loop.scheduleTask(in: Self.requestTimeout) {
            self.resolve(id, .failure(Self.timedOut(self.path)))
        }
        defer { timeout.cancel() }
        let result = await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                guard state.channel != nil else { return false }
                state.pending[id] = { continuation.resume(returning: $0) }
                return true
            }
            guard isOpen else { return continuation.resume(returning: .failure(Self.noRelay(path))) }
            channel.writeAndFlush(frame, promise: nil)
        }
        return try result.get()
    }

    private func resolve(_ id: UInt64, _ result: Result<ControlReply, ControlError>) {
        state.withLock { $0.pending.removeValue(forKey: id) }?(result)
    }

    // MARK: Connection

    /// Connects and waits for the relay's greeting.
    private func open() async throws(ControlError) {
        let greeted = loop.makePromise(of: Int32.self)
        let channel: any Channel
        do {
            channel = try await ClientBootstrap(group: loop)
                .connectTimeout(Self.connectTimeout)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(ControlClientHandler(self, greeted: greeted))
                    }
                }
                .connect(unixDomainSocketPath: path)
                .get()
        } catch {
            greeted.fail(error)
            throw Self.explain(error, path)
        }
        let timeout = loop.scheduleTask(in: Self.connectTimeout) { greeted.fail(Self.timedOut(self.path)) }
        defer { timeout.cancel() }
        do {
            let processID = try await greeted.futureResult.get()
            let isWanted = state.withLock { state in
                guard state.status != .closed else { return false }
                state.channel = channel
                state.status = .connected(processID: processID)
                state.failures = 0
                return true
            }
            if !isWanted { channel.close(promise: nil) }
            updated.yield()
        } catch {
            channel.close(promise: nil)
            throw error as? ControlError ?? Self.noRelay(path)
        }
        if isSubscribing { _ = try await ask(ControlRequest(id: 0, kind: .subscribe)) }
        // It may have closed before it was remembered.
        if !channel.isActive { disconnected(channel) }
    }

    fileprivate func disconnected(_ channel: any Channel) {
        let isOurs = state.withLock { $0.channel === channel }
        if isOurs { lost(Self.noRelay(path)) }
    }

    /// Fails what waits, and tries again after a while.
    private func lost(_ error: ControlError) {
        let (pending, delay) = state.withLock {
            state -> ([@Sendable (Result<ControlReply, ControlError>) -> Void], TimeAmount?) in
            defer {
                state.pending = [:]
                state.channel = nil
            }
            guard state.status != .closed else { return (Array(state.pending.values), nil) }
            state.status = .lost(error)
            state.failures += 1
            return (Array(state.pending.values), .milliseconds(Int64(min(2_000, 125 << min(state.failures, 4)))))
        }
        for resume in pending { resume(.failure(error)) }
        updated.yield()
        guard let delay else { return }
        loop.scheduleTask(in: delay) { [weak self] in
            Task {
                do throws(ControlError) {
                    try await self?.open()
                } catch {
                    self?.lost(error)
                }
            }
        }
    }

    fileprivate func received(_ reply: ControlReply) {
        if let snapshot = reply.snapshot {
            state.withLock { state in
                state.latest = snapshot
                state.receivedAt = MonotonicClock.now()
            }
            updated.yield()
        }
        if let id = reply.id { resolve(id, .success(reply)) }
    }

    // MARK: Errors

    private static func explain(_ error: any Error, _ path: String) -> ControlError {
        switch (error as? IOError)?.errnoCode {
        case EACCES?, EPERM?:
            ControlError(
                kind: .denied,
                problem: "The control socket \(path) may not be used by this user.",
                remedy: "Run this as the relay's user or as root, or join the relay's group."
            )
        default:
            noRelay(path)
        }
    }

    private static func noRelay(_ path: String) -> ControlError {
        ControlError(
            kind: .noRelay,
            problem: "No relay is running on \(path).",
            remedy: "Start one with \"signalbox serve\", or name its socket with --control-socket."
        )
    }

    private static func timedOut(_ path: String) -> ControlError {
        ControlError(
            kind: .timedOut,
            problem: "The relay on \(path) did not answer in time.",
            remedy: "Look at the load of its machine, and restart it if it hangs."
        )
    }

    fileprivate static func refused(_ path: String, _ reason: String) -> ControlError {
        ControlError(
            kind: .denied,
            problem: "The relay on \(path) refuses: \(reason.prefix(200)).",
            remedy: "Run this as the relay's user or as root, or join the relay's group."
        )
    }

    fileprivate static func incompatible(_ path: String) -> ControlError {
        ControlError(
            kind: .incompatible,
            problem: "What listens on \(path) is not this version of signalbox.",
            remedy: "Use the same version as the running relay, or restart the relay."
        )
    }

    /// Without a snapshot for so long, what is shown is called old.
    public static let staleAfter: Duration = .seconds(2)
    private static let connectTimeout: TimeAmount = .seconds(3)
    private static let requestTimeout: TimeAmount = .seconds(10)
}

/// Reads frames for a client.
private final class ControlClientHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let client: ControlClient
    private let greeted: EventLoopPromise<Int32>
    private let decoder = ControlProtocol.makeDecoder()
    private var frames = ControlFrameReader(limit: ControlProtocol.replyLimit)

    init(_ client: ControlClient, greeted: EventLoopPromise<Int32>) {
        self.client = client
        self.greeted = greeted
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        frames.append(unwrapInboundIn(data))
        do {
            while let frame = try frames.next() {
                let reply = try decoder.decode(ControlReply.self, from: Data(frame.readableBytesView))
                switch reply.kind {
                case .hello where reply.version == ControlProtocol.version:
                    greeted.succeed(reply.processID ?? 0)
                case .hello:
                    greeted.fail(ControlClient.incompatible(client.path))
                case .error where reply.id == nil:
                    greeted.fail(ControlClient.refused(client.path, reply.error ?? ""))
                default:
                    client.received(reply)
                }
            }
        } catch {
            greeted.fail(ControlClient.incompatible(client.path))
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        greeted.fail(ControlClient.incompatible(client.path))
        client.disconnected(context.channel)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
