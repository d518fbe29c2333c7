import ICE
import TestSupport
import Wire

@testable import TURN

/// A browser's side of the dialogue, and the clock.
final class Dialogue {
    var server: TURNServer
    var now = Instant(nanoseconds: 5_000_000_000)
    var unixTime: Int64 = 1_800_000_000
    let credentials = RelayCredentials(secret: Array("a secret of more than twenty bytes".utf8))
    let media = TransportAddress(IPAddress(v4: 0xCB00_710A), port: 8_189)
    var realm = ""
    var nonce = ""
    private var random = SeededGenerator(seed: 8_656)

    init(limits: TURNServer.Limits = .init(), also peers: TransportAddress...) {
        server = TURNServer(peers: Set(peers + [media]), credentials: credentials, limits: limits, using: &random)
    }

    func login(user: String = "viewer", validFor seconds: Int64 = 3_600) -> RelayCredentials.Issued {
        credentials.issue(user: user, expiry: unixTime + seconds)
    }

    func request(
        _ method: STUNMessage.Method,
        _ attributes: [STUNAttribute],
        as login: RelayCredentials.Issued?,
        from client: TURNClient,
        id: UInt64? = nil
    ) -> STUNMessage? {
        answer(bytes(method, attributes, as: login, id: id), from: client)
    }

    func bytes(
        _ method: STUNMessage.Method,
        _ attributes: [STUNAttribute],
        as login: RelayCredentials.Issued?,
        id: UInt64? = nil
    ) -> [UInt8] {
        var all = attributes
        var key: [UInt8]?
        if let login {
            all += [.username(login.username), .realm(realm), .nonce(nonce)]
            key = RelayCredentials.key(username: login.username, realm: realm, password: login.password)
        }
        let transactionID = STUNTransactionID(high: 1, low: id ?? random.next())
        return STUNMessage(.request, method, transactionID: transactionID, attributes: all)
            .serialized(integrityKey: key, fingerprint: false)
    }

    func answer(_ bytes: [UInt8], from client: TURNClient) -> STUNMessage? {
        guard case .answer(let bytes) = receive(bytes, from: client),
            let message = try? STUNMessage(parsing: bytes[...])
        else { return nil }
        realm = message.first { if case .realm(let value) = $0 { value } else { nil } } ?? realm
        nonce = message.first { if case .nonce(let value) = $0 { value } else { nil } } ?? nonce
        return message
    }

    func receive(_ bytes: [UInt8], from client: TURNClient) -> TURNServer.Outcome {
        server.receive(bytes[...], from: client, at: now, unixTime: unixTime)
    }

    /// Asks without credentials first, as every client does.
    func allocate(
        _ extra: [STUNAttribute] = [],
        as login: RelayCredentials.Issued? = nil,
        from client: TURNClient
    ) -> STUNMessage? {
        _ = request(.allocate, [.requestedTransport(17)], as: nil, from: client)
        return request(.allocate, [.requestedTransport(17)] + extra, as: login ?? self.login(), from: client)
    }

    func pass(_ duration: Duration) {
        now += duration
        unixTime += Int64(duration.inSeconds)
    }
}

func client(_ port: UInt16 = 40_000, _ carrier: RelayCarrier = .udp, ip: UInt32 = 0xC633_6407) -> TURNClient {
    let local = TransportAddress(IPAddress(v4: 0xCB00_710A), port: 8_189)
    let transport: TransportProtocol = carrier == .udp ? .udp : .tcp
    return TURNClient(
        carrier,
        path: FiveTuple(transport, local: local, remote: TransportAddress(IPAddress(v4: ip), port: port))
    )
}

extension STUNMessage {
    var relayed: TransportAddress? {
        first { if case .xorRelayedAddress(let value) = $0 { value } else { nil } }
    }
    var lifetime: UInt32? { first { if case .lifetime(let value) = $0 { value } else { nil } } }
}
