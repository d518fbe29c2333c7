import Wire

/// Cuts what comes on one TCP connection of the media port into messages, however the network chopped it.
///
/// Two kinds of client use the same port. One runs ICE over the connection and puts two bytes of length before every
/// packet (RFC 4571); the other speaks STUN or TURN, whose messages say their own length (RFC 8489 §6.2.2, RFC 8656
/// §12.5). The first ten bytes tell them apart, because a client of either kind has to begin with a STUN message: its
/// magic cookie comes at offset 6 or at offset 4.
public struct StreamDeframer: Sendable {
    /// How messages are delimited.
    public enum Framing: String, Sendable {
        /// RFC 4571: a length in two bytes, then a packet.
        case lengthPrefixed
        /// STUN messages and TURN ChannelData, which is padded to four bytes.
        case selfDelimiting
    }

    /// Why nothing more can be read. Terminal: the connection is of no use.
    public enum Failure: Error, Equatable, Sendable {
        /// The client did not begin with STUN, or went on with something else.
        case notSTUN
        /// A message is longer than any that fits in this protocol.
        case tooLong(Int)
    }

    /// How the connection is framed; `nil` until its first bytes have told.
    public private(set) var framing: Framing?
    private var buffer: [UInt8] = []
    private var position = 0

    /// Creates a decoder.
    ///
    /// - Parameter framing: How messages are delimited, where it is known beforehand.
    public init(framing: Framing? = nil) { self.framing = framing }

    /// Takes what a read brought. Call ``next()`` until it has nothing left before the next read.
    public mutating func append(_ bytes: some Collection<UInt8>) {
        if position > 0 {
            buffer.removeFirst(position)
            position = 0
        }
        buffer += bytes
    }

    /// Bytes of a message that has begun and is not complete.
    public var pendingBytes: Int { buffer.count - position }

    /// The next whole message without its framing and padding; `nil` when more bytes are needed.
    public mutating func next() throws(Failure) -> ArraySlice<UInt8>? {
        if framing == nil { try detect() }
        switch framing {
        case nil: return nil
        case .lengthPrefixed: return try nextPrefixed()
        case .selfDelimiting: return try nextSelfDelimiting()
        }
    }

    private mutating func detect() throws(Failure) {
        let head = buffer[position...].prefix(Self.detectionBytes)
        // A prefix is below 4 KiB and a STUN type below 0x0200: whatever speaks HTTP or TLS is told at once.
        guard head.first.map({ $0 < 0x10 }) ?? true else { throw .notSTUN }
        guard head.count == Self.detectionBytes else { return }
        if head.dropFirst(4).prefix(4).elementsEqual(Self.cookie) {
            framing = .selfDelimiting
        } else if head.dropFirst(6).elementsEqual(Self.cookie) {
            framing = .lengthPrefixed
        } else {
            throw .notSTUN
        }
    }

    private mutating func nextPrefixed() throws(Failure) -> ArraySlice<UInt8>? {
        while pendingBytes >= 2 {
            let length = word(at: 0)
            guard length <= Self.messageLimit else { throw .tooLong(length) }
            guard pendingBytes >= 2 + length else { return nil }
            position += 2 + length
            // RFC 4571 §2: a null packet says nothing.
            if length > 0 { return buffer[position - length..<position] }
        }
        return nil
    }

    private mutating func nextSelfDelimiting() throws(Failure) -> ArraySlice<UInt8>? {
        guard pendingBytes >= 4 else { return nil }
        let isChannelData = 0x40..<0x80 ~= buffer[position]
        guard isChannelData || buffer[position] < 0x40 else { throw .notSTUN }
        let length = word(at: 2) + (isChannelData ? 4 : 20)
        guard length <= Self.messageLimit else { throw .tooLong(length) }
        // STUN's lengths are multiples of four; one that is not is refused by whoever parses the message.
        let padded = (length + 3) & ~3
        guard pendingBytes >= padded else { return nil }
        position += padded
        return buffer[position - padded..<position - padded + length]
    }

    private func word(at offset: Int) -> Int {
        Int(buffer[position + offset]) << 8 | Int(buffer[position + offset + 1])
    }

    /// The longest message: DTLS flights and RTCP stay below 1,500 bytes, TURN adds 36.
    public static let messageLimit = 4_096 - 1
    private static let detectionBytes = 10
    private static let cookie: [UInt8] = [0x21, 0x12, 0xA4, 0x42]
}
