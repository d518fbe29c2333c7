import ICE
import TestSupport
import Testing
import Wire

@Suite struct ICEAgentTests {
    let path = tuple("198.51.100.4", 50_112)
    let other = tuple("203.0.113.9", 61_002)

    @Test func `an authenticated check is answered with the address it came from`() throws {
        var world = World()
        let effects = world.check(on: path)
        let response = try #require(effects.responses.first)
        #expect(response.message.class == .successResponse)
        #expect(response.message.xorMappedAddress == path.remote)
        #expect(response.message.hasValidIntegrity(key: Array(world.agent.local.pwd.utf8)))
        #expect(response.message.hasFingerprint)
        #expect(response.path == path)
        #expect(effects.contains(.pathAdded(path)))
        #expect(world.agent.state == .checking)
    }

    @Test func `an answer is never longer than the check`() throws {
        var world = World()
        let request = world.request(nominating: true)
        let effects = world.receive(request, on: tuple("2001:db8::9", 5))
        let sizes = effects.compactMap { if case .send(let bytes, _) = $0, bytes[0] == 1 { bytes.count } else { nil } }
        #expect(try #require(sizes.first) <= request.count)
    }

    @Test func `USE-CANDIDATE selects, and checks without it are answered for ever`() {
        var world = World()
        #expect(world.check(on: path, nominating: true).contains(.selected(path)))
        #expect(world.agent.state == .connected)
        for _ in 0..<200 {
            world.now += .seconds(5)
            #expect(world.check(on: path).responses.count == 1)
            _ = world.timeout()
        }
        #expect(world.agent.state == .connected)
        #expect(world.agent.pairs.first?.checksAnswered == 201)
    }

    @Test func `wrong integrity, unknown ufrag and a wrong remote ufrag meet silence and leave no state`() {
        var world = World()
        let agent = world.agent
        let wrong: [(String, String)] = [
            ("\(agent.local.ufrag):\(agent.remote.ufrag)", "notthepasswordnotthepassword"),
            ("zzzz:\(agent.remote.ufrag)", agent.local.pwd),
            ("\(agent.local.ufrag):zzzz", agent.local.pwd),
            ("\(agent.local.ufrag)", agent.local.pwd),
        ]
        for (username, password) in wrong {
            let request = STUNMessage(
                .request,
                transactionID: .init(high: 1, low: 1),
                attributes: [.username(username), .priority(1), .useCandidate]
            )
            #expect(world.receive(request.serialized(integrityKey: Array(password.utf8)), on: path).isEmpty)
        }
        #expect(world.agent.pairs.isEmpty)
        #expect(world.agent.rejectedChecks == 4)
        #expect(world.agent.state == .checking)
    }

    @Test func `a client that believes it is controlled is told of the conflict`() throws {
        var world = World()
        let effects = world.receive(world.request(nominating: false, extra: [.iceControlled(5)]), on: path)
        #expect(effects.responses.first?.message.errorCode == 487)
        #expect(world.agent.pairs.isEmpty)
    }

    @Test func `an unknown comprehension-required attribute is refused with 420, only when authenticated`() throws {
        var world = World()
        let extra: [STUNAttribute] = [.other(type: 0x7001, value: [])]
        let effects = world.receive(world.request(nominating: false, extra: extra), on: path)
        let refusal = try #require(effects.responses.first?.message)
        #expect(refusal.errorCode == 420)
        #expect(refusal.attributes.contains(.unknownAttributes([0x7001])))
        #expect(!world.agent.isAuthenticated(path))
    }

    @Test func `we check only who has checked us, and measure the round trip`() throws {
        var world = World()
        world.agent.addRemoteCandidate("candidate:1 1 udp 2113937151 203.0.113.9 61002 typ host")
        for _ in 0..<10 {
            world.now += .seconds(1)
            #expect(world.timeout().checks.isEmpty)
        }
        let check = try #require(world.check(on: path).checks.first)
        #expect(check.path == path)
        #expect(check.message.iceControlled != nil)
        #expect(check.message.username == "\(world.agent.remote.ufrag):\(world.agent.local.ufrag)")
        world.now += .milliseconds(42)
        world.answer(check)
        let pair = try #require(world.agent.pairs.first { $0.checksReceived > 0 })
        #expect(pair.state == .succeeded)
        #expect(pair.roundTripTime == .milliseconds(42))
        #expect(pair.remote.kind == .peerReflexive)
    }

    @Test func `a candidate that never reached us reads 0 checks received`() throws {
        var world = World()
        world.agent.addRemoteCandidate("candidate:1 1 udp 2113937151 203.0.113.9 61002 typ srflx")
        world.agent.addRemoteCandidate("candidate:2 1 udp 2113937151 4f1ce2.local 61002 typ host")
        world.agent.addRemoteCandidate("candidate:3 1 udp 2113937000 198.51.100.4 50112 typ host")
        _ = world.check(on: path, nominating: true)
        let pairs = world.agent.pairs
        #expect(pairs.count == 2)
        #expect(pairs[0].isSelected && pairs[0].remote.kind == .host && pairs[0].remote.priority == 2_113_937_000)
        #expect(pairs[1].state == .waiting && pairs[1].checksReceived == 0)
        #expect(pairs[1].remote.address == other.remote)
        #expect(world.agent.hiddenCandidates == ["4f1ce2.local"])
    }

