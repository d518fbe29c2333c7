import Digests
import Wire

/// What an ``ICEAgent`` wants done.
public enum ICEEffect: Equatable, Sendable {
    /// Send these bytes on this path.
    case send([UInt8], on: FiveTuple)
    /// An authenticated check came by this path for the first time: datagrams on it belong to this session.
    case pathAdded(FiveTuple)
    /// The path was given up.
    case pathRemoved(FiveTuple)
    /// Media shall leave by this path from now on.
    case selected(FiveTuple)
    /// Consent is in doubt (`true`): stop sending media; or is fresh again (`false`).
    case suspect(Bool)
    /// Terminal: no authenticated STUN for ``ICEAgent/consentLifetime``.
    case expired
}

/// The controlled ICE agent of a relay (RFC 8445), for one component with rtcp-mux and BUNDLE.
///
/// It answers every authenticated check for as long as it lives and sends checks of its own only to 5-tuples that
/// have sent an authenticated check, so that candidates in signalling can never aim it at third parties.
///
///     checking ──USE-CANDIDATE──▶ connected ──15 s silent──▶ suspect ──30 s silent──▶ expired
///         │                           ▲                        │                        ▲
///         │                           └──── authenticated ─────┘                        │
///         └──────────────────────────── 30 s without a check ───────────────────────────┘
///
/// Deviation from RFC 8445 §6.1.2: no pairs are formed, frozen or paced up front, because nothing is checked up front.
public struct ICEAgent: Sendable {
    /// Where the session stands.
    public enum State: String, Hashable, Sendable, Codable {
        /// No nominated pair yet.
        case checking
        /// Media may flow on the selected path.
        case connected
        /// The client has been silent; media pauses.
        case suspect
        /// The client is gone.
        case expired
    }

    /// Our credentials.
    public private(set) var local: ICECredentials
    /// The client's credentials.
    public private(set) var remote: ICECredentials
    /// Our candidates, as signalled.
    public let localCandidates: [Candidate]
    /// The client's candidates that could be used, as signalled.
    public private(set) var remoteCandidates: [Candidate] = []
    /// Signalled candidates that hide behind a name.
    public private(set) var hiddenCandidates: [String] = []
    /// Where the session stands.
    public private(set) var state = State.checking
    /// When the first authenticated check arrived.
    public private(set) var firstCheck: Instant?
    /// When a pair was first nominated.
    public private(set) var firstNomination: Instant?
    /// Datagrams that claimed to be ours and failed authentication.
    public private(set) var rejectedChecks = 0

    /// The 5-tuples that have sent an authenticated check, oldest first.
    var paths: [Path] = []
    /// Those whose connection has closed, oldest first: kept for whoever asks what happened.
    private(set) var closedPaths: [Path] = []
    private(set) var selectedIndex: Int?
    /// When the client last sent something authenticated or on the selected path, or the agent began.
    public internal(set) var lastHeard: Instant
    private let tieBreaker: UInt64
    private let transactionSecret: [UInt8]
    private var transactionCount: UInt64 = 0
    private var repeats = RepeatLimit()
    private var previousLocal: (credentials: ICECredentials, until: Instant)?

    /// Creates an agent that waits for the first check.
    public init(
        local: ICECredentials,
        remote: ICECredentials,
        localCandidates: [Candidate],
        at now: Instant,
        using random: inout some RandomNumberGenerator
    ) {
        self.local = local
        self.remote = remote
        self.localCandidates = Array(localCandidates.prefix(maximumCandidates))
        lastHeard = now
        tieBreaker = random.next()
        transactionSecret = random.bytes(20)
    }

    /// The path media takes, once there is one.
    public var selectedPath: FiveTuple? { selectedIndex.map { paths[$0].tuple } }

    /// Round-trip time of the selected pair.
    public var roundTripTime: Duration? { selectedIndex.flatMap { paths[$0].roundTripTime } }

    /// Whether an authenticated check has come by `tuple`; nothing else may be believed before.
    public func isAuthenticated(_ tuple: FiveTuple) -> Bool { index(of: tuple) != nil }

