import ICE
import Testing
import Wire

@testable import Relay

/// A way in which a WebRTC session can go wrong, played by a client, and what has to be said about it.
struct Story: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var rule: Verdict.Rule
    var cause: Cause?
    var text: String
    /// One of the observations it is concluded from.
    var evidence: String
    var control = ControlChannel.page
    /// Under which address the relay says it can be reached.
    var address = IPAddress(v4: 0xC000_0201)
    /// Plays it to the end; the viewer's id is given.
    var play: @Sendable (World, String) throws -> Void

    static let all: [Story] = beforeChecks + beforeMedia + withMedia + refusals

    private static let beforeMedia = [
        Story(
            testDescription: "our answers do not get back",
            rule: .answersLost,
            cause: .ourNetwork,
            text: "its checks arrive, our answers do not get back",
            evidence: "no pair nominated in 8.0 s"
        ) { world, viewer in
            let client = try WebRTCClient(world, viewer: viewer, faults: [.hearsNothing, .choosesNoPair])
            client.check()
            try client.watch(.seconds(8))
            world.closePeer(viewer)
        },
        Story(
            testDescription: "the client nominates nothing",
            rule: .notNominated,
            cause: .clientDevice,
            text: "checks succeed, the client chooses no pair",
            evidence: "3 checks received and answered"
        ) { world, viewer in
            let client = try WebRTCClient(world, viewer: viewer, faults: .choosesNoPair)
            client.check()
            try client.watch(.seconds(8))
            world.closePeer(viewer)
        },
        Story(
            testDescription: "the client checks and does not begin DTLS",
            rule: .dtlsNotStarted,
            cause: .clientDevice,
            text: "ICE connected, no DTLS ClientHello came",
            evidence: "a pair was nominated, then nothing for 30.0 s"
        ) { world, viewer in
            let client = try WebRTCClient(world, viewer: viewer)
            client.check()
            try client.watch(.seconds(40))
        },
        Story(
            testDescription: "our DTLS does not get through",
            rule: .dtlsStalled,
            cause: .clientNetwork,
            text: "DTLS stalled after ClientHello",
            evidence: "ClientHello 30.0 s ago, no Finished"
        ) { world, viewer in
            let client = try WebRTCClient(world, viewer: viewer, faults: .hearsNoDTLS)
            client.check()
            client.beginDTLS()
            try client.watch(.seconds(40))
        },
        Story(
            testDescription: "the client has another certificate than it promised",
            rule: .wrongFingerprint,
            cause: .clientDevice,
            text: "wrong fingerprint: the client's certificate is not the one in its offer",
            evidence: "DTLS finished after 0.0 s with another certificate"
        ) { world, viewer in
            let client = try WebRTCClient(world, viewer: viewer, faults: .wrongFingerprint)
            client.check()
            client.beginDTLS()
        },
        Story(
            testDescription: "the client does DTLS without SRTP",
            rule: .noProfile,
            cause: .clientDevice,
            text: "no SRTP profile in common",
            evidence: "we take AEAD_AES_128_GCM and AES128_CM_HMAC_SHA1_80"
        ) { world, viewer in
            let client = try WebRTCClient(world, viewer: viewer, faults: .knowsNoSRTP)
            client.check()
            client.beginDTLS()
        },
    ]

    private static let withMedia = [
        Story(
            testDescription: "the credentials run out of a client that media goes to through TURN, and it falls silent",
            rule: .turnExpired,
            cause: .turn,
            text: "TURN credentials expired",
            evidence: "media went by TURN to 198.19.0.1:49152"
        ) { world, viewer in
            let relayed = RelayedAddress.address(1, for: .udp)
            let client = try WebRTCClient(world, viewer: viewer, address: relayed.ip, port: relayed.port)
            try client.connect()
            try client.watch(.seconds(3))
            try client.report(fractionLost: 0)
            // Its neighbours' troubles are none of its own.
            world.turnRefuses(.address(relayed.ip, relayed: nil), .expired)
            try client.watch(.seconds(3))
            #expect(try world.viewer(viewer).verdict?.rule != .turnExpired)
            // These credentials were made for an address; by which relayed address it plays tells who has them.
            world.turnRefuses(.address(IPAddress(v4: 0xC633_6407), relayed: relayed), .expired)
            try client.watch(.seconds(3))
            #expect(try world.viewer(viewer).verdict?.rule == .turnExpired)
            world.receiveDatagram = nil
            try world.run(.seconds(35))
        },
        Story(
            testDescription: "packets leave, none arrives",
            rule: .noRTP,
            cause: .clientNetwork,
            text: "connected but no RTP gets through",
            evidence: "the page counts 0 packets"
        ) { world, viewer in
            let client = try WebRTCClient(world, viewer: viewer)
            try client.connect()
            try client.watch(.seconds(6))
            world.report(viewer: viewer) { $0.packetsReceived = 0 }
            world.closePeer(viewer)
        },
        Story(
            testDescription: "packets arrive, nothing is decoded",
            rule: .noPicture,
            cause: .clientDevice,
            text: "packets arrive, no picture is decoded",
            evidence: "the page counts 400 packets and 0 frames in 6.0 s"
        ) { world, viewer in
            let client = try WebRTCClient(world, viewer: viewer)
            try client.connect()
            try client.watch(.seconds(6))
            client.report()
            world.report(viewer: viewer) { ($0.packetsReceived, $0.framesDecoded) = (400, 0) }
            world.closePeer(viewer)
        },
        Story(
            testDescription: "there is nothing to send",
            rule: .cameraSilent,
            cause: .camera,
            text: "connected, but the camera delivers nothing",
            evidence: "0 packets to send in 8.0 s"
        ) { world, viewer in
            world.submit(.kill(camera: "gate"))
            try world.run(.seconds(1))
            let client = try WebRTCClient(world, viewer: viewer)
            try client.connect()
            try client.watch(.seconds(8))
            world.closePeer(viewer)
        },
        Story(
            testDescription: "a client that watched falls silent",
            rule: .clientSilent,
            cause: .clientNetwork,
            text: "client fell silent after 32.0 s, while media flowed",
            evidence: "nothing authenticated came for 30 s"
        ) { world, viewer in
            let client = try WebRTCClient(world, viewer: viewer)
            try client.connect()
            try client.watch(.seconds(2))
            client.report()
            world.receiveDatagram = nil
            try world.run(.seconds(40))
        },
        Story(
            testDescription: "a client that watched says goodbye",
            rule: .clientLeft,
            cause: nil,
            text: "client left after 2.0 s, while media flowed",
            evidence: "the client closed the session"
        ) { world, viewer in
            let client = try WebRTCClient(world, viewer: viewer)
            try client.connect()
            try client.watch(.seconds(2))
            client.report()
            client.close()
        },
        Story(
            testDescription: "the operator drops a viewer",
            rule: .endedByRelay,
            cause: nil,
            text: "ended by the relay after 2.0 s, while media flowed: ended by the operator",
            evidence: "ended by the operator"
        ) { world, viewer in
            let client = try WebRTCClient(world, viewer: viewer)
            try client.connect()
            try client.watch(.seconds(2))
            client.report()
            world.submit(.drop(viewer: viewer))
        },
    ]

    private static let refusals = [
        Story(
            testDescription: "the browser has no H.264",
            rule: .refused,
            cause: .clientDevice,
            text: "offer refused: The camera sends H264; the browser offers VP8.",
            evidence: ""
        ) { world, viewer in
            _ = try? world.offer(Offer.chrome().replacing("H264", with: "VP8"), viewer: viewer)
        },
        Story(
            testDescription: "the offer lacks what every offer has",
            rule: .refused,
            cause: .clientDevice,
            text: "offer refused: The offer has no valid ice-ufrag and ice-pwd.",
            evidence: ""
        ) { world, viewer in
            _ = try? world.offer(Offer.chrome().replacing("a=ice-pwd", with: "a=x-pwd"), viewer: viewer)
        },
    ]
}