    @Test func `an address that never reached us makes a pair with each of ours that fits it`() {
        var world = World()
        let (one, two, six) = (address("192.0.2.1", 8_189), address("192.0.2.2", 8_189), address("2001:db8::1", 8_189))
        world.agent = ICEAgent(
            local: world.agent.local,
            remote: world.agent.remote,
            localCandidates: Candidate.hosts(udp: [one, two, six], tcp: [one, two]),
            at: world.now,
            using: &world.random
        )
        world.agent.addRemoteCandidate("candidate:1 1 udp 2113937151 203.0.113.9 61002 typ srflx")
        world.agent.addRemoteCandidate("candidate:2 1 tcp 1518280447 203.0.113.9 9 typ host tcptype active")
        // Neither side would connect.
        world.agent.addRemoteCandidate("candidate:3 1 tcp 1518280446 203.0.113.9 61003 typ host tcptype passive")
        func pairs() -> Set<String> {
            Set(world.agent.pairs.map { "\($0.local.transport) \($0.local.address.ip) \($0.checksReceived)" })
        }
        #expect(pairs() == ["udp 192.0.2.1 0", "udp 192.0.2.2 0", "tcp 192.0.2.1 0", "tcp 192.0.2.2 0"])
        #expect(world.agent.pairs.map(\.priority) == world.agent.pairs.map(\.priority).sorted(by: >))
        _ = world.check(on: other)
        #expect(pairs() == ["udp 192.0.2.1 1", "udp 192.0.2.2 0", "tcp 192.0.2.1 0", "tcp 192.0.2.2 0"])
    }

    @Test func `of the pairs by which nothing came the best are kept`() {
        var world = World()
        let ours = (UInt16(1)...8).map { address("192.0.2.1", $0) }
        world.agent = ICEAgent(
            local: world.agent.local,
            remote: world.agent.remote,
            localCandidates: Candidate.hosts(udp: ours),
            at: world.now,
            using: &world.random
        )
        for number in 0..<32 {
            world.agent.addRemoteCandidate("candidate:9 1 udp \(number) 203.0.113.\(number) 5 typ host")
        }
        let pairs = world.agent.pairs
        #expect(pairs.count == 64)
        #expect(pairs.map(\.remote.priority) == (24..<32).reversed().flatMap { Array(repeating: UInt32($0), count: 8) })
    }

    @Test func `silence makes the session suspect after 15 s and expires it after 30 s`() {
        var world = World()
        _ = world.check(on: path, nominating: true)
        let start = world.now
        var events: [(Duration, ICEEffect)] = []
        while let deadline = world.agent.nextDeadline {
            #expect(deadline > world.now)
            world.now = deadline
            for effect in world.timeout() {
                if case .send = effect { continue }
                events.append((deadline - start, effect))
            }
        }
        #expect(events.first?.0 == .seconds(15) && events.first?.1 == .suspect(true))
        #expect(events.last?.0 == .seconds(30) && events.last?.1 == .expired)
        #expect(world.check(on: path).isEmpty)
        #expect(world.agent.pairs.first?.checksReceived == 1, "what happened can still be told")
    }

    @Test func `a client that comes back in time is trusted again`() {
        var world = World()
        _ = world.check(on: path, nominating: true)
        world.now += .seconds(20)
        #expect(world.timeout().contains(.suspect(true)))
        #expect(world.check(on: path).contains(.suspect(false)))
        #expect(world.agent.state == .connected)
    }

    @Test func `a session that is never checked expires`() {
        var world = World()
        world.now += .seconds(30)
        #expect(world.timeout().contains(.expired))
    }

    @Test func `a replayed nomination from elsewhere does not pull media away`() throws {
        var world = World()
        let captured = world.request(nominating: true)
        let check = try #require(world.receive(captured, on: path).checks.first)
        world.answer(check)
        for _ in 0..<20 {
            world.now += .milliseconds(500)
            #expect(!world.receive(captured, on: other).contains(.selected(other)))
            _ = world.timeout()
        }
        #expect(world.agent.selectedPath == path)
    }

