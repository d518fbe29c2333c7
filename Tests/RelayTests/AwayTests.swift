import HLS
import Media
import RTP
import TestSupport
import Testing
import WebRTC
import Wire

@testable import Relay

/// Viewers on another loop than their camera.
struct AwayTests {
    /// A live camera, and a world that takes viewers in away from it.
    private func live(_ prepare: (ScriptedCamera) -> Void = { _ in }) throws -> World {
        let world = try World([.scripted("gate")], prepare)
        try world.becomeLive()
        world.placement = .away
        world.hop = .milliseconds(1)
        return world
    }

    @Test func `a viewer away from its camera is shown the cached picture, then live`() throws {
        let world = try live()
        try world.run(.milliseconds(700))
        let client = try WebRTCClient(world, viewer: try world.join())
        #expect(world.away.owns(viewer: client.viewer))
        try client.connect()
        let connected = world.now
        try world.run(.milliseconds(100))
        let first = try #require(client.received.first)
        #expect(first.at - connected <= .milliseconds(5), "the cache had come before the handshake was over")
        try client.watch(.seconds(4))
        let video = client.received.filter { $0.header.ssrc == first.header.ssrc }.map(\.header.sequenceNumber)
        #expect(zip(video, video.dropFirst()).allSatisfy { $1 == $0 &+ 1 }, "nothing is missing and nothing doubled")
        #expect(world.now - (client.received.last?.at ?? .zero) < .milliseconds(200))
    }

    @Test func `packets go to another loop once, and only while a session there wants them`() throws {
        let world = try live()
        #expect(Array(try #require(world.shard.cameras["gate"]).audience.shards) == [])
        let clients = try (0..<3).map { number in
            try WebRTCClient(world, viewer: try world.join(), port: 50_200 + UInt16(number))
        }
        for client in clients { try client.connect() }
        try world.run(.milliseconds(50))
        let audience = try #require(world.shard.cameras["gate"]).audience
        #expect(Array(audience.shards) == [4] && audience.subscribers == 3 && audience.viewers.count == 3)
        var batches = 0
        world.overhear = { if case .fromHome(.packets) = $0.content { batches += 1 } }
        let pictures = try world.gate.pictures
        try world.run(.seconds(2))
        #expect(batches == (try world.gate.pictures) - pictures, "one batch for three viewers")
        for client in clients { world.leave(client.viewer) }
        try world.run(.milliseconds(50))
        batches = 0
        try world.run(.seconds(1))
        #expect(batches == 0)
        #expect(world.away.streams["gate"]?.cache.isUsable == false, "what nobody wants is not kept")
    }

    @Test func `what was under way for an earlier session is not taken for the next one's`() throws {
        let world = try live()
        world.hop = .milliseconds(40)
        let viewer = try world.join()
        _ = try world.offer(viewer: viewer)
        try world.run(.milliseconds(90))
        // Gone and back within the time a message takes: packets of before are still coming.
        world.closePeer(viewer)
        try world.run(.milliseconds(10))
        let client = try WebRTCClient(world, viewer: viewer)
        try client.connect()
        try world.run(.milliseconds(35))
        #expect(client.received.isEmpty)
        try client.watch(.seconds(3))
        let first = try #require(client.received.first)
        let video = client.received.filter { $0.header.ssrc == first.header.ssrc }.map(\.header.sequenceNumber)
        #expect(video.count > 50 && zip(video, video.dropFirst()).allSatisfy { $1 == $0 &+ 1 })
    }

    @Test func `an operator moves it to HLS, which the camera's loop serves, and back`() throws {
        let world = try live()
        let client = try WebRTCClient(world, viewer: try world.join())
        let viewer = client.viewer
        try client.connect()
        world.report(.webrtc, viewer: viewer)
        try world.run(.milliseconds(10))
        #expect(world.submit(.switchViewer(viewer, to: .hls)) == .accepted)
        _ = try world.fetch("index.m3u8", viewer: viewer)
        _ = try world.fetch("media.m3u8", viewer: viewer)
        try world.run(.seconds(3))
        let list = try #require(try world.fetch("media.m3u8", viewer: viewer).response)
        let part = try #require(list.text.split(separator: "\"").first { $0.hasSuffix(".m4s") })
        #expect(try world.fetch(String(part), viewer: viewer).response?.status == 200)
        try world.run(.milliseconds(20))
        #expect(try world.operation("c1").stages.map(\.name) == ["playlist asked for", "media fetched"])
        world.report(.hls, viewer: viewer)
        #expect(try world.operation("c1").outcome == .succeeded)
        let shown = try world.viewer(viewer)
        #expect(shown.delivery == .hls && shown.state == .playing && shown.bytes > 10_000)
        #expect(try world.camera().hlsViewers == 1 && world.snapshot.hls.first?.viewers == 1)
        #expect(world.snapshot.viewers.count == 1, "no second viewer came of it")

        #expect(world.submit(.switchViewer(viewer, to: .webrtc), id: "c2") == .accepted)
        let second = try WebRTCClient(world, viewer: viewer, port: 50_300)
        try second.connect()
        try world.run(.milliseconds(500))
        world.report(.webrtc, viewer: viewer)
        #expect(try world.operation("c2").outcome == .succeeded && !second.received.isEmpty)
    }

