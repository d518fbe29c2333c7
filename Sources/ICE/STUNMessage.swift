import Digests
import Wire

/// A STUN message (RFC 8489 §5): header and attributes.
///
/// A parsed message keeps the datagram's storage so that its MESSAGE-INTEGRITY can be verified once the caller knows
/// the key. Attributes behind MESSAGE-INTEGRITY are not reported: nothing protects them (RFC 8489 §14.5).
public struct STUNMessage: Sendable {
    /// The message class (RFC 8489 §5).
    public enum Class: UInt8, Sendable {
        /// Expects a response.
        case request = 0
        /// Expects none.
        case indication = 1
        /// The request was carried out.
        case successResponse = 2
        /// The request was refused; ``STUNAttribute/errorCode(_:reason:)`` says why.
        case errorResponse = 3
    }

    /// The message method.
    public struct Method: RawRepresentable, Hashable, Sendable {
        /// The 12-bit method number.
        public var rawValue: UInt16

        /// Wraps a method number; only the low 12 bits go onto the wire.
        public init(rawValue: UInt16) { self.rawValue = rawValue }

        /// Binding (RFC 8489 §3), the only method ICE uses.
        public static let binding = Method(rawValue: 0x001)
        /// Allocate (RFC 8656 §17), and below the other methods of TURN.
        public static let allocate = Method(rawValue: 0x003)
        /// Refresh.
        public static let refresh = Method(rawValue: 0x004)
        /// Send, an indication from the client.
        public static let send = Method(rawValue: 0x006)
        /// Data, an indication to the client.
        public static let data = Method(rawValue: 0x007)
        /// CreatePermission.
        public static let createPermission = Method(rawValue: 0x008)
        /// ChannelBind.
        public static let channelBind = Method(rawValue: 0x009)
    }

    /// Request, indication or response.
    public var `class`: Class
    /// What is asked.
    public var method: Method
    /// Ties a response to its request.
    public var transactionID: STUNTransactionID
    /// The attributes in wire order, without MESSAGE-INTEGRITY and FINGERPRINT.
    public var attributes: [STUNAttribute]

    /// Whether a parsed message ended in a FINGERPRINT; a wrong one fails to parse.
    public private(set) var hasFingerprint = false
    private var integrity: Integrity?

    /// Creates a message to be serialised.
    public init(
        _ messageClass: Class,
        _ method: Method = .binding,
        transactionID: STUNTransactionID,
        attributes: [STUNAttribute] = []
    ) {
        self.class = messageClass
        self.method = method
        self.transactionID = transactionID
        self.attributes = attributes
    }

    private struct Integrity {
        /// The datagram up to the MESSAGE-INTEGRITY attribute, its length field already rewritten.
        var covered: [UInt8]
        var value: ArraySlice<UInt8>
    }
}

// MARK: Parsing

extension STUNMessage {
    /// Parses one datagram that must be exactly one STUN message.
    ///
    /// - Throws: ``STUNParseError``; a peer that sends such bytes gets no answer.
    public init(parsing datagram: ArraySlice<UInt8>) throws(STUNParseError) {
        do {
            try self.init(reading: datagram)
        } catch let error as STUNParseError {
            throw error
        } catch let error as Truncated {
            throw .truncated(error)
        } catch {
            throw .malformedHeader
        }
    }