/// What is said of WebRTC sessions that went wrong, played through the shard.
struct VerdictTests {
    @Test(arguments: Story.all)
    func `an ended session tells its story`(story: Story) throws {
        let world = try World([.scripted("gate")], address: story.address)
        try world.becomeLive()
        let viewer = try world.join(control: story.control)
        try story.play(world, viewer)
        let ended = try #require(world.endedSessions.first)
        #expect(ended.viewer == viewer && ended.camera == "gate" && ended.remote == "198.51.100.7")
        #expect(ended.verdict.rule == story.rule)
        #expect(ended.verdict.cause == story.cause)
        #expect(ended.verdict.text == story.text)
        let evidence = ended.verdict.evidence
        #expect(story.evidence.isEmpty || evidence.contains(story.evidence), "\(evidence)")
        #expect(ended.verdict.severity < .warning || !ended.verdict.remedy.isEmpty)
        #expect(ended.ladder.first?.name == "offer" && ended.ladder.first?.after == 0)
        #expect(ended.endedAt >= ended.startedAt && ended.repeats == 0 && ended.number == 1)
    }

    @Test(arguments: Story.all.filter { [.udpBlocked, .answersLost, .dtlsStalled, .noRTP].contains($0.rule) })
    func `while it lives the same is said after 4 s, and nothing before`(story: Story) throws {
        let world = try World([.scripted("gate")])
        try world.becomeLive()
        let viewer = try world.join()
        let faults: WebRTCClient.Faults =
            switch story.rule {
            case .answersLost: [.hearsNothing, .choosesNoPair]
            case .dtlsStalled: .hearsNoDTLS
            default: []
            }
        if story.rule == .udpBlocked {
            _ = try world.offer(Offer.chrome(candidates: Offer.candidates), viewer: viewer)
        } else {
            let client = try WebRTCClient(world, viewer: viewer, faults: faults)
            client.check()
            if story.rule != .answersLost { client.beginDTLS() }
        }
        try world.run(.milliseconds(3_900))
        #expect(try world.viewer(viewer).verdict == nil)
        try world.run(.milliseconds(400))
        let shown = try world.viewer(viewer)
        #expect(shown.verdict?.text == story.text)
        #expect(shown.why == story.text && !shown.hint.isEmpty)
        #expect(shown.score?.value == 0 && shown.score?.cause == story.cause)
    }

