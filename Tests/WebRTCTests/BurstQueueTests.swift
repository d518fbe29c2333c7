import Media
import Testing
import Wire

@testable import WebRTC

@Suite struct BurstQueueTests {
    private let start = Instant(nanoseconds: 5_000_000_000)

    private func pictures(_ camera: inout Camera, _ numbers: Range<Int>) -> [StreamPacket] {
        numbers.flatMap { camera.frame($0) }
    }

    @Test func `a queue that has not run dry for four seconds takes no more`() {
        var camera = Camera(start: start, gop: 1_000)
        var queue = BurstQueue()
        queue.rateLimit = 1_000
        queue.start(pictures(&camera, 0..<5), rate: 1_250_000, at: start)
        var now = start
        var number = 5
        var accepted = true
        while accepted, number < 500 {
            now += .milliseconds(40)
            _ = queue.next(at: now)
            for packet in camera.frame(number) { accepted = queue.append(packet, at: now) && accepted }
            number += 1
        }
        #expect((98...108).contains(number))
    }

    @Test func `dropping spares the picture that has begun to leave, and what is to be kept`() {
        var camera = Camera(start: start, gop: 4)
        var queue = BurstQueue()
        queue.start(pictures(&camera, 0..<6), rate: 1_250_000, at: start)
        _ = queue.next(at: start)
        let dropped = queue.drop(at: start) { $0.isKeyframe }
        #expect(dropped == 12)
        var left: [StreamPacket] = []
        while let packet = queue.next(at: start) { left.append(packet) }
        #expect(left.count == 5 && left.allSatisfy(\.isKeyframe))
        #expect(queue.isEmpty && queue.byteCount == 0 && queue.nextTick == nil)
    }

    @Test func `a limit of the rate holds over ticks, and a queue that ran dry gives no new burst`() {
        var camera = Camera(start: start, gop: 1_000)
        var queue = BurstQueue()
        queue.rateLimit = 125_000
        var now = start
        var sent = 0
        for number in 0..<250 {
            for packet in camera.frame(number) { _ = queue.append(packet, at: now) }
            for _ in 0..<8 {
                while let packet = queue.next(at: now) { sent += packet.payload.count + 40 }
                now += .milliseconds(5)
            }
        }
        // 78 kB/s are offered; none of it may leave in less than its share of the time.
        #expect(sent <= 10 * 125_000 && sent > 700_000)
    }
}