    private init(reading datagram: ArraySlice<UInt8>) throws {
        var reader = ByteReader(datagram)
        let type = try reader.readUInt16()
        let length = Int(try reader.readUInt16())
        let cookie = try reader.readUInt32()
        transactionID = STUNTransactionID(high: try reader.readUInt32(), low: try reader.readUInt64())
        guard type & 0xC000 == 0, cookie == magicCookie, length % 4 == 0 else { throw STUNParseError.malformedHeader }
        guard length == reader.remaining else {
            throw STUNParseError.wrongLength(stated: length, actual: reader.remaining)
        }

        // C1 is bit 8 and C0 is bit 4; the method's twelve bits lie around them.
        let classBits = UInt8((type >> 7) & 0b10 | (type >> 4) & 0b01)
        guard let messageClass = Class(rawValue: classBits) else { throw STUNParseError.malformedHeader }
        self.class = messageClass
        method = Method(rawValue: type & 0x000F | (type & 0x00E0) >> 1 | (type & 0x3E00) >> 2)
        attributes = []

        while !reader.isAtEnd {
            let start = reader.offset
            guard !hasFingerprint else { throw STUNParseError.misplacedFingerprint }
            let attributeType = try reader.readUInt16()
            let count = Int(try reader.readUInt16())
            let value = try reader.readBytes(count)
            try reader.skip((4 - count % 4) % 4)
            switch attributeType {
            case STUNAttribute.TypeCode.fingerprint:
                try verifyFingerprint(value, of: datagram.prefix(start))
                hasFingerprint = true
            case STUNAttribute.TypeCode.messageIntegrity where integrity == nil:
                guard count == 20 else { throw STUNParseError.malformedAttribute(attributeType) }
                var covered = Array(datagram.prefix(start))
                covered.write(UInt16(truncatingIfNeeded: start - headerLength + 24), at: 2)
                integrity = Integrity(covered: covered, value: value)
            case _ where integrity != nil:
                break
            default:
                guard attributes.count < maximumAttributes else { throw STUNParseError.tooManyAttributes }
                attributes.append(try STUNAttribute(parsing: value, type: attributeType, transactionID: transactionID))
            }
        }
    }

    private func verifyFingerprint(_ value: ArraySlice<UInt8>, of covered: ArraySlice<UInt8>) throws {
        var reader = ByteReader(value)
        guard value.count == 4 else { throw STUNParseError.malformedAttribute(STUNAttribute.TypeCode.fingerprint) }
        // The attribute is the last one, so the header's length already counts it.
        guard try reader.readUInt32() == CRC32.checksum(covered) ^ fingerprintMask else {
            throw STUNParseError.wrongFingerprint
        }
    }

    /// Whether a parsed message carries a MESSAGE-INTEGRITY made with `key` (RFC 8489 §14.5).
    ///
    /// - Parameter key: The short-term credential's password in UTF-8, or the long-term key.
    public func hasValidIntegrity(key: [UInt8]) -> Bool {
        guard let integrity else { return false }
        return constantTimeEquals(Digest.hmacSHA1(key: key, integrity.covered), integrity.value)
    }

    /// Whether the parsed message carries a MESSAGE-INTEGRITY at all.
    public var hasIntegrity: Bool { integrity != nil }

    /// The first byte range of RFC 7983 that belongs to STUN, with the magic cookie: cheap and without allocation.
    public static func isSTUN(_ datagram: ArraySlice<UInt8>) -> Bool {
        guard datagram.count >= headerLength, let first = datagram.first, first < 4 else { return false }
        let cookie = datagram.dropFirst(4).prefix(4)
        return cookie.elementsEqual([0x21, 0x12, 0xA4, 0x42])
    }

    /// The ufrag before the colon in a Binding request's USERNAME, read without parsing the rest.
    ///
    /// For a request that a client sends to us it is our own ufrag, which names the session
    /// (RFC 8445 §7.2.2). Nothing is authenticated here.
    ///
    /// - Returns: `nil` when the datagram is no Binding request or has no such USERNAME.
    public static func localUfrag(of datagram: ArraySlice<UInt8>) -> String? {
        guard isSTUN(datagram) else { return nil }
        var reader = ByteReader(datagram)
        do {
            guard try reader.readUInt16() == 0x0001 else { return nil }
            try reader.skip(headerLength - 2)
            for _ in 0..<maximumAttributes where !reader.isAtEnd {
                let type = try reader.readUInt16()
                let count = Int(try reader.readUInt16())
                if type == STUNAttribute.TypeCode.username {
                    let value = try reader.readBytes(count)
                    guard let colon = value.firstIndex(of: 0x3A), colon - value.startIndex <= 256 else { return nil }
                    return String(validating: value[..<colon], as: UTF8.self)
                }
                try reader.skip(count + (4 - count % 4) % 4)
            }
        } catch {}
        return nil
    }
}

// MARK: Serialising