    @Test func `a page that fell back to HLS says why it does not watch by WebRTC, and stops saying so when it does`()
        throws
    {
        let world = try World()
        try world.becomeLive()
        let viewer = try world.join()
        _ = try world.offer(Offer.chrome(candidates: Offer.candidates), viewer: viewer)
        try world.run(.seconds(7))
        world.report(.hls, viewer: viewer)
        world.closePeer(viewer)
        #expect(try world.viewer(viewer).why == "watches by HLS: UDP 8189 blocked from the client")
        #expect(world.events.texts.contains("no WebRTC: UDP 8189 blocked from the client"))

        let client = try WebRTCClient(world, viewer: viewer)
        #expect(try world.viewer(viewer).verdict?.rule == .udpBlocked, "the news is still the last")
        try client.connect()
        try client.watch(.seconds(2))
        client.report()
        world.report(.webrtc, viewer: viewer)
        #expect(try world.viewer(viewer).verdict == nil)
        #expect(try world.viewer(viewer).attempts == 2)
    }

    @Test func `who is reached by TCP alone is told that UDP is blocked`() throws {
        let world = try World()
        try world.becomeLive()
        let client = try WebRTCClient(world, viewer: try world.join(), transport: .tcp)
        try client.connect()
        try client.watch(.seconds(5))
        client.report()
        let viewer = try world.viewer(client.viewer)
        #expect(viewer.verdict?.rule == .detour && viewer.severity == .info)
        #expect(viewer.verdict?.text == "UDP 8189 blocked from the client: reached by TCP")
        #expect(viewer.path == "prflx/tcp")
    }

    @Test func `a viewer that was told to go on with HLS has not left`() throws {
        let world = try World()
        try world.becomeLive()
        let client = try WebRTCClient(world, viewer: try world.join())
        try client.connect()
        try client.watch(.seconds(5))
        client.report()
        #expect(world.submit(.switchViewer(client.viewer, to: .hls)) == .accepted)
        world.report(.hls, viewer: client.viewer)
        world.closePeer(client.viewer)
        let ended = try #require(world.endedSessions.first)
        #expect(ended.verdict.text.hasPrefix("moved to HLS after") && ended.verdict.severity == .ok)
        #expect(ended.verdict.text.hasSuffix(", while media flowed: asked by the operator"))
        #expect(ended.end == "moved to HLS: asked by the operator")
        #expect(!world.events.texts.contains { $0.hasPrefix("WebRTC ended") })
    }

