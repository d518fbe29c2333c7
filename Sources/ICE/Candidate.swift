import Wire

/// An ICE candidate (RFC 8445 §5.3, grammar in RFC 8839 §5.1).
public struct Candidate: Hashable, Sendable {
    /// How the candidate was learned.
    public enum Kind: String, Hashable, Sendable, Codable {
        /// An address of the agent itself.
        case host
        /// What a STUN server saw.
        case serverReflexive = "srflx"
        /// What a connectivity check came from, without having been signalled.
        case peerReflexive = "prflx"
        /// An address on a TURN server.
        case relayed = "relay"

        /// The recommended type preference (RFC 8445 §5.1.2.2).
        public var preference: UInt32 {
            switch self {
            case .host: 126
            case .peerReflexive: 110
            case .serverReflexive: 100
            case .relayed: 0
            }
        }
    }

    /// Who opens the connection of a TCP candidate (RFC 6544 §4.5).
    public enum TCPType: String, Hashable, Sendable, Codable {
        /// Opens connections.
        case active
        /// Accepts connections.
        case passive
        /// Does both at the same time.
        case simultaneousOpen = "so"
    }

    /// Groups candidates with the same base and server; 1 to 32 characters.
    public var foundation: String
    /// 1 for RTP; with rtcp-mux there is no other.
    public var component: Int
    /// UDP or TCP.
    public var transport: TransportProtocol
    /// The larger, the better.
    public var priority: UInt32
    /// Where packets go.
    public var address: TransportAddress
    /// How it was learned.
    public var kind: Kind
    /// For TCP, who connects.
    public var tcpType: TCPType?

    /// Creates a candidate.
    public init(
        foundation: String,
        component: Int = 1,
        transport: TransportProtocol,
        priority: UInt32,
        address: TransportAddress,
        kind: Kind,
        tcpType: TCPType? = nil
    ) {
        self.foundation = foundation
        self.component = component
        self.transport = transport
        self.priority = priority
        self.address = address
        self.kind = kind
        self.tcpType = tcpType
    }

    /// Host candidates for `addresses`, the first one preferred; UDP before TCP (RFC 6544 §4.2: TCP ones are passive).
    public static func hosts(udp: [TransportAddress], tcp: [TransportAddress] = []) -> [Candidate] {
        let datagrams = udp.enumerated().map { index, address in
            Candidate(
                foundation: "u\(index)",
                transport: .udp,
                priority: priority(.host, localPreference: UInt16(clamping: 65_535 - index)),
                address: address,
                kind: .host
            )
        }
        let connections = tcp.enumerated().map { index, address in
            Candidate(
                foundation: "t\(index)",
                transport: .tcp,
                // Below every UDP candidate, with RFC 6544 §4.2's direction preference for passive ones, 4.
                priority: priority(.host, localPreference: UInt16(clamping: 4 << 13 | (8_191 - index))),
                address: address,
                kind: .host,
                tcpType: .passive
            )
        }
        return datagrams + connections
    }

    /// The formula of RFC 8445 §5.1.2.1.
    public static func priority(_ kind: Kind, localPreference: UInt16, component: Int = 1) -> UInt32 {
        kind.preference << 24 | UInt32(localPreference) << 8 | UInt32(clamping: 256 - min(max(component, 1), 256))
    }
}

// MARK: The attribute

extension Candidate {
    /// Why a candidate attribute is not used.
    public enum ParseError: Error, Equatable, Sendable {
        /// It does not follow RFC 8839 §5.1.
        case malformed
        /// The address is a name: `*.local` names resolve only inside the client's network, and its checks reveal the
        /// address anyway; any other name would make us ask a resolver of the client's choosing.
        case name(String)
        /// A transport other than UDP and TCP.
        case unsupportedTransport(String)
    }

    /// Parses the value of `a=candidate:`, with or without `candidate:` or `a=candidate:` in front.
    public init(parsing attribute: some StringProtocol) throws(ParseError) {
        var text = String(attribute.prefix(maximumAttributeLength + 1))
        guard text.utf8.count <= maximumAttributeLength else { throw .malformed }
        for prefix in ["a=", "candidate:"] where text.hasPrefix(prefix) { text.removeFirst(prefix.count) }
        let fields = text.utf8.split(whereSeparator: { $0 == 0x20 || $0 == 0x0D || $0 == 0x0A }).map {
            String($0) ?? ""
        }
        guard fields.count >= 8, fields[6] == "typ", (1...32).contains(fields[0].utf8.count),
            let component = decimal(fields[1]), (1...256).contains(component),
            let priority = decimal(fields[3]), let priority = UInt32(exactly: priority),
            let port = decimal(fields[5]), let port = UInt16(exactly: port)
        else { throw .malformed }
        guard let transport = TransportProtocol(rawValue: fields[2].lowercased()) else {
            throw .unsupportedTransport(fields[2])
        }
        guard let kind = Kind(rawValue: fields[7]) else { throw .malformed }
        guard let ip = IPAddress(fields[4]) else {
            guard fields[4].utf8.allSatisfy({ isNameByte($0) }) else { throw .malformed }
            throw .name(fields[4])
        }
        var tcpType: TCPType?
        var index = 8
        while index + 1 < fields.count {
            if fields[index] == "tcptype" { tcpType = TCPType(rawValue: fields[index + 1]) }
            index += 2
        }
        guard transport == .udp || tcpType != nil else { throw .malformed }
        self.init(
            foundation: fields[0],
            component: component,
            transport: transport,
            priority: priority,
            address: TransportAddress(ip, port: port),
            kind: kind,
            tcpType: transport == .tcp ? tcpType : nil
        )
    }

    /// The attribute's value without `a=`: `candidate:u0 1 udp 2130706431 192.0.2.1 8189 typ host`.
    public var attribute: String {
        let tail = tcpType.map { " tcptype \($0.rawValue)" } ?? ""
        return "candidate:\(foundation) \(component) \(transport.rawValue) \(priority) \(address.ip) \(address.port)"
            + " typ \(kind.rawValue)\(tail)"
    }
}

private func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x3A, 0x5F: true
    default: false
    }
}

/// Digits only: `Int("+5")` would parse.
private func decimal(_ text: String) -> Int? {
    guard (1...10).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    return Int(text)
}

/// Real ones have about 150 bytes.
private let maximumAttributeLength = 512
