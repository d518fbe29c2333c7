import ICE
import Media
import RTP
import SDP
import Testing
import Wire

@testable import Relay

/// WebRTC through the shard: from the offer to pictures, and over a camera's restart.
struct WebRTCServingTests {
    @Test func `an offer is answered with the camera's video, and its datagrams are claimed`() throws {
        let world = try World()
        try world.becomeLive()
        let viewer = try world.join()
        let answer = try SessionDescription(parsing: try world.offer(viewer: viewer))
        let video = try #require(answer.media.first)
        #expect(video.kind == "video" && video.port != 0)
        #expect(video.rtpMaps().first?.encodingName == "H264")
        #expect(video.attribute("candidate")?.contains("192.0.2.1 8189") == true)
        #expect(world.claims == [try #require(video.attribute("ice-ufrag"))])
        #expect(try world.viewer(viewer).state == .connecting)
        #expect(try world.viewer(viewer).ladder.first?.name == "offer")
    }

    @Test func `a second offer of the same viewer replaces its session`() throws {
        let world = try World()
        try world.becomeLive()
        let viewer = try world.join()
        _ = try world.offer(viewer: viewer)
        let first = world.claims
        _ = try world.offer(viewer: viewer)
        #expect(world.claims.count == 1 && world.claims != first)
        world.leave(viewer)
        #expect(world.claims.isEmpty)
    }

    @Test func `before the camera has said what it sends there is nothing to answer`() throws {
        let world = try World { $0.reach = .fails(.refused) }
        try world.run(.milliseconds(10))
        let expected = ViewerRefusal(
            .unavailable,
            "The camera cannot be reached; it is tried again by itself.",
            retryAfter: 2
        )
        #expect(throws: expected) { try world.offer(viewer: try world.join()) }
    }

    @Test func `where only the operator can help, a client is sent to the operator and not told to try again`() throws {
        let world = try World()
        try world.run(.milliseconds(1))
        world.submit(.kill(camera: "gate"))
        try world.run(.seconds(1))
        let stopped = ViewerRefusal(
            .unavailable,
            "An operator has stopped this camera.",
            retryAfter: 10,
            remedy: "Ask the relay's operator to start it."
        )
        #expect(throws: stopped) { try world.offer(viewer: try world.join()) }
        #expect(CameraState.allCases.filter { $0.remedyForViewers != nil } == [.stopped, .held])
    }

    @Test func `what cannot be answered is refused and leaves nothing behind`() throws {
        let world = try World()
        try world.becomeLive()
        let viewer = try world.join()
        func kind(_ sdp: String) -> ViewerRefusal.Kind? {
            do {
                _ = try world.offer(sdp, viewer: viewer)
                return nil
            } catch {
                return (error as? ViewerRefusal)?.kind
            }
        }
        #expect(kind("") == .malformed)
        #expect(kind("v=0\r\nnonsense") == .malformed)
        #expect(kind(Offer.chrome().replacing("H264", with: "VP8")) == .incompatible)
        #expect(world.claims.isEmpty)
        #expect(world.owns(viewer))
    }

    @Test func `a camera with B-frames refuses offers, with the reason, and pages are told`() throws {
        let world = try World { $0.reordersPictures = true }
        try world.becomeLive()
        let viewer = try world.join()
        try world.run(.seconds(2))
        let expected = ViewerRefusal(
            .incompatible,
            "this camera's pictures are reordered (B-frames), which WebRTC cannot show; use HLS"
        )
        #expect(throws: expected) { try world.offer(viewer: viewer) }
        let info = try #require(world.lastSource(viewer))
        #expect(info.bframes)
        #expect(try world.camera().notes.first?.contains("B-frames") == true)
        #expect(try world.fetch("index.m3u8").response?.status == 200)
    }

    @Test(arguments: [true, false])
    func `a camera that connects again is looked at anew, but its viewers stay with HLS until it is seen to be right`(
        byItself: Bool
    ) throws {
        let world = try World { $0.reordersPictures = true }
        try world.run(.seconds(3))
        let page = try world.join()
        world.closeCamera()
        for _ in 0..<80 {
            try world.run(.milliseconds(100))
            #expect(throws: ViewerRefusal.self) { try world.offer(viewer: page) }
        }
        try world.gate.reordersPictures = false
        if byItself { world.closeCamera() } else { world.submit(.restart(camera: "gate")) }
        try world.run(.seconds(8))
        #expect(try #require(world.lastSource(page)).bframes == false)
        #expect(world.events.newest(100).count { $0.text.contains("B-frames") } == 1)
        #expect(try world.offer(viewer: try world.join()).hasPrefix("v=0"))
        #expect(try world.camera().notes.isEmpty)
    }

