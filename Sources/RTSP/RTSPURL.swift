import SDP
import Wire

/// Where a camera's stream is: `rtsp://[user[:password]@]host[:port][/path][?query]`.
///
/// User and password are taken out at once; what is printed, logged and sent as a request URI never contains them.
public struct RTSPURL: Equatable, Sendable, CustomStringConvertible {
    /// Plain or over TLS.
    public enum Scheme: String, Sendable, Codable {
        /// RTSP over TCP, default port 554.
        case rtsp
        /// RTSP over TLS, default port 322 (RFC 7826 §19.1).
        case rtsps

        /// The port when the URL names none.
        public var defaultPort: UInt16 { self == .rtsp ? 554 : 322 }
    }

    /// Longest URL that is read, in bytes.
    public static let maximumBytes = 2_048

    /// The scheme.
    public var scheme: Scheme
    /// A name or an IP address; IPv6 without brackets.
    public var host: String
    /// The TCP port.
    public var port: UInt16
    /// Path and query exactly as written; starts with `/`.
    public var pathAndQuery: String
    /// The user named in the URL, percent-decoded.
    public var user: String?
    /// The password given in the URL, percent-decoded.
    public var password: Secret?

    /// Parses a URL.
    public init(parsing text: String) throws(RTSPURLError) {
        let text = text.trimmingBlanks
        guard !text.isEmpty else { throw .empty }
        guard text.utf8.count <= Self.maximumBytes else { throw .tooLong }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { throw .forbiddenCharacter }
        guard let (schemeText, afterColon) = text.splitOnce(at: 0x3A), afterColon.hasPrefix("//") else {
            throw .missingScheme
        }
        guard let scheme = Scheme(rawValue: schemeText.lowercased()) else {
            // Only a word is repeated in the message: anything longer might hold a password.
            let isWord = schemeText.utf8.count <= 12 && schemeText.utf8.allSatisfy(isLetterOrDigit)
            throw .unsupportedScheme(isWord ? schemeText.lowercased() : "?")
        }
        let rest = Array(afterColon.utf8.dropFirst(2))
        let authorityEnd = rest.firstIndex { $0 == 0x2F || $0 == 0x3F || $0 == 0x23 } ?? rest.endIndex
        var authority = rest[..<authorityEnd]
        let tail = rest[authorityEnd...]

        var userInfo: ArraySlice<UInt8>?
        // Passwords often contain a bare "@", so the last one separates.
        if let at = authority.lastIndex(of: 0x40) {
            userInfo = authority[..<at]
            authority = authority[(at + 1)...]
        }
        do throws(RTSPURLError) {
            (host, port) = try Self.hostAndPort(authority, scheme: scheme)
        } catch {
            // "rtsp://user:pass/word@host" ends the authority inside the password.
            throw userInfo == nil && tail.contains(0x40) ? .unescapedCharacterInPassword : error
        }
        guard !tail.contains(0x23) else { throw .fragment }
        self.scheme = scheme
        let path = String(decoding: tail, as: UTF8.self)
        pathAndQuery = path.hasPrefix("/") ? path : "/" + path
        if let userInfo {
            let colon = userInfo.firstIndex(of: 0x3A)
            user = percentDecoded(userInfo[..<(colon ?? userInfo.endIndex)])
            password = colon.map { Secret(percentDecoded(userInfo[($0 + 1)...])) }
        }
    }

    private static func hostAndPort(
        _ authority: ArraySlice<UInt8>,
        scheme: Scheme
    ) throws(RTSPURLError) -> (String, UInt16) {
        var host = authority
        var portText: ArraySlice<UInt8>?
        if authority.first == 0x5B {
            guard let close = authority.firstIndex(of: 0x5D) else { throw .invalidHost }
            host = authority[(authority.startIndex + 1)..<close]
            let after = authority[(close + 1)...]
            guard after.isEmpty || after.first == 0x3A else { throw .invalidPort }
            portText = after.isEmpty ? nil : after.dropFirst()
            // A zone ("%25eth0") may follow a link-local address.
            let address = host.prefix { $0 != 0x25 }
            guard address.contains(0x3A), IPAddress(String(decoding: address, as: UTF8.self)) != nil,
                host.dropFirst(address.count + 1).allSatisfy(isHostNameByte)
            else { throw .invalidHost }
        } else {
            if let colon = authority.firstIndex(of: 0x3A) {
                host = authority[..<colon]
                portText = authority[(colon + 1)...]
            }
            guard !host.isEmpty else { throw .missingHost }
            guard host.count <= 253, host.allSatisfy(isHostNameByte) else { throw .invalidHost }
        }
        let name = String(decoding: host, as: UTF8.self)
        guard let portText, !portText.isEmpty else { return (name, scheme.defaultPort) }
        guard let port = String(decoding: portText, as: UTF8.self).decimal(upTo: 65_535), port > 0 else {
            throw .invalidPort
        }
        return (name, UInt16(truncatingIfNeeded: port))
    }

