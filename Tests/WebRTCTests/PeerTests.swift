import ICE
import Media
import RTP
import TestSupport
import Testing
import WebRTC
import Wire

@Suite struct PeerTests {
    @Test(arguments: ["SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80", "SRTP_AES128_CM_SHA1_80"])
    func `a browser connects and receives the camera's payloads unchanged`(profiles: String) throws {
        let browser = try Browser(options: .init(profiles: profiles))
        browser.connect()
        #expect(browser.peer.status.pairs.first?.isSelected == true)
        #expect(browser.events.contains(.pathAdded(browser.path)))
        #expect(browser.events.last == .ready)
        var camera = Camera(start: browser.now)
        var sent: [StreamPacket] = []
        for number in 0..<100 {
            let packets = camera.frame(number)
            browser.now = packets[0].arrival
            browser.send(packets)
            sent += packets
        }
        #expect(browser.undecryptable == 0)
        #expect(browser.received.map(\.payload) == sent.map(\.payload))
        #expect(browser.received.map(\.header.marker) == sent.map(\.isMarker))
        let first = try #require(browser.received.first).header
        #expect(first.sequenceNumber < 0x8000)
        for (index, packet) in browser.received.enumerated() {
            #expect(packet.header.sequenceNumber == first.sequenceNumber &+ UInt16(index))
            #expect(packet.header.ssrc == browser.ssrc("video"))
            #expect(Int64(packet.header.timestamp &- first.timestamp) == sent[index].timestamp - sent[0].timestamp)
        }
        #expect(browser.largest <= 1_200)
    }

    @Test func `the first packets carry the MID until a report comes`() throws {
        let browser = try Browser { Offers.plain(fingerprint: $0) }
        browser.connect()
        var camera = Camera(start: browser.now)
        browser.send(camera.frame(0) + camera.frame(1))
        let carrying = browser.received.filter { $0.bytes[0] & 0x10 != 0 }
        #expect(carrying.count == 6)
        // One-byte header, id 4, length 1, "1".
        #expect(Array(carrying[0].bytes[12..<20]) == [0xBE, 0xDE, 0, 1, 0x40, UInt8(ascii: "1"), 0, 0])
        browser.give([report(browser)])
        browser.send(camera.frame(2))
        #expect(browser.received.last.map { $0.bytes[0] & 0x10 } == 0)
        #expect(browser.peer.status.ladder.firstReceiverReport != nil)
    }

    @Test func `video starts at a keyframe`() throws {
        let browser = try Browser()
        browser.connect()
        var camera = Camera(start: browser.now)
        for number in 20..<26 { browser.send(camera.frame(number)) }
        #expect(browser.received.count == 3)
        #expect(browser.received[0].payload[0] == 0x65)
    }

    @Test func `without RFC 4588 a lost packet is sent again with the same bytes, once per round trip`() throws {
        let browser = try Browser { Offers.plain(fingerprint: $0) }
        browser.connect()
        browser.dropsMedia = { $0 == 5 }
        var camera = Camera(start: browser.now)
        for number in 0..<4 {
            browser.now += .milliseconds(40)
            browser.send(camera.frame(number))
        }
        let lost = browser.protected[4]
        let missing = try #require(browser.received.first).header.sequenceNumber &+ 4
        browser.dropsMedia = { _ in false }
        let nack = RTCPPacket.nack(sender: 1, media: browser.ssrc("video"), lost: [missing])
        browser.give([nack])
        #expect(browser.protected.last == lost)
        #expect(browser.received.last?.header.sequenceNumber == missing)
        #expect(browser.undecryptable == 0)
        let count = browser.protected.count
        browser.give([nack])
        #expect(browser.protected.count == count)
        browser.now += .milliseconds(30)
        browser.give([nack])
        #expect(browser.protected.count == count + 1)
        #expect(browser.peer.status.packetsAskedFor == 3)
        #expect(browser.peer.status.tracks[0].retransmittedPackets == 2)
    }

