import Digests
import ICE
import Wire

@testable import TURN

/// The TURN server's requests, indications and ChannelData: as they come, and under credentials that are good, so that
/// what lies behind the digest is reached too.
enum Target: FuzzTarget {
    private static let credentials = RelayCredentials(secret: Array("a secret of more than twenty bytes".utf8))
    private static let media = TransportAddress(IPAddress(v4: 0xCB00_710A), port: 8_189)

    static func seeds() -> [[UInt8]] {
        let allocate = Script.step(1, attributes([.requestedTransport(17), .lifetime(600)]))
        let bind = Script.step(4, attributes([.channelNumber(0x4001), .xorPeerAddress(media)]))
        let permit = Script.step(3, attributes([.xorPeerAddress(media)]))
        let stranger = TransportAddress(IPAddress(v4: 0xA9FE_A9FE), port: 80)
        let send = Script.step(6, attributes([.xorPeerAddress(media), .data([1, 2, 3])]))
        let even = Script.step(9, attributes([.requestedTransport(17), .evenPort(reservesNext: true)]))
        let tcp = Script.step(9, attributes([.requestedTransport(6)]))
        return [
            allocate + bind + Script.step(0, [0x40, 1, 0, 3, 9, 9, 9]), allocate + permit + send + Script.step(2, []),
            allocate + Script.step(3, attributes([.xorPeerAddress(stranger)])) + send,
            allocate + Script.step(2, attributes([.lifetime(0)])) + send, allocate + Script.step(0xE1, []) + bind,
            Script.step(5, attributes([.requestedTransport(17)])) + tcp, allocate + even,
        ]
    }

    static func run(_ input: [UInt8]) {
        var random = SystemRandomNumberGenerator()
        var limits = TURNServer.Limits()
        (limits.perUser, limits.perAddress, limits.total) = (2, 3, 3)
        var server = TURNServer(peers: [media], credentials: credentials, limits: limits, using: &random)
        var now = Instant(nanoseconds: 5_000_000_000)
        var unixTime: Int64 = 1_800_000_000
        var script = Script(input)
        while let control = script.byte(), let piece = script.piece() {
            // Bits 0–2 say what, 3–4 from whom, 5–7 after how long.
            let client = client(Int(control >> 3 & 3))
            now += .seconds(100 * Int64(control >> 5))
            unixTime += 100 * Int64(control >> 5)
            let before = server.counters
            let bytes: [UInt8]
            let isAuthentic = (1...4).contains(control & 7)
            switch control & 7 {
            case 1: bytes = signed(.allocate, piece, server, client, now, unixTime)
            case 2: bytes = signed(.refresh, piece, server, client, now, unixTime)
            case 3: bytes = signed(.createPermission, piece, server, client, now, unixTime)
            case 4: bytes = signed(.channelBind, piece, server, client, now, unixTime)
            case 5: bytes = message(.request, .allocate, piece)
            case 6: bytes = message(.indication, .send, piece)
            default: bytes = piece
            }
            let outcome = server.receive(bytes[...], from: client, at: now, unixTime: unixTime)
            check(outcome, to: bytes, isAuthentic, server, client, now)
            demand(server.counters.allocations <= limits.total, "allocations are bounded")
            if !isAuthentic {
                demand(server.counters.allocated == before.allocated, "nothing is allocated without credentials")
            }
        }
    }

    private static func check(
        _ outcome: TURNServer.Outcome,
        to bytes: [UInt8],
        _ isAuthentic: Bool,
        _ server: TURNServer,
        _ client: TURNClient,
        _ now: Instant
    ) {
        switch outcome {
        case .silence: return
        case .answer(let answer):
            guard let parsed = try? STUNMessage(parsing: answer[...]) else { return demand(false, "an answer parses") }
            demand(answer[8..<20].elementsEqual(bytes[8..<20]), "an answer is to its request")
            demand(parsed.class == .successResponse || parsed.class == .errorResponse, "an answer is a response")
            if parsed.class == .successResponse { demand(isAuthentic, "success needs credentials") }
            if !isAuthentic { demand(answer.count <= bytes.count + 96, "a challenge is short") }
        case .datagram(let payload, let path):
            demand(path.local == media, "nobody is reached but us")
            demand(RelayedAddress.contains(path.remote.ip), "it comes from a relayed address")
            demand(server.hasAllocation(client, at: now), "only owners of an allocation send")
            demand(payload.count <= bytes.count, "no byte is made up")
            guard let wrapping = server.wrapping(for: path, at: now) else { return }
            demand(wrapping.client == client, "the way back leads to the owner")
            wrap(payload, wrapping)
        }
    }

    /// What goes back is as long as it was said to be, and nothing is written behind it.
    private static func wrap(_ payload: ArraySlice<UInt8>, _ wrapping: TURNWrapping) {
        let size = wrapping.size(of: payload.count)
        var buffer = [UInt8](repeating: 0xEE, count: size + 8)
        let written = payload.withUnsafeBytes { source in
            buffer.withUnsafeMutableBytes { target in
                wrapping.write(source, to: UnsafeMutableRawBufferPointer(rebasing: target[..<size]))
            }
        }
        demand(written == size && buffer.suffix(8).allSatisfy { $0 == 0xEE }, "a wrapped datagram fits")
    }

    /// A request with `body` as further attributes, under good credentials and a fresh nonce.
    private static func signed(
        _ method: STUNMessage.Method,
        _ body: [UInt8],
        _ server: TURNServer,
        _ client: TURNClient,
        _ now: Instant,
        _ unixTime: Int64
    ) -> [UInt8] {
        let login = credentials.issue(user: "viewer", expiry: unixTime + 60)
        let key = RelayCredentials.key(username: login.username, realm: server.realm, password: login.password)
        let nonce = server.nonces.make(for: client.path.remote.ip, at: now)
        let head = attributes([.username(login.username), .realm(server.realm), .nonce(nonce)])
        var bytes = message(.request, method, Array((head + body).prefix(1_300)))
        bytes.write(UInt16(truncatingIfNeeded: bytes.count - 20 + 24), at: 2)
        return bytes + [0, 8, 0, 20] + Digest.hmacSHA1(key: key, bytes)
    }

    /// A message whose attributes are `body`, well formed or not.
    private static func message(_ kind: STUNMessage.Class, _ method: STUNMessage.Method, _ body: [UInt8]) -> [UInt8] {
        let head = STUNMessage(kind, method, transactionID: .init(high: 7, low: 7))
        var bytes = head.serialized(fingerprint: false) + body
        while bytes.count % 4 != 0 { bytes.append(UInt8(0)) }
        bytes.write(UInt16(truncatingIfNeeded: bytes.count - 20), at: 2)
        return bytes
    }

    private static func attributes(_ list: [STUNAttribute]) -> [UInt8] {
        let message = STUNMessage(.request, transactionID: .init(high: 7, low: 7), attributes: list)
        return Array(message.serialized(fingerprint: false).dropFirst(20))
    }

    private static func client(_ index: Int) -> TURNClient {
        let carrier = RelayCarrier.allCases[index % 3]
        let remote = TransportAddress(IPAddress(v4: 0xC633_6400 + UInt32(index)), port: 40_000)
        return TURNClient(carrier, path: FiveTuple(carrier == .udp ? .udp : .tcp, local: media, remote: remote))
    }
}
