import Foundation
import HTTPTypes
import NIOConcurrencyHelpers

extension HTTPField.Name {
    private static func named(_ name: String) -> HTTPField.Name {
        // Every caller passes a literal that is a token; the fallback is never reached and harmless if it were.
        HTTPField.Name(name) ?? .cacheControl
    }

    static let contentTypeOptions = named("X-Content-Type-Options")
    static let referrerPolicy = named("Referrer-Policy")
    static let permissionsPolicy = named("Permissions-Policy")
    static let openerPolicy = named("Cross-Origin-Opener-Policy")
    static let resourcePolicy = named("Cross-Origin-Resource-Policy")
    static let secFetchSite = named("Sec-Fetch-Site")
    static let link = named("Link")
    static let viewer = named("Signalbox-Viewer")
    static let acceptPatch = named("Accept-Patch")
    static let acceptPost = named("Accept-Post")
}

/// Header fields that go with every answer.
struct HeaderFields: Sendable {
    private let policy: RequestPolicy
    private let insistsOnHTTPS: Bool

    init(_ configuration: GatewayConfiguration) {
        policy = RequestPolicy(configuration)
        insistsOnHTTPS = configuration.tls.map { !$0.isSelfSigned } ?? false
    }

    /// What every answer carries.
    func basic(_ connection: ConnectionInfo) -> HTTPFields {
        var fields = HTTPFields()
        fields[.date] = HTTPDate.now()
        fields[.contentTypeOptions] = "nosniff"
        fields[.referrerPolicy] = "no-referrer"
        if insistsOnHTTPS, connection.isSecure { fields[.strictTransportSecurity] = "max-age=31536000" }
        return fields
    }

    /// What pages and their parts carry besides.
    ///
    /// - Parameter script: The `hash-source` of a script within the page.
    func page(_ request: HTTPRequest, _ connection: ConnectionInfo, script: String? = nil) -> HTTPFields {
        var fields = basic(connection)
        // Older WebKit does not count wss: of the same host as 'self'.
        let socket = request.authority.map { " \(connection.isSecure ? "wss" : "ws")://\($0)" } ?? ""
        fields[.contentSecurityPolicy] =
            "default-src 'none'; script-src 'self'\(script.map { " \($0)" } ?? ""); style-src 'self'; connect-src 'self'\(socket); "
            + "media-src 'self' blob:; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
        fields[.permissionsPolicy] = "camera=(), microphone=(), geolocation=()"
        fields[.openerPolicy] = "same-origin"
        fields[.resourcePolicy] = "same-origin"
        return fields
    }

    /// What the answers carry that pages of allowed other sites may read: WHEP and HLS.
    func shared(_ request: HTTPRequest, _ connection: ConnectionInfo) -> HTTPFields {
        var fields = basic(connection)
        addSharing(to: &fields, request)
        return fields
    }

    /// The answer to OPTIONS, which may be a preflight request: what the address takes. Whether a page of another site
    /// may use it is in `Access-Control-Allow-Origin`.
    func preflight(
        _ request: HTTPRequest,
        _ connection: ConnectionInfo,
        allowed: [HTTPRequest.Method]
    ) -> HTTPFields {
        var fields = shared(request, connection)
        let methods = allowed.map(\.rawValue).joined(separator: ", ")
        fields[.allow] = methods
        fields[.accessControlAllowMethods] = methods
        fields[.accessControlAllowHeaders] = "Authorization, Content-Type, If-Match, Range, Signalbox-Viewer"
        fields[.accessControlMaxAge] = "86400"
        return fields
    }

    private func addSharing(to fields: inout HTTPFields, _ request: HTTPRequest) {
        if policy.variesByOrigin { fields[.vary] = "Origin" }
        fields[.accessControlExposeHeaders] = "Location, ETag, Link, Retry-After, Allow, Date, Age, Content-Length"
        if let origin = policy.allowedOrigin(for: request) {
            fields[.accessControlAllowOrigin] = origin
            fields[.resourcePolicy] = "cross-origin"
        } else {
            fields[.resourcePolicy] = "same-origin"
        }
    }
}

/// The `Date` header's value (RFC 9110 §5.6.7), made once a second.
enum HTTPDate {
    private static let cache = NIOLockedValueBox<(second: Int, text: String)>((0, ""))

    static func now() -> String {
        let second = time(nil)
        return cache.withLockedValue { cache in
            if cache.second != second { cache = (second, text(for: second)) }
            return cache.text
        }
    }

    static func text(for second: Int) -> String {
        var (moment, parts) = (time_t(second), tm())
        gmtime_r(&moment, &parts)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let day = days[Int(parts.tm_wday) % 7]
        let month = months[Int(parts.tm_mon) % 12]
        let clock = "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
        return "\(day), \(two(parts.tm_mday)) \(month) \(Int(parts.tm_year) + 1900) \(clock) GMT"
    }
}
