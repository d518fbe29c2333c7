import Synchronization

/// Something that stays wrong until it is mended: the event that reports it lasts until ``EventLog/end(_:at:)``.
public enum EventCondition: Hashable, Sendable {
    /// The camera shows nothing though it should.
    case dark(camera: String)
    /// The camera's pictures are reordered, so that WebRTC cannot show them.
    case reordered(camera: String)
    /// The viewer could not stay with WebRTC.
    case fallback(viewer: String)
    /// The viewer's page has lost its signalling connection.
    case controlLost(viewer: String)
}

/// The relay's memory of what happened: bounded, newest last. Safe to use from any thread.
public final class EventLog: Sendable {
    private struct State {
        var events: [EventSnapshot] = []
        var nextID: UInt64 = 1
        /// Ids of the events that last.
        var open: [EventCondition: UInt64] = [:]

        /// Ids have no gaps, so an event's place follows from its id.
        func index(of id: UInt64) -> Int? {
            guard let first = events.first, id >= first.id, id - first.id < events.count else { return nil }
            return Int(id - first.id)
        }

        mutating func end(_ condition: EventCondition, at: Int64) {
            guard let id = open.removeValue(forKey: condition), let index = index(of: id) else { return }
            events[index].endedAt = max(at, events[index].at)
        }
    }

    private let state = Mutex(State())

    /// Events kept; older ones are forgotten.
    public static let capacity = 5_000

    /// Creates an empty log.
    public init() {}

    /// Adds an event that happened at `at` (milliseconds since the Unix epoch).
    ///
    /// - Parameter condition: What stays wrong from now on; news of the same condition end the earlier event. Without
    ///   one the event is over as it happens.
    public func append(
        _ severity: Severity,
        _ text: String,
        camera: String? = nil,
        viewer: String? = nil,
        lasting condition: EventCondition? = nil,
        at: Int64
    ) {
        state.withLock { state in
            if let condition {
                state.end(condition, at: at)
                state.open[condition] = state.nextID
            }
            state.events.append(
                EventSnapshot(
                    id: state.nextID,
                    at: at,
                    severity: severity,
                    camera: camera,
                    viewer: viewer,
                    text: text,
                    endedAt: condition == nil ? at : nil
                )
            )
            state.nextID += 1
            // Trimmed in batches, so that a full log does not move its contents at every event.
            if state.events.count > Self.capacity + 500 { state.events.removeFirst(500) }
        }
    }

    /// The condition is mended; nothing happens when it was not open.
    public func end(_ condition: EventCondition, at: Int64) { state.withLock { $0.end(condition, at: at) } }

    /// What a snapshot shows: the newest, newest first, and behind them the older ones that last.
    public func current(_ limit: Int) -> [EventSnapshot] {
        state.withLock { state in
            let recent = state.events.suffix(limit)
            let older = state.open.values.compactMap(state.index).filter { $0 < recent.startIndex }.sorted(by: >)
            return recent.reversed() + older.map { state.events[$0] }
        }
    }

    /// Events older than `before` (the newest when `nil`), newest first.
    public func newest(_ limit: Int, before: UInt64? = nil) -> [EventSnapshot] {
        state.withLock { state in
            let end = before.map { id in state.events.firstIndex { $0.id >= id } ?? state.events.count }
            return state.events[..<(end ?? state.events.count)].suffix(max(0, min(limit, 1_000))).reversed()
        }
    }
}