    @Test func `a request that waits for a part ends with its viewer`() throws {
        let world = try live()
        let viewer = try world.join()
        try world.run(.milliseconds(10))
        _ = try world.fetch("media.m3u8", viewer: viewer)
        try world.run(.seconds(2))
        let stream = try #require(world.shard.cameras["gate"]?.hls)
        let newest = try #require(stream.muxer.status(at: world.now).segments.last).mediaSequenceNumber
        let ticket = try #require(try world.fetch("media.m3u8", viewer: viewer, msn: newest + 1).ticket)
        world.leave(viewer)
        try world.run(.milliseconds(10))
        #expect(world.responses[ticket]?.status == 404)
    }

    @Test func `a camera on demand is pulled for it, and let go after it`() throws {
        let world = try World(onDemand: true)
        world.placement = .away
        world.hop = .milliseconds(1)
        try world.run(.seconds(1))
        #expect(world.state() == .idle)
        let viewer = try world.join()
        try world.run(atMost: .seconds(5)) { world.state() == .live }
        try world.run(.milliseconds(10))
        #expect(world.sources(viewer).last == .live)
        try world.run(.seconds(15))
        #expect(world.state() == .live)
        world.leave(viewer)
        try world.run(.seconds(25))
        #expect(world.state() == .idle)
    }

    @Test func `its page is told what the camera does, in order`() throws {
        let world = try live()
        let viewer = try world.join()
        try world.run(.milliseconds(10))
        #expect(world.submit(.kill(camera: "gate")) == .accepted)
        try world.run(.milliseconds(30))
        #expect(world.sources(viewer) == [.stopped])
        #expect(try world.operation("c1").result == "stopped, 1 viewer stays and is told")
        #expect(world.submit(.start(camera: "gate"), id: "c2") == .accepted)
        try world.becomeLive()
        try world.run(.milliseconds(300))
        #expect(world.sources(viewer) == [.stopped, .connecting, .starting, .live])
        #expect(try world.operation("c2").result.hasSuffix("viewers 1/1 kept"))
    }

    @Test func `a restart goes on in the same session, numbers and all`() throws {
        let world = try live()
        let client = try WebRTCClient(world, viewer: try world.join())
        try client.connect()
        try world.run(.seconds(1))
        world.submit(.restart(camera: "gate"))
        try client.watch(.seconds(4))
        let first = try #require(client.received.first)
        let video = client.received.filter { $0.header.ssrc == first.header.ssrc }
        #expect(video.last.map { world.now - $0.at < .milliseconds(200) } == true)
        #expect(try world.viewer(client.viewer).ice == "connected")
    }

    @Test func `other codecs end its session, and it stays`() throws {
        let world = try live()
        let client = try WebRTCClient(world, viewer: try world.join())
        try client.connect()
        try world.gate.hasAudio = true
        world.submit(.restart(camera: "gate"))
        try world.run(.seconds(2))
        #expect(world.endedSessions.first?.end == "the camera's codecs changed")
        #expect(world.owns(client.viewer))
        #expect(try world.viewer(client.viewer).ice == nil)
    }

    @Test func `reordered pictures are told to its page, and end what cannot be told`() throws {
        let world = try live()
        let whep = try WebRTCClient(world, viewer: try world.join(control: .whep))
        try whep.connect()
        let page = try world.join()
        try world.gate.reordersPictures = true
        try world.run(.seconds(2))
        #expect(world.lastSource(page)?.bframes == true)
        #expect(!world.owns(whep.viewer))
        #expect(throws: ViewerRefusal.self) { try world.offer(viewer: page) }
    }

    @Test func `a keyframe is asked for on every loop`() throws {
        let world = try live()
        let away = try WebRTCClient(world, viewer: try world.join())
        world.placement = .home
        let home = try WebRTCClient(world, viewer: try world.join(), port: 50_113)
        try away.connect()
        try home.connect()
        try world.run(.milliseconds(500))
        let counts = [away, home].map(\.received.count)
        #expect(world.submit(.keyframe(camera: "gate")) == .accepted)
        #expect(try world.operation("c1").result.contains("cache served 2 of 2 WebRTC viewers"))
        try world.run(.milliseconds(20))
        #expect(away.received.count > counts[0] + 1 && home.received.count > counts[1] + 1)
    }

    @Test func `its session makes the converted sound begin`() throws {
        let world = try World([.scripted("gate")], convertsSound: true) {
            $0.hasAudio = true
            $0.audioPayloadType = 9
        }
        try world.becomeLive()
        world.placement = .away
        #expect(world.codecs.started == 0)
        let viewer = try world.join()
        _ = try world.offer(Offer.chrome(withSound: true), viewer: viewer)
        #expect(world.codecs.started == 1)
        world.leave(viewer)
        try world.run(.seconds(7))
        #expect(world.codecs.running["gate"] == nil)
    }

    @Test func `a viewer is judged by its camera wherever it is`() throws {
        let world = try live()
        let client = try WebRTCClient(world, viewer: try world.join())
        try client.connect()
        try client.watch(.seconds(4))
        #expect(try world.viewer(client.viewer).score?.value ?? 0 > 0)
        try world.gate.isSilent = true
        try client.watch(.seconds(5))
        let shown = try world.viewer(client.viewer)
        #expect(shown.state == .waiting && shown.score?.cause == .camera && shown.why.contains("stalled"))
    }
}
