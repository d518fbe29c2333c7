import ICE
import Testing
import Wire

@testable import TURN

/// What is counted, and how much is too much.
@Suite struct TURNLimitsTests {
    @Test func `each allocation counts what it carries, either way`() throws {
        let dialogue = Dialogue()
        let login = dialogue.login(user: "one")
        let owner = client(1, .tcp)
        let relayed = try #require(dialogue.allocate(as: login, from: owner)?.relayed)
        let bind: [STUNAttribute] = [.channelNumber(0x4000), .xorPeerAddress(dialogue.media)]
        _ = dialogue.request(.channelBind, bind, as: login, from: owner)
        dialogue.pass(.seconds(1))
        _ = dialogue.allocate(as: dialogue.login(user: "two"), from: client(2))
        dialogue.pass(.seconds(99))
        for _ in 0..<3 { _ = dialogue.receive([0x40, 0, 0, 5, 1, 2, 3, 4, 5], from: owner) }
        // What is nobody's, or for nobody, is not carried.
        _ = dialogue.receive([0x40, 1, 0, 1, 1], from: owner)
        let path = FiveTuple(.udp, local: dialogue.media, remote: relayed)
        _ = dialogue.server.pass(path, packets: 4, bytes: 4_000, at: dialogue.now)
        var foreign = path
        foreign.local.port = 22
        foreign.local.ip = IPAddress(v4: 1)
        #expect(dialogue.server.pass(foreign, packets: 1, bytes: 9, at: dialogue.now) == .closed)

        let statuses = dialogue.server.statuses(at: dialogue.now)
        #expect(statuses.map(\.user) == ["one", "two"])
        let status = try #require(statuses.first)
        #expect(status.client == owner && status.relayed == relayed)
        #expect(status.age == .seconds(100) && status.remaining == .seconds(500))
        #expect(status.permissions == 1 && status.channels == 1)
        #expect(status.fromClient.packets == 3 && status.fromClient.bytes == 15)
        #expect(status.toClient.packets == 4 && status.toClient.bytes == 4_000)
        #expect(statuses.last?.toClient == TURNTraffic())
        // The totals outlive the allocation.
        dialogue.server.closed(owner)
        #expect(dialogue.server.counters.fromClients == status.fromClient)
        #expect(dialogue.server.counters.toClients == status.toClient)
        #expect(dialogue.server.statuses(at: dialogue.now).count == 1)
        dialogue.pass(.seconds(501))
        #expect(dialogue.server.statuses(at: dialogue.now).isEmpty)
    }

    @Test func `an allocation carries so much a second and no more, each on its own`() throws {
        var limits = TURNServer.Limits()
        limits.bytesPerSecondToClient = 10_000
        limits.bytesPerSecondFromClient = 1_000
        let dialogue = Dialogue(limits: limits)
        let login = dialogue.login()
        var paths: [FiveTuple] = []
        for port in UInt16(1)...2 {
            let relayed = try #require(dialogue.allocate(as: login, from: client(port))?.relayed)
            let bind: [STUNAttribute] = [.channelNumber(0x4000), .xorPeerAddress(dialogue.media)]
            _ = dialogue.request(.channelBind, bind, as: login, from: client(port))
            paths.append(FiveTuple(.udp, local: dialogue.media, remote: relayed))
            dialogue.pass(.seconds(1))
        }
        func carried(_ runs: Int, _ path: FiveTuple) -> Int {
            (0..<runs).count { _ in
                dialogue.server.pass(path, packets: 2, bytes: 1_000, at: dialogue.now) != .full
            }
        }
        #expect(carried(15, paths[0]) == 10)
        #expect(carried(1, paths[1]) == 1)
        dialogue.pass(.milliseconds(500))
        #expect(carried(15, paths[0]) == 5)
        dialogue.pass(.seconds(60))
        #expect(carried(15, paths[0]) == 10)

        let message = [0x40, 0, 0, 100] + [UInt8](repeating: 1, count: 100)
        let arrived = (0..<15).count { _ in dialogue.receive(message, from: client(1)) != .silence }
        #expect(arrived == 10)
        let status = try #require(dialogue.server.statuses(at: dialogue.now).first)
        #expect(status.toClient.packets == 50 && status.toClient.bytes == 25_000 && status.toClient.dropped == 40)
        #expect(status.fromClient.packets == 10 && status.fromClient.bytes == 1_000 && status.fromClient.dropped == 5)
        #expect(dialogue.server.counters.toClients.dropped == 40)
        #expect(dialogue.server.counters.fromClients.dropped == 5)
        // The biggest cameras send some 16 Mbit/s; a cached group of pictures is sent at several times that.
        #expect(TURNServer.Limits().bytesPerSecondToClient * 8 >= 5 * 16_000_000)
    }

