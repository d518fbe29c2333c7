import SDP

/// The methods of RFC 2326 §10.
public enum RTSPMethod: String, Sendable, CaseIterable, Codable {
    case options = "OPTIONS"
    case describe = "DESCRIBE"
    case announce = "ANNOUNCE"
    case setup = "SETUP"
    case play = "PLAY"
    case pause = "PAUSE"
    case teardown = "TEARDOWN"
    case getParameter = "GET_PARAMETER"
    case setParameter = "SET_PARAMETER"
    case redirect = "REDIRECT"
    case record = "RECORD"
}

/// Header fields in order. Names are compared without case and sent as written.
public struct RTSPHeaders: Equatable, Sendable, ExpressibleByDictionaryLiteral {
    /// One field.
    public struct Field: Equatable, Sendable {
        /// The name as written.
        public var name: String
        /// The value without surrounding blanks.
        public var value: String
    }

    /// All fields.
    public private(set) var fields: [Field] = []

    /// Creates an empty list.
    public init() {}

    /// Creates a list in the order written.
    public init(dictionaryLiteral elements: (String, String)...) {
        for (name, value) in elements { append(name, value) }
    }

    /// The first value of the field called `name`; assigning replaces all of them, `nil` removes them.
    public subscript(name: String) -> String? {
        get { fields.first { $0.name.equalsIgnoringASCIICase(name) }?.value }
        set {
            fields.removeAll { $0.name.equalsIgnoringASCIICase(name) }
            if let newValue { append(name, newValue) }
        }
    }

    /// All values of the field called `name`.
    public func values(named name: String) -> [String] {
        fields.compactMap { $0.name.equalsIgnoringASCIICase(name) ? $0.value : nil }
    }

    /// Adds a field at the end.
    public mutating func append(_ name: String, _ value: String) { fields.append(Field(name: name, value: value)) }

    /// Continues the last field's value (a folded line).
    mutating func extendLast(with text: String) {
        guard let last = fields.indices.last else { return }
        fields[last].value += " " + text
    }

    /// The number in `CSeq`; `nil` when missing or no number.
    public var cseq: Int? { self["CSeq"]?.decimal() }

    /// Appends the fields as lines. Control characters in values are left out: no value can start a field of its own.
    func write(into bytes: inout [UInt8], bodyCount: Int) {
        for field in fields where !field.name.equalsIgnoringASCIICase("Content-Length") {
            bytes += field.name.utf8.filter { $0 > 0x20 && $0 < 0x7F && $0 != 0x3A }
            bytes += ": ".utf8
            bytes += field.value.utf8.filter { $0 >= 0x20 && $0 != 0x7F }
            bytes += "\r\n".utf8
        }
        if bodyCount > 0 { bytes += "Content-Length: \(bodyCount)\r\n".utf8 }
        bytes += "\r\n".utf8
    }
}

/// A request, in either direction.
public struct RTSPRequest: Equatable, Sendable {
    /// What is asked.
    public var method: RTSPMethod
    /// The request URI as it stands in the request line.
    public var uri: String
    /// The header fields; `Content-Length` is written by itself.
    public var headers: RTSPHeaders
    /// The body.
    public var body: [UInt8]

    /// Creates a request.
    public init(_ method: RTSPMethod, uri: String, headers: RTSPHeaders = [:], body: [UInt8] = []) {
        self.method = method
        self.uri = uri
        self.headers = headers
        self.body = body
    }

    /// The request as it goes onto the wire.
    public var bytes: [UInt8] {
        var bytes = Array("\(method.rawValue) ".utf8)
        bytes += uri.utf8.filter { $0 > 0x20 && $0 < 0x7F }
        bytes += " RTSP/1.0\r\n".utf8
        headers.write(into: &bytes, bodyCount: body.count)
        return bytes + body
    }
}

/// A response, in either direction.
public struct RTSPResponse: Equatable, Sendable {
    /// The status code, 100–999.
    public var status: Int
    /// The reason phrase as sent.
    public var reason: String
    /// The header fields; `Content-Length` is written by itself.
    public var headers: RTSPHeaders
    /// The body.
    public var body: [UInt8]

    /// Creates a response.
    public init(_ status: Int, _ reason: String, headers: RTSPHeaders = [:], body: [UInt8] = []) {
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = body
    }

    /// The response as it goes onto the wire.
    public var bytes: [UInt8] {
        var bytes = Array("RTSP/1.0 \(status) ".utf8)
        bytes += reason.utf8.filter { $0 >= 0x20 && $0 != 0x7F }
        bytes += "\r\n".utf8
        headers.write(into: &bytes, bodyCount: body.count)
        return bytes + body
    }

    /// Whether the request was done (2xx).
    public var isSuccess: Bool { (200..<300).contains(status) }
}

/// An RTP or RTCP packet inside the RTSP connection, as it goes onto the wire (RFC 2326 §10.12).
///
/// - Parameter payload: At most 65 535 bytes; the rest is cut off.
public func interleavedFrame(channel: UInt8, payload: [UInt8]) -> [UInt8] {
    let count = min(payload.count, Int(UInt16.max))
    var bytes: [UInt8] = []
    bytes.reserveCapacity(4 + count)
    bytes += [0x24, channel, UInt8(truncatingIfNeeded: count >> 8), UInt8(truncatingIfNeeded: count)]
    bytes += payload.prefix(count)
    return bytes
}
