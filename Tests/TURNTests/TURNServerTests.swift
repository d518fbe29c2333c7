import ICE
import TestSupport
import Testing
import Wire

@testable import TURN

@Suite struct TURNServerTests {
    @Test func `the dialogue of RFC 8656 §20: challenge, allocation, permission, indications, channel, refresh, end`()
        throws
    {
        let dialogue = Dialogue()
        let client = client()
        let login = dialogue.login()

        let challenge = dialogue.request(.allocate, [.requestedTransport(17)], as: nil, from: client)
        #expect(challenge?.errorCode == 401)
        #expect(!dialogue.realm.isEmpty && !dialogue.nonce.isEmpty)
        #expect(dialogue.server.counters.allocations == 0)

        let granted = dialogue.request(.allocate, [.requestedTransport(17), .lifetime(3_600)], as: login, from: client)
        let allocated = try #require(granted)
        #expect(allocated.class == .successResponse)
        let key = RelayCredentials.key(username: login.username, realm: dialogue.realm, password: login.password)
        #expect(allocated.hasValidIntegrity(key: key))
        #expect(allocated.xorMappedAddress == client.path.remote)
        #expect(allocated.lifetime == 3_600)
        let relayed = try #require(allocated.relayed)
        #expect(RelayedAddress.carrier(of: relayed.ip) == .udp)

        // Nothing passes without a permission, in either direction.
        let path = FiveTuple(.udp, local: dialogue.media, remote: relayed)
        let indication = STUNMessage(
            .indication,
            .send,
            transactionID: .init(high: 0, low: 9),
            attributes: [.xorPeerAddress(dialogue.media), .data([1, 2, 3, 4, 5])]
        ).serialized(fingerprint: false)
        #expect(dialogue.receive(indication, from: client) == .silence)
        #expect(dialogue.server.wrapping(for: path, at: dialogue.now) == nil)

        let permitted = dialogue.request(.createPermission, [.xorPeerAddress(dialogue.media)], as: login, from: client)
        #expect(permitted?.class == .successResponse)
        #expect(dialogue.receive(indication, from: client) == .datagram([1, 2, 3, 4, 5], on: path))
        let wrapped = try #require(dialogue.server.wrapping(for: path, at: dialogue.now))
        let data = try STUNMessage(parsing: wrap([7, 8, 9], wrapped)[...])
        #expect(data.class == .indication && data.method == .data)
        #expect(data.peers == [dialogue.media])
        #expect(data.attributes.contains(.data([7, 8, 9])))

        let bound = dialogue.request(
            .channelBind,
            [.channelNumber(0x4001), .xorPeerAddress(dialogue.media)],
            as: login,
            from: client
        )
        #expect(bound?.class == .successResponse)
        #expect(dialogue.receive([0x40, 1, 0, 2, 6, 7], from: client) == .datagram([6, 7], on: path))
        let channel = try #require(dialogue.server.wrapping(for: path, at: dialogue.now))
        #expect(wrap([6, 7], channel) == [0x40, 1, 0, 2, 6, 7])

        // The permission runs out after five minutes, the channel after ten, the allocation after the hour.
        dialogue.pass(.seconds(301))
        #expect(dialogue.receive(indication, from: client) == .silence)
        #expect(dialogue.receive([0x40, 1, 0, 0], from: client) == .datagram([], on: path))
        dialogue.pass(.seconds(300))
        #expect(dialogue.receive([0x40, 1, 0, 0], from: client) == .silence)
        #expect(dialogue.request(.refresh, [.lifetime(600)], as: login, from: client)?.lifetime == 600)
        dialogue.pass(.seconds(599))
        #expect(dialogue.server.hasAllocation(client, at: dialogue.now))
        #expect(dialogue.request(.refresh, [.lifetime(0)], as: login, from: client)?.lifetime == 0)
        #expect(!dialogue.server.hasAllocation(client, at: dialogue.now))
        #expect(dialogue.server.counters.allocations == 0)
        // A retransmission of the last Refresh is told the same.
        #expect(dialogue.request(.refresh, [.lifetime(0)], as: login, from: client)?.lifetime == 0)
    }

