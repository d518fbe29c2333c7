import SDP

/// The URI that media controls are relative to (RFC 2326 §C.1.1), always on the host we are connected to.
///
/// Whatever scheme, host, port and credentials a camera writes into its SDP or its headers, only path and query are taken
/// from it: a description cannot send us elsewhere, and cameras behind port forwarding name addresses that do not work.
public struct ControlBase: Equatable, Sendable {
    /// The aggregate request URI: for PLAY, keep-alive and TEARDOWN.
    public let uri: String
    /// The same under the other port of the same host that the camera advertised, if it did. Some cameras check it.
    public let advertised: String?

    private let connected: String
    private let host: String

    /// Chooses the base: session-level control if absolute, else Content-Base, else Content-Location, else the URL that
    /// was described.
    public init(
        _ description: SessionDescription,
        contentBase: String? = nil,
        contentLocation: String? = nil,
        requested: RTSPURL
    ) {
        connected = requested.authority
        host = requested.host
        let sessionControl = description.attribute("control").flatMap { isAbsolute($0) ? $0 : nil }
        let candidate = [sessionControl, contentBase, contentLocation].lazy.compactMap(\.self)
            .map(\.trimmingBlanks)
            .first { !$0.isEmpty && isPrintable($0) && $0.utf8.count <= RTSPURL.maximumBytes }
        guard let candidate else {
            uri = requested.description
            advertised = nil
            return
        }
        let path = pathAndQuery(of: candidate, host: requested.host)
        uri = connected + path
        if let other = try? RTSPURL(parsing: candidate), other.host == requested.host, other.port != requested.port {
            advertised = other.authority + path
        } else {
            advertised = nil
        }
    }

    /// The request URI of a media section.
    ///
    /// - Parameter control: The value of its `a=control`; `nil`, empty and `*` mean the base itself.
    /// - Returns: `nil` when the control cannot stand in a request line.
    public func resolve(_ control: String?) -> String? { resolve(control, base: uri) }

    /// As ``resolve(_:)``, under the ``advertised`` port; `nil` when there is none.
    public func resolveAdvertised(_ control: String?) -> String? {
        guard let advertised, !isAbsolute(control ?? "") else { return nil }
        return resolve(control, base: advertised)
    }

    private func resolve(_ control: String?, base: String) -> String? {
        guard let control = control?.trimmingBlanks, !control.isEmpty, control != "*" else { return base }
        guard isPrintable(control), control.utf8.count <= RTSPURL.maximumBytes else { return nil }
        if isAbsolute(control) { return connected + pathAndQuery(of: control, host: host) }
        // Appended to the whole base, its query included: that is what cameras expect, against RFC 3986.
        let needsSlash = !control.hasPrefix("/") && !control.hasPrefix("?") && !base.hasSuffix("/")
        return base + (needsSlash ? "/" : "") + control
    }
}

/// Whether the text starts with an RTSP scheme.
private func isAbsolute(_ text: String) -> Bool { withoutScheme(text) != nil }

/// The text after `rtsp://` or `rtsps://`; `nil` when it has neither.
private func withoutScheme(_ text: String) -> String? {
    for scheme in ["rtsp://", "rtsps://"] where text.prefix(scheme.count).equalsIgnoringASCIICase(scheme) {
        return String(text.dropFirst(scheme.count))
    }
    return nil
}

/// Path and query of what a camera calls a URL; starts with `/` unless it is a query alone.
private func pathAndQuery(of text: String, host: String) -> String {
    var rest = text
    var hasAuthority = false
    // "rtsp://rtsp://host/path" exists.
    while let stripped = withoutScheme(rest) {
        rest = stripped
        hasAuthority = true
    }
    if rest.hasPrefix("/") && !hasAuthority { return rest }
    let end = rest.utf8.firstIndex { $0 == 0x2F || $0 == 0x3F } ?? rest.utf8.endIndex
    if !hasAuthority {
        // "192.0.2.1:554/path" without a scheme exists too; anything else without a slash in front is a path.
        let first = String(rest[..<end])
        let name = first.splitOnce(at: 0x3A)?.head ?? first
        hasAuthority = name == host || looksLikeIPv4(name)
    }
    guard hasAuthority else { return "/" + rest }
    let path = String(rest[end...])
    return path.isEmpty ? "/" : path
}

private func looksLikeIPv4(_ text: String) -> Bool {
    let parts = text.utf8.split(separator: 0x2E, omittingEmptySubsequences: false)
    return parts.count == 4 && parts.allSatisfy { !$0.isEmpty && $0.allSatisfy { (0x30...0x39).contains($0) } }
}

/// Whether every byte may stand in a request line.
private func isPrintable(_ text: String) -> Bool { text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } }
