import Relay
import Testing
import Wire

/// How viewers come, go on over a broken signalling connection, and go.
struct ViewerLifeTests {
    @Test func `a viewer gets an unguessable id that tells its shard`() throws {
        let world = try World()
        let ids = try (0..<50).map { _ in try world.join() }
        #expect(Set(ids).count == 50)
        #expect(ids.allSatisfy { $0.count == 25 && $0.hasPrefix("v03") })
        #expect(RelayShard.viewerShard(of: ids[0]) == 3)
        for id in ["", "v", "x03abcdefghijk", "v0", "v-1abcdefghijk", "v03", String(repeating: "v", count: 99)] {
            #expect(RelayShard.viewerShard(of: id) == nil, "\(id)")
        }
    }

    @Test func `a viewer is shown with address, client and camera`() throws {
        let world = try World()
        let id = try world.join()
        let viewer = try world.viewer(id)
        #expect(viewer.remote == "198.51.100.7")
        #expect(viewer.client == "Chrome 141")
        #expect(viewer.camera == "gate")
        #expect(viewer.state == .joining)
        #expect(viewer.control == .page)
        #expect(try world.camera().webrtcViewers == 1)
    }

    @Test func `there is no viewer of a camera that is not there`() throws {
        let world = try World()
        #expect(throws: ViewerRefusal(.notFound, "there is no camera named yard")) { try world.join("yard") }
    }

    @Test func `a page that comes back in time has its identity, and the old channel is closed`() throws {
        let world = try World()
        let id = try world.join()
        let generation = try world.viewer(id).generation
        #expect(try world.join(resume: id, from: "198.51.100.99") == id)
        #expect(try world.viewer(id).remote == "198.51.100.99")
        #expect(try world.viewer(id).generation == generation)
        #expect(world.snapshot.viewers.count == 1)
    }

    @Test func `a channel that closes late does not take the new one with it`() throws {
        let world = try World()
        let id = try world.join()
        let old = try #require(world.openChannels[id])
        try world.join(resume: id)
        world.input { world.shard.controlClosed(viewer: id, channel: old, at: $0, into: &$1) }
        #expect(world.openChannels[id] != nil)
        try world.run(.seconds(60))
        #expect(world.owns(id))
    }

    @Test func `an identity cannot be had for another camera, nor one that came without a page`() throws {
        let world = try World([.scripted("gate"), .scripted("yard")])
        let id = try world.join("gate")
        #expect(try world.join("yard", resume: id) != id)
        let whep = try world.join(control: .whep)
        #expect(try world.join(resume: whep) != whep)
        #expect(try world.join(resume: "v03nonsense000") != "v03nonsense000")
    }

    @Test func `a viewer nobody hears from for 20 s is let go`() throws {
        let world = try World()
        let id = try world.join()
        try world.closeControl(of: id)
        try world.run(.seconds(19))
        #expect(world.owns(id))
        try world.run(.milliseconds(1_500))
        #expect(!world.owns(id))
    }

    @Test func `a killed browser is told of at once, in the event list after 3 s, until it is back or gone`() throws {
        let world = try World()
        try world.becomeLive()
        let id = try world.join()
        let client = try WebRTCClient(world, viewer: id)
        try client.connect()
        try client.watch(.seconds(3))
        try client.report(fractionLost: 0)
        world.report(.webrtc, viewer: id)
        #expect(try world.viewer(id).score?.value == 100)

        // The process is gone: the kernel closes its connections, and nothing answers any more.
        world.receiveDatagram = nil
        try world.closeControl(of: id)
        let lost = try world.viewer(id)
        #expect(lost.why == "control connection lost, waiting for it to come back (0 s)")
        #expect(lost.severity == .warning && lost.score == nil && lost.controlLost == 0)
        #expect(!world.events.texts.contains { $0.hasPrefix("control connection lost") })
        try world.run(.seconds(4))
        #expect(world.events.newest(1).first?.text == "control connection lost without a goodbye")
        #expect(world.events.newest(1).first?.endedAt == nil && world.events.newest(1).first?.viewer == id)
        try world.run(.seconds(8))
        let why = try world.viewer(id).why
        #expect(why.contains("(12 s); nothing heard from it for 12 s"), "\(why)")

        try world.join(resume: id)
        #expect(try world.viewer(id).controlLost == nil)
        #expect(!world.events.newest(99).contains { $0.endedAt == nil }, "it is back")
        try world.closeControl(of: id)
        try world.run(.seconds(40))
        #expect(!world.shard.owns(viewer: id))
        #expect(!world.events.newest(99).contains { $0.endedAt == nil }, "it is gone")
    }

