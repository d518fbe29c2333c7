import Media
import RTP
import TestSupport
import Testing
import Wire

@testable import WebRTC

/// Pictures wait for sound by as much as it is late.
@Suite struct LipSyncTests {
    @Test func `the first picture is shown at once, later ones wait for sound that has begun`() throws {
        let browser = try Browser(tracks: [Formats.h264, Formats.pcma])
        browser.connect()
        var camera = Camera(start: browser.now)
        for number in 0..<75 {
            browser.now = camera.start + .milliseconds(40 * number)
            browser.send(camera.frame(number))
            // Gathered by the camera for 60 ms before they come.
            if number >= 2 { browser.send([2 * number - 3, 2 * number - 2].map { camera.audio($0) }) }
        }
        let delays = minima(of: browser)
        #expect(delays.first == 0)
        let sound = try #require(browser.received.firstIndex { $0.header.ssrc == browser.ssrc("audio") })
        let before = browser.received[..<sound].count { $0.header.ssrc == browser.ssrc("video") }
        #expect(delays.prefix(before / 2).allSatisfy { $0 == 0 })
        // 60 ms on its way to us, 80 more in its player and 10 for coming in twos, reached by 20 ms a picture at most.
        #expect(delays.last == 15)
        #expect(zip(delays, delays.dropFirst()).allSatisfy { (0...2).contains($1 - $0) })
    }

    @Test func `pictures without sound never wait`() throws {
        let browser = try Browser()
        browser.connect()
        var camera = Camera(start: browser.now)
        for number in 0..<50 {
            browser.now = camera.start + .milliseconds(40 * number)
            browser.send(camera.frame(number))
        }
        #expect(minima(of: browser).allSatisfy { $0 == 0 })
    }

    @Test func `one late packet changes nothing, lasting lateness does, and sound in a minute does not count`() {
        var sync = LipSync()
        var now = Instant.zero
        func hear(_ age: Duration, for span: Duration) {
            let end = now + span
            while now < end {
                sync.notePicture(.milliseconds(-5))
                sync.noteSound(age - .milliseconds(5), at: now)
                now += .milliseconds(20)
            }
        }
        hear(.milliseconds(20), for: .milliseconds(200))
        #expect(sync.hold == 10)
        hear(.milliseconds(20), for: .seconds(3))
        hear(.milliseconds(220), for: .milliseconds(20))
        hear(.milliseconds(30), for: .seconds(3))
        #expect(sync.hold == 10)
        hear(.milliseconds(80), for: .milliseconds(1_500))
        #expect(sync.hold == 10)
        hear(.milliseconds(80), for: .seconds(2))
        #expect(sync.hold == 16)
        hear(.seconds(60), for: .seconds(4))
        #expect(sync.hold == 30)
        hear(.milliseconds(10), for: .seconds(4))
        #expect(sync.hold == 9)
        hear(.seconds(-60), for: .seconds(4))
        #expect(sync.hold == 0)
    }

    @Test func `a client that loses packets is given more time than half a second, for half a minute`() throws {
        let browser = try Browser()
        browser.connect()
        var camera = Camera(start: browser.now)
        var number = 0
        func show(_ frames: Int, losing fraction: UInt8) {
            for _ in 0..<frames {
                browser.now += .milliseconds(40)
                browser.send(camera.frame(number))
                number += 1
                guard number % 25 == 0 else { continue }
                let sequence = UInt32(browser.received.last?.header.sequenceNumber ?? 0)
                browser.give([
                    .receiverReport(
                        ssrc: 1,
                        blocks: [
                            RTCPPacket.ReportBlock(
                                ssrc: browser.ssrc("video"),
                                fractionLost: fraction,
                                extendedHighestSequence: sequence
                            )
                        ]
                    )
                ])
            }
        }
        func latest() -> Int? { maxima(of: browser).last }
        show(50, losing: 0)
        #expect(latest() == 40)
        show(50, losing: 13)
        #expect(latest() == 100)
        show(25 * 25, losing: 0)
        #expect(latest() == 100)
        show(25 * 10, losing: 0)
        #expect(latest() == 40)
    }

    private func maxima(of browser: Browser) -> [Int] {
        browser.received.filter { $0.header.ssrc == browser.ssrc("video") }.compactMap { packet in
            browser.extensions(packet.bytes)[12].map { Int($0[1]) & 15 << 8 | Int($0[2]) }
        }
    }

    /// The minimum of every playout delay that came with pictures, in steps of 10 ms.
    private func minima(of browser: Browser) -> [Int] {
        browser.received.filter { $0.header.ssrc == browser.ssrc("video") }.compactMap { packet in
            browser.extensions(packet.bytes)[12].map { Int($0[0]) << 4 | Int($0[1]) >> 4 }
        }
    }
}
