import ICE
import Wire

/// F1: the first byte of a datagram (RFC 7983 §7) and the ufrag of a STUN request choose the shard.
enum Target: FuzzTarget {
    private static let known = path(1)
    private static let stranger = path(2)

    static func seeds() -> [[UInt8]] {
        let request = STUNMessage(
            .request,
            transactionID: .init(high: 1, low: 2),
            attributes: [.username("ufrag:peer")]
        )
        return [
            request.serialized(), request.serialized(fingerprint: false), [22, 0xFE, 0xFD, 0, 0], [0x80, 96],
            [0xBF, 200],
            [64, 0, 0, 0],
        ]
    }

    static func run(_ input: [UInt8]) {
        var routes = DatagramRoutes()
        routes.claim("ufrag", for: 3)
        routes.claim(known, through: "ufrag")
        let before = routes.counts
        let byPath = routes.shard(of: input, on: known)
        let byStranger = routes.shard(of: input, on: stranger)
        demand(routes.counts == before, "routing makes no state")
        guard let first = input.first else { return demand(byPath == nil, "nothing is nobody's") }
        switch first {
        case 20...63, 128...191:
            demand(byPath == 3, "a known path's DTLS and SRTP belong to its shard")
            demand(byStranger == nil, "an unknown path's DTLS and SRTP are nobody's")
        case 0...3:
            let names = STUNMessage.localUfrag(of: input[...]) == "ufrag"
            demand(byStranger == (names ? 3 : nil), "a stranger is heard for its ufrag only")
            demand(byPath == nil || STUNMessage.isSTUN(input[...]), "only STUN is taken for STUN")
        default:
            demand(byPath == nil && byStranger == nil, "no other class is anybody's")
        }
    }

    private static func path(_ host: UInt32) -> FiveTuple {
        FiveTuple(
            .udp,
            local: TransportAddress(IPAddress(v4: 0xC000_0201), port: 8_189),
            remote: TransportAddress(IPAddress(v4: 0xC633_6400 + host), port: 50_000)
        )
    }
}
