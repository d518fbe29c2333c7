/// Writes one RTP packet into a caller's buffer: header, optional one-byte header extensions (RFC 8285 §4.2), payload.
///
/// Call in that order. A write that does not fit sets ``overflowed`` and writes nothing.
public struct RTPPacketWriter {
    @usableFromInline let buffer: UnsafeMutableRawBufferPointer
    /// Bytes written so far.
    public private(set) var count = 0
    /// Length of the header, extensions included, as SRTP needs it.
    public private(set) var headerLength = 0
    /// Whether something did not fit.
    public private(set) var overflowed = false
    private var extensionStart: Int?

    /// Writes the fixed header into `buffer`, which must outlive the writer.
    public init(
        into buffer: UnsafeMutableRawBufferPointer,
        marker: Bool,
        payloadType: UInt8,
        sequenceNumber: UInt16,
        timestamp: UInt32,
        ssrc: UInt32
    ) {
        self.buffer = buffer
        guard buffer.count >= RTPHeader.minimumLength else {
            overflowed = true
            return
        }
        buffer[0] = 0x80
        buffer[1] = (marker ? 0x80 : 0) | payloadType & 0x7F
        buffer.storeBytes(of: sequenceNumber.bigEndian, toByteOffset: 2, as: UInt16.self)
        buffer.storeBytes(of: timestamp.bigEndian, toByteOffset: 4, as: UInt32.self)
        buffer.storeBytes(of: ssrc.bigEndian, toByteOffset: 8, as: UInt32.self)
        count = RTPHeader.minimumLength
        headerLength = count
    }

    /// Appends an extension element of `length` bytes, 1 to 8, taken from the low bytes of `value`.
    ///
    /// - Parameter identifier: 1 to 14, as negotiated with `a=extmap`.
    public mutating func appendExtension(_ identifier: UInt8, value: UInt64, length: Int) {
        guard (1...8).contains(length), beginElement(identifier, length: length) else { return }
        for index in 0..<length {
            buffer[count] = UInt8(truncatingIfNeeded: value >> UInt64(8 * (length - 1 - index)))
            count += 1
        }
        finishElement()
    }

    /// Appends an extension element with 1 to 16 bytes, such as a MID.
    public mutating func appendExtension(_ identifier: UInt8, bytes: [UInt8]) {
        guard (1...16).contains(bytes.count), beginElement(identifier, length: bytes.count) else { return }
        for byte in bytes {
            buffer[count] = byte
            count += 1
        }
        finishElement()
    }

    /// Appends payload bytes; no extension may follow.
    public mutating func append(payload: [UInt8]) {
        guard !overflowed, buffer.count - count >= payload.count else {
            overflowed = true
            return
        }
        payload.withUnsafeBytes { source in
            guard let from = source.baseAddress, let to = buffer.baseAddress else { return }
            (to + count).copyMemory(from: from, byteCount: source.count)
        }
        count += payload.count
    }

    /// Appends the original sequence number that starts an RTX payload (RFC 4588 §4).
    public mutating func append(originalSequenceNumber: UInt16) {
        guard !overflowed, buffer.count - count >= 2 else {
            overflowed = true
            return
        }
        buffer.storeBytes(of: originalSequenceNumber.bigEndian, toByteOffset: count, as: UInt16.self)
        count += 2
    }

    /// Appends `count` bytes of padding, 1 to 255, and sets the P bit (RFC 3550 §5.1); nothing may follow.
    public mutating func append(padding count: UInt8) {
        guard count > 0, !overflowed, buffer.count - self.count >= Int(count) else {
            overflowed = true
            return
        }
        for index in self.count..<self.count + Int(count) - 1 { buffer[index] = 0 }
        self.count += Int(count)
        buffer[self.count - 1] = count
        buffer[0] |= 0x20
    }

    private mutating func beginElement(_ identifier: UInt8, length: Int) -> Bool {
        // Worst case: extension header, element header, data, three bytes of padding.
        guard (1...14).contains(identifier), !overflowed, count == headerLength,
            buffer.count - count >= 4 + 1 + length + 3
        else {
            overflowed = true
            return false
        }
        if let extensionStart {
            // Take back the padding that the previous element needed.
            count = extensionStart + elementsLength
        } else {
            extensionStart = count
            buffer[0] |= 0x10
            buffer[count] = 0xBE
            buffer[count + 1] = 0xDE
            count += 4
            elementsLength = 4
        }
        buffer[count] = identifier << 4 | UInt8(truncatingIfNeeded: length - 1)
        count += 1
        elementsLength += 1 + length
        return true
    }

    /// Bytes of the extension written so far without padding, its four-byte header included.
    private var elementsLength = 0

    private mutating func finishElement() {
        guard let extensionStart else { return }
        while (count - extensionStart) % 4 != 0 {
            buffer[count] = 0
            count += 1
        }
        let words = UInt16(truncatingIfNeeded: (count - extensionStart) / 4 - 1)
        buffer.storeBytes(of: words.bigEndian, toByteOffset: extensionStart + 2, as: UInt16.self)
        headerLength = count
    }
}
