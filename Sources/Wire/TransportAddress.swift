/// An IP address, v4 or v6, in network byte order.
///
/// IPv4-mapped IPv6 addresses (`::ffff:a.b.c.d`) are folded into their IPv4 form, so that one host has one value.
public struct IPAddress: Hashable, Sendable {
    /// 4 or 16 bytes, packed big-endian into two words; IPv4 sits in the low 32 bits of `low`.
    @usableFromInline let high: UInt64
    @usableFromInline let low: UInt64
    /// Whether the address is an IPv6 one.
    public let isIPv6: Bool

    private init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
        isIPv6 = true
    }

    /// The IPv4 address whose 32-bit value is `value` (192.0.2.1 is 0xC0000201).
    public init(v4 value: UInt32) {
        high = 0
        low = UInt64(value)
        isIPv6 = false
    }

    /// The IPv6 address of the interface `host` in a /64 whose first half is not zero.
    public init(subnet: UInt64, host: UInt64) { self.init(high: subnet, low: host) }

    /// The address in `bytes`: 4 or 16 of them, otherwise `nil`.
    public init?(bytes: some Collection<UInt8>) {
        switch bytes.count {
        case 4:
            self.init(v4: bytes.reduce(0) { $0 << 8 | UInt32($1) })
        case 16:
            let high = bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            let low = bytes.suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            if high == 0, low >> 32 == 0xFFFF {
                self.init(v4: UInt32(truncatingIfNeeded: low))
            } else {
                self.init(high: high, low: low)
            }
        default:
            return nil
        }
    }

    /// The bytes in network order: 4 or 16.
    public var bytes: [UInt8] {
        var result: [UInt8] = []
        if isIPv6 {
            result.append(high)
            result.append(low)
        } else {
            result.append(UInt32(truncatingIfNeeded: low))
        }
        return result
    }

    /// Writes the bytes in network order, 4 or 16, to the start of `buffer`, which must have room for them.
    @inlinable public func copyBytes(to buffer: UnsafeMutableRawBufferPointer) {
        if isIPv6 {
            buffer.storeBytes(of: high.bigEndian, as: UInt64.self)
            buffer.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
        } else {
            buffer.storeBytes(of: UInt32(truncatingIfNeeded: low).bigEndian, as: UInt32.self)
        }
    }

    /// The 32-bit value of an IPv4 address (192.0.2.1 is 0xC0000201).
    @inlinable public var v4Value: UInt32? { isIPv6 ? nil : UInt32(truncatingIfNeeded: low) }

    /// The first half of an IPv6 address (2001:db8::1 has 0x20010DB800000000); `nil` for IPv4.
    @inlinable public var subnet: UInt64? { isIPv6 ? high : nil }

    /// 127.0.0.0/8 or ::1.
    public var isLoopback: Bool { isIPv6 ? high == 0 && low == 1 : low >> 24 == 127 }

    /// 169.254.0.0/16 or fe80::/10.
    public var isLinkLocal: Bool { isIPv6 ? high >> 54 == 0x3FA : low >> 16 == 0xA9FE }

    /// What limits count by: the address itself, for IPv6 its /64, of which every host can use all addresses.
    public var subscriber: IPAddress { isIPv6 && !isLoopback ? IPAddress(high: high, low: 0) : self }

    /// 0.0.0.0 or ::.
    public var isUnspecified: Bool { high == 0 && low == 0 }
}

extension IPAddress: CustomStringConvertible, LosslessStringConvertible {
    /// Parses dotted-quad IPv4 or any RFC 4291 text form of IPv6 (without zone). Names are not resolved.
    public init?(_ text: String) {
        if text.utf8.contains(0x3A) {
            guard let bytes = Self.parseIPv6(text[...]) else { return nil }
            self.init(bytes: bytes)
        } else {
            guard let bytes = Self.parseIPv4(text[...]) else { return nil }
            self.init(bytes: bytes)
        }
    }

