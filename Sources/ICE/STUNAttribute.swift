import Wire

/// A STUN attribute (RFC 8489 §14, RFC 8445 §16.1, RFC 8656 §18).
public enum STUNAttribute: Equatable, Sendable {
    /// MAPPED-ADDRESS, seen from servers that predate RFC 5389.
    case mappedAddress(TransportAddress)
    /// XOR-MAPPED-ADDRESS: where the request came from.
    case xorMappedAddress(TransportAddress)
    /// USERNAME, at most 513 bytes.
    case username(String)
    /// PRIORITY of a peer-reflexive candidate learned from the check.
    case priority(UInt32)
    /// USE-CANDIDATE: the controlling agent nominates this pair.
    case useCandidate
    /// ICE-CONTROLLING with the tie-breaker.
    case iceControlling(UInt64)
    /// ICE-CONTROLLED with the tie-breaker.
    case iceControlled(UInt64)
    /// ERROR-CODE, 300 to 699, and a phrase for people.
    case errorCode(Int, reason: String)
    /// SOFTWARE.
    case software(String)
    /// UNKNOWN-ATTRIBUTES: the types that a 420 is about.
    case unknownAttributes([UInt16])
    /// REALM, at most 763 bytes.
    case realm(String)
    /// NONCE, at most 763 bytes.
    case nonce(String)
    /// CHANNEL-NUMBER.
    case channelNumber(UInt16)
    /// LIFETIME in seconds.
    case lifetime(UInt32)
    /// XOR-PEER-ADDRESS.
    case xorPeerAddress(TransportAddress)
    /// XOR-RELAYED-ADDRESS.
    case xorRelayedAddress(TransportAddress)
    /// DATA: what is relayed.
    case data([UInt8])
    /// REQUESTED-ADDRESS-FAMILY: 1 for IPv4, 2 for IPv6.
    case requestedAddressFamily(UInt8)
    /// REQUESTED-TRANSPORT: an IP protocol number, 17 for UDP.
    case requestedTransport(UInt8)
    /// EVEN-PORT; whether the next port is to be reserved.
    case evenPort(reservesNext: Bool)
    /// Any other attribute, unparsed.
    case other(type: UInt16, value: [UInt8])

    enum TypeCode {
        static let mappedAddress: UInt16 = 0x0001
        static let username: UInt16 = 0x0006
        static let messageIntegrity: UInt16 = 0x0008
        static let errorCode: UInt16 = 0x0009
        static let unknownAttributes: UInt16 = 0x000A
        static let channelNumber: UInt16 = 0x000C
        static let lifetime: UInt16 = 0x000D
        static let xorPeerAddress: UInt16 = 0x0012
        static let data: UInt16 = 0x0013
        static let realm: UInt16 = 0x0014
        static let nonce: UInt16 = 0x0015
        static let xorRelayedAddress: UInt16 = 0x0016
        static let requestedAddressFamily: UInt16 = 0x0017
        static let evenPort: UInt16 = 0x0018
        static let requestedTransport: UInt16 = 0x0019
        static let xorMappedAddress: UInt16 = 0x0020
        static let priority: UInt16 = 0x0024
        static let useCandidate: UInt16 = 0x0025
        static let software: UInt16 = 0x8022
        static let fingerprint: UInt16 = 0x8028
        static let iceControlled: UInt16 = 0x8029
        static let iceControlling: UInt16 = 0x802A
    }
}

extension STUNAttribute {
    init(parsing value: ArraySlice<UInt8>, type: UInt16, transactionID: STUNTransactionID) throws {
        var reader = ByteReader(value)
        switch type {
        case TypeCode.mappedAddress:
            self = .mappedAddress(try Self.parseAddress(&reader, type: type, mask: nil))
        case TypeCode.xorMappedAddress:
            self = .xorMappedAddress(try Self.parseAddress(&reader, type: type, mask: transactionID.addressMask))
        case TypeCode.username:
            self = .username(try Self.parseText(&reader, type: type, maximum: 513))
        case TypeCode.software:
            // RFC 8489 §14.14 allows 763 bytes of UTF-8.
            self = .software(try Self.parseText(&reader, type: type, maximum: 763))
        case TypeCode.priority:
            self = .priority(try reader.readUInt32())
        case TypeCode.useCandidate:
            self = .useCandidate
        case TypeCode.iceControlling:
            self = .iceControlling(try reader.readUInt64())
        case TypeCode.iceControlled:
            self = .iceControlled(try reader.readUInt64())
        case TypeCode.errorCode:
            try reader.skip(2)
            let hundreds = Int(try reader.readUInt8() & 0x07)
            let number = Int(try reader.readUInt8())
            guard (3...6).contains(hundreds), number < 100 else { throw STUNParseError.malformedAttribute(type) }
            self = .errorCode(hundreds * 100 + number, reason: try Self.parseText(&reader, type: type, maximum: 763))
        case TypeCode.unknownAttributes:
            var types: [UInt16] = []
            while reader.remaining >= 2, types.count < 32 { types.append(try reader.readUInt16()) }
            _ = reader.readRest()
            self = .unknownAttributes(types)
        case TypeCode.realm:
            self = .realm(try Self.parseText(&reader, type: type, maximum: 763))
        case TypeCode.nonce:
            self = .nonce(try Self.parseText(&reader, type: type, maximum: 763))
        case TypeCode.channelNumber:
            self = .channelNumber(try reader.readUInt16())
            try reader.skip(2)
        case TypeCode.lifetime:
            self = .lifetime(try reader.readUInt32())
        case TypeCode.xorPeerAddress:
            self = .xorPeerAddress(try Self.parseAddress(&reader, type: type, mask: transactionID.addressMask))
        case TypeCode.xorRelayedAddress:
            self = .xorRelayedAddress(try Self.parseAddress(&reader, type: type, mask: transactionID.addressMask))
        case TypeCode.data:
            self = .data(Array(reader.readRest()))
        case TypeCode.requestedAddressFamily:
            self = .requestedAddressFamily(try reader.readUInt8())
            try reader.skip(3)
        case TypeCode.requestedTransport:
            self = .requestedTransport(try reader.readUInt8())
            try reader.skip(3)
        case TypeCode.evenPort:
            self = .evenPort(reservesNext: try reader.readUInt8() & 0x80 != 0)
        default:
            self = .other(type: type, value: Array(reader.readRest()))
        }
        guard reader.isAtEnd else { throw STUNParseError.malformedAttribute(type) }
    }

