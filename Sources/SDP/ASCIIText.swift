extension StringProtocol {
    /// The text without blanks and tabs at either end.
    public var trimmingBlanks: String {
        let bytes = Substring(self).utf8
        var start = bytes.startIndex
        var end = bytes.endIndex
        while start < end, isBlank(bytes[start]) { start = bytes.index(after: start) }
        while start < end {
            let last = bytes.index(before: end)
            guard isBlank(bytes[last]) else { break }
            end = last
        }
        return String(decoding: bytes[start..<end], as: UTF8.self)
    }

    /// Whether both texts are equal when ASCII letters are compared without case.
    public func equalsIgnoringASCIICase(_ other: some StringProtocol) -> Bool {
        utf8.elementsEqual(other.utf8) { asciiLowercased($0) == asciiLowercased($1) }
    }

    /// The number written in the text: one or more ASCII digits and nothing else, at most `limit`.
    ///
    /// Unlike `Int.init` this refuses signs, so that "+5" or "-0" on the wire is not taken for a number.
    public func decimal(upTo limit: Int = Int(Int32.max)) -> Int? {
        var value = 0
        var isEmpty = true
        for byte in utf8 {
            guard (0x30...0x39).contains(byte) else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int(byte) - 0x30)
            guard !overflow, !carry, sum <= limit else { return nil }
            value = sum
            isEmpty = false
        }
        return isEmpty ? nil : value
    }

    /// The text before and after the first `separator`, an ASCII byte; `nil` when it does not occur.
    public func splitOnce(at separator: UInt8) -> (head: String, tail: String)? {
        guard let position = utf8.firstIndex(of: separator) else { return nil }
        return (
            String(decoding: utf8[..<position], as: UTF8.self),
            String(decoding: utf8[utf8.index(after: position)...], as: UTF8.self)
        )
    }

    /// The non-empty words between blanks and tabs.
    public var blankSeparatedWords: [String] {
        utf8.split(whereSeparator: isBlank).map { String(decoding: $0, as: UTF8.self) }
    }
}

/// Blank or tab.
private func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

/// The lower-case form of an ASCII letter; every other byte unchanged.
private func asciiLowercased(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
