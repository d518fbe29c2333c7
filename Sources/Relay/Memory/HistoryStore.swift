import Synchronization

/// Remembers one value a second of every series for 15 minutes. Safe to use from any thread.
public final class HistoryStore: Sendable {
    fileprivate struct Series {
        /// Oldest first; never longer than ``HistoryRequest/secondsLimit``.
        var values: [Float] = []
        /// The tick of the last value.
        var lastTick = 0
    }

    fileprivate struct State {
        var series: [SeriesKey: Series] = [:]
        var tick = 0
    }

    private let state = Mutex(State())

    /// Seconds: viewers that are gone again sooner leave no history, which thousands of them would fill.
    private static let briefest = 2.0
    /// Series kept at most; further objects are not remembered.
    public static let seriesLimit = 8_192

    /// Creates an empty store.
    public init() {}

    /// Remembers the values of a snapshot. Call once a second.
    public func record(_ snapshot: Snapshot) {
        state.withLock { state in
            state.tick += 1
            var egress: [String: Double] = [:]
            for viewer in snapshot.viewers { egress[viewer.camera, default: 0] += viewer.bitrate ?? 0 }
            for camera in snapshot.cameras {
                state.record(.camera(camera.id, .bitrate), camera.bitrate)
                state.record(.camera(camera.id, .loss), camera.loss)
                state.record(.camera(camera.id, .fps), camera.fps)
                state.record(.camera(camera.id, .egress), egress[camera.id] ?? 0)
            }
            for viewer in snapshot.viewers where viewer.age >= Self.briefest {
                state.record(.viewer(viewer.id, .bitrate), viewer.bitrate)
                state.record(.viewer(viewer.id, .roundTrip), viewer.roundTrip)
                state.record(.viewer(viewer.id, .loss), viewer.loss)
                state.record(.viewer(viewer.id, .behindLive), viewer.behindLive)
            }
            for stream in snapshot.hls {
                state.record(.hlsLatency(stream.id), stream.latency)
            }
            state.record(.node(.bitrateIn), snapshot.node.bitrateIn)
            state.record(.node(.bitrateOut), snapshot.node.bitrateOut)
            state.record(.node(.cpu), snapshot.node.cpu)
            // Objects that are gone are remembered for as long as their values are inside the window.
            if state.tick.isMultiple(of: 60) {
                let oldest = state.tick - HistoryRequest.secondsLimit
                state.series = state.series.filter { $0.value.lastTick > oldest }
            }
        }
    }

    /// Answers a request.
    public func reply(to request: HistoryRequest) -> HistoryReply {
        let seconds = min(max(request.seconds, 1), HistoryRequest.secondsLimit)
        return state.withLock { state in
            HistoryReply(
                values: request.series.prefix(HistoryRequest.seriesLimit).map { key in
                    guard let series = state.series[key] else { return [] }
                    let missing = min(state.tick - series.lastTick, seconds)
                    let known = series.values.suffix(seconds - missing).map { $0.isNaN ? nil : Double($0) }
                    return known + [Double?](repeating: nil, count: missing)
                }
            )
        }
    }
}

extension HistoryStore.State {
    fileprivate mutating func record(_ key: SeriesKey, _ value: Double?) {
        guard series[key] != nil || (value != nil && series.count < HistoryStore.seriesLimit) else { return }
        series[key, default: .init()].record(value, tick: tick)
    }
}

extension HistoryStore.Series {
    fileprivate mutating func record(_ value: Double?, tick: Int) {
        // Seconds in which the object did not exist are gaps, not zeroes.
        let gap = lastTick == 0 ? 0 : min(tick - lastTick - 1, HistoryRequest.secondsLimit)
        values.append(contentsOf: repeatElement(.nan, count: max(0, gap)))
        values.append(value.map { Float($0) } ?? .nan)
        lastTick = tick
        let excess = values.count - HistoryRequest.secondsLimit
        // Trimmed in batches of a minute, so that a full series does not move at every value.
        if excess >= 60 { values.removeFirst(excess) }
    }
}