    /// Consent lasts this long after the last authenticated STUN message (RFC 7675 §5.1).
    public static let consentLifetime = Duration.seconds(30)
    /// Silence after which media pauses: three missed checks of the slowest browser.
    public static let suspicionDelay = Duration.seconds(15)
}

// MARK: Inputs

extension ICEAgent {
    /// The client trickled a candidate or listed it in the offer. Names (`*.local`) are counted and otherwise ignored.
    public mutating func addRemoteCandidate(_ attribute: some StringProtocol) {
        do {
            let candidate = try Candidate(parsing: attribute)
            guard candidate.component == 1, remoteCandidates.count < maximumCandidates,
                !remoteCandidates.contains(where: { $0.isSameEndpoint(as: candidate) })
            else { return }
            remoteCandidates.append(candidate)
        } catch .name(let name) {
            if hiddenCandidates.count < maximumCandidates, !hiddenCandidates.contains(name) {
                hiddenCandidates.append(name)
            }
        } catch {
            // RFC 8839 §5.1: what cannot be understood is ignored.
        }
    }

    /// The client restarts ICE (RFC 8445 §9): both sides get new credentials; checks made with our old ones stay good
    /// for ten seconds, and the selected path stays in use until the new credentials nominate another.
    public mutating func restart(local: ICECredentials, remote: ICECredentials, at now: Instant) {
        previousLocal = (self.local, now + .seconds(10))
        self.local = local
        self.remote = remote
        remoteCandidates = []
        hiddenCandidates = []
        for index in paths.indices {
            paths[index].transaction = nil
            paths[index].isNominated = false
        }
    }

    /// Takes one STUN datagram that the demultiplexer gave to this session.
    public mutating func receive(
        _ datagram: ArraySlice<UInt8>,
        on tuple: FiveTuple,
        at now: Instant,
        into effects: inout [ICEEffect]
    ) {
        guard state != .expired, let message = try? STUNMessage(parsing: datagram), message.method == .binding else {
            return
        }
        switch message.class {
        case .request: receiveRequest(message, on: tuple, at: now, into: &effects)
        case .successResponse, .errorResponse: receiveResponse(message, on: tuple, at: now, into: &effects)
        case .indication: break
        }
    }

    /// Nothing can come by `tuple` any more: its connection has closed.
    ///
    /// When media went by it, another path that works takes over. Without one, media pauses until the client checks by
    /// another way, or its consent runs out.
    public mutating func connectionClosed(
        _ tuple: FiveTuple,
        by end: ConnectionEnd,
        at now: Instant,
        into effects: inout [ICEEffect]
    ) {
        guard state != .expired, let index = index(of: tuple) else { return }
        var path = paths[index]
        path.close(by: end)
        closedPaths.append(path)
        if closedPaths.count > maximumClosedPaths { closedPaths.removeFirst() }
        removePath(at: index, into: &effects)
        guard selectedIndex == nil else { return }
        reconsiderSelection(at: now, into: &effects)
        guard selectedIndex == nil, state == .connected else { return }
        state = .suspect
        effects.append(.suspect(true))
    }

    /// Counts a datagram other than STUN for the pair's row.
    public mutating func countReceived(_ byteCount: Int, on tuple: FiveTuple) {
        if let index = index(of: tuple) { paths[index].bytesReceived &+= UInt64(byteCount) }
    }

    /// Counts datagrams sent on the selected path for the pair's row.
    public mutating func countSent(_ byteCount: Int) {
        if let selectedIndex { paths[selectedIndex].bytesSent &+= UInt64(byteCount) }
    }

    /// Counts a datagram other than STUN that was sent on `tuple`, for the pair's row.
    public mutating func countSent(_ byteCount: Int, on tuple: FiveTuple) {
        if let index = index(of: tuple) { paths[index].bytesSent &+= UInt64(byteCount) }
    }

    /// When ``handleTimeout(at:into:)`` next has work; `nil` once expired.
    public var nextDeadline: Instant? {
        guard state != .expired else { return nil }
        var next = lastHeard + (state == .connected ? Self.suspicionDelay : Self.consentLifetime)
        for path in paths { if let deadline = path.nextDeadline, deadline < next { next = deadline } }
        return next
    }