    @Test func `packets asked for again are counted one by one, and none of a source that is not ours`() throws {
        let browser = try Browser()
        browser.connect()
        let video = browser.ssrc("video")
        browser.give([.nack(sender: 1, media: video, lost: [5, 6, 7, 8, 9])])
        browser.give([.nack(sender: 1, media: video, lost: [7])])
        #expect(browser.peer.status.packetsAskedFor == 6)
        browser.give([.nack(sender: 1, media: video &+ 1_000, lost: [1, 2])])
        #expect(browser.peer.status.packetsAskedFor == 6)
    }

    @Test func `sequence numbers wrap in mid-session, and what was lost before the wrap is sent again after it`() throws
    {
        let browser = try Browser()
        browser.connect()
        browser.dropsMedia = { $0 % 20 == 0 }
        var camera = Camera(start: browser.now, packetsPerFrame: 40, payloadSize: 16)
        var number = 0
        while browser.received.last.map({ $0.header.sequenceNumber >= 0x8000 || number < 1_000 }) ?? true {
            browser.now += .milliseconds(40)
            browser.send(camera.frame(number))
            number += 1
            try #require(number < 2_000)
        }
        let numbers = browser.protected.map { UInt16($0[2]) << 8 | UInt16($0[3]) }
        let wrap = try #require(numbers.lastIndex(of: 65_535))
        // What the client's replay window still takes.
        let recent = wrap - 60..<numbers.count
        let lost = recent.filter { ($0 + 1) % 20 == 0 }.map { numbers[$0] }
        #expect(lost.contains { $0 > 0x8000 })
        browser.dropsMedia = { _ in false }
        browser.give([.nack(sender: 1, media: browser.ssrc("video"), lost: lost)])
        let arrived = Set(browser.received.map(\.header.sequenceNumber) + browser.repeated.map(\.original))
        #expect(recent.allSatisfy { arrived.contains(numbers[$0]) })
        #expect(browser.undecryptable == 0)
    }

    @Test func `retransmission reaches back two seconds at any rate, and no further`() throws {
        let browser = try Browser()
        browser.connect()
        var camera = Camera(start: browser.now, packetsPerFrame: 16, payloadSize: 100)
        for number in 0..<250 {
            browser.now += .milliseconds(40)
            browser.send(camera.frame(number))
        }
        let newest = try #require(browser.received.last).header.sequenceNumber
        func isRepeated(_ back: UInt16) -> Bool {
            let before = browser.protected.count
            browser.give([.nack(sender: 1, media: browser.ssrc("video"), lost: [newest &- back])])
            return browser.protected.count > before
        }
        #expect(isRepeated(0) && isRepeated(100) && isRepeated(700))
        #expect(!isRepeated(900))
        #expect(!isRepeated(UInt16.max))
    }

    @Test func `retransmissions stay within a quarter of the media rate`() throws {
        let browser = try Browser()
        browser.connect()
        var camera = Camera(start: browser.now)
        var numbers: [UInt16] = []
        for number in 0..<250 {
            browser.now += .milliseconds(40)
            browser.send(camera.frame(number))
            numbers = browser.received.suffix(48).map(\.header.sequenceNumber)
            browser.give([.nack(sender: 1, media: browser.ssrc("video"), lost: numbers)])
        }
        let status = try #require(browser.peer.status.tracks.first)
        #expect(status.retransmittedPackets > 50)
        #expect(Double(status.retransmittedPackets) < Double(status.packetsSent) * 0.25 + 64)
    }

