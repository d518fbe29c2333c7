import SDP

/// One thing read from an RTSP connection.
public enum RTSPIncoming: Equatable, Sendable {
    /// An answer to one of our requests.
    case response(RTSPResponse)
    /// A request of the peer's.
    case request(RTSPRequest)
    /// An RTP or RTCP packet (RFC 2326 §10.12), still in the decoder's buffer: let go of it before pushing more, or the
    /// buffer is copied.
    case interleaved(channel: UInt8, payload: ArraySlice<UInt8>)
}

/// Why the connection cannot be read any further.
public enum RTSPDecodingError: Error, Equatable, Sendable {
    /// A first line of more than ``RTSPDecoder/maximumLineBytes``.
    case lineTooLong
    /// More header bytes than ``RTSPDecoder/maximumHeadBytes``.
    case headTooLarge
    /// More fields than ``RTSPDecoder/maximumFields``.
    case tooManyFields
    /// A body of more than ``RTSPDecoder/maximumBodyBytes`` was announced.
    case bodyTooLarge
    /// `Content-Length` is no number, or two of them differ.
    case invalidContentLength
    /// A NUL byte in a header.
    case containsNUL
    /// The first line is neither a request line nor a status line.
    case invalidFirstLine
    /// More than ``RTSPDecoder/maximumGarbageBytes`` in a row that are no part of RTSP.
    case noSynchronisation
}

/// Splits the bytes of an RTSP connection into messages and interleaved packets, however they arrive.
///
/// Cameras send NUL padding, stray line ends and, after a partial write, garbage; the decoder skips these until it finds
/// something that can only be a frame or a message, and counts what it skipped. An interleaved packet costs one copy
/// and no allocation; nothing is looked at byte by byte.
public struct RTSPDecoder: Sendable {
    /// Longest request or status line.
    public static let maximumLineBytes = 4 * 1024
    /// Most bytes of first line and header fields together.
    public static let maximumHeadBytes = 16 * 1024
    /// Most header fields.
    public static let maximumFields = 64
    /// Largest body; session descriptions of more than 4 KiB exist.
    public static let maximumBodyBytes = 128 * 1024
    /// Most bytes skipped in a row before the connection is given up.
    public static let maximumGarbageBytes = 64 * 1024

    /// Bytes skipped so far that were neither message, frame nor padding.
    public private(set) var discardedBytes = 0
    /// Messages and frames decoded so far.
    public private(set) var decodedCount = 0
    /// The first bytes skipped on this connection, at most 32, to tell what the peer speaks instead.
    public private(set) var firstDiscarded: [UInt8] = []

    private var buffer: [UInt8] = []
    private var position = 0
    /// Where the search for the end of the head goes on.
    private var scanned = 0
    /// Whether the last thing decoded ended exactly before the bytes being looked at.
    private var isSynchronised = true
    /// Bytes skipped since the last thing decoded, padding included.
    private var skippedInARow = 0
    /// A message whose body is still incomplete, and the length of the body.
    private var partial: (message: RTSPIncoming, bodyCount: Int)?
    private var failure: RTSPDecodingError?

    /// Creates a decoder for a new connection.
    public init() {}

    /// Appends received bytes. Call ``next()`` until it returns `nil` before pushing more.
    public mutating func push(_ bytes: [UInt8]) { bytes.withUnsafeBytes { push($0) } }