    /// Retransmits, refreshes and expires what is due.
    public mutating func handleTimeout(at now: Instant, into effects: inout [ICEEffect]) {
        guard state != .expired else { return }
        if now >= lastHeard + Self.consentLifetime {
            state = .expired
            // The paths stay for whoever asks what happened; nothing moves them any more.
            for path in paths { effects.append(.pathRemoved(path.tuple)) }
            effects.append(.expired)
            return
        }
        if state == .connected, now >= lastHeard + Self.suspicionDelay {
            state = .suspect
            effects.append(.suspect(true))
        }
        for index in paths.indices { advanceCheck(index, at: now, into: &effects) }
        reconsiderSelection(at: now, into: &effects)
    }
}

// MARK: Checks from the client

extension ICEAgent {
    private mutating func receiveRequest(
        _ message: STUNMessage,
        on tuple: FiveTuple,
        at now: Instant,
        into effects: inout [ICEEffect]
    ) {
        guard let key = authenticate(message, at: now) else {
            // Silence, and no state: an answer would make us a reflector, tearing down would make us a victim.
            rejectedChecks &+= 1
            return
        }
        guard repeats.admits(message.transactionID, at: now) else { return }
        func respond(_ messageClass: STUNMessage.Class, _ attribute: STUNAttribute...) {
            let response = STUNMessage(messageClass, transactionID: message.transactionID, attributes: attribute)
            effects.append(.send(response.serialized(integrityKey: key), on: tuple))
        }
        let unknown = message.unknownRequiredAttributes
        guard unknown.isEmpty else {
            return respond(.errorResponse, .errorCode(420, reason: "Unknown Attribute"), .unknownAttributes(unknown))
        }
        guard message.iceControlled == nil else {
            // Deviation from RFC 8445 §7.3.1.1: the tie-breakers are not compared. The answerer of a browser's offer
            // is always the controlled one here, so the other side has to take the controlling role.
            return respond(.errorResponse, .errorCode(487, reason: "Role Conflict"))
        }
        guard let index = path(for: tuple, priority: message.priority ?? 0, at: now, into: &effects) else { return }
        heard(index, at: now, into: &effects)
        paths[index].checksReceived += 1
        paths[index].checksAnswered += 1
        if message.usesCandidate { paths[index].isNominated = true }
        if firstCheck == nil { firstCheck = now }
        respond(.successResponse, .xorMappedAddress(tuple.remote))

        if paths[index].transaction == nil, paths[index].state != .succeeded || paths[index].isRefreshDue(at: now) {
            startCheck(index, at: now, into: &effects)
        }
        probeSelected(insteadOf: index, at: now, into: &effects)
        reconsiderSelection(at: now, into: &effects)
    }

    /// The key that the request was made with, if it is ours and fits.
    private func authenticate(_ message: STUNMessage, at now: Instant) -> [UInt8]? {
        guard let username = message.username else { return nil }
        var accepted = [local]
        if let previousLocal, now < previousLocal.until { accepted.append(previousLocal.credentials) }
        for credentials in accepted where username.hasPrefix(credentials.ufrag + ":") {
            // The remote half is compared too, except for the old credentials, whose counterpart is forgotten.
            if credentials == local,
                username.utf8.count != local.ufrag.utf8.count + 1 + remote.ufrag.utf8.count
                    || !username.hasSuffix(":" + remote.ufrag)
            {
                continue
            }
            let key = Array(credentials.pwd.utf8)
            if message.hasValidIntegrity(key: key) { return key }
        }
        return nil
    }

    private mutating func path(
        for tuple: FiveTuple,
        priority: UInt32,
        at now: Instant,
        into effects: inout [ICEEffect]
    ) -> Int? {
        if let index = index(of: tuple) { return index }
        if paths.count >= maximumPaths {
            // The one silent for longest makes room, unless media uses it or it is in use still.
            let candidates = paths.indices.filter { $0 != selectedIndex && now - paths[$0].lastHeard > .seconds(5) }
            guard let oldest = candidates.min(by: { paths[$0].lastHeard < paths[$1].lastHeard }) else { return nil }
            removePath(at: oldest, into: &effects)
        }
        closedPaths.removeAll { $0.tuple == tuple }
        paths.append(Path(tuple: tuple, reflexivePriority: priority, at: now))
        effects.append(.pathAdded(tuple))
        return paths.count - 1
    }