    @Test func `a viewer whose connection closes goes on by another way, or waits for one`() throws {
        for placement in World.Placement.allCases {
            let world = try World()
            world.placement = placement
            try world.becomeLive()
            let client = try WebRTCClient(world, viewer: try world.join(), transport: .tcp)
            try client.connect()
            try world.run(.seconds(1))
            #expect(try world.viewer(client.viewer).path == "prflx/tcp")
            let before = client.received.count
            world.closeConnection(client.path)
            try world.run(.seconds(3))
            #expect(client.received.count == before, "nothing is sent to nobody")
            let pair = try #require(world.snapshot.pairs.first { $0.viewer == client.viewer && $0.checksReceived > 0 })
            #expect(pair.state == "closed by client" && !pair.isSelected && !pair.isNominated)
            #expect(try world.viewer(client.viewer).state != .playing)
            // The client connects again.
            client.check()
            try world.run(.seconds(3))
            #expect(client.received.count > before + 50)
            #expect(world.snapshot.pairs.filter { $0.viewer == client.viewer }.map(\.state) == ["succeeded"])
            world.closeConnection(client.path, by: .relay)
            try world.run(.seconds(40))
            #expect(world.claims.isEmpty)
            let ended = try #require(world.endedSessions.first)
            #expect(ended.pairs.map(\.state) == ["closed by relay"] && ended.path == "prflx/tcp")
        }
    }

