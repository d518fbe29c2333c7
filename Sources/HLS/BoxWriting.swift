import Wire

extension [UInt8] {
    /// Appends an ISO/IEC 14496-12 box: its size, its four-character type and what `body` appends.
    mutating func appendBox(_ type: StaticString, _ body: (inout [UInt8]) -> Void) {
        let start = count
        append(UInt32(0))
        type.withUTF8Buffer { append(contentsOf: $0) }
        body(&self)
        write(UInt32(truncatingIfNeeded: count - start), at: start)
    }

    /// Appends a full box: a box that begins with a version and 24 bits of flags.
    mutating func appendFullBox(
        _ type: StaticString,
        version: UInt8 = 0,
        flags: UInt32 = 0,
        _ body: (inout [UInt8]) -> Void
    ) {
        appendBox(type) { box in
            box.append(version)
            box.append24(flags)
            body(&box)
        }
    }

    /// Appends `count` zero bytes.
    mutating func appendZeros(_ count: Int) { append(contentsOf: repeatElement(0, count: count)) }
}