    private mutating func removePath(at index: Int, into effects: inout [ICEEffect]) {
        effects.append(.pathRemoved(paths.remove(at: index).tuple))
        guard let selected = selectedIndex, selected >= index else { return }
        selectedIndex = selected == index ? nil : selected - 1
    }

    private mutating func heard(_ index: Int, at now: Instant, into effects: inout [ICEEffect]) {
        lastHeard = now
        paths[index].lastHeard = now
        // Without a path, being heard is not enough.
        if state == .suspect, selectedIndex != nil {
            state = .connected
            effects.append(.suspect(false))
        }
    }
}

// MARK: Our own checks

extension ICEAgent {
    private mutating func startCheck(_ index: Int, at now: Instant, into effects: inout [ICEEffect]) {
        guard paths.count(where: { $0.transaction != nil }) < maximumTransactions else { return }
        paths[index].transaction = Path.Transaction(id: nextTransactionID(), startedAt: now)
        if paths[index].state != .succeeded { paths[index].state = .inProgress }
        transmit(index, at: now, into: &effects)
    }

    private mutating func transmit(_ index: Int, at now: Instant, into effects: inout [ICEEffect]) {
        guard var transaction = paths[index].transaction else { return }
        transaction.sent(at: now)
        paths[index].transaction = transaction
        paths[index].checksSent += 1
        let request = STUNMessage(
            .request,
            transactionID: transaction.id,
            attributes: [
                .username("\(remote.ufrag):\(local.ufrag)"),
                .priority(Candidate.priority(.peerReflexive, localPreference: 65_535)),
                .iceControlled(tieBreaker),
            ]
        )
        effects.append(.send(request.serialized(integrityKey: Array(remote.pwd.utf8)), on: paths[index].tuple))
    }

    private mutating func receiveResponse(
        _ message: STUNMessage,
        on tuple: FiveTuple,
        at now: Instant,
        into effects: inout [ICEEffect]
    ) {
        // RFC 8445 §7.2.5.2.1: only an answer from where the check went counts.
        guard let index = index(of: tuple), let transaction = paths[index].transaction,
            transaction.id == message.transactionID, message.hasValidIntegrity(key: Array(remote.pwd.utf8))
        else { return }
        paths[index].transaction = nil
        heard(index, at: now, into: &effects)
        paths[index].responsesReceived += 1
        guard message.class == .successResponse else {
            // A 487 would ask us to control; see the deviation above. The client's next check triggers another try.
            if paths[index].state != .succeeded { paths[index].state = .failed }
            return
        }
        paths[index].state = .succeeded
        paths[index].nextCheckAt = now + refreshInterval
        // Karn's rule: the answer to a retransmitted check does not say which transmission it answers.
        if transaction.transmissions == 1 { paths[index].roundTripTime = now - transaction.startedAt }
        reconsiderSelection(at: now, into: &effects)
    }

    private mutating func advanceCheck(_ index: Int, at now: Instant, into effects: inout [ICEEffect]) {
        if let transaction = paths[index].transaction {
            guard now >= transaction.nextTransmissionAt else { return }
            if transaction.transmissions >= maximumTransmissions {
                paths[index].transaction = nil
                paths[index].state = .failed
                paths[index].nextCheckAt = nil
            } else {
                transmit(index, at: now, into: &effects)
            }
        } else if let due = paths[index].nextCheckAt, now >= due {
            // A path the client no longer checks is left alone; its next check wakes it.
            if now - paths[index].lastHeard > .seconds(12), index != selectedIndex {
                paths[index].nextCheckAt = nil
            } else {
                paths[index].nextCheckAt = now + refreshInterval
                startCheck(index, at: now, into: &effects)
            }
        }
    }

