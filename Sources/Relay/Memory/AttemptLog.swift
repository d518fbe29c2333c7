import Synchronization
import Wire

/// Remembers ended WebRTC sessions for an hour, bounded in number and bytes. Safe to use from any thread.
public final class AttemptLog: Sendable {
    private struct State {
        /// Oldest first, with their sizes and what limits count by.
        var attempts: [(attempt: AttemptSnapshot, bytes: Int, source: IPAddress?)] = []
        var bytes = 0
        var nextID: UInt64 = 1

        /// The attempt that ended as the same client's new one has.
        func repeated(by attempt: AttemptSnapshot, from source: IPAddress?) -> Int? {
            if attempt.wasTurnedAway {
                return attempts.lastIndex { $0.attempt.wasTurnedAway && $0.source == source }
            }
            guard !attempt.hadMedia,
                let last = attempts.lastIndex(where: { $0.attempt.isOfSameClient(as: attempt) }),
                attempts[last].attempt.verdict.says(sameAs: attempt.verdict), !attempts[last].attempt.hadMedia
            else { return nil }
            return last
        }

        /// Makes room among those that `isCounted` names for one more.
        mutating func limit(to count: Int, _ isCounted: (AttemptSnapshot, IPAddress?) -> Bool) {
            let counted = attempts.indices.filter { isCounted(attempts[$0].attempt, attempts[$0].source) }
            if counted.count >= count { remove(at: counted[0]) }
        }

        /// The one to forget when there are too many: the oldest with which nothing was wrong, unless few of them are left.
        var least: Int {
            let fine = attempts.indices.filter { attempts[$0].attempt.verdict.severity == .ok }
            if fine.count > AttemptLog.fineReserve { return fine[0] }
            return attempts.firstIndex { $0.attempt.verdict.severity != .ok } ?? 0
        }

        mutating func remove(at index: Int) { bytes -= attempts.remove(at: index).bytes }
    }

    private let state = Mutex(State())

    /// How long a session is remembered, in milliseconds.
    public static let lifetime: Int64 = 3_600_000
    /// Sessions kept at most.
    public static let capacity = 1_000
    /// Of these, clients for which there was no room: as many as a flood may have.
    public static let turnedAwayCapacity = 100
    /// Failures kept of one address: what clients name decides in how many ways they can fail.
    public static let failuresOfAddress = 50
    /// Sessions with which nothing was wrong that failures leave room for.
    public static let fineReserve = 100
    /// Bytes that they may take together, by the estimate of ``size(of:)``.
    public static let byteLimit = 4 << 20

    /// Creates an empty log.
    public init() {}

    /// Adds a session that has just ended; its id is given here.
    ///
    /// A page whose network blocks WebRTC tries again every half minute, a bare player with each new session. An attempt
    /// that never brought media and ended as the client's last one did replaces that one and counts it, so that one
    /// client cannot push out the others. For clients that were turned away an address stands, and they push out each
    /// other only.
    public func append(_ attempt: AttemptSnapshot) {
        var attempt = attempt
        let source = IPAddress(attempt.remote)?.subscriber
        state.withLock { state in
            attempt.id = state.nextID
            state.nextID += 1
            if let earlier = state.repeated(by: attempt, from: source) {
                attempt.repeats = state.attempts[earlier].attempt.repeats + 1
                state.remove(at: earlier)
            } else if attempt.wasTurnedAway {
                state.limit(to: Self.turnedAwayCapacity) { attempt, _ in attempt.wasTurnedAway }
            } else if !attempt.hadMedia {
                state.limit(to: Self.failuresOfAddress) { !$0.hadMedia && !$0.wasTurnedAway && $1 == source }
            }
            let bytes = Self.size(of: attempt)
            state.attempts.append((attempt, bytes, source))
            state.bytes += bytes
            while let oldest = state.attempts.first, attempt.endedAt - oldest.attempt.endedAt > Self.lifetime {
                state.remove(at: 0)
            }
            while state.attempts.count > Self.capacity || state.bytes > Self.byteLimit {
                state.remove(at: state.least)
            }
        }
    }

    /// Answers a request; sessions that ended more than an hour before `now` (milliseconds since the Unix epoch) are
    /// left out.
    public func newest(_ request: AttemptsRequest, now: Int64) -> [AttemptSnapshot] {
        let limit = min(max(request.limit, 1), AttemptsRequest.limit)
        return state.withLock { state in
            var result: [AttemptSnapshot] = []
            for (attempt, _, _) in state.attempts.reversed() where result.count < limit {
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
    fileprivate var wasTurnedAway: Bool { verdict.rule == .turnedAway }

    /// A bare player has a new identity with every attempt; its address stays.
    fileprivate func isOfSameClient(as other: AttemptSnapshot) -> Bool {
        if viewer == other.viewer { return true }
        return control == .whep && other.control == .whep && remote == other.remote && camera == other.camera
            && client == other.client
    }
}
