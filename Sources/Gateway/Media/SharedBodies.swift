import NIOConcurrencyHelpers
import NIOCore

/// Turns the bytes of a part into a buffer once, however many viewers ask for it.
///
/// The relay hands every viewer the same array; NIO writes buffers. Without this each viewer would cost a copy.
final class SharedBodies: Sendable {
    private struct Entry {
        /// Keeps the array alive, so that its address identifies it.
        var bytes: [UInt8]
        var buffer: ByteBuffer
    }

    private struct State {
        var entries: [UInt: Entry] = [:]
        var order: [UInt] = []
        var byteCount = 0
    }

    /// Below this a copy costs less than looking.
    private static let copyLimit = 8 * 1024
    /// Bytes kept; a second or two of every camera that is watched by many.
    private let byteLimit: Int
    // Invariant: a key of `entries` is the address of its entry's array, which the entry keeps alive.
    private let state = NIOLockedValueBox(State())

    init(byteLimit: Int = 16 << 20) { self.byteLimit = byteLimit }

    /// A buffer with the content of `bytes`.
    func buffer(for bytes: [UInt8]) -> ByteBuffer {
        guard bytes.count >= Self.copyLimit, bytes.count <= byteLimit else { return ByteBuffer(bytes: bytes) }
        let key = bytes.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
        let known = state.withLockedValue { $0.entries[key] }
        // The array may have been freed and its address reused only after its entry went, so a hit is the same bytes.
        if let known, known.bytes.count == bytes.count { return known.buffer }
        let buffer = ByteBuffer(bytes: bytes)
        state.withLockedValue { state in
            guard state.entries[key] == nil else { return }
            state.entries[key] = Entry(bytes: bytes, buffer: buffer)
            state.order.append(key)
            state.byteCount += bytes.count
            while state.byteCount > byteLimit, let oldest = state.order.first {
                state.order.removeFirst()
                state.byteCount -= state.entries.removeValue(forKey: oldest)?.bytes.count ?? 0
            }
        }
        return buffer
    }

    /// Bytes held now.
    var byteCount: Int { state.withLockedValue { $0.byteCount } }
}