    /// 96 bits nobody else can predict (RFC 8489 §5), without a generator of its own on the packet path.
    private mutating func nextTransactionID() -> STUNTransactionID {
        transactionCount &+= 1
        var counter: [UInt8] = []
        counter.append(transactionCount)
        var reader = ByteReader(Digest.hmacSHA1(key: transactionSecret, counter))
        let high = (try? reader.readUInt32()) ?? 0
        return STUNTransactionID(high: high, low: (try? reader.readUInt64()) ?? transactionCount)
    }
}

// MARK: Selection

extension ICEAgent {
    /// Something else is alive while the selected path is quiet, or is nominated instead of it: ask it, so that
    /// ``reconsiderSelection(at:into:)`` can tell a slow path from a dead one.
    private mutating func probeSelected(insteadOf index: Int, at now: Instant, into effects: inout [ICEEffect]) {
        guard let selected = selectedIndex, selected != index, paths[selected].transaction == nil,
            now - paths[selected].lastHeard >= failoverDelay || paths[index].replaces(paths[selected])
        else { return }
        startCheck(selected, at: now, into: &effects)
    }

    /// Chooses the path for media.
    ///
    /// The first USE-CANDIDATE wins; where the selected path's connection has closed, any path that works. Otherwise a
    /// path takes over when our own check on it succeeded and either it is nominated with a higher priority (or the
    /// current one never answered us), or the current one has left our check unanswered for ``failoverDelay`` while the
    /// other is alive. When the other was nominated after the current one had last been heard of, as behind a NAT that
    /// has changed its mind, one check without an answer is enough. A replayed check from elsewhere can therefore not
    /// pull media away from a working path.
    private mutating func reconsiderSelection(at now: Instant, into effects: inout [ICEEffect]) {
        guard let selected = selectedIndex else {
            let hadOne = firstNomination != nil
            let living = paths.indices.filter { index in
                let path = paths[index]
                return now - path.lastHeard < Self.suspicionDelay
                    && (path.isNominated || hadOne && path.state == .succeeded)
            }
            func rank(_ index: Int) -> (Int, UInt64) { (paths[index].isNominated ? 1 : 0, priority(of: paths[index])) }
            if let best = living.max(by: { rank($0) < rank($1) }) { select(best, at: now, into: &effects) }
            return
        }
        let current = paths[selected]
        let currentPriority = priority(of: current)
        var best: Int?
        for index in paths.indices where index != selected && paths[index].state == .succeeded {
            let other = paths[index]
            // It may have succeeded and gone quiet since; two such paths would hand media back and forth.
            if other.isUnanswered(at: now, for: failoverDelay) { continue }
            let wins =
                other.isNominated && (current.state != .succeeded || priority(of: other) > currentPriority)
                || current.isUnanswered(at: now, for: failoverDelay) && now - other.lastHeard <= failoverDelay
                || !current.isNominated && other.isNominated
                || current.hasLeftACheckUnanswered && other.replaces(current)
            if wins, best.map({ priority(of: paths[$0]) < priority(of: other) }) ?? true { best = index }
        }
        if let best { select(best, at: now, into: &effects) }
    }

    private mutating func select(_ index: Int, at now: Instant, into effects: inout [ICEEffect]) {
        selectedIndex = index
        if firstNomination == nil { firstNomination = now }
        if state == .checking { state = .connected }
        effects.append(.selected(paths[index].tuple))
        guard state == .suspect else { return }
        state = .connected
        effects.append(.suspect(false))
    }

    private func index(of tuple: FiveTuple) -> Int? { paths.firstIndex { $0.tuple == tuple } }
}

/// RFC 7675 §5.1 asks for a check about every 5 s; the client's own checks are randomised, ours need not be.
private let refreshInterval = Duration.seconds(5)
/// How long a quiet selected path may leave a check unanswered while another path is alive.
private let failoverDelay = Duration.seconds(3)
/// Real clients reach us on two or three paths; a replayed check from many addresses fills no more than this.
private let maximumPaths = 32
/// Closed paths remembered: a client that opens one connection after the other pushes out its own only.
private let maximumClosedPaths = 8
/// Checks of ours under way at the same time.
private let maximumTransactions = 8
/// 0, 0.5, 1.5, 3.5 s; given up at 7.5 s.
private let maximumTransmissions = 4
/// Candidates kept per side.
private let maximumCandidates = 32
