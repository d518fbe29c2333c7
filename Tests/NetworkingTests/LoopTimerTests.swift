import NIOCore
import NIOPosix
import Testing
import Wire

@testable import Networking

@Suite(.timeLimit(.minutes(1))) struct LoopTimerTests {
    @Test func `a timer fires once, not before its deadline, and the last setting counts`() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let (firings, continuation) = AsyncStream<Instant>.makeStream()
        let began = MonotonicClock.now()
        let timer = try await loop.submit {
            let timer = LoopTimer(on: loop) { lateness in
                #expect(lateness >= .zero)
                continuation.yield(MonotonicClock.now())
            }
            timer.set(began + .seconds(60), at: began)
            timer.set(began + .milliseconds(20), at: began)
            return NIOLoopBound(timer, eventLoop: loop)
        }.get()
        var iterator = firings.makeAsyncIterator()
        let fired = try required(await iterator.next())
        #expect(fired >= began + .milliseconds(20))
        #expect(fired < began + .seconds(30))
        try await loop.submit {
            let now = MonotonicClock.now()
            #expect(timer.value.deadline == nil)
            timer.value.set(now, at: now)
            timer.value.cancel()
            continuation.finish()
        }.get()
        #expect(await iterator.next() == nil)
    }

    @Test func `the delay shown is the 99th percentile of the last seconds`() {
        var meter = LoopDelayMeter()
        let start = Instant(nanoseconds: 1_000_000_000)
        #expect(meter.percentile99(at: start) == nil)
        for index in 0..<200 { meter.add(.milliseconds(index < 197 ? 1 : 50), at: start) }
        #expect(meter.percentile99(at: start) == 50)
        #expect(meter.percentile99(at: start + .seconds(6)) == nil)
        for _ in 0..<5_000 { meter.add(.milliseconds(2), at: start + .seconds(6)) }
        #expect(meter.percentile99(at: start + .seconds(6)) == 2)
    }
}