    @Test func `keyframe requests are counted, and passed on at most every half second`() throws {
        let browser = try Browser()
        browser.connect()
        browser.events = []
        for _ in 0..<10 {
            browser.give([.pictureLossIndication(sender: 1, media: browser.ssrc("video"))])
            browser.now += .milliseconds(200)
        }
        #expect(browser.events.count { $0 == .keyframeWanted } == 4)
        #expect(browser.peer.status.pliCount == 10)
        let entry = RTCPPacket.FullIntraRequestEntry(ssrc: browser.ssrc("video"), sequenceNumber: 3)
        for _ in 0..<3 {
            browser.now += .seconds(1)
            browser.give([.fullIntraRequest(sender: 1, entries: [entry])])
        }
        #expect(browser.events.count { $0 == .keyframeWanted } == 5)
        #expect(browser.peer.status.firCount == 3)
        browser.give([.pictureLossIndication(sender: 1, media: 12_345)])
        #expect(browser.peer.status.pliCount == 10)
    }

    @Test func `sender reports put both tracks on one clock and yield a round trip time`() throws {
        let browser = try Browser(tracks: [Formats.h264, Formats.pcma])
        browser.connect()
        var camera = Camera(start: browser.now)
        for number in 0..<500 {
            browser.now = camera.start + .milliseconds(20 * number)
            if number % 2 == 0 { browser.send(camera.frame(number / 2)) }
            browser.send([camera.audio(number)])
        }
        var reports: [UInt32: [RTCPPacket.SenderReport]] = [:]
        for case .senderReport(let report) in browser.rtcp { reports[report.ssrc, default: []].append(report) }
        let video = try #require(reports[browser.ssrc("video")])
        let audio = try #require(reports[browser.ssrc("audio")])
        #expect((5...8).contains(video.count) && video.count == audio.count)
        let (first, last) = (video[0], video[video.count - 1])
        let seconds = Double(last.ntp &- first.ntp) / 4_294_967_296
        #expect(abs(Double(last.timestamp &- first.timestamp) - seconds * 90_000) < 2)
        // Timestamps of picture and sound are mapped by the reports to the moments at which they were captured.
        let picture = try #require(browser.received.first { $0.header.ssrc == first.ssrc })
        let sound = try #require(browser.received.first { $0.header.ssrc == audio[0].ssrc })
        let pictureTime = Double(Int32(bitPattern: picture.header.timestamp &- first.timestamp)) / 90_000
        let between = Double(Int64(bitPattern: audio[0].ntp &- first.ntp)) / 4_294_967_296
        let soundTime = between + Double(Int32(bitPattern: sound.header.timestamp &- audio[0].timestamp)) / 8_000
        #expect(abs(pictureTime + 0.02 * Double(sound.payload[0]) - soundTime) < 0.001)

        browser.now += .milliseconds(80)
        browser.give([report(browser, middle: UInt32(truncatingIfNeeded: last.ntp >> 16), fraction: 64, jitter: 900)])
        let status = browser.peer.status
        #expect(status.tracks.first { $0.kind == .video }?.fractionLost == 0.25)
        #expect(status.tracks.first { $0.kind == .video }?.jitter == .milliseconds(10))
        let elapsed = browser.now - Instant(nanoseconds: 0)
        #expect(try #require(status.roundTripTime) < elapsed)
    }

    @Test func `sound begins when the client plays, with what is fresh`() throws {
        let browser = try Browser(tracks: [Formats.h264, Formats.pcma])
        browser.connect()
        let camera = Camera(start: browser.now)
        func sound() -> Int { browser.received.count { $0.header.ssrc == browser.ssrc("audio") } }
        for number in 0..<15 {
            browser.now = camera.start + .milliseconds(20 * number)
            browser.send([camera.audio(number)])
        }
        #expect(sound() == 0, "its player does not run yet")
        browser.now = camera.start + .milliseconds(500)
        browser.send((15..<25).map { camera.audio($0) })
        #expect(sound() == 7, "what is older than 150 ms is left out")
        browser.now = camera.start + .seconds(1)
        browser.send((25..<50).map { camera.audio($0) })
        #expect(sound() == 32, "once it runs, nothing is")
    }

