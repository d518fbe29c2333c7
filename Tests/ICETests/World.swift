import ICE
import TestSupport
import Wire

/// An agent and the means to play the browser by hand.
struct World {
    var agent: ICEAgent
    var now = Instant(nanoseconds: 1_000_000_000)
    var random: SeededGenerator

    init(seed: UInt64 = 1) {
        random = SeededGenerator(seed: seed)
        agent = ICEAgent(
            local: ICECredentials(using: &random),
            remote: ICECredentials(using: &random),
            localCandidates: Candidate.hosts(udp: [address("192.0.2.1", 8_189), address("2001:db8::1", 8_189)]),
            at: now,
            using: &random
        )
    }

    func request(nominating: Bool, extra: [STUNAttribute] = [], id: UInt64 = 7) -> [UInt8] {
        var attributes: [STUNAttribute] = [
            .username("\(agent.local.ufrag):\(agent.remote.ufrag)"), .priority(1_853_824_767),
        ]
        if extra.isEmpty { attributes.append(.iceControlling(42)) }
        if nominating { attributes.append(.useCandidate) }
        return STUNMessage(.request, transactionID: .init(high: 1, low: id), attributes: attributes + extra)
            .serialized(integrityKey: Array(agent.local.pwd.utf8))
    }

    mutating func receive(_ bytes: [UInt8], on path: FiveTuple) -> [ICEEffect] {
        var effects: [ICEEffect] = []
        agent.receive(bytes[...], on: path, at: now, into: &effects)
        return effects
    }

    mutating func check(on path: FiveTuple, nominating: Bool = false) -> [ICEEffect] {
        receive(request(nominating: nominating, id: random.next()), on: path)
    }

    mutating func timeout() -> [ICEEffect] {
        var effects: [ICEEffect] = []
        agent.handleTimeout(at: now, into: &effects)
        return effects
    }

    /// The browser answers one of the agent's checks.
    @discardableResult
    mutating func answer(_ check: (message: STUNMessage, path: FiveTuple)) -> [ICEEffect] {
        receive(browserAnswer(to: check.message, password: agent.remote.pwd, on: check.path), on: check.path)
    }
}

func browserAnswer(to request: STUNMessage, password: String, on path: FiveTuple) -> [UInt8] {
    STUNMessage(
        .successResponse,
        transactionID: request.transactionID,
        attributes: [.xorMappedAddress(path.local)]
    ).serialized(integrityKey: Array(password.utf8))
}

extension [ICEEffect] {
    private var messages: [(message: STUNMessage, path: FiveTuple)] {
        compactMap { effect in
            guard case .send(let bytes, let path) = effect, let message = try? STUNMessage(parsing: bytes[...]) else {
                return nil
            }
            return (message, path)
        }
    }

    var responses: [(message: STUNMessage, path: FiveTuple)] { messages.filter { $0.message.class != .request } }
    var checks: [(message: STUNMessage, path: FiveTuple)] { messages.filter { $0.message.class == .request } }
}

/// A browser with two paths, one of them dead, checking every 2.5 s over a lossy link, in virtual time.
struct Simulation {
    var agent: ICEAgent
    var random: SeededGenerator
    let loss: Double
    let paths = [tuple("198.51.100.4", 50_112), tuple("203.0.113.9", 61_002)]
    var now = Instant.zero
    var connectedAfter: Duration?
    private var inFlight: [(at: Instant, toAgent: Bool, bytes: [UInt8], path: FiveTuple)] = []
    private var nextCheck = Instant.zero
    private var isNominating = false

    init(seed: UInt64, loss: Double) {
        random = SeededGenerator(seed: seed)
        self.loss = loss
        agent = ICEAgent(
            local: ICECredentials(using: &random),
            remote: ICECredentials(using: &random),
            localCandidates: Candidate.hosts(udp: [address("192.0.2.1", 8_189)]),
            at: .zero,
            using: &random
        )
    }

    mutating func run(for duration: Duration) {
        while true {
            let next = earliest(nextCheck, agent.nextDeadline, inFlight.map(\.at).min())
            guard let next, next - .zero <= duration else { return }
            now = next
            browserChecks()
            deliver()
            var effects: [ICEEffect] = []
            agent.handleTimeout(at: now, into: &effects)
            apply(effects)
        }
    }

    private mutating func browserChecks() {
        guard now >= nextCheck else { return }
        // Eager until something answers, then the slow rhythm of libwebrtc.
        nextCheck = now + (isNominating ? .milliseconds(2_500) : .milliseconds(50))
        for path in paths {
            var attributes: [STUNAttribute] = [
                .username("\(agent.local.ufrag):\(agent.remote.ufrag)"), .priority(1), .iceControlling(1),
            ]
            if isNominating, path == paths[0] { attributes.append(.useCandidate) }
            let id = STUNTransactionID(high: 0, low: random.next())
            let request = STUNMessage(.request, transactionID: id, attributes: attributes)
            send(request.serialized(integrityKey: Array(agent.local.pwd.utf8)), toAgent: true, on: path)
        }
    }

    private mutating func send(_ bytes: [UInt8], toAgent: Bool, on path: FiveTuple) {
        guard path == paths[0], Double.random(in: 0..<1, using: &random) >= loss else { return }
        let delay = Duration.milliseconds(Int.random(in: 10...40, using: &random))
        inFlight.append((now + delay, toAgent, bytes, path))
    }

    private mutating func deliver() {
        let due = inFlight.filter { $0.at <= now }
        inFlight.removeAll { $0.at <= now }
        for packet in due {
            if packet.toAgent {
                var effects: [ICEEffect] = []
                agent.receive(packet.bytes[...], on: packet.path, at: now, into: &effects)
                apply(effects)
            } else if let message = try? STUNMessage(parsing: packet.bytes[...]) {
                if message.class == .request {
                    let answer = browserAnswer(to: message, password: agent.remote.pwd, on: packet.path)
                    send(answer, toAgent: true, on: packet.path)
                } else {
                    isNominating = true
                }
            }
        }
    }

    private mutating func apply(_ effects: [ICEEffect]) {
        for effect in effects {
            switch effect {
            case .send(let bytes, let path): send(bytes, toAgent: false, on: path)
            case .selected: if connectedAfter == nil { connectedAfter = now - .zero }
            default: break
            }
        }
    }
}