    @Test func `a restart promises nothing to viewers that are gone`() throws {
        let world = try World()
        try world.becomeLive()
        let (here, gone) = (try world.join(), try world.join())
        try world.closeControl(of: gone)
        try world.run(.seconds(11))
        world.submit(.restart(camera: "gate"))
        try world.run(atMost: .seconds(10)) { (try? world.operation("c1").outcome) == .succeeded }
        #expect(try world.operation("c1").result.hasSuffix("viewers 1/1 kept"))
        #expect(world.shard.owns(viewer: here))
    }

    @Test func `the steps of HLS count from when the viewer came to it, each time anew`() throws {
        let world = try World()
        try world.becomeLive()
        let id = try world.join()
        world.report(.webrtc, viewer: id)
        for _ in 0..<2 {
            try world.run(.seconds(30))
            world.submit(.switchViewer(id, to: .hls), id: "to HLS at \(world.now)")
            try world.run(.milliseconds(500))
            let playlist = try #require(try world.fetch("media.m3u8", viewer: id).response).text
            let part = try #require(playlist.firstMatch(of: /URI="([^"]+\.m4s)"/)).output.1
            try world.run(.milliseconds(100))
            #expect(try world.fetch(String(part), viewer: id).response?.status == 200)
            try world.run(.milliseconds(300))
            world.report(.hls, viewer: id)
            let steps = try world.viewer(id).ladder
            #expect(steps.map(\.name) == ["playlist", "first part", "first decoded frame"])
            #expect(steps.map { Int($0.after / 100) } == [5, 6, 9])
            world.submit(.switchViewer(id, to: .webrtc), id: "back at \(world.now)")
            world.report(.webrtc, viewer: id)
        }
    }

    @Test func `a page with a signalling connection stays, whatever it does`() throws {
        let world = try World()
        let id = try world.join()
        try world.run(.seconds(600))
        #expect(world.owns(id))
    }

    @Test func `reports and HLS requests are signs of life`() throws {
        let world = try World()
        try world.becomeLive()
        let id = try world.join()
        try world.closeControl(of: id)
        for _ in 0..<3 {
            try world.run(.seconds(15))
            world.report(.hls, viewer: id)
            try world.run(.seconds(15))
            try world.fetch("media.m3u8", viewer: id)
        }
        #expect(world.owns(id))
        try world.run(.seconds(21))
        #expect(!world.owns(id))
    }

    @Test func `what a page plays is what is shown, and a fall to HLS is an event`() throws {
        let world = try World()
        try world.becomeLive()
        let id = try world.join()
        world.report(.hls, viewer: id, reason: "no UDP")
        #expect(try world.viewer(id).delivery == .hls)
        #expect(world.events.newest(1).first?.text == "now plays HLS: no UDP")
        #expect(world.events.newest(1).first?.severity == .warning)
        #expect(world.events.newest(1).first?.viewer == id)
        #expect(world.events.newest(1).first?.endedAt == nil, "it lasts")
        #expect(try world.camera().hlsViewers == 1)
        #expect(try world.viewer(id).ladder.map(\.name) == ["first decoded frame"])
        world.report(.webrtc, viewer: id, reason: "")
        #expect(world.events.texts.suffix(2) == ["now plays HLS: no UDP", "now plays WebRTC"])
        #expect(!world.events.newest(99).contains { $0.endedAt == nil })
        world.report(.hls, viewer: id)
        #expect(world.events.newest(1).first?.endedAt == nil)
        world.leave(id)
        #expect(!world.events.newest(99).contains { $0.endedAt == nil }, "it left")
    }

    @Test func `messages for viewers that are gone are ignored`() throws {
        let world = try World()
        world.report(.hls, viewer: "v03gone")
        world.leave("v03gone")
        world.input { world.shard.candidate("candidate:1", viewer: "v03gone", at: $0, into: &$1) }
        world.input { world.shard.closePeer(viewer: "v03gone", at: $0, into: &$1) }
        #expect(throws: ViewerRefusal(.notFound, "this viewer's session is over")) {
            try world.offer(viewer: "v03gone")
        }
    }

    @Test func `a shard takes 2000 viewers and refuses the next politely`() throws {
        let world = try World()
        for _ in 0..<2_000 { try world.join(control: .whep) }
        #expect(throws: ViewerRefusal(.unavailable, "the relay has as many viewers as it takes", retryAfter: 30)) {
            try world.join()
        }
        let answer = try world.fetch("index.m3u8").response
        #expect(answer?.status == 503 && answer?.retryAfter == 30)
    }
}
