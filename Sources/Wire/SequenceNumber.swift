/// Unwraps a counter that wraps at 2¹⁶, such as an RTP sequence number (RFC 3550 §A.1).
public struct SequenceUnwrapper: Sendable {
    @usableFromInline var last: Int64?

    /// Creates an unwrapper that has seen nothing.
    @inlinable public init() {}

    /// The 64-bit value nearest to the last one whose low 16 bits are `value`. Never negative for in-order input.
    @inlinable public mutating func unwrap(_ value: UInt16) -> Int64 {
        guard let last else {
            // One cycle up, so that a packet reordered before the first one does not become negative.
            let first = Int64(value) + 0x10000
            self.last = first
            return first
        }
        let unwrapped = last + Int64(Int16(bitPattern: value &- UInt16(truncatingIfNeeded: last)))
        if unwrapped > last { self.last = unwrapped }
        return unwrapped
    }
}

/// Unwraps a counter that wraps at 2³², such as an RTP timestamp.
public struct TimestampUnwrapper: Sendable {
    @usableFromInline var last: Int64?

    /// Creates an unwrapper that has seen nothing.
    @inlinable public init() {}

    /// The 64-bit value nearest to the previous one whose low 32 bits are `value`.
    @inlinable public mutating func unwrap(_ value: UInt32) -> Int64 {
        let unwrapped =
            last.map { $0 + Int64(Int32(bitPattern: value &- UInt32(truncatingIfNeeded: $0))) } ?? Int64(value)
        last = unwrapped
        return unwrapped
    }
}