    @Test func `a viewer sees the keyframe at once, from the cache, and then live pictures`() throws {
        let world = try World { $0.gop = 100 }
        try world.becomeLive()
        try world.run(.seconds(2))
        let client = try WebRTCClient(world, viewer: try world.join())
        try client.connect()
        let joined = world.now
        try world.run(.milliseconds(30))
        // NAL type 24: parameter sets, then the IDR picture.
        #expect(client.received.first?.payload[0] == 0x78)
        #expect(client.received.contains { $0.payload[0] == 0x65 })
        try world.run(.seconds(2))
        let cached = client.received.filter { $0.payload[0] == 0x41 }
        #expect(cached.count >= 95, "the whole group and two seconds more")
        let numbers = client.received.map(\.header.sequenceNumber)
        #expect(zip(numbers.dropFirst(), numbers).allSatisfy { $0 == $1 &+ 1 })
        #expect(try #require(client.received.last).at > joined + .milliseconds(1_900))

        let viewer = try world.viewer(client.viewer)
        #expect(viewer.state == .playing)
        #expect(viewer.srtp == "AEAD_AES_128_GCM" && viewer.dtls == "connected")
        #expect(viewer.path == "prflx/udp")
        #expect(
            viewer.ladder.map(\.name).starts(with: [
                "offer", "answer", "first check", "nominated", "DTLS begun", "DTLS",
            ])
        )
        #expect(viewer.bytes > 20_000)
        let pair = try #require(world.snapshot.pairs.first { $0.isNominated })
        #expect(pair.viewer == client.viewer && pair.state == "succeeded" && pair.checksReceived > 0)
    }

    @Test func `over a restart of the camera the same session goes on, numbers and times in order`() throws {
        let world = try World()
        try world.becomeLive()
        let client = try WebRTCClient(world, viewer: try world.join())
        try client.connect()
        try client.watch(.seconds(3))
        let before = try #require(client.received.last)
        let claims = world.claims
        world.submit(.restart(camera: "gate"))
        try client.watch(.seconds(3))
        #expect(world.claims == claims, "no new session")
        let numbers = client.received.map(\.header.sequenceNumber)
        #expect(zip(numbers.dropFirst(), numbers).allSatisfy { $0 == $1 &+ 1 })
        let after = try #require(client.received.last)
        let elapsed = Double(after.header.timestamp &- before.header.timestamp) / 90_000
        #expect(abs(elapsed - (after.at - before.at).inSeconds) < 0.3)
        #expect(try world.operation("c1").result.hasSuffix("viewers 1/1 kept"))
        #expect(try world.viewer(client.viewer).state == .playing)
    }

    @Test func `while the camera is away the viewer waits, with the reason`() throws {
        let world = try World()
        try world.becomeLive()
        let client = try WebRTCClient(world, viewer: try world.join())
        try client.connect()
        world.submit(.kill(camera: "gate"))
        try client.watch(.seconds(40))
        let viewer = try world.viewer(client.viewer)
        #expect(viewer.state == .waiting)
        #expect(viewer.why == "sees nothing new: the camera is stopped")
    }

    @Test func `a request for a keyframe is answered from the cache`() throws {
        let world = try World { $0.gop = 250 }
        try world.becomeLive()
        let client = try WebRTCClient(world, viewer: try world.join())
        try client.connect()
        try world.run(.seconds(3))
        let keyframes = { client.received.count { $0.payload[0] == 0x65 } }
        let before = keyframes()
        world.submit(.keyframe(camera: "gate"))
        try world.run(.seconds(1))
        #expect(keyframes() == before + 1)
        #expect(try world.operation("c1").result == "camera cannot be asked; cache served 1 of 1 WebRTC viewer")
    }

    @Test(arguments: [ControlChannel.page, .whep])
    func `a browser that vanishes loses its session; a bare WHEP client ends with it, a page may come again`(
        control: ControlChannel
    ) throws {
        let world = try World()
        try world.becomeLive()
        let client = try WebRTCClient(world, viewer: try world.join(control: control))
        try client.connect()
        try client.watch(.seconds(2))
        world.receiveDatagram = nil
        try world.run(.seconds(60))
        #expect(world.claims.isEmpty && world.claimedPaths.isEmpty)
        #expect(world.owns(client.viewer) == (control == .page))
        #expect(world.snapshot.pairs.isEmpty)
    }

    @Test func `two viewers of a camera get the same pictures, each encrypted for itself`() throws {
        let world = try World()
        try world.becomeLive()
        let first = try WebRTCClient(world, viewer: try world.join(), port: 50_001)
        let second = try WebRTCClient(world, viewer: try world.join(), port: 50_002)
        try first.connect()
        try second.connect()
        try world.run(.seconds(2))
        #expect(first.received.count > 50)
        #expect(first.received.suffix(40).map(\.payload) == second.received.suffix(40).map(\.payload))
        world.leave(first.viewer)
        let count = first.received.count
        try world.run(.seconds(1))
        #expect(first.received.count == count)
        #expect(second.received.count > 70)
    }

    @Test func `an ICE restart moves nothing but the names, and those of before are good for a moment`() throws {
        let world = try World()
        try world.becomeLive()
        let client = try WebRTCClient(world, viewer: try world.join())
        try client.connect()
        try client.watch(.seconds(2))
        let count = client.received.count
        let first = try #require(world.claims.first)
        #expect(world.claims.count == 1)

        let fragment = try world.restartICE(ufrag: "y8Rh", pwd: "anotherPasswordOfTheClient", viewer: client.viewer)
        #expect(fragment.contains("a=ice-ufrag:") && fragment.contains("a=candidate:"))
        #expect(world.claims.count == 2 && world.claims.contains(first))
        // The path stays known, under the new name, and media goes on.
        #expect(world.claimedPaths.values.allSatisfy { $0 != first })
        try client.watch(.seconds(2))
        #expect(client.received.count > count + 40)
        #expect(try world.viewer(client.viewer).state == .playing)

        // What is not well formed changes nothing, and a second restart lets the oldest name go.
        let broken = #expect(throws: ViewerRefusal.self) {
            try world.restartICE(ufrag: "y", pwd: "z", viewer: client.viewer)
        }
        #expect(broken?.kind == .malformed)
        _ = try world.restartICE(ufrag: "z9Si", pwd: "yetAnotherPasswordOfTheClient", viewer: client.viewer)
        #expect(world.claims.count == 2 && !world.claims.contains(first))
        world.leave(client.viewer)
        #expect(world.claims.isEmpty && world.claimedPaths.isEmpty)
        let gone = #expect(throws: ViewerRefusal.self) {
            try world.restartICE(ufrag: "y8Rh", pwd: "anotherPasswordOfTheClient", viewer: client.viewer)
        }
        #expect(gone?.kind == .notFound)
    }
}
