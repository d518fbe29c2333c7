import TestSupport
import Testing
import Wire

/// Counters that wrap become counters that do not (RFC 3550 §A.1).
struct SequenceUnwrapperTests {
    @Test func `a sequence number goes on over the wrap at 2 to the 16`() {
        var unwrapper = SequenceUnwrapper()
        let values = [65_533, 65_534, 65_535, 0, 1, 2].map { unwrapper.unwrap(UInt16($0)) }
        #expect(values == (0..<6).map { values[0] + Int64($0) })
    }

    @Test func `a packet that comes late over the wrap gets its old number back`() {
        var unwrapper = SequenceUnwrapper()
        let before = unwrapper.unwrap(65_535)
        let after = unwrapper.unwrap(0)
        #expect(unwrapper.unwrap(65_535) == before)
        #expect(unwrapper.unwrap(1) == after + 1)
    }

    @Test func `a packet reordered before the first one is not negative`() {
        var unwrapper = SequenceUnwrapper()
        let first = unwrapper.unwrap(0)
        let earlier = unwrapper.unwrap(65_535)
        #expect(earlier == first - 1)
        #expect(earlier >= 0)
    }

    @Test func `the nearest value is taken: half the range ahead counts as behind`() {
        var unwrapper = SequenceUnwrapper()
        let first = unwrapper.unwrap(100)
        #expect(unwrapper.unwrap(100 + 32_767) == first + 32_767)
        var other = SequenceUnwrapper()
        let second = other.unwrap(100)
        #expect(other.unwrap(100 + 32_768) == second - 32_768)
    }

    @Test(arguments: 1...10)
    func `losses and reordering never confuse it`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var unwrapper = SequenceUnwrapper()
        let start = Int64.random(in: 0..<65_536, using: &random)
        let origin = unwrapper.unwrap(UInt16(start)) - start
        var newest = start
        for _ in 0..<20_000 {
            let value = max(start - 1_000, newest + Int64.random(in: -50...100, using: &random))
            newest = max(newest, value)
            #expect(unwrapper.unwrap(UInt16(truncatingIfNeeded: value)) - origin == value)
        }
    }

    @Test func `a timestamp goes on over the wrap at 2 to the 32, in both directions`() {
        var unwrapper = TimestampUnwrapper()
        let first = unwrapper.unwrap(0xFFFF_FFF0)
        #expect(unwrapper.unwrap(0x0000_0010) == first + 0x20)
        #expect(unwrapper.unwrap(0xFFFF_FFF0) == first)
        #expect(unwrapper.unwrap(0x7FFF_FFEF) == first - 0x8000_0001 + 0x1_0000_0000)
    }
}
