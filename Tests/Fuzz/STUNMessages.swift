import ICE
import Wire

/// F2: what parses is written as it was read, and parses again to the same.
enum Target: FuzzTarget {
    static func seeds() -> [[UInt8]] {
        let id = STUNTransactionID(high: 0x0102_0304, low: 5)
        let v6 = IPAddress(bytes: [0x20, 1, 0x0D, 0xB8] + [UInt8](repeating: 7, count: 12)) ?? IPAddress(v4: 1)
        let messages = [
            STUNMessage(
                .request,
                transactionID: id,
                attributes: [.username("abcd:efgh"), .priority(7), .useCandidate, .iceControlling(9), .software("x")]
            ),
            STUNMessage(
                .successResponse,
                transactionID: id,
                attributes: [
                    .xorMappedAddress(TransportAddress(v6, port: 1)), .mappedAddress(TransportAddress(v6, port: 2)),
                    .xorMappedAddress(TransportAddress(IPAddress(v4: 0xC000_0201), port: 3)),
                ]
            ),
            STUNMessage(
                .errorResponse,
                transactionID: id,
                attributes: [.errorCode(420, reason: "Unknown Attribute"), .unknownAttributes([1, 2, 3])]
            ),
            STUNMessage(.indication, .init(rawValue: 0xABC), transactionID: id, attributes: [.iceControlled(1)]),
        ]
        return messages.flatMap { [$0.serialized(integrityKey: [1, 2]), $0.serialized(fingerprint: false)] }
    }

    static func run(_ input: [UInt8]) {
        let ufrag = STUNMessage.localUfrag(of: input[...])
        guard let message = try? STUNMessage(parsing: input[...]) else { return }
        demand(STUNMessage.isSTUN(input[...]) == (input[0] < 4), "what parses is STUN, if its method has seven bits")
        demand(message.attributes.count <= 32, "attributes are bounded")
        if message.class == .request, message.method == .binding, let name = message.username, ufrag == nil {
            // Read from the first USERNAME, which is also the one that is parsed first.
            demand(!name.utf8.contains(0x3A) || name.utf8.count > 256, "the quick look finds the ufrag")
        }
        demand(!message.hasValidIntegrity(key: Array("guess".utf8)) || message.hasIntegrity, "no integrity, no trust")

        let written = message.serialized(fingerprint: message.hasFingerprint)
        demand(written.count <= input.count + 4, "writing does not grow a message")
        guard let again = try? STUNMessage(parsing: written[...]) else {
            return demand(false, "what is written parses")
        }
        demand(again.class == message.class && again.method == message.method, "class and method stay")
        demand(again.transactionID == message.transactionID, "the transaction id stays")
        demand(again.attributes == message.attributes, "the attributes stay")
        demand(again.serialized(fingerprint: again.hasFingerprint) == written, "writing again changes nothing")

        let signed = message.serialized(integrityKey: [1, 2, 3])
        guard let parsed = try? STUNMessage(parsing: signed[...]) else { return demand(false, "what is signed parses") }
        demand(
            parsed.hasValidIntegrity(key: [1, 2, 3]) && !parsed.hasValidIntegrity(key: [1, 2, 4]),
            "the key decides"
        )
    }
}
