import TestSupport
import Testing
import Wire

@testable import Relay

/// How long to wait before the next attempt.
struct BackoffTests {
    private func pauses(_ count: Int, wasLive: Bool, seed: UInt64 = 1) -> [Double] {
        var backoff = Backoff()
        var random: any RandomNumberGenerator = SeededGenerator(seed: seed)
        return (0..<count).map { backoff.next(wasLive: wasLive && $0 == 0, using: &random).inSeconds }
    }

    @Test(arguments: 1...50)
    func `pauses grow to 30 s, each within a fifth of its step`(seed: UInt64) {
        for (pause, step) in zip(pauses(7, wasLive: false, seed: seed), [1.0, 2, 5, 10, 30, 30, 30]) {
            #expect(pause >= step * 0.8 && pause <= step * 1.2)
        }
    }

    @Test(arguments: 1...50)
    func `a camera that was live is tried again at once, then like any other`(seed: UInt64) {
        let pauses = pauses(3, wasLive: true, seed: seed)
        #expect((0.05...0.15).contains(pauses[0]))
        #expect((1.6...2.4).contains(pauses[1]))
        #expect((4...6).contains(pauses[2]))
    }

    @Test func `at once is for the first failure only`() {
        var backoff = Backoff()
        var random: any RandomNumberGenerator = SeededGenerator(seed: 1)
        _ = backoff.next(wasLive: true, using: &random)
        #expect(backoff.next(wasLive: true, using: &random) > .seconds(1))
        #expect(backoff.count == 2)
        backoff.reset()
        #expect(backoff.count == 0)
        #expect(backoff.next(wasLive: true, using: &random) < .seconds(1))
    }

    @Test func `refused credentials are tried after 30 s, 2 min, 10 min, then every half hour`() {
        var hold = CredentialHold()
        #expect(
            (0..<5).map { _ in hold.next() } == [
                .seconds(30), .seconds(120), .seconds(600), .seconds(1_800), .seconds(1_800),
            ]
        )
        hold.reset()
        #expect(hold.next() == .seconds(30))
    }
}
