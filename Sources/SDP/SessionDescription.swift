/// Why a session description was refused. Unknown and malformed lines are skipped, never refused.
public enum SDPError: Error, Equatable, Sendable {
    /// More bytes than ``SessionDescription/maximumBytes``.
    case tooLarge(bytes: Int)
    /// More lines than ``SessionDescription/maximumLines``.
    case tooManyLines
    /// More m-sections than ``SessionDescription/maximumMedia``.
    case tooManyMedia
    /// A NUL byte inside the text.
    case containsNUL
    /// Neither a `v=` nor an `m=` line: this is something else.
    case notSDP

    /// What is wrong, as the rest of a sentence that begins with what was read: `has more than 2048 lines`.
    public var fault: String {
        switch self {
        case .tooLarge: "is larger than \(SessionDescription.maximumBytes) bytes"
        case .tooManyLines: "has more than \(SessionDescription.maximumLines) lines"
        case .tooManyMedia: "has more than \(SessionDescription.maximumMedia) m-lines"
        case .containsNUL: "contains a NUL byte"
        case .notSDP: "has neither a v= nor an m= line"
        }
    }
}

/// A session description (RFC 8866): what a camera offers, or one side of a WebRTC negotiation.
///
/// Parsing is tolerant because cameras are not exact: lines end in LF or CRLF, the last one may lack its end, unknown and
/// broken lines are skipped. Only size and number are limited.
public struct SessionDescription: Equatable, Sendable, SDPAttributed {
    /// Largest text that is read, in bytes.
    public static let maximumBytes = 64 * 1024
    /// Most lines that are read; Chromium's largest offers have a few hundred.
    public static let maximumLines = 2_048
    /// Most m-sections that are read.
    public static let maximumMedia = 64

    /// The text of the `o=` line.
    public var origin: String
    /// The text of the `s=` line.
    public var name: String
    /// The text of the session-level `c=` line.
    public var connection: String?
    /// The session-level `a=` lines, in order.
    public var attributes: [SDPAttribute]
    /// The m-sections, in order.
    public var media: [MediaDescription]

    /// Creates a description; the defaults are what RFC 9429 §5.2.1 wants in an answer, but for the session id.
    public init(
        origin: String = "- 0 0 IN IP4 127.0.0.1",
        name: String = "-",
        connection: String? = nil,
        attributes: [SDPAttribute] = [],
        media: [MediaDescription] = []
    ) {
        self.origin = origin
        self.name = name
        self.connection = connection
        self.attributes = attributes
        self.media = media
    }

    /// Parses a description.
    public init(parsing text: String) throws(SDPError) {
        guard text.utf8.count <= Self.maximumBytes else { throw .tooLarge(bytes: text.utf8.count) }
        var bytes = Array(text.utf8)
        // Some cameras count the C string's end into Content-Length.
        while bytes.last == 0 { bytes.removeLast() }
        guard !bytes.contains(0) else { throw .containsNUL }
        let lines = bytes.split { $0 == 0x0A || $0 == 0x0D }
        guard lines.count <= Self.maximumLines else { throw .tooManyLines }

        self.init()
        var hasVersion = false
        for line in lines {
            let line = line.drop { $0 == 0x20 || $0 == 0x09 }
            guard line.count >= 2, line[line.startIndex + 1] == 0x3D, let type = line.first else { continue }
            let value = String(decoding: line.dropFirst(2), as: UTF8.self)
            switch type {
            case UInt8(ascii: "v"):
                hasVersion = true
            case UInt8(ascii: "m"):
                guard media.count < Self.maximumMedia else { throw .tooManyMedia }
                media.append(MediaDescription(parsing: value))
            case UInt8(ascii: "o") where media.isEmpty:
                origin = value.trimmingBlanks
            case UInt8(ascii: "s") where media.isEmpty:
                name = value.trimmingBlanks
            case UInt8(ascii: "c"):
                if media.isEmpty {
                    connection = value.trimmingBlanks
                } else {
                    media[media.count - 1].connection = value.trimmingBlanks
                }
            case UInt8(ascii: "a"):
                if media.isEmpty {
                    attributes.append(SDPAttribute(parsing: value))
                } else {
                    media[media.count - 1].attributes.append(SDPAttribute(parsing: value))
                }
            default:
                continue
            }
        }
        guard hasVersion || !media.isEmpty else { throw .notSDP }
    }

    /// The description as text: CRLF line ends, the order v, o, s, c, t, a, m (RFC 8866 §5).
    ///
    /// Control characters inside values are left out, so that no value can start a line of its own.
    public var text: String {
        var writer = LineWriter()
        writer.line("v", "0")
        writer.line("o", origin)
        writer.line("s", name.isEmpty ? "-" : name)
        if let connection { writer.line("c", connection) }
        writer.line("t", "0 0")
        for attribute in attributes { writer.line(attribute) }
        for section in media {
            writer.line(
                "m",
                ([section.kind, String(section.port), section.proto] + section.formats).joined(separator: " ")
            )
            if let connection = section.connection { writer.line("c", connection) }
            for attribute in section.attributes { writer.line(attribute) }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

/// Collects `x=…` lines.
private struct LineWriter {
    var bytes: [UInt8] = []

    mutating func line(_ type: String, _ value: String) {
        bytes += type.utf8
        bytes.append(0x3D)
        for byte in value.utf8 where byte >= 0x20 && byte != 0x7F { bytes.append(byte) }
        bytes += [0x0D, 0x0A]
    }

    mutating func line(_ attribute: SDPAttribute) {
        line("a", attribute.value.map { "\(attribute.name):\($0)" } ?? attribute.name)
    }
}
