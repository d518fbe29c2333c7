import Wire

extension ICEAgent {
    /// A 5-tuple that has sent at least one authenticated check.
    struct Path: Sendable {
        let tuple: FiveTuple
        /// PRIORITY of its first check: what the remote candidate is worth if it was never signalled.
        let reflexivePriority: UInt32
        var state = CandidatePair.State.waiting
        var isNominated = false
        var roundTripTime: Duration?
        var checksReceived = 0
        var checksAnswered = 0
        var checksSent = 0
        var responsesReceived = 0
        let firstCheck: Instant
        var lastHeard: Instant
        var bytesSent: UInt64 = 0
        var bytesReceived: UInt64 = 0
        /// Our check under way.
        var transaction: Transaction?
        /// When the next check of our own is due, once one has succeeded.
        var nextCheckAt: Instant?

        init(tuple: FiveTuple, reflexivePriority: UInt32, at now: Instant) {
            self.tuple = tuple
            self.reflexivePriority = reflexivePriority
            firstCheck = now
            lastHeard = now
        }

        mutating func close(by end: ConnectionEnd) {
            state = end == .client ? .closedByClient : .closedByRelay
            isNominated = false
            transaction = nil
            nextCheckAt = nil
        }

        var nextDeadline: Instant? { transaction?.nextTransmissionAt ?? nextCheckAt }

        func isRefreshDue(at now: Instant) -> Bool { nextCheckAt.map { now >= $0 } ?? true }

        /// Nominated, and all that was heard of `other` is older than this path.
        func replaces(_ other: Path) -> Bool { isNominated && other.lastHeard < firstCheck }

        /// Our check had to be sent again, which is half a second after it was sent first.
        var hasLeftACheckUnanswered: Bool { transaction.map { $0.transmissions > 1 } ?? false }

        func isUnanswered(at now: Instant, for duration: Duration) -> Bool {
            guard let transaction else { return state == .failed }
            return now - transaction.startedAt >= duration && now - lastHeard >= duration
        }
    }
}

extension ICEAgent.Path {
    /// One check of ours and its retransmissions (RFC 8489 §6.2.1).
    struct Transaction: Sendable {
        let id: STUNTransactionID
        let startedAt: Instant
        var transmissions = 0
        var nextTransmissionAt: Instant

        init(id: STUNTransactionID, startedAt: Instant) {
            self.id = id
            self.startedAt = startedAt
            nextTransmissionAt = startedAt
        }

        mutating func sent(at now: Instant) {
            nextTransmissionAt = now + initialTimeout * (1 << transmissions)
            transmissions += 1
        }
    }
}

/// RFC 8445 §14.3.
private let initialTimeout = Duration.milliseconds(500)

// MARK: Rows for the operator

extension ICEAgent {
    /// Every pair worth showing, the selected one first, then by priority.
    public var pairs: [CandidatePair] {
        let used =
            paths.indices.map { row(for: paths[$0], isSelected: $0 == selectedIndex) }
            + closedPaths.map { row(for: $0, isSelected: false) }
        return (used + unused(beside: used)).sorted { $0.isPreferred(to: $1) }
    }

    /// The pairs that the client forms too and by which nothing came, the best of them.
    private func unused(beside used: [CandidatePair]) -> [CandidatePair] {
        var pairs: [CandidatePair] = []
        for remote in remoteCandidates {
            for local in localCandidates where local.canReach(remote) {
                if used.contains(where: { $0.local == local && $0.remote == remote }) { continue }
                pairs.append(CandidatePair(local: local, waitingFor: remote))
            }
        }
        guard pairs.count > maximumUnused else { return pairs }
        return Array(pairs.sorted { $0.isPreferred(to: $1) }.prefix(maximumUnused))
    }

    private func row(for path: Path, isSelected: Bool) -> CandidatePair {
        CandidatePair(
            local: localCandidate(of: path),
            remote: remoteCandidate(of: path),
            state: path.state,
            isNominated: path.isNominated,
            isSelected: isSelected,
            priority: priority(of: path),
            roundTripTime: path.roundTripTime,
            checksReceived: path.checksReceived,
            checksAnswered: path.checksAnswered,
            checksSent: path.checksSent,
            responsesReceived: path.responsesReceived,
            firstCheck: path.firstCheck,
            lastActivity: path.lastHeard,
            bytesSent: path.bytesSent,
            bytesReceived: path.bytesReceived
        )
    }

    func priority(of path: Path) -> UInt64 {
        let remote = remoteCandidates.first { $0.isEndpoint(of: path.tuple) }?.priority ?? path.reflexivePriority
        return pairPriority(controlling: remote, controlled: localCandidate(of: path).priority)
    }

    /// The signalled candidate the path arrived at; behind a 1:1 NAT, or on a wildcard socket, the first that fits.
    private func localCandidate(of path: Path) -> Candidate {
        let same = localCandidates.filter { $0.transport == path.tuple.transport }
        return same.first { $0.address == path.tuple.local }
            ?? same.first { $0.address.ip.isIPv6 == path.tuple.remote.ip.isIPv6 }
            ?? Candidate(
                foundation: "x",
                transport: path.tuple.transport,
                priority: Candidate.priority(.host, localPreference: 0),
                address: path.tuple.local,
                kind: .host,
                tcpType: path.tuple.transport == .tcp ? .passive : nil
            )
    }

    private func remoteCandidate(of path: Path) -> Candidate {
        remoteCandidates.first { $0.isEndpoint(of: path.tuple) }
            ?? Candidate(
                foundation: "p",
                transport: path.tuple.transport,
                priority: path.reflexivePriority,
                address: path.tuple.remote,
                // A check that outran the candidate's signalling; nobody but our TURN server has such an address.
                kind: RelayedAddress.contains(path.tuple.remote.ip) ? .relayed : .peerReflexive,
                tcpType: path.tuple.transport == .tcp ? .active : nil
            )
    }
}

extension CandidatePair {
    fileprivate init(local: Candidate, waitingFor remote: Candidate) {
        self.init(
            local: local,
            remote: remote,
            state: .waiting,
            isNominated: false,
            isSelected: false,
            priority: pairPriority(controlling: remote.priority, controlled: local.priority),
            checksReceived: 0,
            checksAnswered: 0,
            checksSent: 0,
            responsesReceived: 0,
            bytesSent: 0,
            bytesReceived: 0
        )
    }

    fileprivate func isPreferred(to other: CandidatePair) -> Bool {
        isSelected == other.isSelected ? priority > other.priority : isSelected
    }
}

/// Pairs shown by which nothing came. RFC 8445 §6.1.2.5 lets a client check a hundred; one that names more addresses
/// than a machine has shall not fill the screen.
private let maximumUnused = 64

extension Candidate {
    func isSameEndpoint(as other: Candidate) -> Bool {
        transport == other.transport && address == other.address && kind == other.kind
    }

    /// Whether `tuple` comes from this candidate. An active TCP one has no port of its own: it says 9 (RFC 6544 §4.5).
    func isEndpoint(of tuple: FiveTuple) -> Bool {
        transport == tuple.transport
            && (address == tuple.remote || tcpType == .active && address.ip == tuple.remote.ip)
    }

    /// Whether the two make a pair (RFC 8445 §6.1.2.2). Of TCP ones, somebody has to connect (RFC 6544 §6.2): not we.
    func canReach(_ remote: Candidate) -> Bool {
        transport == remote.transport && component == remote.component
            && address.ip.isIPv6 == remote.address.ip.isIPv6 && (transport == .udp || remote.tcpType == .active)
    }
}