    @Test func `a retransmitted Allocate gets the same answer, another one a 437`() throws {
        let dialogue = Dialogue()
        _ = dialogue.request(.allocate, [], as: nil, from: client())
        let request = dialogue.bytes(.allocate, [.requestedTransport(17)], as: dialogue.login(), id: 5)
        let first = dialogue.receive(request, from: client())
        #expect(dialogue.receive(request, from: client()) == first)
        #expect(dialogue.server.counters.allocated == 1)
        #expect(dialogue.allocate(from: client())?.errorCode == 437)
        // The 5-tuple says whose it is: from elsewhere it is another allocation.
        #expect(dialogue.receive(request, from: client(40_001)) != first)
        #expect(dialogue.server.counters.allocations == 2)
    }

    @Test func `wrong passwords, invented names and credentials that ran out get 401 and leave nothing behind`() {
        let dialogue = Dialogue()
        var wrong = dialogue.login()
        wrong.password = "wrong"
        #expect(dialogue.allocate(as: wrong, from: client())?.errorCode == 401)
        #expect(dialogue.allocate(as: .init(username: "admin", password: "admin"), from: client())?.errorCode == 401)
        var later = dialogue.login()
        later.username = "1" + later.username
        #expect(dialogue.allocate(as: later, from: client())?.errorCode == 401)
        #expect(dialogue.server.counters.unauthorized == 3)
        #expect(dialogue.allocate(as: dialogue.login(validFor: -61), from: client())?.errorCode == 401)
        #expect(dialogue.server.counters.expired == 1)
        #expect(dialogue.server.counters.allocations == 0)
        #expect(dialogue.allocate(as: dialogue.login(validFor: -59), from: client())?.class == .successResponse)
    }

    @Test func `credentials that ran out end an allocation at its next Refresh, not before, and can still free it`() {
        let dialogue = Dialogue()
        let login = dialogue.login(validFor: 100)
        #expect(dialogue.allocate(as: login, from: client())?.class == .successResponse)
        dialogue.pass(.seconds(300))
        let permission = dialogue.request(
            .createPermission,
            [.xorPeerAddress(dialogue.media)],
            as: login,
            from: client()
        )
        #expect(permission?.class == .successResponse)
        #expect(dialogue.request(.refresh, [.lifetime(600)], as: login, from: client())?.errorCode == 401)
        #expect(dialogue.request(.refresh, [.lifetime(0)], as: login, from: client())?.class == .successResponse)
    }

    @Test func `a nonce is good for an hour and for the address it was given to`() {
        let dialogue = Dialogue()
        #expect(dialogue.allocate(from: client())?.class == .successResponse)
        let old = dialogue.nonce
        dialogue.pass(.seconds(3_601))
        let login = dialogue.login()
        #expect(dialogue.request(.refresh, [], as: login, from: client())?.errorCode == 438)
        #expect(dialogue.nonce != old)
        // The answer brought a fresh one; the allocation ran out meanwhile.
        #expect(dialogue.request(.refresh, [], as: login, from: client())?.errorCode == 437)
        let elsewhere = client(ip: 0xC633_6408)
        #expect(dialogue.request(.allocate, [.requestedTransport(17)], as: login, from: elsewhere)?.errorCode == 438)
        dialogue.nonce = String(repeating: "0", count: 24)
        #expect(dialogue.request(.allocate, [.requestedTransport(17)], as: login, from: client())?.errorCode == 438)
    }

    @Test func `whose allocation it is may not change`() {
        let dialogue = Dialogue()
        #expect(dialogue.allocate(as: dialogue.login(user: "one"), from: client())?.class == .successResponse)
        let other = dialogue.login(user: "two")
        #expect(dialogue.request(.refresh, [], as: other, from: client())?.errorCode == 441)
    }

