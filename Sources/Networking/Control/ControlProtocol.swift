import Foundation
import NIOCore
import Relay

/// What a client of the control socket asks.
///
/// Every message is a frame: four bytes of length, network order, then one JSON object.
struct ControlRequest: Codable, Sendable {
    /// What is wanted.
    enum Kind: String, Codable, Sendable {
        /// The latest snapshot, once.
        case snapshot
        /// Every new snapshot from now on; one that cannot be sent in time is skipped.
        case subscribe
        /// Values of series: ``ControlRequest/history``.
        case history
        /// Older events: ``ControlRequest/events``.
        case events
        /// Ended WebRTC sessions: ``ControlRequest/attempts``.
        case attempts
        /// A change: ``ControlRequest/command``.
        case submit
    }

    /// Chosen by the client; the reply carries it.
    var id: UInt64
    var kind: Kind
    var history: HistoryRequest?
    var events: EventsRequest?
    var attempts: AttemptsRequest?
    var command: Command?
}

/// What the relay answers, or sends by itself (then without `id`).
struct ControlReply: Codable, Sendable {
    enum Kind: String, Codable, Sendable {
        /// The first message of a connection.
        case hello
        case snapshot
        case subscribe
        case history
        case events
        case attempts
        case submit
        /// The request was not understood, or the client may not ask; `error` says why.
        case error
    }

    var id: UInt64?
    var kind: Kind
    /// Version of this protocol, in `hello`.
    var version: Int?
    /// The relay's process, in `hello`.
    var processID: Int32?
    var snapshot: Snapshot?
    var history: HistoryReply?
    var events: [EventSnapshot]?
    var attempts: [AttemptSnapshot]?
    var reply: CommandReply?
    var error: String?
}

/// Version and limits of the control protocol.
enum ControlProtocol {
    /// Increases when old clients would misunderstand.
    static let version = 2
    /// Longest frame a relay accepts: a command or a request for 256 series.
    static let requestLimit = 64 * 1024
    /// Longest frame a client accepts: a snapshot of some thousand viewers.
    static let replyLimit = 16 * 1024 * 1024

    static func makeEncoder() -> JSONEncoder {
        let encoder = JSONEncoder()
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf",
            negativeInfinity: "-inf",
            nan: "nan"
        )
        return encoder
    }

    static func makeDecoder() -> JSONDecoder {
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "inf",
            negativeInfinity: "-inf",
            nan: "nan"
        )
        return decoder
    }

    /// One frame with `value` in it.
    static func frame(_ value: some Encodable, by encoder: JSONEncoder) throws -> ByteBuffer {
        let data = try encoder.encode(value)
        guard data.count <= replyLimit else { throw ControlFrameError.tooLong(data.count) }
        var buffer = ByteBufferAllocator().buffer(capacity: data.count + 4)
        buffer.writeInteger(UInt32(data.count))
        buffer.writeBytes(data)
        return buffer
    }
}

/// Bytes on the control socket that are no frame.
enum ControlFrameError: Error, Equatable {
    /// The frame is empty or longer than the receiver's limit.
    case tooLong(Int)
}

/// Cuts a stream of bytes into frames.
struct ControlFrameReader {
    private var buffer = ByteBuffer()
    private let limit: Int

    /// Accepts frames of 1 to `limit` bytes.
    init(limit: Int) { self.limit = limit }

    /// Whether a frame has begun to arrive.
    var isMidFrame: Bool { buffer.readableBytes > 0 }

    mutating func append(_ bytes: ByteBuffer) {
        var bytes = bytes
        buffer.writeBuffer(&bytes)
    }

    /// The next complete frame's content.
    mutating func next() throws(ControlFrameError) -> ByteBuffer? {
        guard let length = buffer.getInteger(at: buffer.readerIndex, as: UInt32.self) else { return nil }
        let count = Int(length)
        guard (1...limit).contains(count) else { throw .tooLong(count) }
        guard buffer.readableBytes >= count + 4 else { return nil }
        buffer.moveReaderIndex(forwardBy: 4)
        let frame = buffer.readSlice(length: count)
        // Lets go of what was read; the rest is moved to the front.
        if buffer.readableBytes == 0 { buffer = ByteBuffer() } else { buffer.discardReadBytes() }
        return frame
    }
}