    @Test func `sound that is always late begins after two seconds`() throws {
        let browser = try Browser(tracks: [Formats.h264, Formats.pcma])
        browser.connect()
        let camera = Camera(start: browser.now)
        for number in 0..<150 {
            browser.now = camera.start + .milliseconds(20 * number + 400)
            browser.send([camera.audio(number)])
        }
        #expect((60...75).contains(browser.received.count { $0.header.ssrc == browser.ssrc("audio") }))
    }

    @Test func `a silent client pauses media after 15 s, is resumed with a keyframe, and expires after 30 s`() throws {
        let browser = try Browser()
        browser.connect()
        var camera = Camera(start: browser.now)
        browser.send(camera.frame(0))
        let count = browser.received.count
        // The peer's own checks would be answered by the browser; this one has gone deaf.
        let heard = browser.now
        var deaf = DatagramQueue()
        func runDeaf(until end: Instant) {
            while let deadline = browser.peer.nextDeadline, deadline <= end {
                browser.now = deadline
                browser.peer.handleTimeout(at: deadline, into: &deaf, events: &browser.events)
            }
            browser.now = end
        }
        runDeaf(until: heard + .seconds(16))
        #expect(browser.peer.status.isSuspended)
        browser.send(camera.frame(25))
        #expect(browser.received.count == count)
        browser.check()
        #expect(!browser.peer.status.isSuspended)
        #expect(browser.events.last == .keyframeWanted)
        browser.send(camera.frame(26))
        #expect(browser.received.count == count)
        browser.send(camera.frame(50))
        #expect(browser.received.count == count + 3)
        deaf.removeAll()
        runDeaf(until: browser.now + .seconds(31))
        #expect(browser.events.last == .closed(.consentExpired))
        #expect(browser.peer.nextDeadline == nil)
        #expect(browser.peer.status.closeReason == .consentExpired)
    }

    @Test func `a client that never reaches us is told apart from one that left`() throws {
        let browser = try Browser()
        browser.run(until: browser.now + .seconds(31))
        #expect(browser.events == [.closed(.neverReached)])
        #expect(browser.peer.status.ladder.firstCheck == nil)
    }

    @Test func `closing says goodbye, and a client's close_notify ends the peer`() throws {
        let browser = try Browser()
        browser.connect()
        browser.close(.closedByServer("camera removed"))
        #expect(browser.dtls.isClosed)
        #expect(browser.rtcp.contains { if case .goodbye = $0 { true } else { false } })
        let other = try Browser()
        other.connect()
        for datagram in other.dtls.close() { other.give(datagram) }
        #expect(other.events.last == .closed(.closedByClient))
    }

    @Test func `a wrong certificate ends the peer before any key is used`() throws {
        let browser = try Browser(fingerprint: Offers.fingerprint)
        browser.connect()
        guard case .closed(.dtlsFailed(let reason)) = browser.events.last else {
            Issue.record("not closed: \(browser.events)")
            return
        }
        #expect(reason == "the client's certificate is not the one in its offer")
        #expect(browser.peer.status.srtpProfile == nil)
    }

    @Test func `DTLS and RTCP from a path without an authenticated check are dropped`() throws {
        let browser = try Browser()
        for datagram in browser.dtls.start() { browser.give(datagram) }
        browser.give([0x80, 201, 0, 1, 0, 0, 0, 0])
        #expect(browser.peer.status.dtls == .new)
        #expect(browser.peer.status.datagramsDropped == 2)
        #expect(browser.peer.status.datagramsSent == 0)
    }

