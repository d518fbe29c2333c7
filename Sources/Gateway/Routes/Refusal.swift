import Foundation
import HTTPTypes
import Relay

/// An answer that says what is wrong and what to do about it.
struct Refusal: Error, Sendable {
    var status: HTTPResponse.Status
    var problem: String
    var remedy: String
    var retryAfter: Int?
    /// The methods that the address takes; with 405 only (RFC 9110 §15.5.6).
    var allow: [HTTPRequest.Method] = []

    init(_ status: HTTPResponse.Status, _ problem: String, remedy: String, retryAfter: Int? = nil) {
        self.status = status
        self.problem = problem
        self.remedy = remedy
        self.retryAfter = retryAfter
    }

    init(_ refusal: ViewerRefusal) {
        problem = refusal.text
        retryAfter = refusal.retryAfter
        switch refusal.kind {
        case .notFound:
            status = .notFound
            remedy = "Look at / for the cameras there are."
        case .policy:
            status = .forbidden
            remedy = "Use the other delivery, or ask the operator to change the policy."
        case .malformed:
            status = .badRequest
            remedy = "Send an SDP offer as RFC 8866 and RFC 9429 have it."
        case .incompatible:
            status = .notAcceptable
            remedy = "Mend the offer, or use HLS for this camera."
        case .unavailable:
            status = .serviceUnavailable
            remedy = refusal.remedy ?? "Try again."
            retryAfter = refusal.retryAfter ?? 2
        case .busy:
            status = .tooManyRequests
            remedy = "Let those connect or end first."
            retryAfter = refusal.retryAfter ?? 10
        }
    }

    /// What the relay says of an HLS request that failed.
    init(_ failure: HLSResponse) {
        let (kind, usual): (HTTPResponse.Status, String) =
            switch failure.status {
            case 400: (.badRequest, "Ask for parts as the playlist has them.")
            case 403: (.forbidden, "Use the other delivery, or ask the operator to change the policy.")
            case 404: (.notFound, "Load the playlist again.")
            default: (.serviceUnavailable, "Try again.")
            }
        let text = String(decoding: failure.body, as: UTF8.self)
        self.init(kind, text, remedy: failure.remedy ?? usual, retryAfter: failure.retryAfter)
    }

    static func noSuchCamera(_ path: some StringProtocol) -> Refusal {
        Refusal(
            .notFound,
            "There is nothing at \(printable(path)).",
            remedy: "Look at / for the cameras there are."
        )
    }

    static let starting = Refusal(
        .serviceUnavailable,
        "The relay is starting.",
        remedy: "Try again in a second.",
        retryAfter: 1
    )

    static func method(allowed: [HTTPRequest.Method]) -> Refusal {
        let words = allowed.map(\.rawValue)
        let choice = words.dropLast().joined(separator: ", ") + (words.count > 1 ? " or " : "") + (words.last ?? "")
        var refusal = Refusal(.methodNotAllowed, "That method is not for this address.", remedy: "Use \(choice).")
        refusal.allow = allowed
        return refusal
    }

    /// Header fields that are part of what is said.
    func add(to fields: inout HTTPFields) {
        if let retryAfter { fields[.retryAfter] = String(retryAfter) }
        if !allow.isEmpty { fields[.allow] = allow.map(\.rawValue).joined(separator: ", ") }
    }

    /// `{"error": …, "remedy": …}`.
    var body: [UInt8] {
        struct Body: Encodable {
            var error: String
            var remedy: String
        }
        let data = try? JSONEncoder.gateway.encode(Body(error: problem, remedy: remedy))
        return data.map { [UInt8]($0) } ?? []
    }

    /// `text` without control characters, at most 128 bytes of it.
    static func printable(_ text: some StringProtocol) -> String {
        String(
            decoding: text.utf8.prefix(128).map { (0x21...0x7E).contains($0) ? $0 : UInt8(ascii: "?") },
            as: UTF8.self
        )
    }
}

extension JSONEncoder {
    /// Keys in a fixed order, slashes as they are. A new one each time: encoders are not shared between threads.
    static var gateway: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }
}