    private static func parseIPv4(_ text: Substring) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            // A leading zero means octal to some readers and nothing to others: refused, as by inet_pton.
            guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                part.utf8.count == 1 || part.utf8.first != 0x30,
                let byte = UInt8(part)
            else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    private static func parseIPv6(_ text: Substring) -> [UInt8]? {
        func groups(_ text: Substring, isLast: Bool) -> [UInt8]? {
            if text.isEmpty { return [] }
            var bytes: [UInt8] = []
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            for (index, part) in parts.enumerated() {
                if isLast, index == parts.count - 1, part.utf8.contains(0x2E) {
                    guard let tail = parseIPv4(part) else { return nil }
                    bytes += tail
                } else {
                    guard (1...4).contains(part.utf8.count), let value = UInt16(part, radix: 16),
                        part.utf8.first != 0x2B, part.utf8.first != 0x2D
                    else { return nil }
                    bytes.append(value)
                }
            }
            return bytes
        }
        var halves: [Substring] = [text]
        let utf8 = Array(text.utf8)
        if let gap = utf8.indices.dropLast().first(where: { utf8[$0] == 0x3A && utf8[$0 + 1] == 0x3A }) {
            halves = [
                Substring(String(decoding: utf8[..<gap], as: UTF8.self)),
                Substring(String(decoding: utf8[(gap + 2)...], as: UTF8.self)),
            ]
        }
        guard let head = groups(halves[0], isLast: halves.count == 1) else { return nil }
        if halves.count == 1 { return head.count == 16 ? head : nil }
        guard let tail = groups(halves[1], isLast: true), head.count + tail.count <= 14 else { return nil }
        return head + [UInt8](repeating: 0, count: 16 - head.count - tail.count) + tail
    }

    /// Canonical text (RFC 5952).
    public var description: String {
        guard isIPv6 else { return bytes.map(String.init).joined(separator: ".") }
        let all = bytes
        let groups = stride(from: 0, to: 16, by: 2).map { UInt16(all[$0]) << 8 | UInt16(all[$0 + 1]) }
        var best = 0..<0
        var start = 0
        while start < 8 {
            guard groups[start] == 0 else {
                start += 1
                continue
            }
            var end = start
            while end < 8, groups[end] == 0 { end += 1 }
            if end - start > best.count, end - start > 1 { best = start..<end }
            start = end
        }
        let text = { (range: Range<Int>) in groups[range].map { String($0, radix: 16) }.joined(separator: ":") }
        if best.isEmpty { return text(0..<8) }
        return text(0..<best.lowerBound) + "::" + text(best.upperBound..<8)
    }
}

/// An IP address and a port (the RFC 8445 term).
public struct TransportAddress: Hashable, Sendable, CustomStringConvertible {
    /// The host's address.
    public var ip: IPAddress
    /// The port in host order.
    public var port: UInt16

    /// Creates a transport address.
    public init(_ ip: IPAddress, port: UInt16) {
        self.ip = ip
        self.port = port
    }

    /// `192.0.2.1:5000` or `[2001:db8::1]:5000`.
    public var description: String { ip.isIPv6 ? "[\(ip)]:\(port)" : "\(ip):\(port)" }
}

/// How a datagram or frame travels between a client and the relay.
public enum TransportProtocol: String, Hashable, Sendable, Codable {
    /// A datagram on the media port.
    case udp
    /// An RFC 4571 frame on a TCP connection to the media port.
    case tcp
}

/// The five-tuple on which a packet came, and on which the reply goes.
public struct FiveTuple: Hashable, Sendable, CustomStringConvertible {
    /// UDP or TCP.
    public var transport: TransportProtocol
    /// Our address; its IP may be unspecified where the kernel did not tell.
    public var local: TransportAddress
    /// The client's address as we see it.
    public var remote: TransportAddress

    /// Creates a five-tuple.
    public init(_ transport: TransportProtocol, local: TransportAddress, remote: TransportAddress) {
        self.transport = transport
        self.local = local
        self.remote = remote
    }

    /// `udp 192.0.2.1:5000`.
    public var description: String { "\(transport.rawValue) \(remote)" }
}
