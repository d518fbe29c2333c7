import CMedia
import Glibc
import NIOCore
import Wire

extension cmedia_address {
    /// The form our C calls take; an unspecified IP gives family 0, "none".
    init(_ address: TransportAddress) {
        self.init()
        port = address.port
        guard !address.ip.isUnspecified else { return }
        self.set(address.ip)
    }

    /// An address to bind to, where an unspecified IP means "all of this family".
    init(binding address: TransportAddress) {
        self.init()
        port = address.port
        set(address.ip)
    }

    private mutating func set(_ address: IPAddress) {
        family = address.isIPv6 ? 6 : 4
        withUnsafeMutableBytes(of: &ip) { address.copyBytes(to: $0) }
    }
}

extension TransportAddress {
    /// An address from our C calls; `nil` for family 0.
    init?(_ address: cmedia_address) {
        let ip = withUnsafeBytes(of: address.ip) { bytes -> IPAddress? in
            switch address.family {
            case 4: return IPAddress(bytes: bytes.prefix(4))
            case 6: return IPAddress(bytes: bytes)
            default: return nil
            }
        }
        guard let ip else { return nil }
        self.init(ip, port: address.port)
    }

    /// An address from NIO; `nil` for Unix sockets.
    ///
    /// IPv4 addresses, also those an IPv6 socket shows as mapped, are read without allocating. The offsets are those of
    /// `sockaddr_in` and `sockaddr_in6`, whose fields NIO's own C module hides.
    init?(_ address: SocketAddress) {
        switch address {
        case .v4(let v4):
            self = withUnsafeBytes(of: v4.address) { bytes in
                let port = UInt16(bigEndian: bytes.load(fromByteOffset: 2, as: UInt16.self))
                let value = UInt32(bigEndian: bytes.load(fromByteOffset: 4, as: UInt32.self))
                return TransportAddress(IPAddress(v4: value), port: port)
            }
        case .v6(let v6):
            let result = withUnsafeBytes(of: v6.address) { bytes -> TransportAddress? in
                let port = UInt16(bigEndian: bytes.load(fromByteOffset: 2, as: UInt16.self))
                let isMapped =
                    bytes.load(fromByteOffset: 8, as: UInt32.self) == 0
                    && bytes.load(fromByteOffset: 12, as: UInt32.self) == 0
                    && UInt32(bigEndian: bytes.load(fromByteOffset: 16, as: UInt32.self)) == 0xFFFF
                if isMapped {
                    let value = UInt32(bigEndian: bytes.load(fromByteOffset: 20, as: UInt32.self))
                    return TransportAddress(IPAddress(v4: value), port: port)
                }
                return IPAddress(bytes: bytes[8..<24]).map { TransportAddress($0, port: port) }
            }
            guard let result else { return nil }
            self = result
        case .unixDomainSocket:
            return nil
        }
    }
}
