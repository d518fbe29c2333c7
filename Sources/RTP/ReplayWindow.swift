/// Which of the last 128 packet indices were received (RFC 3711 §3.3.2).
struct ReplayWindow: Sendable {
    private var highest: UInt64?
    /// Bit n stands for the index n below ``highest``.
    private var seen: UInt128 = 0

    /// Whether a packet with this index would be new.
    func accepts(_ index: UInt64) -> Bool {
        guard let highest, index <= highest else { return true }
        let age = highest - index
        return age < 128 && seen >> UInt128(age) & 1 == 0
    }

    /// Notes an index whose packet was authentic.
    mutating func insert(_ index: UInt64) {
        guard let known = highest else {
            highest = index
            seen = 1
            return
        }
        if index > known {
            let step = index - known
            seen = step < 128 ? seen << UInt128(step) | 1 : 1
            highest = index
        } else if known - index < 128 {
            seen |= 1 << UInt128(known - index)
        }
    }
}
