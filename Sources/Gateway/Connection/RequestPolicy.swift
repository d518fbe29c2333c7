import HTTPTypes
import Wire

/// What is known of a connection before its first request.
struct ConnectionInfo: Sendable {
    /// The client's address as the socket has it; forwarding headers do not change it.
    var remote: IPAddress
    /// TLS.
    var isSecure: Bool
    /// The listener is bound to loopback.
    var isLoopbackListener: Bool

    /// `https` or `http`.
    var scheme: String { isSecure ? "https" : "http" }
}

/// Who may ask at all: the rules that hold for every route and for HLS and WebSocket alike.
struct RequestPolicy: Sendable {
    private let access: GatewayConfiguration.Access
    private let hostNames: Set<String>
    private let origins: Set<String>
    private let allowsEveryOrigin: Bool

    init(_ configuration: GatewayConfiguration) {
        access = configuration.access
        hostNames = Set(configuration.hostNames.map { $0.lowercased() })
        origins = Set(configuration.allowedOrigins.map { $0.lowercased() })
        allowsEveryOrigin = configuration.allowedOrigins.contains("*")
    }

    /// Why a request is not served, whatever it asks for; `nil` when it may go on.
    func refusal(for request: HTTPRequest, on connection: ConnectionInfo) -> Refusal? {
        guard let authority = request.authority, let host = Self.host(of: authority) else {
            return Refusal(.badRequest, "The request has no valid Host.", remedy: "Send the Host header.")
        }
        guard isOurs(host, on: connection) else {
            return Refusal(
                .misdirectedRequest,
                "This relay is not known as that name.",
                remedy: "Use its address, or add the name to the relay's configuration."
            )
        }
        if access == .loopback, !isDirectLoopback(request, on: connection) {
            return Refusal(
                .forbidden,
                "This relay serves only programs on its own machine until viewers.auth is set.",
                remedy: "Set viewers.auth in the configuration, or watch from the relay's machine without a proxy."
            )
        }
        return nil
    }

    /// Whether the request comes from this machine and not on behalf of somebody else.
    func isDirectLoopback(_ request: HTTPRequest, on connection: ConnectionInfo) -> Bool {
        connection.remote.isLoopback && !Self.isForwarded(request)
    }

    /// Whether a proxy says that it speaks for somebody else.
    static func isForwarded(_ request: HTTPRequest) -> Bool {
        HTTPField.Name.forwarding.contains { request.headerFields.contains($0) }
    }

    /// Why a page may not do this from where it was loaded; `nil` when it may, or when no page asks.
    func originRefusal(for request: HTTPRequest) -> Refusal? {
        let refusal = Refusal(
            .forbidden,
            "Pages of other sites may not use this relay.",
            remedy: "Add the page's origin to viewers.origins in the relay's configuration."
        )
        guard let origin = request.headerFields[.origin] else {
            return request.headerFields[.secFetchSite] == "cross-site" ? refusal : nil
        }
        return isSameOrigin(origin, request) || isAllowed(origin) ? nil : refusal
    }

    /// The value for `Access-Control-Allow-Origin`; `nil` when the browser shall keep the answer from the page.
    func allowedOrigin(for request: HTTPRequest) -> String? {
        guard let origin = request.headerFields[.origin], isAllowed(origin) else { return nil }
        return allowsEveryOrigin ? "*" : origin
    }

    /// Whether answers depend on the `Origin` header.
    var variesByOrigin: Bool { !origins.isEmpty && !allowsEveryOrigin }

    private func isAllowed(_ origin: String) -> Bool { allowsEveryOrigin || origins.contains(origin.lowercased()) }

    private func isSameOrigin(_ origin: String, _ request: HTTPRequest) -> Bool {
        // The scheme may differ where a proxy ends TLS; host and port say whose page it is.
        for prefix in ["https://", "http://"] where origin.hasPrefix(prefix) {
            return origin.dropFirst(prefix.count).lowercased() == request.authority?.lowercased()
        }
        return false
    }

    /// Whether the request names us by something only we are: an address, `localhost`, or a configured name. A name that
    /// somebody else made point here (DNS rebinding) is none of these.
    func isAddressed(_ request: HTTPRequest) -> Bool {
        request.authority.flatMap(Self.host).map(isKnown) ?? false
    }

    private func isKnown(_ host: String) -> Bool {
        IPAddress(host) != nil || hostNames.contains(host) || host == "localhost" || host.hasSuffix(".localhost")
    }

    private func isOurs(_ host: String, on connection: ConnectionInfo) -> Bool {
        isKnown(host) || hostNames.isEmpty && !connection.isLoopbackListener
    }

    /// The port of `authority`, or the one that `https` stands for.
    static func httpsPort(of authority: String) -> UInt16 {
        let tail = authority.utf8.drop { $0 != UInt8(ascii: "]") }
        let digits = (tail.isEmpty ? authority.utf8[...] : tail).split(separator: UInt8(ascii: ":")).dropFirst().first
        return digits.flatMap { UInt16(String(decoding: $0, as: UTF8.self)) } ?? 443
    }

    /// The host of `authority` in lower case, without port and brackets; `nil` for anything but a name or address.
    static func host(of authority: String) -> String? {
        guard (1...255).contains(authority.utf8.count), authority.utf8.allSatisfy(\.isAuthorityByte) else { return nil }
        var host = authority[...]
        if host.utf8.first == UInt8(ascii: "[") {
            guard let end = host.firstIndex(of: "]") else { return nil }
            host = host[host.index(after: host.startIndex)..<end]
        } else if let colon = host.firstIndex(of: ":") {
            host = host[..<colon]
        }
        return host.isEmpty ? nil : host.lowercased()
    }
}

extension UInt8 {
    /// Letters, digits and `.-_:[]`: what an authority without user information is made of.
    fileprivate var isAuthorityByte: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: ":"): true
        case UInt8(ascii: "["), UInt8(ascii: "]"): true
        default: false
        }
    }
}

extension HTTPField.Name {
    /// The headers by which proxies say for whom they ask.
    static let forwarding: [HTTPField.Name] =
        ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via"].compactMap { HTTPField.Name($0) }
}