    @Test func `a ClientHello from another address changes nothing, whenever it comes`() throws {
        let browser = try Browser()
        let stranger = FiveTuple(.udp, local: browser.path.local, remote: address("203.0.113.66", 443))
        let hello = try #require(DTLSClient(.init())).start()
        func intrude() { for datagram in hello { browser.give(datagram, on: stranger) } }
        browser.check()
        intrude()
        #expect(browser.peer.status.dtls == .new)
        browser.connect()
        let sent = browser.peer.status.datagramsSent
        intrude()
        #expect(browser.peer.status.dtls == .connected)
        #expect(browser.peer.status.datagramsSent == sent)
        #expect(browser.peer.status.datagramsDropped == UInt64(2 * hello.count))
        #expect(browser.peer.status.pairs.count { $0.isSelected } == 1)
        #expect(browser.peer.status.pairs.allSatisfy { $0.remote.address != stranger.remote })
    }

    @Test func `the ladder and the pairs tell the story of a start`() throws {
        let browser = try Browser()
        browser.peer.addRemoteCandidate("candidate:1 1 udp 2113937151 203.0.113.9 61002 typ srflx")
        browser.connect()
        var camera = Camera(start: browser.now)
        browser.now += .milliseconds(3)
        browser.send(camera.frame(0))
        let status = browser.peer.status
        #expect(status.ice == .connected && status.dtls == .connected && status.isReady)
        #expect(status.srtpProfile == .aeadAES128GCM)
        #expect(status.ladder.firstRTP == browser.now)
        #expect(status.ladder.nominated != nil && status.ladder.dtlsConnected != nil)
        #expect(status.pairs.count == 2)
        #expect(status.pairs[0].isSelected && status.pairs[0].state == .succeeded && status.pairs[0].bytesSent > 3_000)
        #expect(status.pairs[1].checksReceived == 0)
        #expect(status.hiddenCandidates.count == 1)
    }

    @Test(arguments: UInt64(1)...6)
    func `no corruption of a datagram traps or sends anything to a stranger`(seed: UInt64) throws {
        let browser = try Browser(seed: seed)
        browser.connect()
        var camera = Camera(start: browser.now)
        browser.send(camera.frame(0))
        let stranger = FiveTuple(.udp, local: browser.path.local, remote: address("203.0.113.66", 6))
        let samples: [[UInt8]] = [
            Array(browser.protected[0]), [22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1],
            [0x81, 201, 0, 7] + [UInt8](repeating: 1, count: 44),
        ]
        var output = DatagramQueue()
        sweep(samples, mutations: 300, seed: seed) { bytes in
            for path in [stranger, browser.path] {
                browser.peer.receive(bytes[...], on: path, at: browser.now, into: &output, events: &browser.events)
            }
            #expect(!output.entries.contains { $0.path == stranger })
            output.removeAll()
        }
        #expect(!browser.peer.isClosed)
    }

    @Test(arguments: UInt64(1)...6)
    func `authentic RTCP of any shape is harmless`(seed: UInt64) throws {
        let browser = try Browser(seed: seed)
        browser.connect()
        var camera = Camera(start: browser.now)
        browser.send(camera.frame(0))
        let ssrc = browser.ssrc("video")
        let samples: [[UInt8]] = [
            RTCPPacket.serialize([report(browser)]),
            RTCPPacket.serialize([.nack(sender: 1, media: ssrc, lost: [1, 2, 3, 500])]),
            RTCPPacket.serialize([.fullIntraRequest(sender: 1, entries: [.init(ssrc: ssrc, sequenceNumber: 1)])]),
        ]
        sweep(samples, mutations: 300, seed: seed) { browser.giveRTCP($0) }
        #expect(!browser.peer.isClosed)
    }

    private func report(
        _ browser: Browser,
        middle: UInt32 = 0,
        fraction: UInt8 = 0,
        jitter: UInt32 = 0
    ) -> RTCPPacket {
        .receiverReport(
            ssrc: 1,
            blocks: [
                RTCPPacket.ReportBlock(
                    ssrc: browser.ssrc("video"),
                    fractionLost: fraction,
                    jitter: jitter,
                    lastSenderReport: middle
                )
            ]
        )
    }
}
