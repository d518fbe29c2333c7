import COpenSSL
import DTLS
import TestSupport
import Testing
import Wire

/// What a client, or somebody who writes its address on his datagrams, can do to a handshake.
@Suite struct HostileHandshakeTests {
    private static let fatal: [UInt8] = [21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0x77, 0, 2, 2, 40]
    private static let closeNotify: [UInt8] = [21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0x78, 0, 2, 1, 0]

    @Test func `a client with an RSA key of 4096 bits is accepted, and its certificate may arrive in fragments`() throws
    {
        for mtu in [1_200, 256] {
            var link = try Link(.init(usesRSA: true, rsaBits: 4_096, mtu: mtu))
            link.run()
            #expect(link.server.state == .connected, "\(link.server.lastError ?? "")")
            #expect(link.client.isConnected)
            #expect(link.longestFromServer <= DTLSSession.maximumDatagram)
        }
    }

    @Test(arguments: [fatal, closeNotify])
    func `a forged alert at any point before the keys costs a restart, not the session`(alert: [UInt8]) throws {
        for point in 0...2 {
            var link = try Link(.init(eagerTimer: true))
            if point == 0 { link.toServer(alert) }
            for datagram in link.client.start() { link.toServer(datagram) }
            if point == 1 { link.toServer(alert) }
            for datagram in link.takeFromServer() { link.toClient(datagram) }
            if point == 2 { link.toServer(alert) }
            for datagram in link.takeFromClient() { link.toServer(datagram) }
            // A client whose handshake lost its counterpart is given up by its user, not by us.
            #expect(link.server.keys != nil || link.server.state == .connecting, "point \(point): \(link.server.state)")
            #expect(link.takeFromServer().allSatisfy { $0.first != 21 }, "no alert answers a forged one")
        }
    }

    @Test func `a hello without a usable cipher is answered with patience, and the real client gets through`() throws {
        var link = try Link()
        var hello = PostQuantumHelloTests.hello()
        // Version 2, random 32, empty session id and cookie, then the suites: all TLS_NULL_WITH_NULL_NULL.
        for index in 38..<52 { hello.body[index] = 0 }
        link.toServer(hello.fragment(0..<hello.count, record: 0))
        #expect(link.server.state == .connecting)
        #expect(link.server.lastError != nil)
        #expect(link.takeFromServer().isEmpty)
        link.run()
        #expect(link.server.state == .connected)
        #expect(link.client.isConnected)
    }

    @Test func `a Finished that overtakes the certificate is kept until its keys are there`() throws {
        var link = try Link()
        for datagram in link.client.start() { link.toServer(datagram) }
        for datagram in link.takeFromServer() { link.toClient(datagram) }
        let records = link.takeFromClient().flatMap(Self.records)
        #expect(records.count >= 5)
        for record in records.suffix(1) + records.dropLast() { link.toServer(record) }
        #expect(link.server.state == .connected)
        for datagram in link.takeFromServer() { link.toClient(datagram) }
        #expect(link.client.isConnected)
    }

    @Test func `a flight that arrives back to front is complete when the client repeats it`() throws {
        var link = try Link(.init(eagerTimer: true))
        for datagram in link.client.start() { link.toServer(datagram) }
        for datagram in link.takeFromServer() { link.toClient(datagram) }
        for record in link.takeFromClient().flatMap(Self.records).reversed() { link.toServer(record) }
        // ChangeCipherSpec before its time means nothing, so all but that is there.
        #expect(link.server.state == .connecting)
        for datagram in link.client.timeout() { link.toServer(datagram) }
        #expect(link.server.state == .connected)
        for datagram in link.takeFromServer() { link.toClient(datagram) }
        #expect(link.client.isConnected)
    }

    @Test func `protected records before the keys pile up nowhere and keep nobody out`() throws {
        var link = try Link()
        for datagram in link.client.start() { link.toServer(datagram) }
        for number in UInt8(0)..<200 {
            link.toServer([22, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 1, number, 0, 40] + [UInt8](repeating: number, count: 40))
        }
        link.run(started: true)
        #expect(link.server.state == .connected)
        #expect(link.client.isConnected)
    }

    @Test(arguments: [(8_193, UInt16(1)), (0xFF_FFFF, 1), (100, 8), (100, 0xFFFF)])
    func `fragments of messages no client has are cut off`(length: Int, number: UInt16) throws {
        var link = try Link()
        for datagram in link.client.start() { link.toServer(datagram) }
        let message = HandshakeMessage(type: 11, number: number, body: [UInt8](repeating: 1, count: 60))
        for record in UInt8(0)..<30 { link.toServer(message.fragment(0..<60, record: record, statedLength: length)) }
        #expect(link.server.lastError == nil)
        link.run(started: true)
        #expect(link.server.state == .connected)
    }

    @Test func `overlapping and one-byte fragments end in a handshake or in a reason, never in a storm`() throws {
        for step in [1, 3, 50] {
            let server = try PostQuantumHelloTests.server()
            let hello = PostQuantumHelloTests.hello()
            var outgoing: [[UInt8]] = []
            var sent = 0
            for start in stride(from: 0, to: hello.count, by: step) {
                let end = min(hello.count, start + 2 * step)
                let fragment = hello.fragment(start..<end, record: UInt8(truncatingIfNeeded: start))
                server.receive(fragment[...], at: .zero, into: &outgoing)
                sent += fragment.count
            }
            #expect(outgoing.flatMap(handshakeTypes).count <= 5, "step \(step)")
            #expect(outgoing.map(\.count).reduce(0, +) <= sent)
        }
    }

    @Test func `more than 64 KiB of handshake end it with the reason`() throws {
        let server = try PostQuantumHelloTests.server()
        let half = PostQuantumHelloTests.hello().fragment(0..<1_150, record: 0)
        var outgoing: [[UInt8]] = []
        var taken = 0
        while server.state == .new || server.state == .connecting, taken < 1_000_000 {
            server.receive(half[...], at: .zero, into: &outgoing)
            taken += half.count
        }
        #expect(server.state == .failed(.handshake("more than 65536 bytes of handshake")))
        #expect(taken <= 66 * 1_024)
        #expect(outgoing.isEmpty)
    }

    @Test(arguments: UInt64(1)...20)
    func `every datagram twice, and shuffled, still connects`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var link = try Link(.init(largeHello: true, eagerTimer: true), seed: seed)
        var waiting = link.client.start()
        for _ in 0..<60 where !(link.client.isConnected && link.server.state == .connected) {
            for datagram in (waiting + waiting).shuffled(using: &random) { link.toServer(datagram) }
            let answers = link.takeFromServer()
            for datagram in (answers + answers).shuffled(using: &random) { link.toClient(datagram) }
            waiting = link.takeFromClient()
            if waiting.isEmpty, !link.client.isConnected { waiting = link.client.timeout() }
            link.now += .milliseconds(100)
        }
        #expect(link.server.state == .connected, "\(link.server.lastError ?? "")")
        #expect(link.client.isConnected)
    }

    /// The records of a datagram, one by one.
    static func records(_ datagram: [UInt8]) -> [[UInt8]] {
        var records: [[UInt8]] = []
        var offset = 0
        while offset + 13 <= datagram.count {
            let end = offset + 13 + Int(datagram[offset + 11]) << 8 + Int(datagram[offset + 12])
            records.append(Array(datagram[offset..<min(end, datagram.count)]))
            offset = end
        }
        return records
    }
}
