import Media
import RTP
import TestSupport
import Testing
import WebRTC
import Wire

@Suite struct ReplayTests {
    /// A viewer that joins `age` after a keyframe of a camera whose cache holds it all.
    private func join(age: Int, packetsPerFrame: Int = 3) throws -> (Browser, Camera, [StreamPacket]) {
        let browser = try Browser()
        browser.connect()
        var camera = Camera(start: browser.now, gop: 250, packetsPerFrame: packetsPerFrame)
        let cached = (0...age).flatMap { camera.frame($0) }
        browser.now = try #require(cached.last).arrival
        browser.peer.replay(cached, at: browser.now)
        return (browser, camera, cached)
    }

    @Test func `the cache arrives complete, in order, and the first picture at once`() throws {
        let (browser, _, cached) = try join(age: 100)
        #expect(browser.peer.nextDeadline == browser.now)
        let start = browser.now
        browser.timeout()
        #expect(browser.received.count > 3)
        #expect(browser.received[0].payload[0] == 0x65)
        browser.run(until: start + .seconds(2))
        #expect(browser.received.map(\.payload) == cached.map(\.payload))
        #expect(browser.undecryptable == 0)
    }

    @Test(arguments: [10, 100, 249])
    func `a burst is paced in 5 ms ticks and over within 1.2 s`(age: Int) throws {
        let (browser, _, cached) = try join(age: age)
        let start = browser.now
        browser.run(until: start + .seconds(3))
        let last = try #require(browser.received.last)
        #expect(last.at - start <= .milliseconds(1_200))
        var ticks: [Instant: Int] = [:]
        for packet in browser.received { ticks[packet.at, default: 0] += packet.payload.count }
        #expect(ticks[start].map { $0 <= 66 * 1_024 } == true)
        // 4 s of the camera's 0.6 Mbit/s are less than 10 Mbit/s; 10 s at ten times that are more.
        let bytes = cached.reduce(0) { $0 + $1.payload.count }
        let rate = max(1_250_000, bytes * 2)
        for (tick, sent) in ticks where tick != start { #expect(sent <= rate / 200 + 2_000) }
    }

    /// A client that asks for a keyframe all the time must not multiply what is sent to it.
    @Test func `a keyframe is shown again at once, and then when half of what was shown has gone by`() throws {
        let (browser, _, cached) = try join(age: 100)
        browser.run(until: browser.now + .seconds(2))
        browser.events = []
        var answeredAt: [Instant] = []
        let start = browser.now
        while browser.now - start < .seconds(9) {
            browser.give([.pictureLossIndication(sender: 1, media: browser.ssrc("video"))])
            if browser.events.contains(.keyframeWanted) {
                answeredAt.append(browser.now)
                browser.events = []
                browser.peer.replay(cached, at: browser.now)
            }
            browser.run(until: browser.now + .milliseconds(200))
        }
        // A hundred frames are four seconds.
        #expect(answeredAt.map { $0 - start } == [.zero, .seconds(2), .seconds(4), .seconds(6), .seconds(8)])
    }

    @Test func `timestamps rise with the time of leaving, and live pictures have their own`() throws {
        var (browser, camera, cached) = try join(age: 200)
        let start = browser.now
        var number = 201
        while browser.now - start < .seconds(3) {
            browser.run(until: browser.now + .milliseconds(40))
            browser.send(camera.frame(number))
            number += 1
        }
        let timestamps = browser.received.map(\.header.timestamp)
        for (earlier, later) in zip(timestamps, timestamps.dropFirst()) {
            #expect(Int32(bitPattern: later &- earlier) >= 0)
        }
        let frames = Set(timestamps).count
        #expect(frames == number)
        // On the way a picture has the time it leaves at: the receiver's clock takes it for a live one.
        for packet in browser.received.prefix(cached.count) {
            let elapsed = Int64(packet.header.timestamp &- timestamps[0])
            let time = (packet.at - start).wholeNanoseconds * 90 / 1_000_000
            #expect(abs(elapsed - time) <= 450 + 201, "at most a tick of the burst, and one step for each picture")
        }
        #expect(try #require(timestamps.last) &- timestamps[0] == UInt32(number - 1 - 200) * 3_600)
        let sequences = browser.received.map(\.header.sequenceNumber)
        #expect(sequences == sequences.indices.map { sequences[0] &+ UInt16($0) })
        // Live again: the newest picture leaves when it arrives.
        #expect(browser.received.last?.at == browser.now)
        #expect(browser.peer.status.queuedPackets == 0)
    }

    @Test func `live packets that the cache already held are not sent twice`() throws {
        let (browser, _, cached) = try join(age: 20)
        browser.send(Array(cached.suffix(6)))
        browser.run(until: browser.now + .seconds(2))
        browser.send(Array(cached.suffix(6)))
        #expect(browser.received.map(\.payload) == cached.map(\.payload))
    }

    @Test func `a second replay keeps timestamps and sequence numbers rising`() throws {
        var (browser, camera, cached) = try join(age: 50)
        browser.run(until: browser.now + .seconds(2))
        cached += camera.frame(51)
        browser.send(Array(cached.suffix(3)))
        browser.peer.replay(cached, at: browser.now)
        browser.run(until: browser.now + .seconds(2))
        browser.send(camera.frame(102))
        #expect(browser.received.count == 51 * 3 + 3 + 52 * 3 + 3)
        let timestamps = browser.received.map(\.header.timestamp)
        for (earlier, later) in zip(timestamps, timestamps.dropFirst()) {
            #expect(Int32(bitPattern: later &- earlier) >= 0)
        }
        #expect(browser.undecryptable == 0)
        // The picture after the replay is back on the true timeline.
        let span = UInt32(52 * 3_600)
        #expect(try #require(timestamps.last) &- timestamps[0] == span)
    }

    @Test func `sound is not delayed by a burst`() throws {
        let browser = try Browser(tracks: [Formats.h264, Formats.pcma])
        browser.connect()
        var camera = Camera(start: browser.now, gop: 250, packetsPerFrame: 10)
        let cached = (0...100).flatMap { camera.frame($0) + [camera.audio($0)] }
        browser.now += .seconds(4)
        browser.peer.replay(cached, at: browser.now)
        browser.timeout()
        browser.send([camera.audio(201)])
        #expect(browser.received.last?.header.ssrc == browser.ssrc("audio"))
        #expect(browser.peer.status.queuedPackets > 0)
        #expect(browser.received.count { $0.header.ssrc == browser.ssrc("audio") } == 1)
    }

    @Test func `a cache without a keyframe is left alone`() throws {
        let browser = try Browser()
        browser.connect()
        var camera = Camera(start: browser.now)
        browser.peer.replay(camera.frame(3) + camera.frame(4), at: browser.now)
        browser.peer.replay([], at: browser.now)
        browser.timeout()
        #expect(browser.received.isEmpty)
    }

    @Test func `a camera that restarts continues on the same line`() throws {
        let browser = try Browser()
        browser.connect()
        var camera = Camera(start: browser.now)
        browser.send(camera.frame(0))
        browser.now += .seconds(30)
        browser.check()
        var restarted = camera.frame(25)
        for index in restarted.indices {
            restarted[index].timestamp = browser.now.nanoseconds * 90 / 1_000_000
            restarted[index].sequence += 77
            restarted[index].followsGap = index == 0
        }
        browser.send(restarted)
        #expect(browser.received.count == 6)
        let headers = browser.received.map(\.header)
        #expect(headers[3].sequenceNumber == headers[2].sequenceNumber &+ 1)
        #expect(headers[3].ssrc == headers[0].ssrc)
        #expect(headers[3].timestamp &- headers[0].timestamp == 30 * 90_000)
    }
}