    @Test(arguments: [
        ("10.0.0.1", 8_189), ("169.254.169.254", 80), ("127.0.0.1", 8_189), ("203.0.113.11", 8_189),
        ("::ffff:127.0.0.1", 8_189), ("::ffff:169.254.169.254", 80), ("198.19.0.1", 49_152), ("0.0.0.0", 8_189),
        ("255.255.255.255", 8_189),
    ])
    func `no peer but us is permitted`(ip: String, port: UInt16) throws {
        let dialogue = Dialogue()
        let login = dialogue.login()
        #expect(dialogue.allocate(as: login, from: client())?.class == .successResponse)
        let peer = TransportAddress(try #require(IPAddress(ip)), port: port)
        // With one of ours in front, too: all or nothing.
        let both: [STUNAttribute] = [.xorPeerAddress(dialogue.media), .xorPeerAddress(peer)]
        #expect(dialogue.request(.createPermission, both, as: login, from: client())?.errorCode == 403)
        let bind: [STUNAttribute] = [.channelNumber(0x4000), .xorPeerAddress(peer)]
        #expect(dialogue.request(.channelBind, bind, as: login, from: client())?.errorCode == 403)
        let path = FiveTuple(.udp, local: dialogue.media, remote: RelayedAddress.address(0, for: .udp))
        #expect(dialogue.server.wrapping(for: path, at: dialogue.now) == nil)
        #expect(dialogue.server.counters.forbidden == 2)
    }

    @Test func `another port of our own address is as foreign as any other`() {
        let dialogue = Dialogue()
        let login = dialogue.login()
        _ = dialogue.allocate(as: login, from: client())
        var other = dialogue.media
        other.port = 22
        let bind: [STUNAttribute] = [.channelNumber(0x4000), .xorPeerAddress(other)]
        #expect(dialogue.request(.channelBind, bind, as: login, from: client())?.errorCode == 403)
        // A permission has no port; the datagram has.
        #expect(
            dialogue.request(.createPermission, [.xorPeerAddress(other)], as: login, from: client())?.errorCode == nil
        )
        let indication = STUNMessage(
            .indication,
            .send,
            transactionID: .init(high: 0, low: 0),
            attributes: [.xorPeerAddress(other), .data([1])]
        )
        #expect(dialogue.receive(indication.serialized(), from: client()) == .silence)
        #expect(dialogue.server.counters.forbidden == 2)
    }

    @Test func `what is not offered is refused with the code that says why`() {
        let dialogue = Dialogue()
        let login = dialogue.login()
        _ = dialogue.request(.allocate, [], as: nil, from: client())
        func code(_ attributes: [STUNAttribute]) -> Int? {
            dialogue.request(.allocate, attributes, as: login, from: client())?.errorCode
        }
        #expect(code([]) == 400)
        #expect(code([.requestedTransport(6)]) == 442)
        // Its only peer is an IPv4 one, so an IPv6 address could reach nobody; family 3 is nothing.
        #expect(code([.requestedTransport(17), .requestedAddressFamily(2)]) == 440)
        #expect(code([.requestedTransport(17), .requestedAddressFamily(3)]) == 440)
        #expect(code([.requestedTransport(17), .evenPort(reservesNext: true)]) == 508)
        // DONT-FRAGMENT and RESERVATION-TOKEN are not known.
        #expect(code([.requestedTransport(17), .other(type: 0x001A, value: [])]) == 420)
        #expect(code([.requestedTransport(17), .other(type: 0x0022, value: [1, 2, 3, 4, 5, 6, 7, 8])]) == 420)
        #expect(dialogue.server.counters.allocations == 0)
        #expect(dialogue.server.counters.invalid == 7)
        let even = dialogue.request(
            .allocate,
            [.requestedTransport(17), .requestedAddressFamily(1), .evenPort(reservesNext: false)],
            as: login,
            from: client()
        )
        #expect(even?.relayed.map { $0.port % 2 == 0 } == true)
    }

