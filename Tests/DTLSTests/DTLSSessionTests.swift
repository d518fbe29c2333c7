import DTLS
import RTP
import TestSupport
import Testing
import Wire

@Suite struct DTLSSessionTests {
    @Test func `a browser connects and both sides hold the same keys`() throws {
        var link = try Link()
        link.run()
        #expect(link.server.state == .connected)
        #expect(link.client.isConnected)
        let keys = try #require(link.server.keys)
        #expect(keys.profile == .aeadAES128GCM)
        #expect(link.client.export(56) == keys.clientKey + keys.serverKey + keys.clientSalt + keys.serverSalt)
        #expect(link.server.nextDeadline == nil)
    }

    @Test func `a client without GCM gets AES-CM with SHA-1`() throws {
        var link = try Link(.init(profiles: "SRTP_AES128_CM_SHA1_80"))
        link.run()
        let keys = try #require(link.server.keys)
        #expect(keys.profile == .aes128CMHMACSHA1_80)
        #expect(link.client.export(60) == keys.clientKey + keys.serverKey + keys.clientSalt + keys.serverSalt)
    }

    @Test func `a client with an RSA certificate is accepted`() throws {
        var link = try Link(.init(usesRSA: true))
        link.run()
        #expect(link.server.state == .connected)
    }

    @Test(arguments: [false, true])
    func `a ClientHello in two fragments is accepted in either order`(reversed: Bool) throws {
        var link = try Link(.init(largeHello: true))
        let hello = link.client.start()
        #expect(hello.count == 2)
        for datagram in reversed ? hello.reversed() : hello { link.toServer(datagram) }
        link.run(started: true)
        #expect(link.server.state == .connected)
        #expect(link.client.isConnected)
    }

    @Test func `no datagram is longer than 1200 bytes`() throws {
        for rsa in [false, true] {
            var link = try Link(.init(usesRSA: rsa, largeHello: true))
            link.run()
            #expect(link.longestFromServer > 0 && link.longestFromServer <= 1_200)
        }
    }

    @Test(arguments: UInt64(1)...60)
    func `the handshake survives 20 percent loss and reordering`(seed: UInt64) throws {
        var link = try Link(.init(largeHello: true, eagerTimer: true), seed: seed, loss: 0.2, reorders: true)
        link.run()
        #expect(link.server.state == .connected, "\(link.server.lastError ?? "")")
        #expect(link.client.isConnected)
        #expect(link.longestFromServer <= 1_200)
    }

    @Test func `our flight goes out again after 1 s and 2 s with new sequence numbers`() throws {
        var link = try Link()
        for datagram in link.client.start() { link.toServer(datagram) }
        let first = link.takeFromServer()
        #expect(!first.isEmpty)
        #expect(link.server.nextDeadline == link.now + .seconds(1))
        var numbers = Set(first.flatMap(recordNumbers))
        for pause in [1, 2, 4] {
            link.now += .seconds(pause)
            var again: [[UInt8]] = []
            link.server.handleTimeout(at: link.now, into: &again)
            #expect(again.map(\.count) == first.map(\.count))
            let fresh = again.flatMap(recordNumbers)
            #expect(numbers.isDisjoint(with: fresh))
            numbers.formUnion(fresh)
        }
        var last: [[UInt8]] = []
        link.now += .seconds(8)
        link.server.handleTimeout(at: link.now, into: &last)
        for datagram in last { link.toClient(datagram) }
        link.run(started: true)
        #expect(link.server.state == .connected)
        #expect(link.client.isConnected)
    }

    @Test func `a lost last flight is sent again when the client repeats its own`() throws {
        var link = try Link()
        for datagram in link.client.start() { link.toServer(datagram) }
        link.client.useEagerTimer()
        for datagram in link.takeFromServer() { link.toClient(datagram) }
        for datagram in link.takeFromClient() { link.toServer(datagram) }
        #expect(link.server.state == .connected)
        _ = link.takeFromServer()
        #expect(!link.client.isConnected)
        for datagram in link.client.timeout() { link.toServer(datagram) }
        for datagram in link.takeFromServer() { link.toClient(datagram) }
        #expect(link.client.isConnected)
        #expect(link.server.state == .connected)
    }

