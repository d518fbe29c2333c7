import Digests
import ICE
import Wire

/// F3: an agent that meets datagrams as they are, and datagrams whose integrity was made for it with a right or a wrong
/// key, so that what lies behind the check is reached too.
enum Target: FuzzTarget {
    static func seeds() -> [[UInt8]] {
        let nominating = attributes([.priority(1), .iceControlling(2), .useCandidate])
        let plain = attributes([.priority(1), .iceControlling(2)])
        return [
            Script.step(1, nominating) + Script.step(5, plain) + Script.step(0x29, nominating),
            Script.step(2, nominating) + Script.step(0, nominating) + Script.step(3, plain),
            Script.step(1, attributes([.iceControlled(3)])) + Script.step(1, attributes([.other(type: 9, value: [1])])),
            Script.step(1, nominating) + Script.step(4, []) + Script.step(0xF9, plain),
        ]
    }

    static func run(_ input: [UInt8]) {
        var random = Counter()
        var now = Instant(nanoseconds: 1_000_000_000)
        var agent = ICEAgent(
            local: ICECredentials(using: &random),
            remote: ICECredentials(using: &random),
            localCandidates: Candidate.hosts(udp: [TransportAddress(IPAddress(v4: 0xC000_0201), port: 8_189)]),
            at: now,
            using: &random
        )
        var trusted: Set<FiveTuple> = []
        var checks: [(STUNTransactionID, FiveTuple)] = []
        var script = Script(input)
        while let control = script.byte(), let piece = script.piece() {
            // Bits 0–2 say who speaks, 3–4 from where, 5–7 after how long.
            let path = path(UInt32(control >> 3 & 3))
            now += .milliseconds(700 * Int(control >> 5))
            let kind = control & 7
            let isAuthentic = kind == 1 || kind == 3
            let before = (agent.state, agent.selectedPath, agent.pairs, agent.nextDeadline, agent.firstCheck)
            var effects: [ICEEffect] = []
            switch kind {
            case 1, 2: agent.receive(request(piece, agent, isAuthentic)[...], on: path, at: now, into: &effects)
            case 3: agent.receive(response(piece, checks.last, agent)[...], on: path, at: now, into: &effects)
            case 4: agent.addRemoteCandidate(String(decoding: piece, as: UTF8.self))
            default: agent.receive(piece[...], on: path, at: now, into: &effects)
            }
            if !isAuthentic {
                demand(effects.isEmpty, "no answer without integrity")
                let after = (agent.state, agent.selectedPath, agent.nextDeadline, agent.firstCheck)
                demand(after == (before.0, before.1, before.3, before.4), "no state without integrity")
                if kind != 4 { demand(agent.pairs == before.2, "no pair without integrity") }
            }
            if kind == 1, !effects.isEmpty { trusted.insert(path) }
            follow(effects, trusted, &checks)

            effects = []
            agent.handleTimeout(at: now, into: &effects)
            follow(effects, trusted, &checks)
            if let next = agent.nextDeadline { demand(next > now, "no timer is due for ever") }
            demand(agent.pairs.count <= 32 + 32, "pairs are bounded")
            if let selected = agent.selectedPath {
                demand(agent.isAuthenticated(selected), "media goes only where a check came from")
            }
        }
    }

    private static func follow(
        _ effects: [ICEEffect],
        _ trusted: Set<FiveTuple>,
        _ checks: inout [(STUNTransactionID, FiveTuple)]
    ) {
        demand(effects.count <= 80, "one datagram does not start a storm")
        for case .send(let bytes, let path) in effects {
            demand(trusted.contains(path), "nothing is sent where no authentic check came from")
            guard let message = try? STUNMessage(parsing: bytes[...]) else {
                demand(false, "what is sent parses")
                continue
            }
            if message.class == .request { checks.append((message.transactionID, path)) }
        }
    }

    /// A check with the right name, `body` as further attributes, and an integrity made with our key or another.
    private static func request(_ body: [UInt8], _ agent: ICEAgent, _ isAuthentic: Bool) -> [UInt8] {
        let name = STUNAttribute.username("\(agent.local.ufrag):\(agent.remote.ufrag)")
        let head = STUNMessage(.request, transactionID: .init(high: 7, low: 7), attributes: [name])
        let key = isAuthentic ? Array(agent.local.pwd.utf8) : Array("another key altogether".utf8)
        return sign(head.serialized(fingerprint: false) + body, key)
    }

    /// An answer to our latest check.
    private static func response(
        _ body: [UInt8],
        _ check: (STUNTransactionID, FiveTuple)?,
        _ agent: ICEAgent
    ) -> [UInt8] {
        let id = check?.0 ?? STUNTransactionID(high: 1, low: 1)
        let isError = body.first.map { $0 & 1 == 1 } ?? false
        let head = STUNMessage(isError ? .errorResponse : .successResponse, transactionID: id)
        return sign(head.serialized(fingerprint: false) + body, Array(agent.remote.pwd.utf8))
    }

    /// Closes attributes that may be malformed with a MESSAGE-INTEGRITY that is right.
    private static func sign(_ bytes: [UInt8], _ key: [UInt8]) -> [UInt8] {
        var bytes = Array(bytes.prefix(1_400))
        while bytes.count % 4 != 0 { bytes.append(UInt8(0)) }
        bytes.write(UInt16(truncatingIfNeeded: bytes.count - 20 + 24), at: 2)
        let digest = Digest.hmacSHA1(key: key, bytes)
        return bytes + [0, 8, 0, 20] + digest
    }

    private static func attributes(_ list: [STUNAttribute]) -> [UInt8] {
        let message = STUNMessage(.request, transactionID: .init(high: 7, low: 7), attributes: list)
        return Array(message.serialized(fingerprint: false).dropFirst(20))
    }

    private static func path(_ host: UInt32) -> FiveTuple {
        FiveTuple(
            .udp,
            local: TransportAddress(IPAddress(v4: 0xC000_0201), port: 8_189),
            remote: TransportAddress(IPAddress(v4: 0xC633_6400 + host), port: 50_000)
        )
    }
}

/// The same credentials in every run, so that a corpus keeps its meaning.
private struct Counter: RandomNumberGenerator {
    private var value: UInt64 = 0
    mutating func next() -> UInt64 {
        value &+= 0x9E37_79B9_7F4A_7C15
        return value
    }
}