    @Test func `a client may have an IPv6 address, for IPv6 peers, where we have one ourselves`() throws {
        let media = TransportAddress(try #require(IPAddress("2001:db8::8")), port: 8_189)
        let dialogue = Dialogue(also: media)
        let login = dialogue.login()
        let owner = client(1, .tls)
        let relayed = try #require(dialogue.allocate([.requestedAddressFamily(2)], as: login, from: owner)?.relayed)
        #expect(relayed.ip.isIPv6)
        #expect(RelayedAddress.carrier(of: relayed.ip) == .tls)

        let other = STUNAttribute.xorPeerAddress(dialogue.media)
        #expect(dialogue.request(.createPermission, [other], as: login, from: owner)?.errorCode == 443)
        let refresh: [STUNAttribute] = [.requestedAddressFamily(1)]
        #expect(dialogue.request(.refresh, refresh, as: login, from: owner)?.errorCode == 443)
        let stranger = STUNAttribute.xorPeerAddress(.init(try #require(IPAddress("::1")), port: 8_189))
        #expect(dialogue.request(.createPermission, [stranger], as: login, from: owner)?.errorCode == 403)

        let bind: [STUNAttribute] = [.channelNumber(0x4000), .xorPeerAddress(media)]
        #expect(dialogue.request(.channelBind, bind, as: login, from: owner)?.errorCode == nil)
        let path = FiveTuple(.udp, local: media, remote: relayed)
        #expect(dialogue.receive([0x40, 0, 0, 1, 7], from: owner) == .datagram([7], on: path))
        let expected = TURNServer.Passage.open(TURNWrapping(owner, channel: 0x4000))
        #expect(dialogue.server.pass(path, packets: 1, bytes: 1, at: dialogue.now) == expected)

        // Without the attribute it is an IPv4 one (RFC 8656 §7.2), whose peers are IPv4 ones.
        let plain = try #require(dialogue.allocate(as: login, from: client(2))?.relayed)
        #expect(!plain.ip.isIPv6)
        let peer = STUNAttribute.xorPeerAddress(media)
        #expect(dialogue.request(.createPermission, [peer], as: login, from: client(2))?.errorCode == 443)
    }

    @Test func `requests without an allocation get 437`() {
        let dialogue = Dialogue()
        let login = dialogue.login()
        _ = dialogue.request(.allocate, [], as: nil, from: client())
        let peer = STUNAttribute.xorPeerAddress(dialogue.media)
        #expect(dialogue.request(.refresh, [.lifetime(600)], as: login, from: client())?.errorCode == 437)
        #expect(dialogue.request(.createPermission, [peer], as: login, from: client())?.errorCode == 437)
        #expect(
            dialogue.request(.channelBind, [.channelNumber(0x4000), peer], as: login, from: client())?.errorCode == 437
        )
        #expect(dialogue.receive([0x40, 0, 0, 1, 1], from: client()) == .silence)
    }

    @Test func `lifetimes are at least ten minutes and at most an hour`() {
        let dialogue = Dialogue()
        #expect(dialogue.allocate([.lifetime(1)], from: client(1))?.lifetime == 600)
        #expect(dialogue.allocate([.lifetime(.max)], from: client(2))?.lifetime == 3_600)
        #expect(dialogue.allocate(from: client(3))?.lifetime == 600)
    }

    @Test func `a channel keeps its peer, and a peer its channel, until five minutes after they ran out`() throws {
        let second = TransportAddress(IPAddress(v4: 0xCB00_710B), port: 8_189)
        let login: (String, String, [UInt8]) = ("1:a", "a", [])
        var now = Instant.zero
        var allocation = Allocation(
            client(),
            relayed: RelayedAddress.address(1, for: .udp),
            login: login,
            transactionID: .init(high: 0, low: 0),
            limits: .init(),
            lifetime: .seconds(3_600),
            at: now
        )
        let first = client().path.local
        #expect(allocation.bind(0x4000, to: first, at: now) == true)
        #expect(allocation.bind(0x4000, to: second, at: now) == false)
        #expect(allocation.bind(0x4001, to: first, at: now) == false)
        now += .seconds(899)
        #expect(allocation.peer(of: 0x4000, at: now) == nil)
        #expect(allocation.bind(0x4000, to: second, at: now) == false)
        now += .seconds(1)
        #expect(allocation.bind(0x4000, to: second, at: now) == true)
        #expect(allocation.channel(to: second, at: now) == 0x4000)
    }

    @Test(arguments: [(0x3FFF, 400), (0x4000, nil), (0x4FFF, nil), (0x7FFF, nil), (0x8000, 400)] as [(UInt16, Int?)])
    func `channel numbers are those of RFC 5766, of which RFC 8656 kept a quarter`(number: UInt16, code: Int?) {
        let dialogue = Dialogue()
        let login = dialogue.login()
        _ = dialogue.allocate(as: login, from: client())
        let attributes: [STUNAttribute] = [.channelNumber(number), .xorPeerAddress(dialogue.media)]
        #expect(dialogue.request(.channelBind, attributes, as: login, from: client())?.errorCode == code)
    }

    @Test func `a closed connection takes its allocation with it`() {
        let dialogue = Dialogue()
        let client = client(1, .tls)
        let relayed = dialogue.allocate(from: client)?.relayed
        #expect(relayed.flatMap { RelayedAddress.carrier(of: $0.ip) } == .tls)
        dialogue.server.closed(client)
        #expect(!dialogue.server.hasAllocation(client, at: dialogue.now))
        #expect(dialogue.allocate(from: client)?.class == .successResponse)
    }

    @Test(arguments: RelayCarrier.allCases, [0, 1, 2, 3, 4, 1_199, 1_200])
    func `ChannelData is padded to four bytes on streams only, indications always`(
        carrier: RelayCarrier,
        count: Int
    ) throws {
        let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        let channel = wrap(payload, TURNWrapping(client(1, carrier), channel: 0x4003))
        #expect(channel.count == (carrier == .udp ? 4 + count : 4 + (count + 3) / 4 * 4))
        #expect(Array(channel.prefix(4 + count)) == [0x40, 3, UInt8(count >> 8), UInt8(count & 0xFF)] + payload)
        #expect(channel.dropFirst(4 + count).allSatisfy { $0 == 0 })
        let peer = client().path.local
        let indication = wrap(payload, TURNWrapping(client(1, carrier), peer: peer))
        #expect(indication.count % 4 == 0)
        let parsed = try STUNMessage(parsing: indication[...])
        #expect(parsed.attributes == [.xorPeerAddress(peer), .data(payload)])
    }

    @Test func `relayed addresses are unique, and say how their owner reaches us`() {
        var seen: Set<TransportAddress> = []
        for carrier in RelayCarrier.allCases {
            for number in UInt32(0)..<20_000 {
                for isIPv6 in [false, true] {
                    let address = RelayedAddress.address(number &* 7, for: carrier, isIPv6: isIPv6)
                    #expect(RelayedAddress.contains(address.ip) && address.ip.isIPv6 == isIPv6)
                    #expect(RelayedAddress.carrier(of: address.ip) == carrier)
                    seen.insert(address)
                }
            }
        }
        #expect(seen.count == 120_000)
        #expect(RelayedAddress.carrier(of: IPAddress(v4: 0xC613_C000)) == nil)
        #expect(RelayedAddress.carrier(of: IPAddress(v4: 0xC612_0001)) == nil)
    }

    @Test func `no bytes stop the server`() {
        let dialogue = Dialogue()
        let login = dialogue.login()
        _ = dialogue.allocate(as: login, from: client())
        let peer = STUNAttribute.xorPeerAddress(dialogue.media)
        var samples: [[UInt8]] = [[0x40, 0, 0, 4, 1, 2, 3, 4], []]
        for method in [STUNMessage.Method.allocate, .refresh, .createPermission, .channelBind] {
            samples.append(
                dialogue.bytes(
                    method,
                    [.requestedTransport(17), .channelNumber(0x4000), peer, .lifetime(600)],
                    as: login
                )
            )
        }
        samples.append(
            STUNMessage(
                .indication,
                .send,
                transactionID: .init(high: 0, low: 0),
                attributes: [peer, .data([1, 2, 3])]
            )
            .serialized()
        )
        sweep(samples, mutations: 2_000) { bytes in _ = dialogue.receive(bytes, from: client()) }
        #expect(dialogue.server.counters.allocations <= 1)
    }

    private func wrap(_ payload: [UInt8], _ wrapping: TURNWrapping) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xAA, count: wrapping.size(of: payload.count))
        let written = payload.withUnsafeBytes { source in
            bytes.withUnsafeMutableBytes { wrapping.write(source, to: $0) }
        }
        return Array(bytes.prefix(written))
    }
}

@Suite struct RelayCredentialsTests {
    /// HMAC-SHA1 and base64 by openssl: `printf 1700000000:cam | openssl dgst -sha1 -hmac north -binary | base64`.
    @Test func `a password is what coturn with the same secret makes of the user name`() {
        let issued = RelayCredentials(secret: Array("north".utf8)).issue(user: "cam", expiry: 1_700_000_000)
        #expect(issued.username == "1700000000:cam")
        #expect(issued.password == "g8Xv/4vQOZsH1I8JP0brYOZqoW0=")
    }

    @Test func `user names without a time are nobody's`() {
        for name in ["", ":", "x:1", "-5:a", "+5:a", "12345678901234:a", "1 :a"] {
            #expect(RelayCredentials.parse(name) == nil)
        }
        #expect(RelayCredentials.parse("17:a:b").map { [$0.user, String($0.expiry)] } == ["a:b", "17"])
        #expect(RelayCredentials.parse("17").map(\.user) == "")
    }
}
