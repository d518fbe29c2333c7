import Synchronization

/// Remembers ended WebRTC sessions for an hour, bounded in number and bytes. Safe to use from any thread.
public final class AttemptLog: Sendable {
    private struct State {
        /// Oldest first, with their sizes.
        var attempts: [(attempt: AttemptSnapshot, bytes: Int)] = []
        var bytes = 0
        var nextID: UInt64 = 1
    }

    private let state = Mutex(State())

    /// How long a session is remembered, in milliseconds.
    public static let lifetime: Int64 = 3_600_000
    /// Sessions kept at most.
    public static let capacity = 1_000
    /// Bytes that they may take together, by the estimate of ``size(of:)``.
    public static let byteLimit = 4 << 20

    /// Creates an empty log.
    public init() {}

    /// Adds a session that has just ended; its id is given here.
    ///
    /// A page whose network blocks WebRTC tries again every half minute, a bare player with each new session. An attempt
    /// that never brought media and ended as the client's last one did replaces that one and counts it, so that one
    /// client cannot push out the others.
    public func append(_ attempt: AttemptSnapshot) {
        var attempt = attempt
        state.withLock { state in
            attempt.id = state.nextID
            state.nextID += 1
            if !attempt.hadMedia,
                let last = state.attempts.lastIndex(where: { $0.attempt.isOfSameClient(as: attempt) }),
                state.attempts[last].attempt.verdict.says(sameAs: attempt.verdict),
                !state.attempts[last].attempt.hadMedia
            {
                attempt.repeats = state.attempts[last].attempt.repeats + 1
                state.bytes -= state.attempts.remove(at: last).bytes
            }
            let bytes = Self.size(of: attempt)
            state.attempts.append((attempt, bytes))
            state.bytes += bytes
            while let oldest = state.attempts.first, attempt.endedAt - oldest.attempt.endedAt > Self.lifetime {
                state.bytes -= state.attempts.removeFirst().bytes
            }
            while state.attempts.count > Self.capacity || state.bytes > Self.byteLimit {
                // Sessions with which nothing was wrong make room first.
                let least = state.attempts.firstIndex { $0.attempt.verdict.severity == .ok } ?? 0
                state.bytes -= state.attempts.remove(at: least).bytes
            }
        }
    }

    /// Answers a request; sessions that ended more than an hour before `now` (milliseconds since the Unix epoch) are
    /// left out.
    public func newest(_ request: AttemptsRequest, now: Int64) -> [AttemptSnapshot] {
        let limit = min(max(request.limit, 1), AttemptsRequest.limit)
        return state.withLock { state in
            var result: [AttemptSnapshot] = []
            for (attempt, _) in state.attempts.reversed() where result.count < limit {
                guard now - attempt.endedAt <= Self.lifetime else { break }
                if request.viewer.map({ $0 == attempt.viewer }) ?? true { result.append(attempt) }
            }
            return result
        }
    }

    /// About how much memory a session takes.
    static func size(of attempt: AttemptSnapshot) -> Int {
        let texts = attempt.pairs.reduce(0) { $0 + $1.local.utf8.count + $1.remote.utf8.count }
        let verdict = attempt.verdict.evidence.reduce(attempt.verdict.text.utf8.count) { $0 + $1.utf8.count }
        return 600 + 300 * attempt.pairs.count + 40 * attempt.ladder.count + texts + verdict
    }
}

extension Verdict {
    /// Offers are refused for many reasons; whoever looks for one must find it.
    fileprivate func says(sameAs other: Verdict) -> Bool {
        rule == other.rule && (rule != .refused || text == other.text)
    }
}

extension AttemptSnapshot {
    /// A bare player has a new identity with every attempt; its address stays.
    fileprivate func isOfSameClient(as other: AttemptSnapshot) -> Bool {
        if viewer == other.viewer { return true }
        return control == .whep && other.control == .whep && remote == other.remote && camera == other.camera
            && client == other.client
    }
}
