import Wire

/// Where the media port listens.
public enum ListenAddress: Sendable, Equatable, CustomStringConvertible {
    /// `:8189`: every address of both families.
    case everywhere(port: UInt16)
    /// `127.0.0.1:8189`, `[::]:8189`: this address of its own family.
    case address(TransportAddress)

    /// Reads the configuration's text form; port 0 lets the system choose.
    public init(parsing text: String) throws(NodeError) {
        let bytes = Array(text.utf8)
        guard let colon = bytes.lastIndex(of: 0x3A), let port = Self.port(bytes[(colon + 1)...]) else {
            throw Self.malformed(text)
        }
        var host = bytes[..<colon]
        if host.isEmpty {
            self = .everywhere(port: port)
            return
        }
        let isBracketed = host.first == 0x5B && host.last == 0x5D && host.count > 2
        if isBracketed { host = host.dropFirst().dropLast() }
        guard let ip = IPAddress(String(decoding: host, as: UTF8.self)), ip.isIPv6 == isBracketed else {
            throw Self.malformed(text)
        }
        self = .address(TransportAddress(ip, port: port))
    }

    private static func port(_ digits: ArraySlice<UInt8>) -> UInt16? {
        guard (1...5).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return UInt16(String(decoding: digits, as: UTF8.self))
    }

    private static func malformed(_ text: String) -> NodeError {
        NodeError(
            problem: "The listen address \"\(text.prefix(80))\" is not understood.",
            remedy: "Write an address and a port such as 127.0.0.1:8189 or [::1]:8189, or :8189 for every address."
        )
    }

    /// The port asked for.
    public var port: UInt16 {
        switch self {
        case .everywhere(let port): port
        case .address(let address): address.port
        }
    }

    /// Whether only this machine can reach it.
    public var isLoopback: Bool {
        switch self {
        case .everywhere: false
        case .address(let address): address.ip.isLoopback
        }
    }

    /// Whether only one of the two can be had at a time.
    public func clashes(with other: ListenAddress) -> Bool {
        guard port == other.port, port != 0 else { return false }
        switch (self, other) {
        case (.everywhere, _), (_, .everywhere): return true
        case (.address(let one), .address(let two)):
            guard one.ip.isIPv6 == two.ip.isIPv6 else { return false }
            return one.ip == two.ip || one.ip.isUnspecified || two.ip.isUnspecified
        }
    }

    /// Whether it takes both families.
    var isEverywhere: Bool { if case .everywhere = self { true } else { false } }

    /// Whether it takes datagrams for every address of the machine.
    public var isWildcard: Bool {
        switch self {
        case .everywhere: true
        case .address(let address): address.ip.isUnspecified
        }
    }

    /// The configuration's text form.
    public var description: String {
        switch self {
        case .everywhere(let port): ":\(port)"
        case .address(let address): address.description
        }
    }
}