    @Test func `who is turned away for its credentials is told of once, a user only where the password is right`() {
        let dialogue = Dialogue()
        let client = client()
        let address = client.path.remote.ip
        _ = dialogue.allocate(as: dialogue.login(user: "old", validFor: -61), from: client)
        _ = dialogue.allocate(as: dialogue.login(user: "old", validFor: -99), from: client)
        var forged = dialogue.login(user: "forged", validFor: -61)
        forged.password = "wrong"
        _ = dialogue.allocate(as: forged, from: client)
        _ = dialogue.allocate(as: .init(username: "alice", password: "secret"), from: client)
        #expect(
            dialogue.server.takeLoginFailures() == [
                .init(reason: .expired, user: "old", address: address),
                .init(reason: .wrongPassword, user: nil, address: address),
                .init(reason: .unknownUser, user: nil, address: address),
            ]
        )
        #expect(dialogue.server.takeLoginFailures().isEmpty)
    }

    @Test func `a client that cannot refresh is told of with its relayed address`() throws {
        let dialogue = Dialogue()
        let client = client()
        _ = dialogue.allocate(as: dialogue.login(user: "kim", validFor: 60), from: client)
        let relayed = try #require(dialogue.server.statuses(at: dialogue.now).first?.relayed)
        _ = dialogue.allocate(as: dialogue.login(user: "kim", validFor: -61), from: client)
        #expect(dialogue.server.takeLoginFailures().map(\.relayed) == [relayed])
    }

    @Test func `who gets no answer is not told of either`() {
        let dialogue = Dialogue()
        let client = client()
        for _ in 0..<200 { _ = dialogue.allocate(as: .init(username: "alice", password: "secret"), from: client) }
        #expect(!dialogue.server.takeLoginFailures().isEmpty)
        _ = dialogue.allocate(as: .init(username: "alice", password: "secret"), from: client)
        #expect(dialogue.server.takeLoginFailures().isEmpty)
    }

    @Test func `a user, an address and the server have only so many allocations`() {
        var limits = TURNServer.Limits()
        limits.perUser = 3
        limits.perAddress = 5
        limits.total = 7
        let dialogue = Dialogue(limits: limits)
        func code(_ user: String, _ port: UInt16, ip: UInt32 = 0xC633_6407) -> Int? {
            dialogue.allocate(as: dialogue.login(user: user), from: client(port, ip: ip))?.errorCode
        }
        #expect((1...4).map { code("one", $0) } == [nil, nil, nil, 486])
        #expect((5...7).map { code("two", $0) } == [nil, nil, 486])
        #expect((1...3).map { code("three", $0, ip: 0xC633_6409) } == [nil, nil, 508])
        #expect(dialogue.server.counters.overQuota == 2)
        #expect(dialogue.server.counters.overCapacity == 1)
        // What ran out counts no more.
        dialogue.pass(.seconds(601))
        #expect(code("one", 9) == nil)
        #expect(dialogue.server.counters.allocations == 1)
    }

    @Test func `a flood without credentials is answered so often and no more, in little more than it costs`() throws {
        let dialogue = Dialogue()
        let request = dialogue.bytes(.allocate, [.requestedTransport(17)], as: nil)
        var answers: [Int] = []
        for port in UInt16(1)...2_000 {
            if case .answer(let bytes) = dialogue.receive(request, from: client(port)) { answers.append(bytes.count) }
        }
        #expect(answers.count == 100)
        #expect(dialogue.server.counters.ignored == 1_900)
        // Headers of IP and UDP included, 28 bytes each way.
        let largest = try #require(answers.max())
        #expect(Double(largest + 28) / Double(request.count + 28) < 2.5)
        #expect(dialogue.server.counters.allocations == 0)
    }

    @Test func `a flood of datagrams, whose address may be forged, leaves that address its answers over TCP and TLS`() {
        let dialogue = Dialogue()
        let request = dialogue.bytes(.allocate, [.requestedTransport(17)], as: nil)
        for port in UInt16(1)...200 { _ = dialogue.receive(request, from: client(port)) }
        for carrier in [RelayCarrier.tcp, .tls] {
            guard case .answer = dialogue.receive(request, from: client(7, carrier)) else {
                Issue.record("no answer over \(carrier)")
                continue
            }
        }
    }
}
