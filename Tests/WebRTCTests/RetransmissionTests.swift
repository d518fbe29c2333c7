import Media
import RTP
import SDP
import TestSupport
import Testing
import WebRTC
import Wire

/// RFC 4588, transport-wide sequence numbers and the playout delay, as a browser's side sees them.
@Suite struct RetransmissionTests {
    @Test func `what Chromium offers for retransmission and feedback is agreed to`() throws {
        let browser = try Browser(tracks: [Formats.h264, Formats.opus])
        let video = try #require(browser.answer.media.first { $0.kind == "video" })
        #expect(video.formats == ["109", "114"])
        #expect(video.formatParameters(114)["apt"] == "109")
        #expect(video.rtcpFeedback(109) == ["nack", "nack pli", "ccm fir", "transport-cc"])
        let extensions = video.attributes(named: "extmap").map { $0.split(separator: " ")[0] }
        #expect(extensions == ["4", "3", "12"])
        let sources = video.attributes(named: "ssrc").map { $0.split(separator: " ") }
        #expect(sources.map { UInt32($0[0]) } == [browser.ssrc("video"), browser.rtx("video")])
        #expect(sources.allSatisfy { $0[1] == "cname:signalbox" })
        let audio = try #require(browser.answer.media.first { $0.kind == "audio" })
        #expect(audio.rtcpFeedback(111) == ["transport-cc"])
        #expect(audio.attribute("ssrc-group") == nil)
        #expect(Set([browser.ssrc("video"), browser.rtx("video"), browser.ssrc("audio")]).count == 3)
    }

    @Test func `a client without transport-wide feedback is asked for its own estimate`() throws {
        let browser = try Browser { Offers.plain(fingerprint: $0) }
        let video = try #require(browser.answer.media.first { $0.kind == "video" })
        #expect(video.rtcpFeedback(109) == ["nack", "nack pli", "ccm fir", "goog-remb"])
        #expect(video.formats == ["109"])
        #expect(video.attribute("ssrc-group") == nil)
        #expect(!video.attributes(named: "extmap").contains { $0.contains("transport-wide") })
    }

    @Test func `a lost packet comes again under numbers of its own, once per round trip`() throws {
        let browser = try Browser()
        browser.connect()
        browser.dropsMedia = { $0 == 5 }
        var camera = Camera(start: browser.now)
        var sent: [StreamPacket] = []
        for number in 0..<4 {
            browser.now += .milliseconds(40)
            sent += camera.frame(number)
            browser.send(Array(sent.suffix(3)))
        }
        let first = try #require(browser.received.first).header
        let missing = first.sequenceNumber &+ 4
        let nack = RTCPPacket.nack(sender: 1, media: first.ssrc, lost: [missing])
        browser.give([nack])
        browser.give([nack])
        #expect(browser.repeated.count == 1)
        browser.now += .milliseconds(30)
        browser.give([nack])
        #expect(browser.repeated.count == 2)
        for (index, packet) in browser.repeated.enumerated() {
            #expect(packet.original == missing && packet.payload == sent[4].payload)
            #expect(packet.header.payloadType == 114 && packet.header.ssrc == browser.rtx("video"))
            #expect(packet.header.sequenceNumber == browser.repeated[0].header.sequenceNumber &+ UInt16(index))
            #expect(packet.header.timestamp == first.timestamp &+ 3_600)
        }
        #expect(browser.undecryptable == 0)
        let track = try #require(browser.peer.status.tracks.first)
        #expect(track.retransmittedPackets == 2 && track.rtxSSRC == browser.rtx("video"))
        #expect((2_000...2_200).contains(track.retransmittedBytes))
    }