    /// Appends received bytes, which are copied.
    public mutating func push(_ bytes: UnsafeRawBufferPointer) {
        if position == buffer.count {
            // A burst's large buffer is given back; a calm camera's small one is kept.
            buffer.removeAll(keepingCapacity: buffer.capacity <= 32 * 1024)
            scanned = 0
            position = 0
        } else if position >= buffer.count - position {
            // Moves each byte at most once per byte consumed.
            buffer.removeFirst(position)
            scanned = max(0, scanned - position)
            position = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next message or packet, or `nil` when more bytes are needed.
    ///
    /// - Throws: ``RTSPDecodingError``; the connection is then unusable and every further call throws the same.
    public mutating func next() throws(RTSPDecodingError) -> RTSPIncoming? {
        if let failure { throw failure }
        do throws(RTSPDecodingError) {
            return try decode()
        } catch {
            failure = error
            buffer = []
            position = 0
            throw error
        }
    }

    private mutating func decode() throws(RTSPDecodingError) -> RTSPIncoming? {
        if let partial { return completed(partial.message, bodyCount: partial.bodyCount) }
        while position < buffer.count {
            switch buffer[position] {
            case 0x24:
                let available = buffer.count - position
                guard available >= (isSynchronised ? 4 : 5) else { return nil }
                guard isSynchronised || isPlausibleFrame(at: position) else {
                    try discard()
                    continue
                }
                let end = position + 4 + (Int(buffer[position + 2]) << 8 | Int(buffer[position + 3]))
                guard buffer.count >= end else { return nil }
                let frame = RTSPIncoming.interleaved(
                    channel: buffer[position + 1],
                    payload: buffer[(position + 4)..<end]
                )
                position = end
                synchronised()
                return frame
            case let byte where isSynchronised && (byte == 0x00 || byte == 0x0A || byte == 0x0D):
                try skipPadding()
            default:
                switch messageStart() {
                case .found: return try decodeHead()
                case .undecided: return nil
                case .none: try discard()
                }
            }
        }
        return nil
    }

    // MARK: Synchronisation

    private mutating func synchronised() {
        isSynchronised = true
        skippedInARow = 0
        decodedCount &+= 1
        scanned = position
    }

    private mutating func skipPadding() throws(RTSPDecodingError) {
        position += 1
        skippedInARow += 1
        if skippedInARow > Self.maximumGarbageBytes { throw .noSynchronisation }
    }

    private mutating func discard() throws(RTSPDecodingError) {
        if decodedCount == 0, firstDiscarded.count < 32 { firstDiscarded.append(buffer[position]) }
        isSynchronised = false
        discardedBytes &+= 1
        try skipPadding()
    }

    /// After garbage a `$` is believed only where a packet of RTP version 2 on a low channel follows.
    private func isPlausibleFrame(at position: Int) -> Bool {
        let length = Int(buffer[position + 2]) << 8 | Int(buffer[position + 3])
        return buffer[position + 1] < 32 && (4...16_384).contains(length) && buffer[position + 4] >> 6 == 2
    }

    private enum Start { case found, undecided, none }

    /// Whether a message starts here. A partial match asks for more bytes.
    private func messageStart() -> Start {
        var result = Start.none
        for start in messageStarts where start.first == buffer[position] {
            let available = buffer[position...].prefix(start.count)
            guard available.elementsEqual(start.prefix(available.count)) else { continue }
            if available.count == start.count { return .found }
            result = .undecided
        }
        return result
    }

    // MARK: Messages

    private mutating func decodeHead() throws(RTSPDecodingError) -> RTSPIncoming? {
        let end = endOfHead()
        let head = buffer[position..<(end ?? buffer.count)]
        if head.count > Self.maximumLineBytes, !head.prefix(Self.maximumLineBytes).contains(0x0A) { throw .lineTooLong }
        guard head.count <= Self.maximumHeadBytes else { throw .headTooLarge }
        guard let end else { return nil }
        guard !head.contains(0) else { throw .containsNUL }

        let lines = head.split(separator: 0x0A, omittingEmptySubsequences: false).map { line in
            line.last == 0x0D ? line.dropLast() : line
        }
        let headers = try Self.headers(lines.dropFirst())
        let message = try Self.message(String(decoding: lines.first ?? [], as: UTF8.self), headers)
        let bodyCount = try Self.contentLength(headers)
        position = end
        return completed(message, bodyCount: bodyCount)
    }

    /// The index after the empty line that ends the head; remembers how far it looked.
    private mutating func endOfHead() -> Int? {
        var index = max(scanned, position)
        while index < buffer.count {
            if buffer[index] == 0x0A {
                let next = index + 1 < buffer.count ? buffer[index + 1] : nil
                if next == 0x0A { return index + 2 }
                if next == 0x0D, index + 2 < buffer.count, buffer[index + 2] == 0x0A { return index + 3 }
                if index + 2 >= buffer.count { break }
            }
            index += 1
        }
        scanned = index
        return nil
    }

    private static func headers(_ lines: ArraySlice<ArraySlice<UInt8>>) throws(RTSPDecodingError) -> RTSPHeaders {
        var headers = RTSPHeaders()
        for line in lines where !line.isEmpty {
            let text = String(decoding: line, as: UTF8.self)
            if line.first == 0x20 || line.first == 0x09 {
                headers.extendLast(with: text.trimmingBlanks)
            } else if let (name, value) = text.splitOnce(at: 0x3A) {
                guard headers.fields.count < maximumFields else { throw .tooManyFields }
                headers.append(name.trimmingBlanks, value.trimmingBlanks)
            }
        }
        return headers
    }

    private static func message(_ line: String, _ headers: RTSPHeaders) throws(RTSPDecodingError) -> RTSPIncoming {
        let words = line.blankSeparatedWords
        if line.hasPrefix("RTSP/") {
            guard words.count >= 2, let status = words[1].decimal(upTo: 999), status >= 100 else {
                throw .invalidFirstLine
            }
            return .response(RTSPResponse(status, words.dropFirst(2).joined(separator: " "), headers: headers))
        }
        guard words.count == 3, let method = RTSPMethod(rawValue: words[0]), words[2].hasPrefix("RTSP/") else {
            throw .invalidFirstLine
        }
        return .request(RTSPRequest(method, uri: words[1], headers: headers))
    }

    private static func contentLength(_ headers: RTSPHeaders) throws(RTSPDecodingError) -> Int {
        var result: Int?
        for value in headers.values(named: "Content-Length") {
            guard let length = value.decimal(upTo: .max), result == nil || result == length else {
                throw .invalidContentLength
            }
            result = length
        }
        guard let result else { return 0 }
        guard result <= maximumBodyBytes else { throw .bodyTooLarge }
        return result
    }

    private mutating func completed(_ message: RTSPIncoming, bodyCount: Int) -> RTSPIncoming? {
        guard buffer.count - position >= bodyCount else {
            partial = (message, bodyCount)
            return nil
        }
        let body = Array(buffer[position..<(position + bodyCount)])
        position += bodyCount
        partial = nil
        synchronised()
        switch message {
        case .response(var response):
            response.body = body
            return .response(response)
        case .request(var request):
            request.body = body
            return .request(request)
        case .interleaved:
            return message
        }
    }
}

/// What a message can start with.
private let messageStarts: [[UInt8]] = [Array("RTSP/".utf8)] + RTSPMethod.allCases.map { Array("\($0.rawValue) ".utf8) }
