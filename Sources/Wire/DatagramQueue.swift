/// Datagrams waiting to be sent: one contiguous, reused buffer and a list of where each goes.
///
/// Cores append, the shell sends and empties it. Keeping the bytes together lets the shell send a run of equal-sized
/// datagrams to one destination with a single system call. Nothing is allocated once the buffer has grown to its
/// working size.
public struct DatagramQueue: Sendable {
    /// One datagram in the queue.
    public struct Entry: Sendable {
        /// The path it leaves by.
        public var path: FiveTuple
        /// Offset of its first byte in the queue's buffer.
        public var offset: Int
        /// Its length in bytes.
        public var count: Int
        /// Where there is not room for everything it is left out before others: a picture, before sound and checks.
        public var isSpare: Bool
    }

    /// All datagrams' bytes, one after the other; only the first ``byteCount`` are meaningful.
    public private(set) var bytes: [UInt8]
    /// Bytes in use.
    public private(set) var byteCount = 0
    /// The datagrams, oldest first.
    public private(set) var entries: [Entry] = []

    /// Creates an empty queue with room for `capacity` bytes.
    public init(capacity: Int = 64 * 1024) {
        bytes = [UInt8](repeating: 0, count: capacity)
    }

    /// Whether nothing waits.
    public var isEmpty: Bool { entries.isEmpty }

    /// Appends a copy of `datagram`.
    public mutating func append(_ datagram: some Collection<UInt8>, to path: FiveTuple, isSpare: Bool = false) {
        append(to: path, maximum: datagram.count, isSpare: isSpare) { buffer in
            buffer.copyBytes(from: datagram)
            return datagram.count
        }
    }

    /// Lets `body` write one datagram of at most `maximum` bytes in place.
    ///
    /// - Parameters:
    ///   - isSpare: See ``Entry/isSpare``.
    ///   - body: Returns the bytes written; 0 appends nothing, more than `maximum` is cut to it.
    @inlinable public mutating func append(
        to path: FiveTuple,
        maximum: Int,
        isSpare: Bool = false,
        _ body: (UnsafeMutableRawBufferPointer) -> Int
    ) {
        reserve(maximum)
        let offset = byteCount
        let count = withBuffer(offset, maximum, body)
        commit(count, at: offset, to: path, isSpare)
    }

    @usableFromInline mutating func reserve(_ count: Int) {
        let missing = byteCount + count - bytes.count
        if missing > 0 { bytes.append(contentsOf: repeatElement(0, count: max(missing, bytes.count))) }
    }

    @usableFromInline mutating func withBuffer(
        _ offset: Int,
        _ maximum: Int,
        _ body: (UnsafeMutableRawBufferPointer) -> Int
    ) -> Int {
        bytes.withUnsafeMutableBytes { all in
            let written = body(UnsafeMutableRawBufferPointer(rebasing: all[offset..<offset + maximum]))
            return min(max(written, 0), maximum)
        }
    }

    @usableFromInline mutating func commit(_ count: Int, at offset: Int, to path: FiveTuple, _ isSpare: Bool) {
        guard count > 0 else { return }
        entries.append(Entry(path: path, offset: offset, count: count, isSpare: isSpare))
        byteCount = offset + count
    }

    /// The bytes of one datagram.
    public func datagram(_ entry: Entry) -> ArraySlice<UInt8> { bytes[entry.offset..<entry.offset + entry.count] }

    /// Forgets everything, keeping the storage.
    public mutating func removeAll() {
        entries.removeAll(keepingCapacity: true)
        byteCount = 0
    }
}