    @Test func `a better nominated path takes over once our check on it succeeded`() throws {
        var world = World()
        world.agent.addRemoteCandidate("candidate:1 1 udp 2113937151 203.0.113.9 61002 typ host")
        world.answer(try #require(world.check(on: path, nominating: true).checks.first))
        let second = world.check(on: other, nominating: true)
        #expect(world.agent.selectedPath == path)
        #expect(world.answer(try #require(second.checks.first)).contains(.selected(other)))
    }

    @Test func `media follows the client when its path dies`() throws {
        var world = World()
        world.answer(try #require(world.check(on: path, nominating: true).checks.first))
        world.now += .seconds(4)
        world.answer(try #require(world.check(on: other).checks.first { $0.path == other }))
        #expect(world.agent.selectedPath == path)
        var switchedAfter: Duration?
        let start = world.now
        while switchedAfter == nil, world.now - start < .seconds(10) {
            world.now += .milliseconds(500)
            var effects = world.timeout()
            effects += world.check(on: other)
            for check in effects.checks where check.path == other { effects += world.answer(check) }
            if effects.contains(.selected(other)) { switchedAfter = world.now - start }
        }
        #expect(try #require(switchedAfter) <= .seconds(4))
    }

    @Test func `when a NAT changes its port, media follows half a second after the first check from there`()
        throws
    {
        var world = World()
        world.answer(try #require(world.check(on: path, nominating: true).checks.first))
        world.now += .milliseconds(2_500)
        // From here on the old port is dead. The browser does not know; it checks as ever, and nominates what it uses.
        let moved = tuple("198.51.100.4", 50_113)
        let first = world.check(on: moved, nominating: true)
        #expect(Set(first.checks.map(\.path)) == [path, moved])
        for check in first.checks where check.path == moved { world.answer(check) }
        #expect(world.agent.selectedPath == path)
        world.now += .milliseconds(500)
        #expect(world.timeout().contains(.selected(moved)))
    }

    @Test func `a path that answers is not left for one that merely claims to have replaced it`() throws {
        var world = World()
        world.answer(try #require(world.check(on: path, nominating: true).checks.first))
        world.now += .milliseconds(2_500)
        for check in world.check(on: other, nominating: true).checks { world.answer(check) }
        world.now += .milliseconds(600)
        #expect(!world.timeout().contains(.selected(other)))
        #expect(world.agent.selectedPath == path)
    }

    @Test func `many source addresses fill a bounded table and never the selected path`() {
        var world = World()
        _ = world.check(on: path, nominating: true)
        var sent = 0
        for port in UInt16(1)...2_000 {
            sent += world.check(on: tuple("203.0.113.1", port), nominating: true).checks.count
        }
        #expect(world.agent.pairs.count == 32)
        #expect(world.agent.selectedPath == path)
        #expect(sent < 8)
        world.now += .seconds(10)
        _ = world.check(on: path)
        #expect(world.check(on: other).contains(.pathAdded(other)))
    }

    @Test func `a check that is sent again and again is answered five times a second, a new one always`() {
        var world = World()
        let captured = world.request(nominating: true, id: 77)
        #expect(world.receive(captured, on: path).responses.count == 1)
        var answers = 0
        for number in 0..<400 {
            world.now += .milliseconds(10)
            // From wherever it comes: each address would be another answer otherwise.
            answers += world.receive(captured, on: tuple("203.0.113.1", 50_000 + UInt16(number % 40))).responses.count
            if number % 100 == 0 { #expect(world.check(on: path).responses.count == 1) }
        }
        #expect((20...25).contains(answers), "\(answers)")
        #expect(world.agent.selectedPath == path)
    }

    @Test func `after a restart old credentials are good for 10 s and the path stays`() {
        var world = World()
        let old = world.request(nominating: false)
        _ = world.check(on: path, nominating: true)
        var random = SeededGenerator(seed: 99)
        world.agent.restart(
            local: ICECredentials(using: &random),
            remote: ICECredentials(using: &random),
            at: world.now
        )
        #expect(world.agent.selectedPath == path)
        world.now += .seconds(9)
        #expect(world.receive(old, on: path).responses.count == 1)
        #expect(world.check(on: other, nominating: true).responses.count == 1)
        world.now += .seconds(2)
        #expect(world.receive(old, on: path).isEmpty)
    }

    @Test(arguments: UInt64(1)...40)
    func `two peers connect and stay connected through loss and delay`(seed: UInt64) {
        var simulation = Simulation(seed: seed, loss: 0.2)
        simulation.run(for: .seconds(120))
        #expect(simulation.agent.state == .connected)
        #expect(simulation.agent.selectedPath == simulation.paths[0])
        #expect(simulation.agent.roundTripTime.map { $0 >= .milliseconds(20) && $0 <= .milliseconds(80) } == true)
        #expect(simulation.connectedAfter.map { $0 <= .seconds(10) } == true)
    }

    @Test(arguments: UInt64(1)...10)
    func `no corruption of a check traps or selects anything`(seed: UInt64) {
        var world = World(seed: seed)
        let samples = [world.request(nominating: true), world.request(nominating: false, extra: [.iceControlling(3)])]
        sweep(samples, mutations: 500, seed: seed) { bytes in
            // Damage to the fingerprint alone leaves an authentic message.
            let isAuthentic = samples.contains { bytes.starts(with: $0.dropLast(8)) }
            if !isAuthentic { _ = world.receive(bytes, on: other) }
            world.now += .milliseconds(1)
            _ = world.timeout()
        }
        #expect(world.agent.selectedPath == nil)
    }
}

func tuple(_ ip: String, _ port: UInt16, _ transport: TransportProtocol = .udp) -> FiveTuple {
    let local = address(ip.contains(":") ? "2001:db8::1" : "192.0.2.1", 8_189)
    return FiveTuple(transport, local: local, remote: address(ip, port))
}