    @Test func `an ended session keeps every pair with its checks, bytes and times`() throws {
        let world = try World()
        try world.becomeLive()
        let viewer = try world.join()
        let client = try WebRTCClient(world, viewer: viewer)
        for address in ["10.9.8.7 6000", "a-name.local 6001"] {
            let candidate = "candidate:9 1 udp 2113937151 \(address) typ host"
            world.input { world.shard(of: viewer).candidate(candidate, viewer: viewer, at: $0, into: &$1) }
        }
        try client.connect()
        try client.watch(.seconds(3))
        client.report()
        world.report(viewer: viewer) { ($0.firstFrameMilliseconds, $0.packetsReceived) = (180, 90) }
        world.leave(viewer)

        let ended = try #require(world.endedSessions.first)
        let used = try #require(ended.pairs.first { $0.isSelected })
        #expect(used.isNominated && used.state == "succeeded" && used.transport == "udp")
        #expect(used.checksReceived >= 2 && used.checksAnswered == used.checksReceived)
        #expect(used.checksSent >= 1 && used.answersReceived == used.checksSent && used.roundTrip != nil)
        #expect(used.bytesSent > 10_000 && used.bytesReceived > 300)
        #expect(try #require(used.lastActivity) < 5)
        let unused = try #require(ended.pairs.first { $0.remote == "host 10.9.8.7:6000" })
        #expect(unused.state == "waiting" && unused.checksReceived == 0 && unused.lastActivity == nil)
        #expect(ended.pairs.contains { $0.remote == "host a-name.local" && $0.state == "hidden" })
        #expect(Set(ended.pairs.map(\.id)).count == 3)
        #expect(
            ended.ladder.map(\.name) == [
                "offer", "answer", "first check", "nominated", "DTLS begun", "DTLS", "first RTP",
                "first decoded frame", "first RR",
            ]
        )
        #expect(ended.ladder.first { $0.name == "first decoded frame" }?.after == 180)
        #expect(zip(ended.ladder, ended.ladder.dropFirst()).allSatisfy { $0.after <= $1.after })
        #expect(ended.path == "prflx/udp" && ended.srtp == "AEAD_AES_128_GCM" && ended.hadMedia)
    }

    @Test func `a page that tries again and again is one entry that counts`() throws {
        let world = try World()
        try world.becomeLive()
        let viewer = try world.join()
        for _ in 0..<5 {
            _ = try world.offer(Offer.chrome(candidates: Offer.candidates), viewer: viewer)
            try world.run(.seconds(7))
            world.closePeer(viewer)
        }
        #expect(world.endedSessions.count == 1)
        #expect(world.endedSessions.first?.repeats == 4 && world.endedSessions.first?.number == 5)
        #expect(world.events.texts.count { $0.hasPrefix("no WebRTC") } == 1, "the same is news once")
    }
}

/// Which addresses can be reached from where.
struct ReachTests {
    @Test(arguments: [
        ("203.0.113.1", "198.51.100.7", true), ("203.0.113.1", "10.0.0.7", true), ("127.0.0.1", "127.0.0.1", true),
        ("127.0.0.1", "198.51.100.7", false), ("172.17.0.2", "198.51.100.7", false), ("172.17.0.2", "10.0.0.1", false),
        ("172.17.0.2", "172.17.0.1", true), ("172.18.0.2", "10.0.0.1", true), ("10.0.0.5", "10.0.0.7", true),
        ("10.0.0.5", "198.51.100.7", false), ("192.168.1.1", "10.8.0.3", true), ("169.254.1.1", "10.0.0.7", false),
        ("fd00::1", "fd00::2", true), ("fd00::1", "2001:db8::7", false), ("2001:db8::1", "fd00::2", true),
        ("fe80::1", "2001:db8::7", false), ("::1", "::1", true), ("::1", "2001:db8::7", false),
    ])
    func `an address is reachable from some places only`(address: String, client: String, isReachable: Bool) throws {
        #expect(try #require(IPAddress(address)).isReachable(from: try #require(IPAddress(client))) == isReachable)
    }
}
