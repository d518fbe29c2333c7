import Wire

/// How a client reaches our TURN server.
public enum RelayCarrier: String, Hashable, Sendable, Codable, CaseIterable {
    /// TURN over UDP.
    case udp
    /// TURN over TCP.
    case tcp
    /// TURN over TLS.
    case tls
}

/// The addresses that our TURN server gives to allocations (design decision 6).
///
/// They exist in this process only: no socket has one, and nothing is ever sent to one over a network. They come from
/// 198.19.0.0/16, the upper half of the range that RFC 2544 keeps for benchmarks, and from 2001:2:0:c613::/64 of RFC
/// 5180's, which no network routes and no viewer can therefore have; what comes from the network with such a source is
/// a forgery. Which quarter of the range an address is from says how its client reached us, so that whoever sees the
/// address knows without asking. An IPv6 one ends with the IPv4 one of the same number.
public enum RelayedAddress {
    /// How the owner of `ip` reaches us; `nil` when no allocation can have this address.
    public static func carrier(of ip: IPAddress) -> RelayCarrier? {
        guard contains(ip), let value = ip.v4Value ?? IPAddress(bytes: ip.bytes.suffix(4))?.v4Value,
            value >> 16 == network >> 16
        else { return nil }
        switch value >> 14 & 0b11 {
        case 0: return .udp
        case 1: return .tcp
        case 2: return .tls
        default: return nil
        }
    }

    /// Whether `ip` is in the range.
    @inlinable public static func contains(_ ip: IPAddress) -> Bool {
        ip.v4Value.map { $0 >> 16 == 0xC613 } ?? (ip.subnet == 0x2001_0002_0000_C613)
    }

    /// The address with this number; numbers repeat after 268 million.
    public static func address(
        _ number: UInt32,
        for carrier: RelayCarrier,
        isIPv6: Bool = false
    ) -> TransportAddress {
        let quarter: UInt32 =
            switch carrier {
            case .udp: 0
            case .tcp: 1
            case .tls: 2
            }
        let port = UInt16(truncatingIfNeeded: number >> 14 & 0x3FFF) + firstPort
        let value = network | quarter << 14 | number & 0x3FFF
        let ip = isIPv6 ? IPAddress(subnet: subnet, host: UInt64(value)) : IPAddress(v4: value)
        return TransportAddress(ip, port: port)
    }

    private static let network: UInt32 = 0xC613_0000
    private static let subnet: UInt64 = 0x2001_0002_0000_C613
    /// RFC 8656 §6.2 wants ports of the dynamic range.
    private static let firstPort: UInt16 = 49_152
}
