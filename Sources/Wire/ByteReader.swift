/// The input ended before the field that was being read.
public struct Truncated: Error, Equatable, Sendable {
    /// Offset of the field, counted from the start of the reader's input.
    public var offset: Int
    /// Bytes the field needs.
    public var needed: Int
    /// Bytes that were left.
    public var available: Int

    /// Creates the error; cold on purpose.
    @inline(never) public init(offset: Int, needed: Int, available: Int) {
        self.offset = offset
        self.needed = needed
        self.available = available
    }
}

/// A cursor over received bytes. Every read is bounds-checked and throws ``Truncated``; nothing traps.
///
/// A read that throws consumes nothing.
/// All integers are read in network byte order. The reader shares the array's storage, it copies nothing.
public struct ByteReader: Sendable {
    @usableFromInline let bytes: ArraySlice<UInt8>
    @usableFromInline let start: Int
    @usableFromInline let end: Int
    /// Position of the next byte as an index into the underlying array.
    @usableFromInline var position: Int

    /// Reads all of `bytes`.
    @inlinable public init(_ bytes: [UInt8]) { self.init(bytes[...]) }

    /// Reads the bytes of a slice.
    @inlinable public init(_ slice: ArraySlice<UInt8>) {
        bytes = slice
        start = slice.startIndex
        end = slice.endIndex
        position = slice.startIndex
    }

    /// Bytes consumed so far.
    @inlinable public var offset: Int { position - start }

    /// Bytes not yet read.
    @inlinable public var remaining: Int { end - position }

    /// Whether everything was read.
    @inlinable public var isAtEnd: Bool { position == end }

    @inlinable func require(_ count: Int) throws(Truncated) {
        guard count >= 0, remaining >= count else {
            throw Truncated(offset: offset, needed: count, available: remaining)
        }
    }

    /// The next byte without consuming it, or `nil` at the end.
    @inlinable public func peek() -> UInt8? { position < end ? bytes[position] : nil }

    /// Reads one byte.
    @inlinable public mutating func readUInt8() throws(Truncated) -> UInt8 {
        try require(1)
        defer { position += 1 }
        return bytes[position]
    }

    /// Reads two bytes.
    @inlinable public mutating func readUInt16() throws(Truncated) -> UInt16 {
        try require(2)
        defer { position += 2 }
        return UInt16(bytes[position]) << 8 | UInt16(bytes[position + 1])
    }

    /// Reads four bytes.
    @inlinable public mutating func readUInt32() throws(Truncated) -> UInt32 {
        try require(4)
        return UInt32(try readUInt16()) << 16 | UInt32(try readUInt16())
    }

    /// Reads eight bytes.
    @inlinable public mutating func readUInt64() throws(Truncated) -> UInt64 {
        try require(8)
        return UInt64(try readUInt32()) << 32 | UInt64(try readUInt32())
    }

    /// Reads `count` bytes; the slice shares the input's storage.
    @inlinable public mutating func readBytes(_ count: Int) throws(Truncated) -> ArraySlice<UInt8> {
        try require(count)
        defer { position += count }
        return bytes[position..<position + count]
    }

    /// Reads everything that is left.
    @inlinable public mutating func readRest() -> ArraySlice<UInt8> {
        defer { position = end }
        return bytes[position..<end]
    }

    /// Skips `count` bytes.
    @inlinable public mutating func skip(_ count: Int) throws(Truncated) {
        try require(count)
        position += count
    }
}
