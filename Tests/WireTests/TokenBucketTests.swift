import Testing
import Wire

struct TokenBucketTests {
    private let limit = TokenBucket.Limit(perSecond: 20, burst: 5)

    private func instant(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    @Test func `a new bucket gives its burst, then its rate, and never saves up more than the burst`() {
        var bucket = TokenBucket()
        #expect((0..<8).count { _ in bucket.take(within: limit, at: instant(7)) } == 5)
        let inASecond = (8..<1_008).count { bucket.take(within: limit, at: instant($0)) }
        #expect((19...20).contains(inASecond), "asked a thousand times, it rounds")
        #expect((0..<50).count { _ in bucket.take(within: limit, at: instant(100_000)) } == 5)
    }

    @Test func `what cannot be had whole is not taken at all`() {
        var bucket = TokenBucket()
        let taken = [6.0, 5].map { bucket.take($0, within: limit, at: instant(0)) }
        #expect(taken == [false, true])
        #expect(!bucket.holds(within: limit, at: instant(49)) && bucket.holds(within: limit, at: instant(50)))
        #expect(!bucket.isFull(within: limit, at: instant(249)) && bucket.isFull(within: limit, at: instant(250)))
    }

    @Test func `a clock that goes backwards brings nothing back`() {
        var bucket = TokenBucket()
        let times: [(Double, Int64)] = [(5, 1_000), (1, 0), (1, 1_000), (1, 1_050)]
        #expect(times.map { bucket.take($0, within: limit, at: instant($1)) } == [true, false, false, true])
    }
}
