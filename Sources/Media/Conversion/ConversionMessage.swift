import Wire

/// One encoded frame on its way into or out of a codec process.
public struct ConversionFrame: Equatable, Sendable {
    /// Time of the first sample in the track's clock rate, as ``StreamPacket/timestamp``.
    public var timestamp: Int64
    /// Frames are missing before this one.
    public var followsGap: Bool
    /// The codec's bytes.
    public var payload: [UInt8]

    /// Creates a frame.
    public init(timestamp: Int64, followsGap: Bool = false, payload: [UInt8]) {
        self.timestamp = timestamp
        self.followsGap = followsGap
        self.payload = payload
    }
}

/// What the relay and a codec process say to each other over two pipes.
///
///     relay ──begin, frame, frame …──▶ process        then the relay closes the pipe, and the process ends
///     relay ◀──ready, frame, frame …── process        `failed` may come at any time and is the last word
///
/// On the wire a message is its length (four bytes, network order, what follows it), a byte that says which, and its
/// fields in network order. Both sides carry ``version``; there is no negotiation, they come from one build.
public enum ConversionMessage: Equatable, Sendable {
    /// What is to be converted.
    case begin(AudioConversion)
    /// The codecs are open.
    case ready
    /// A frame of the source, or of the result.
    case frame(ConversionFrame)
    /// Why it cannot go on, in a sentence.
    case failed(String)

    /// Version of this protocol.
    public static let version: UInt8 = 1
    /// Longest message after its length field, in bytes; an AAC frame has at most 8191.
    public static let maximumLength = 16_384
    /// Longest reason that is kept, in bytes.
    static let maximumReason = 512
}

/// Why bytes are not what the other side of a codec process's pipe may say.
public enum ConversionProtocolError: Error, Equatable, Sendable {
    /// The length field is zero or above ``ConversionMessage/maximumLength``.
    case badLength(UInt32)
    /// A field is missing, or bytes are left over.
    case malformed
    /// No message has this number.
    case unknownMessage(UInt8)
    /// The other side is of another build.
    case wrongVersion(UInt8)
    /// The conversion named is none that exists.
    case noSuchConversion
}

extension ConversionMessage {
    /// Appends the message as it goes over the pipe.
    public func append(to bytes: inout [UInt8]) {
        let start = bytes.count
        bytes.append(UInt32(0))
        switch self {
        case .begin(let conversion):
            let source = conversion.source
            bytes += [Kind.begin, Self.version, CodecNumber.number(of: source.codec) ?? 0]
            bytes.append(UInt32(clamping: source.clockRate))
            bytes.append(UInt8(clamping: source.channels))
            bytes += source.aac?.bytes ?? []
        case .ready:
            bytes += [Kind.ready, Self.version]
        case .frame(let frame):
            bytes += [Kind.frame, frame.followsGap ? 1 : 0]
            bytes.append(UInt64(bitPattern: frame.timestamp))
            bytes += frame.payload
        case .failed(let reason):
            bytes.append(Kind.failed)
            bytes += reason.utf8.prefix(Self.maximumReason)
        }
        bytes.write(UInt32(clamping: bytes.count - start - 4), at: start)
    }

    /// Reads one message without its length field.
    init(parsing bytes: ArraySlice<UInt8>) throws(ConversionProtocolError) {
        var reader = ByteReader(bytes)
        do {
            let kind = try reader.readUInt8()
            switch kind {
            case Kind.begin:
                try Self.checkVersion(try reader.readUInt8())
                self = .begin(try Self.conversion(&reader))
            case Kind.ready:
                try Self.checkVersion(try reader.readUInt8())
                self = .ready
            case Kind.frame:
                let flags = try reader.readUInt8()
                let timestamp = Int64(bitPattern: try reader.readUInt64())
                let payload = Array(reader.readRest())
                self = .frame(ConversionFrame(timestamp: timestamp, followsGap: flags & 1 == 1, payload: payload))
            case Kind.failed:
                self = .failed(String(decoding: reader.readRest().prefix(Self.maximumReason), as: UTF8.self))
            default:
                throw ConversionProtocolError.unknownMessage(kind)
            }
        } catch let error as ConversionProtocolError {
            throw error
        } catch {
            throw .malformed
        }
        guard reader.isAtEnd else { throw .malformed }
    }

    private static func checkVersion(_ version: UInt8) throws(ConversionProtocolError) {
        guard version == Self.version else { throw .wrongVersion(version) }
    }

    private static func conversion(_ reader: inout ByteReader) throws -> AudioConversion {
        let codec = CodecNumber.codec(try reader.readUInt8())
        let clockRate = Int(try reader.readUInt32())
        let channels = Int(try reader.readUInt8())
        let configuration = Array(reader.readRest())
        guard let codec else { throw ConversionProtocolError.noSuchConversion }
        let aac = codec == .aac ? try? AACConfiguration(parsing: configuration) : nil
        let format = TrackFormat(codec: codec, clockRate: clockRate, channels: channels, aac: aac)
        guard let conversion = AudioConversion(of: format) else { throw ConversionProtocolError.noSuchConversion }
        return conversion
    }

    private enum Kind {
        static let begin: UInt8 = 1
        static let ready: UInt8 = 2
        static let frame: UInt8 = 3
        static let failed: UInt8 = 4
    }
}

/// Takes messages out of the bytes of a pipe. Holds at most one incomplete message beside what was pushed.
public struct ConversionDecoder: Sendable {
    private var bytes: [UInt8] = []
    private var position = 0

    /// Creates a decoder that has seen nothing.
    public init() {}

    /// Takes what one read brought.
    public mutating func push(_ more: [UInt8]) {
        if position == bytes.count {
            bytes = more
        } else {
            bytes.removeFirst(position)
            bytes += more
        }
        position = 0
    }

    /// The next message, or `nil` when more bytes are needed.
    ///
    /// - Throws: ``ConversionProtocolError``; nothing after it can be trusted.
    public mutating func next() throws(ConversionProtocolError) -> ConversionMessage? {
        var reader = ByteReader(bytes[position...])
        guard let length = try? reader.readUInt32() else { return nil }
        guard length > 0, length <= ConversionMessage.maximumLength else { throw .badLength(length) }
        guard let body = try? reader.readBytes(Int(length)) else { return nil }
        position += 4 + body.count
        return try ConversionMessage(parsing: body)
    }
}

/// The codecs that are converted, by their number on the wire.
private enum CodecNumber {
    private static let codecs: [Codec] = [.aac, .pcmu, .pcma, .g722, .l16]

    static func number(of codec: Codec) -> UInt8? { codecs.firstIndex(of: codec).map { UInt8($0 + 1) } }

    static func codec(_ number: UInt8) -> Codec? {
        number >= 1 && Int(number) <= codecs.count ? codecs[Int(number) - 1] : nil
    }
}
