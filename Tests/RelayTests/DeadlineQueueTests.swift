import TestSupport
import Testing
import Wire

@testable import Relay

/// Everything that has work is handed out in time, whatever happens to its deadline.
struct DeadlineQueueTests {
    private final class Clock: Scheduled {
        var place: Int?
        var nextDeadline: Instant?
    }

    @Test(arguments: UInt64(1)...40)
    func `nothing is handed out late, and nothing is handed out twice`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let clocks = (0..<20).map { _ in Clock() }
        var queue = DeadlineQueue<Clock>()
        var now = Instant.zero
        for _ in 0..<500 {
            now += .milliseconds(Int.random(in: 0...20, using: &random))
            // Deadlines come, move both ways and go.
            for clock in clocks where Int.random(in: 0..<4, using: &random) == 0 {
                if Int.random(in: 0..<8, using: &random) == 0 {
                    clock.nextDeadline = nil
                    queue.remove(clock)
                    continue
                }
                let delay = Duration.milliseconds(Int.random(in: 0...100, using: &random))
                clock.nextDeadline = Bool.random(using: &random) ? now + delay : nil
                queue.schedule(clock)
            }
            let due = queue.takeDue(at: now)
            #expect(Set(due.map(ObjectIdentifier.init)).count == due.count)
            for clock in due {
                if let deadline = clock.nextDeadline, deadline <= now { clock.nextDeadline = nil }
                queue.schedule(clock)
            }
            #expect(clocks.allSatisfy { $0.nextDeadline.map { $0 > now } ?? true })
            let earliest = clocks.compactMap(\.nextDeadline).min()
            if let earliest { #expect(queue.first.map { $0 <= earliest } ?? false) }
            #expect(queue.count == clocks.count { $0.place != nil })
        }
    }

    @Test
    func `who is taken out is not kept in memory until its moment`() {
        var queue = DeadlineQueue<Clock>()
        weak var kept: Clock?
        do {
            let clock = Clock()
            clock.nextDeadline = Instant.zero + .seconds(15)
            kept = clock
            queue.schedule(clock)
            clock.nextDeadline = Instant.zero + .seconds(5)
            queue.schedule(clock)
            queue.remove(clock)
        }
        #expect(queue.first == nil)
        #expect(kept == nil)
    }
}
