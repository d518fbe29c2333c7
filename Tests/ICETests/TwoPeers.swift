import ICE
import TestSupport
import Testing
import Wire

/// The relay's agent and a browser's, joined by a link that loses, delays, reorders and repeats datagrams, in virtual
/// time. Everything random follows from the seed.
struct TwoPeers {
    /// What the link does to each datagram.
    struct Link {
        var loss = 0.0
        /// Share of datagrams that arrive twice.
        var duplication = 0.0
        /// One-way delay; what lies between the ends is jitter, which reorders.
        var delay = 10...40
    }

    var agent: ICEAgent
    var now = Instant.zero
    var link: Link
    /// The browser's paths; the first that works is the one it nominates.
    var paths: [FiveTuple]
    /// Paths on which nothing arrives any more.
    var dead: Set<FiveTuple> = []
    /// The browser says that it is the controlled one until it is told otherwise.
    var isConfused = false
    /// Checks carry these; a restart changes them.
    private(set) var local: ICECredentials
    private(set) var remote: ICECredentials

    private(set) var selections: [(at: Instant, path: FiveTuple)] = []
    private(set) var states: [ICEAgent.State] = [.checking]
    private(set) var sentTo: Set<FiveTuple> = []
    private(set) var conflicts = 0
    private(set) var answersToBrowser = 0
    private var random: SeededGenerator
    private var inFlight: [(at: Instant, toAgent: Bool, bytes: [UInt8], path: FiveTuple)] = []
    private var nextCheck = Instant.zero
    private var nominated: FiveTuple?
    /// Which of the browser's checks is on which path, by transaction id.
    private var checks: [UInt64: FiveTuple] = [:]

    init(seed: UInt64, link: Link = Link(), paths: [FiveTuple]) {
        random = SeededGenerator(seed: seed)
        self.link = link
        self.paths = paths
        local = ICECredentials(using: &random)
        remote = ICECredentials(using: &random)
        agent = ICEAgent(
            local: local,
            remote: remote,
            localCandidates: Candidate.hosts(udp: [address("192.0.2.1", 8_189)]),
            at: .zero,
            using: &random
        )
    }

    /// The browser restarts: both sides have new credentials, and it checks with them from now on.
    mutating func restart() {
        local = ICECredentials(using: &random)
        remote = ICECredentials(using: &random)
        agent.restart(local: local, remote: remote, at: now)
        nominated = nil
        nextCheck = now
    }

    /// The browser's network changes: the old paths are dead, and a new one has to be found.
    mutating func move(to path: FiveTuple) {
        dead.formUnion(paths)
        paths = [path]
        nominated = nil
        nextCheck = now
    }

    /// Lets `duration` pass.
    mutating func run(for duration: Duration) {
        let end = now + duration
        while let next = earliest(nextCheck, agent.nextDeadline, inFlight.map(\.at).min()), next <= end {
            #expect(next >= now, "time does not run backwards")
            now = next
            check()
            deliver()
            var effects: [ICEEffect] = []
            agent.handleTimeout(at: now, into: &effects)
            apply(effects)
            if let deadline = agent.nextDeadline { #expect(deadline > now, "a timer that is due for ever") }
        }
        now = end
    }

    /// The browser's checks: 50 ms apart until a pair is nominated, then 2.5 s, as libwebrtc has them.
    private mutating func check() {
        guard now >= nextCheck else { return }
        nextCheck = now + (nominated == nil ? .milliseconds(50) : .milliseconds(2_500))
        for (index, path) in paths.enumerated() {
            let priority = Candidate.priority(.peerReflexive, localPreference: UInt16(1_000 - index))
            var attributes: [STUNAttribute] = [.username("\(local.ufrag):\(remote.ufrag)"), .priority(priority)]
            attributes.append(isConfused ? .iceControlled(5) : .iceControlling(5))
            if path == nominated, !isConfused { attributes.append(.useCandidate) }
            let id = random.next()
            checks[id] = path
            let request = STUNMessage(.request, transactionID: .init(high: 3, low: id), attributes: attributes)
            send(request.serialized(integrityKey: Array(local.pwd.utf8)), toAgent: true, on: path)
        }
    }

    private mutating func send(_ bytes: [UInt8], toAgent: Bool, on path: FiveTuple) {
        guard !dead.contains(path), Double.random(in: 0..<1, using: &random) >= link.loss else { return }
        let copies = Double.random(in: 0..<1, using: &random) < link.duplication ? 2 : 1
        for _ in 0..<copies {
            let delay = Duration.milliseconds(Int.random(in: link.delay, using: &random))
            inFlight.append((now + delay, toAgent, bytes, path))
        }
    }

    private mutating func deliver() {
        let due = inFlight.filter { $0.at <= now }.shuffled(using: &random)
        inFlight.removeAll { $0.at <= now }
        for packet in due where !dead.contains(packet.path) {
            if packet.toAgent {
                var effects: [ICEEffect] = []
                agent.receive(packet.bytes[...], on: packet.path, at: now, into: &effects)
                apply(effects)
            } else {
                arrive(packet.bytes, packet.path)
            }
        }
    }

    private mutating func arrive(_ bytes: [UInt8], _ path: FiveTuple) {
        guard let message = try? STUNMessage(parsing: bytes[...]) else {
            Issue.record("the agent sends what is no STUN")
            return
        }
        switch message.class {
        case .request:
            guard message.hasValidIntegrity(key: Array(remote.pwd.utf8)) else { return }
            send(browserAnswer(to: message, password: remote.pwd, on: path), toAgent: true, on: path)
        case .successResponse:
            answersToBrowser += 1
            guard message.hasValidIntegrity(key: Array(local.pwd.utf8)), checks[message.transactionID.low] == path
            else { return }
            // The first path in the list is the browser's favourite.
            let isBetter = nominated.map { (paths.firstIndex(of: path) ?? 9) < (paths.firstIndex(of: $0) ?? 9) } ?? true
            if isBetter {
                nominated = path
                nextCheck = now
            }
        case .errorResponse:
            guard message.errorCode == 487 else { return }
            conflicts += 1
            isConfused = false
        case .indication:
            Issue.record("the agent sends an indication")
        }
    }

    private mutating func apply(_ effects: [ICEEffect]) {
        for effect in effects {
            switch effect {
            case .send(let bytes, let path):
                #expect(paths.contains(path) || dead.contains(path), "nothing is sent where the browser never was")
                sentTo.insert(path)
                send(bytes, toAgent: false, on: path)
            case .selected(let path):
                #expect(agent.isAuthenticated(path))
                selections.append((now, path))
            default: break
            }
        }
        if states.last != agent.state { states.append(agent.state) }
    }
}