    @Test func `a certificate that signalling did not promise yields no keys`() throws {
        var link = try Link(fingerprint: "sha-256 " + Array(repeating: "AB", count: 32).joined(separator: ":"))
        link.run()
        #expect(link.server.state == .failed(.fingerprintMismatch))
        #expect(link.server.keys == nil)
        #expect(link.client.isClosed)
    }

    @Test func `one matching fingerprint among several is enough`() throws {
        let wrong = "sha-512 " + Array(repeating: "AB", count: 64).joined(separator: ":")
        var link = try Link(extraFingerprint: wrong)
        link.run()
        #expect(link.server.state == .connected)
    }

    @Test func `a client without SRTP is refused`() throws {
        var link = try Link(.init(profiles: ""))
        link.run()
        #expect(link.server.state == .failed(.noCommonSRTPProfile))
    }

    @Test func `close_notify ends the session from either side`() throws {
        var byClient = try Link()
        byClient.run()
        for datagram in byClient.client.close() { byClient.toServer(datagram) }
        #expect(byClient.server.state == .closed)
        var byServer = try Link()
        byServer.run()
        var outgoing: [[UInt8]] = []
        byServer.server.close(at: byServer.now, into: &outgoing)
        for datagram in outgoing { byServer.toClient(datagram) }
        #expect(byServer.server.state == .closed)
        #expect(byServer.client.isClosed)
    }

    @Test(arguments: [
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305",
    ])
    func `without the library's session the last flight and both farewells are still understood`(suite: String) throws {
        var link = try Link(.init(suites: suite, eagerTimer: true))
        for datagram in link.client.start() { link.toServer(datagram) }
        for datagram in link.takeFromServer() { link.toClient(datagram) }
        for datagram in link.takeFromClient() { link.toServer(datagram) }
        let first = link.takeFromServer()
        #expect(link.server.state == .connected)
        // The client's own timer is a real one: a slow machine may have let it repeat itself already.
        link.now += .seconds(1)
        for datagram in link.client.timeout() { link.toServer(datagram) }
        let again = link.takeFromServer()
        #expect(Set(first.flatMap(recordNumbers)).isDisjoint(with: again.flatMap(recordNumbers)))
        for datagram in again { link.toClient(datagram) }
        #expect(link.client.isConnected)

        var outgoing: [[UInt8]] = []
        link.server.close(at: link.now, into: &outgoing)
        #expect(outgoing.count == 1)
        for datagram in outgoing { link.toClient(datagram) }
        #expect(link.client.isClosed)

        var other = try Link(.init(suites: suite))
        other.run()
        for datagram in other.client.close() {
            for index in datagram.indices {
                var forged = datagram
                forged[index] ^= 0x04
                other.toServer(forged)
                #expect(other.server.state == .connected, "byte \(index)")
            }
            other.toServer(datagram)
        }
        #expect(other.server.state == .closed)
    }

    @Test func `forged records before the handshake do not keep the client out`() throws {
        var link = try Link()
        let alert: [UInt8] = [21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40]
        link.toServer(alert)
        link.toServer([22, 0xFE, 0xFD] + [UInt8](repeating: 0, count: 8) + [0, 4, 1, 2, 3, 4])
        link.run()
        #expect(link.server.state == .connected)
    }

    @Test func `plaintext alerts do not end an established session`() throws {
        var link = try Link()
        link.run()
        for level in UInt8(1)...2 {
            link.toServer([21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, level, 0])
            link.toServer([21, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 9, 0, 2, level, 0])
        }
        #expect(link.server.state == .connected)
    }

    @Test func `a handshake that does not finish is given up after 30 s`() throws {
        var link = try Link()
        for datagram in link.client.start() { link.toServer(datagram) }
        while let deadline = link.server.nextDeadline {
            link.now = deadline
            var outgoing: [[UInt8]] = []
            link.server.handleTimeout(at: link.now, into: &outgoing)
        }
        #expect(link.server.state == .failed(.timedOut(lastError: nil)))
        #expect(link.server.stateSince == .zero + .seconds(30))
    }