    /// `rtsp://host` or `rtsp://host:port`; the port only when it is not the scheme's own.
    public var authority: String {
        let name = host.utf8.contains(0x3A) ? "[\(host)]" : host
        return "\(scheme.rawValue)://\(name)" + (port == scheme.defaultPort ? "" : ":\(port)")
    }

    /// The URL without user and password: what goes into request lines, digests, logs and messages.
    public var description: String { authority + pathAndQuery }

    /// Whether both name the same resource; user and password do not count.
    public static func == (lhs: RTSPURL, rhs: RTSPURL) -> Bool { lhs.description == rhs.description }
}

/// Why a URL was refused. No case carries text that could hold a password.
public enum RTSPURLError: Error, Equatable, Sendable {
    /// There is nothing.
    case empty
    /// More bytes than ``RTSPURL/maximumBytes``.
    case tooLong
    /// A blank, a control character or a character outside ASCII.
    case forbiddenCharacter
    /// No `rtsp://` in front.
    case missingScheme
    /// Another scheme than `rtsp` or `rtsps`.
    case unsupportedScheme(String)
    /// Nothing between `//` and the path.
    case missingHost
    /// The host is neither a name, nor an IPv4 address, nor an IPv6 address in brackets.
    case invalidHost
    /// The port is not a number in 1…65535.
    case invalidPort
    /// A `/`, `?` or `#` in the password ended the host part early.
    case unescapedCharacterInPassword
    /// A `#` part, which RTSP does not have.
    case fragment

    /// What is wrong, as a sentence.
    public var problem: String {
        switch self {
        case .empty: "The camera URL is empty."
        case .tooLong: "The camera URL is longer than \(RTSPURL.maximumBytes) bytes."
        case .forbiddenCharacter: "The camera URL contains a blank or a character outside ASCII."
        case .missingScheme: "The camera URL does not start with rtsp:// or rtsps://."
        case .unsupportedScheme(let scheme): "The camera URL has the scheme \"\(scheme)\"; only rtsp and rtsps work."
        case .missingHost: "The camera URL names no host."
        case .invalidHost: "The host in the camera URL is neither a name nor an IP address."
        case .invalidPort: "The port in the camera URL is not a number from 1 to 65535."
        case .unescapedCharacterInPassword: "The password in the camera URL contains a /, ? or # as it is."
        case .fragment: "The camera URL contains a #."
        }
    }

    /// What to do about it, as a sentence.
    public var remedy: String {
        switch self {
        case .empty, .missingScheme, .missingHost: "Write it as rtsp://host/path."
        case .tooLong: "Check that only the URL was pasted."
        case .forbiddenCharacter: "Write such characters percent-encoded: a blank is %20."
        case .unsupportedScheme: "Use the camera's RTSP address; its manual lists it as RTSP or ONVIF stream."
        case .invalidHost: "Write an IPv6 address in brackets: rtsp://[2001:db8::1]/path."
        case .invalidPort: "Leave the port out to use the default, or correct it."
        case .unescapedCharacterInPassword: "Put user and password into the settings `user` and `password` instead."
        case .fragment: "Remove the # and what follows, or write it as %23."
        }
    }
}

/// Letters, digits, hyphen, dot, underscore.
private func isHostNameByte(_ byte: UInt8) -> Bool {
    isLetterOrDigit(byte) || byte == 0x2D || byte == 0x2E || byte == 0x5F
}

private func isLetterOrDigit(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
}

/// Replaces `%41` by the byte it stands for; a `%` that starts no such triple stays as it is.
private func percentDecoded(_ bytes: ArraySlice<UInt8>) -> String {
    var result: [UInt8] = []
    var index = bytes.startIndex
    while index < bytes.endIndex {
        if bytes[index] == 0x25, bytes.endIndex - index > 2,
            let byte = [UInt8](hexadecimal: String(decoding: bytes[(index + 1)...(index + 2)], as: UTF8.self))?.first
        {
            result.append(byte)
            index += 3
        } else {
            result.append(bytes[index])
            index += 1
        }
    }
    return String(decoding: result, as: UTF8.self)
}
