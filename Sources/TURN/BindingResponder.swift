import ICE
import Wire

/// The STUN server for everybody: says where a Binding request came from (RFC 8489 §3).
///
/// Keeps nothing of a client but its share of answers. A request with credentials is a connectivity check, which
/// belongs to a session or to nobody, and is left without an answer.
public struct BindingResponder: Sendable {
    private var limit = RateLimit(perSecond: 20, burst: 60)

    /// Creates a responder.
    public init() {}

    /// The answer to a Binding request from `source`: 32 bytes for IPv4, 44 for IPv6, 8 more with FINGERPRINT.
    ///
    /// - Returns: `nil` when `message` is nothing to be answered, or `source` has had its share.
    public mutating func respond(to message: STUNMessage, from source: TransportAddress, at now: Instant) -> [UInt8]? {
        guard message.class == .request, message.method == .binding, message.username == nil, !message.hasIntegrity,
            limit.admits(source.ip, at: now)
        else { return nil }
        let unknown = message.unknownRequiredAttributes
        let answer: STUNMessage
        if unknown.isEmpty {
            answer = STUNMessage(
                .successResponse,
                transactionID: message.transactionID,
                attributes: [.xorMappedAddress(source)]
            )
        } else {
            // What they list was in the request, so the answer is hardly larger.
            answer = STUNMessage(
                .errorResponse,
                transactionID: message.transactionID,
                attributes: [.errorCode(420, reason: ""), .unknownAttributes(Array(unknown.prefix(4)))]
            )
        }
        return answer.serialized(fingerprint: message.hasFingerprint)
    }
}