    private static func parseText(_ reader: inout ByteReader, type: UInt16, maximum: Int) throws -> String {
        guard reader.remaining <= maximum, let text = String(validating: reader.readRest(), as: UTF8.self) else {
            throw STUNParseError.malformedAttribute(type)
        }
        return text
    }

    private static func parseAddress(
        _ reader: inout ByteReader,
        type: UInt16,
        mask: [UInt8]?
    ) throws -> TransportAddress {
        try reader.skip(1)
        let family = try reader.readUInt8()
        var port = try reader.readUInt16()
        guard (family == 1 && reader.remaining == 4) || (family == 2 && reader.remaining == 16) else {
            throw STUNParseError.malformedAttribute(type)
        }
        var bytes = Array(reader.readRest())
        if let mask {
            port ^= UInt16(truncatingIfNeeded: magicCookie >> 16)
            bytes = zip(bytes, mask).map { $0 ^ $1 }
        }
        guard let ip = IPAddress(bytes: bytes) else { throw STUNParseError.malformedAttribute(type) }
        return TransportAddress(ip, port: port)
    }

    func append(to bytes: inout [UInt8], transactionID: STUNTransactionID) {
        func begin(_ type: UInt16, _ count: Int) {
            bytes.append(type)
            bytes.append(UInt16(truncatingIfNeeded: count))
        }
        func append(_ type: UInt16, _ value: some Collection<UInt8>) {
            begin(type, value.count)
            bytes += value
            bytes.append(contentsOf: repeatElement(0, count: (4 - value.count % 4) % 4))
        }
        switch self {
        case .mappedAddress(let address):
            append(TypeCode.mappedAddress, Self.addressValue(address, mask: nil))
        case .xorMappedAddress(let address):
            append(TypeCode.xorMappedAddress, Self.addressValue(address, mask: transactionID.addressMask))
        case .username(let name):
            append(TypeCode.username, name.utf8)
        case .priority(let priority):
            begin(TypeCode.priority, 4)
            bytes.append(priority)
        case .useCandidate:
            begin(TypeCode.useCandidate, 0)
        case .iceControlling(let tieBreaker):
            begin(TypeCode.iceControlling, 8)
            bytes.append(tieBreaker)
        case .iceControlled(let tieBreaker):
            begin(TypeCode.iceControlled, 8)
            bytes.append(tieBreaker)
        case .errorCode(let code, let reason):
            append(
                TypeCode.errorCode,
                [0, 0, UInt8(truncatingIfNeeded: code / 100), UInt8(truncatingIfNeeded: code % 100)]
                    + Array(reason.utf8)
            )
        case .software(let text):
            append(TypeCode.software, text.utf8)
        case .unknownAttributes(let types):
            var value: [UInt8] = []
            for type in types { value.append(type) }
            append(TypeCode.unknownAttributes, value)
        case .realm(let text):
            append(TypeCode.realm, text.utf8)
        case .nonce(let text):
            append(TypeCode.nonce, text.utf8)
        case .channelNumber(let number):
            append(TypeCode.channelNumber, [UInt8(number >> 8), UInt8(truncatingIfNeeded: number), 0, 0])
        case .lifetime(let seconds):
            begin(TypeCode.lifetime, 4)
            bytes.append(seconds)
        case .xorPeerAddress(let address):
            append(TypeCode.xorPeerAddress, Self.addressValue(address, mask: transactionID.addressMask))
        case .xorRelayedAddress(let address):
            append(TypeCode.xorRelayedAddress, Self.addressValue(address, mask: transactionID.addressMask))
        case .data(let payload):
            append(TypeCode.data, payload)
        case .requestedAddressFamily(let family):
            append(TypeCode.requestedAddressFamily, [family, 0, 0, 0])
        case .requestedTransport(let number):
            append(TypeCode.requestedTransport, [number, 0, 0, 0])
        case .evenPort(let reservesNext):
            append(TypeCode.evenPort, [reservesNext ? 0x80 : 0])
        case .other(let type, let value):
            append(type, value)
        }
    }

    private static func addressValue(_ address: TransportAddress, mask: [UInt8]?) -> [UInt8] {
        let ip = address.ip.bytes
        var value: [UInt8] = [0, ip.count == 4 ? 1 : 2]
        value.append(mask == nil ? address.port : address.port ^ UInt16(truncatingIfNeeded: magicCookie >> 16))
        value += mask.map { mask in zip(ip, mask).map { $0 ^ $1 } } ?? ip
        return value
    }
}

extension STUNTransactionID {
    /// What addresses are XORed with: the cookie, then the transaction id (RFC 8489 §14.2).
    fileprivate var addressMask: [UInt8] {
        var mask: [UInt8] = []
        mask.append(magicCookie)
        mask.append(high)
        mask.append(low)
        return mask
    }
}