    @Test func `no corruption of the client's datagrams traps`() throws {
        var link = try Link()
        var samples = link.client.start()
        for datagram in samples { link.toServer(datagram) }
        for datagram in link.takeFromServer() { link.toClient(datagram) }
        samples += link.takeFromClient()
        var random = SeededGenerator(seed: 4)
        for round in 0..<60 {
            let victim = try Link()
            sweep(samples, mutations: 4, seed: UInt64(round)) { bytes in
                var outgoing: [[UInt8]] = []
                if Bool.random(using: &random) { victim.server.receive(samples[0][...], at: .zero, into: &outgoing) }
                victim.server.receive(bytes[...], at: .zero, into: &outgoing)
            }
            #expect(victim.server.keys == nil)
        }
    }

    private func recordNumbers(_ datagram: [UInt8]) -> [UInt64] {
        var numbers: [UInt64] = []
        var offset = 0
        while offset + 13 <= datagram.count {
            numbers.append(datagram[(offset + 3)..<(offset + 11)].reduce(0) { $0 << 8 | UInt64($1) })
            offset += 13 + Int(datagram[offset + 11]) << 8 + Int(datagram[offset + 12])
        }
        return numbers
    }
}

/// A server and a client with a link between them, in virtual time.
struct Link {
    static let context = try? DTLSContext.selfSigned()
    let server: DTLSSession
    let client: DTLSClient
    var now = Instant.zero
    var longestFromServer = 0
    private var random: SeededGenerator
    private let loss: Double
    private let reorders: Bool
    private var fromServer: [[UInt8]] = []
    private var fromClient: [[UInt8]] = []

    init(
        _ options: DTLSClient.Options = .init(),
        fingerprint: String? = nil,
        extraFingerprint: String? = nil,
        seed: UInt64 = 1,
        loss: Double = 0,
        reorders: Bool = false
    ) throws {
        client = try #require(DTLSClient(options))
        let own = try #require(Fingerprint(fingerprint ?? client.fingerprint))
        let extra = extraFingerprint.flatMap { Fingerprint($0) }
        server = DTLSSession(
            context: try #require(Self.context),
            fingerprints: (extra.map { [$0] } ?? []) + [own],
            at: .zero
        )
        random = SeededGenerator(seed: seed)
        self.loss = loss
        self.reorders = reorders
    }

    mutating func toServer(_ datagram: [UInt8]) { server.receive(datagram[...], at: now, into: &fromServer) }
    mutating func toClient(_ datagram: [UInt8]) { fromClient += client.receive(datagram) }

    mutating func takeFromServer() -> [[UInt8]] {
        longestFromServer = max(longestFromServer, fromServer.map(\.count).max() ?? 0)
        defer { fromServer = [] }
        return fromServer
    }

    mutating func takeFromClient() -> [[UInt8]] {
        defer { fromClient = [] }
        return fromClient
    }

    private mutating func transport(_ datagrams: [[UInt8]]) -> [[UInt8]] {
        var arriving = datagrams.filter { _ in Double.random(in: 0..<1, using: &random) >= loss }
        if reorders { arriving.shuffle(using: &random) }
        return arriving
    }

    /// Lets both sides talk until both are connected or nothing more can happen.
    mutating func run(started: Bool = false) {
        if !started { fromClient += client.start() }
        for _ in 0..<400 {
            for datagram in transport(takeFromClient()) { toServer(datagram) }
            for datagram in transport(takeFromServer()) { toClient(datagram) }
            guard fromClient.isEmpty, fromServer.isEmpty else { continue }
            if client.isConnected, server.state == .connected { return }
            guard loss > 0 else { return }
            now += .milliseconds(500)
            server.handleTimeout(at: now, into: &fromServer)
            if !client.isConnected { fromClient += client.timeout() }
        }
    }
}