    /// With GCM two different packets under one nonce would give the authentication key away.
    @Test(arguments: [true, false])
    func `no nonce is ever used for two different packets`(hasRTX: Bool) throws {
        var random = SeededGenerator(seed: 4)
        let browser = try Browser(tracks: [Formats.h264, Formats.opus]) { fingerprint in
            let offer = Offers.chrome(fingerprint: fingerprint)
            return hasRTX ? offer : offer.replacing("apt=109", with: "apt=96")
        }
        browser.connect()
        #expect((browser.rtx("video") != nil) == hasRTX)
        var camera = Camera(start: browser.now)
        for number in 0..<300 {
            browser.now += .milliseconds(40)
            browser.send(camera.frame(number) + [camera.audio(2 * number), camera.audio(2 * number + 1)])
            let recent = browser.received.suffix(40).map(\.header)
            let lost = recent.filter { _ in random.next() % 4 == 0 }
            for ssrc in Set(lost.map(\.ssrc)) {
                let numbers = lost.filter { $0.ssrc == ssrc }.map(\.sequenceNumber)
                browser.give([.nack(sender: 1, media: ssrc, lost: numbers)])
            }
        }
        var seen: [UInt64: [UInt8]] = [:]
        var repetitions = 0
        for datagram in browser.protected {
            // The session is shorter than a roll-over: source and sequence number make the nonce.
            let nonce =
                datagram[8..<12].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } << 16
                | UInt64(datagram[2]) << 8 | UInt64(datagram[3])
            if let earlier = seen.updateValue(datagram, forKey: nonce) {
                #expect(earlier == datagram)
                repetitions += 1
            }
        }
        #expect(hasRTX ? repetitions == 0 : repetitions > 100)
        #expect(hasRTX == (browser.repeated.count > 100))
    }

    @Test func `transport-wide numbers run over pictures, sound and retransmissions without a hole`() throws {
        let browser = try Browser(tracks: [Formats.h264, Formats.opus])
        browser.connect()
        var camera = Camera(start: browser.now)
        for number in 0..<50 {
            browser.now += .milliseconds(40)
            var sound = camera.audio(number)
            sound.timestamp = browser.now.nanoseconds * 48 / 1_000_000
            browser.send(camera.frame(number) + [sound])
            guard let newest = browser.received.last(where: { $0.header.ssrc == browser.ssrc("video") }) else {
                continue
            }
            let number = newest.header.sequenceNumber
            browser.give([.nack(sender: 1, media: browser.ssrc("video"), lost: [number, number &- 1])])
        }
        #expect(browser.repeated.count == 100)
        #expect(browser.received.contains { $0.header.ssrc == browser.ssrc("audio") })
        #expect(browser.arrivals.count > 280)
        #expect(browser.arrivals.map(\.sequence) == browser.arrivals.indices.map { UInt16($0 + 1) })
    }

    @Test func `packets of equal payload are of equal length once the client has reported, and fit 1200 bytes before`()
        throws
    {
        let browser = try Browser()
        browser.connect()
        var camera = Camera(start: browser.now, payloadSize: StreamPacket.maximumPayload)
        for number in 0..<5 { browser.send(camera.frame(number)) }
        let early = browser.received.map { browser.extensions($0.bytes) }
        #expect(early.allSatisfy { $0[3] != nil && ($0[4] == [UInt8(ascii: "1")]) != ($0[12] == [0, 0, 40]) })
        #expect(early.contains { $0[12] != nil } && early.contains { $0[4] != nil })
        let report = RTCPPacket.ReportBlock(ssrc: browser.ssrc("video"))
        browser.give([.receiverReport(ssrc: 1, blocks: [report])])
        let before = browser.protected.count
        for number in 5..<30 { browser.send(camera.frame(number)) }
        let lengths = Set(browser.protected[before...].map(\.count))
        #expect(lengths == [StreamPacket.maximumPayload + 12 + 8 + 16])
        #expect(browser.extensions(try #require(browser.received.last).bytes).keys.sorted() == [3])
        #expect(browser.protected[..<before].allSatisfy { $0.count == 1_200 })
    }

    @Test func `a gap upstream leaves a hole in the numbers, and nobody is sent what never was`() throws {
        let browser = try Browser()
        browser.connect()
        var camera = Camera(start: browser.now)
        browser.send(camera.frame(0))
        var broken = camera.frame(1)
        broken[1].followsGap = true
        browser.send(broken)
        var restarted = camera.frame(25)
        restarted[0].followsGap = true
        browser.send(restarted)
        let numbers = browser.received.map(\.header.sequenceNumber)
        let steps = zip(numbers.dropFirst(), numbers).map { $0 &- $1 }
        #expect(steps == [1, 1, 1, 2, 1, 1, 1, 1])
        browser.now += .milliseconds(40)
        browser.give([.nack(sender: 1, media: browser.ssrc("video"), lost: [numbers[3] &+ 1])])
        #expect(browser.repeated.isEmpty)
        browser.give([.nack(sender: 1, media: browser.ssrc("video"), lost: [numbers[3], numbers[4]])])
        #expect(browser.repeated.map(\.payload) == [broken[0].payload, broken[1].payload])
        #expect(browser.undecryptable == 0)
    }
}
