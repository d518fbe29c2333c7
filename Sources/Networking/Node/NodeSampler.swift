import CMedia
import Glibc
import Relay
import Synchronization
import Wire

/// Merges what the shards publish into the relay's snapshot, and feeds the history. Safe to use from any thread.
final class NodeSampler: Sendable {
    private struct State {
        var shards: [ShardSnapshot]
        /// When each shard is to publish next; a loop that hangs shows by its silence.
        var publishingAt: [Instant]
        /// When somebody last looked.
        var readAt: Instant
        var node: NodeSnapshot
        var presented: [ListenerSnapshot] = []
        var process = ProcessStatistics()
        var sampledAt: Instant?
        /// Somebody has watched since memory was last given back.
        var hasUnreturnedMemory = false
        var latest: Snapshot?
    }

    private let state: Mutex<State>
    private let startedAt: Instant
    private let clock: RelayClock
    private let events: EventLog
    private let history: HistoryStore
    private let mediaListeners: [ListenerSnapshot]
    private let media: MediaCounters
    private let turn: TURNSampler

    init(
        configuration: NodeConfiguration,
        shards: Int,
        startedAt: Instant,
        clock: RelayClock,
        events: EventLog,
        history: HistoryStore,
        mediaListeners: [ListenerSnapshot],
        media: MediaCounters,
        turn: TURNSampler
    ) {
        var node = NodeSnapshot(name: configuration.name, version: configuration.version, processID: getpid())
        node.delivery = configuration.delivery
        node.listeners = mediaListeners
        state = Mutex(
            State(
                shards: Array(repeating: ShardSnapshot(), count: shards),
                publishingAt: Array(repeating: startedAt + Self.publishInterval, count: shards),
                readAt: startedAt,
                node: node
            )
        )
        self.startedAt = startedAt
        self.clock = clock
        self.events = events
        self.history = history
        self.mediaListeners = mediaListeners
        self.media = media
        self.turn = turn
    }

    /// The latest snapshot, for somebody who looks at `now`.
    func latest(at now: Instant) -> Snapshot? {
        state.withLock { state in
            state.readAt = now
            return state.latest
        }
    }

    /// What the program knows of itself and shows to the operator.
    func present(pageURLs: [String], listeners: [ListenerSnapshot], notices: [String]) {
        state.withLock { state in
            state.node.pageURL = pageURLs.first
            state.node.otherPageURLs = Array(pageURLs.dropFirst())
            state.node.listeners = listeners + mediaListeners
            state.node.notices = notices
        }
    }

    /// A shard has something new to show.
    ///
    /// - Returns: When to show the next: soon while somebody looks, otherwise once a second for the history.
    func publish(_ snapshot: ShardSnapshot, from shard: Int, at now: Instant) -> Duration {
        state.withLock { state in
            let interval = now - state.readAt < Self.attention ? Self.publishInterval : .seconds(1)
            guard shard < state.shards.count else { return interval }
            state.shards[shard] = snapshot
            state.publishingAt[shard] = now + interval
            return interval
        }
    }

    /// How often a shard shows what it is doing to somebody who looks.
    static let publishInterval: Duration = .milliseconds(250)
    /// Somebody who looked this recently will look again.
    private static let attention: Duration = .seconds(5)

    /// Merges what the shards published last; once a second also remembers it.
    func merge(at now: Instant) {
        let (previous, shards, silences) = state.withLock { state in
            (state.sampledAt, state.shards, state.publishingAt.map { (now - $0).inMilliseconds })
        }
        let isNewSecond = previous.map { now - $0 >= .seconds(1) } ?? true
        var process: ProcessStatistics?
        if isNewSecond {
            // Reads files, so not under the lock.
            var statistics = state.withLock { $0.process }
            statistics.sample(at: now)
            process = statistics
        }
        let merged = ShardSnapshot.merged(shards)
        if isNewSecond { turn.users.keep(Set(merged.viewers.map(\.id)), at: now) }
        var allocations = turn.sample(at: now)
        allocations?.nameOwners(by: merged.pairs)
        let newest = events.current(Snapshot.eventLimit)
        let snapshot = state.withLock { [allocations] state in
            if let process {
                state.process = process
                // Steps of a second, so that the history does not drift, but never a burst to catch up.
                let next = previous.map { $0 + .seconds(1) } ?? now
                state.sampledAt = now - next > .seconds(1) ? now : next
            }
            var node = state.node
            node.uptime = (now - startedAt).inSeconds
            node.cpu = state.process.cpu
            node.residentBytes = state.process.residentBytes
            node.descriptors = state.process.descriptors
            node.descriptorLimit = state.process.descriptorLimit
            node.threads = state.process.threads
            node.bitrateIn = merged.bitrateIn
            node.bitrateOut = merged.bitrateOut
            node.media = MediaPortSnapshot(media.values)
            node.loopDelay = (silences + [merged.loopDelay].compactMap { $0 }).max().map { max(0, $0) }
            let snapshot = Snapshot(
                sampledAt: now,
                wallClock: clock.wallMilliseconds(at: now),
                node: node,
                cameras: merged.cameras,
                viewers: merged.viewers,
                pairs: merged.pairs,
                turn: allocations,
                hls: merged.hls,
                operations: merged.operations,
                events: newest
            )
            state.latest = snapshot
            return snapshot
        }
        if isNewSecond {
            history.record(snapshot)
            returnMemory(isWatched: !merged.viewers.isEmpty)
        }
    }

    /// What viewers that have gone leave free is given back to the system when nobody watches any more: it takes a few
    /// milliseconds, which then disturb nobody.
    private func returnMemory(isWatched: Bool) {
        let isDue = state.withLock { state in
            defer { state.hasUnreturnedMemory = isWatched }
            return state.hasUnreturnedMemory && !isWatched
        }
        if isDue { cmedia_return_memory() }
    }
}

extension MediaPortSnapshot {
    fileprivate init(_ counted: MediaCounters.Values) {
        self.init(
            droppedFull: counted.droppedFull,
            sendErrors: counted.sendErrors,
            droppedUnknown: counted.droppedUnknown,
            isOffloading: counted.isOffloading
        )
    }
}
