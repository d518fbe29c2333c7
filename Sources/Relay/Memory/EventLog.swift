import Synchronization

/// The relay's memory of what happened: bounded, newest last. Safe to use from any thread.
public final class EventLog: Sendable {
    private struct State {
        var events: [EventSnapshot] = []
        var nextID: UInt64 = 1
    }

    private let state = Mutex(State())

    /// Events kept; older ones are forgotten.
    public static let capacity = 5_000

    /// Creates an empty log.
    public init() {}

    /// Adds an event that happened at `at` (milliseconds since the Unix epoch).
    public func append(
        _ severity: Severity,
        _ text: String,
        camera: String? = nil,
        viewer: String? = nil,
        at: Int64
    ) {
        state.withLock { state in
            state.events.append(
                EventSnapshot(id: state.nextID, at: at, severity: severity, camera: camera, viewer: viewer, text: text)
            )
            state.nextID += 1
            // Trimmed in batches, so that a full log does not move its contents at every event.
            if state.events.count > Self.capacity + 500 { state.events.removeFirst(500) }
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