extension STUNMessage {
    /// The message's bytes, closed by MESSAGE-INTEGRITY when there is a key and by FINGERPRINT when asked for.
    public func serialized(integrityKey: [UInt8]? = nil, fingerprint: Bool = true) -> [UInt8] {
        let number = method.rawValue
        let bits = UInt16(`class`.rawValue)
        let type =
            number & 0x000F | (number & 0x0070) << 1 | (number & 0x0F80) << 2 | (bits & 0b01) << 4 | (bits & 0b10) << 7
        var bytes: [UInt8] = []
        bytes.reserveCapacity(128)
        bytes.append(type)
        bytes.append(UInt16(0))
        bytes.append(magicCookie)
        bytes.append(transactionID.high)
        bytes.append(transactionID.low)
        for attribute in attributes { attribute.append(to: &bytes, transactionID: transactionID) }
        if let integrityKey {
            bytes.setLength(headerLength, extra: 24)
            let digest = Digest.hmacSHA1(key: integrityKey, bytes)
            bytes.append(STUNAttribute.TypeCode.messageIntegrity)
            bytes.append(UInt16(digest.count))
            bytes += digest
        }
        if fingerprint {
            bytes.setLength(headerLength, extra: 8)
            let checksum = CRC32.checksum(bytes[...]) ^ fingerprintMask
            bytes.append(STUNAttribute.TypeCode.fingerprint)
            bytes.append(UInt16(4))
            bytes.append(checksum)
        }
        bytes.setLength(headerLength, extra: 0)
        return bytes
    }
}

extension [UInt8] {
    fileprivate mutating func setLength(_ header: Int, extra: Int) {
        write(UInt16(truncatingIfNeeded: count - header + extra), at: 2)
    }
}

// MARK: Attributes by name

extension STUNMessage {
    /// The first value that `pick` takes from an attribute.
    public func first<Value>(_ pick: (STUNAttribute) -> Value?) -> Value? {
        for attribute in attributes { if let value = pick(attribute) { return value } }
        return nil
    }

    /// USERNAME.
    public var username: String? { first { if case .username(let value) = $0 { value } else { nil } } }
    /// XOR-MAPPED-ADDRESS.
    public var xorMappedAddress: TransportAddress? {
        first { if case .xorMappedAddress(let value) = $0 { value } else { nil } }
    }
    /// PRIORITY.
    public var priority: UInt32? { first { if case .priority(let value) = $0 { value } else { nil } } }
    /// The sender's tie-breaker when it believes that it is controlled.
    public var iceControlled: UInt64? { first { if case .iceControlled(let value) = $0 { value } else { nil } } }
    /// The sender's tie-breaker when it believes that it controls.
    public var iceControlling: UInt64? { first { if case .iceControlling(let value) = $0 { value } else { nil } } }
    /// USE-CANDIDATE is present.
    public var usesCandidate: Bool { attributes.contains(.useCandidate) }
    /// The number in ERROR-CODE.
    public var errorCode: Int? { first { if case .errorCode(let code, _) = $0 { code } else { nil } } }
    /// Types below 0x8000 that we do not know: a request that has some is refused with 420 (RFC 8489 §6.3.1).
    public var unknownRequiredAttributes: [UInt16] {
        attributes.compactMap { if case .other(let type, _) = $0, type < 0x8000 { type } else { nil } }
    }
}

/// Why a datagram is not a STUN message.
public enum STUNParseError: Error, Equatable, Sendable {
    /// It ends inside a field.
    case truncated(Truncated)
    /// Top bits, magic cookie or length alignment are wrong (RFC 8489 §5).
    case malformedHeader
    /// The header's length is not the datagram's.
    case wrongLength(stated: Int, actual: Int)
    /// More attributes than any message needs.
    case tooManyAttributes
    /// The value of this attribute type has a length or content that the type forbids.
    case malformedAttribute(UInt16)
    /// FINGERPRINT is not the last attribute.
    case misplacedFingerprint
    /// FINGERPRINT does not match: damaged, or not STUN at all.
    case wrongFingerprint
}

/// The 96-bit transaction id.
public struct STUNTransactionID: Hashable, Sendable {
    /// Its first four bytes.
    public var high: UInt32
    /// Its last eight bytes.
    public var low: UInt64

    /// Creates an id from its parts.
    public init(high: UInt32, low: UInt64) {
        self.high = high
        self.low = low
    }
}

let magicCookie: UInt32 = 0x2112_A442
private let fingerprintMask: UInt32 = 0x5354_554E
private let headerLength = 20
/// A Binding request from a browser has 8; the limit stops a datagram of empty attributes from costing anything.
private let maximumAttributes = 32
