import Relay
import Testing
import Wire

/// Moving and dropping viewers that are watching.
struct ViewerCommandTests {
    private func watching(_ prepare: (ScriptedCamera) -> Void = { _ in }) throws -> (World, String) {
        let world = try World(prepare)
        try world.becomeLive()
        let viewer = try world.join()
        world.report(.webrtc, viewer: viewer)
        return (world, viewer)
    }

    @Test func `a switch to HLS tells the page and ends when the page shows frames by HLS`() throws {
        let (world, viewer) = try watching()
        #expect(world.submit(.switchViewer(viewer, to: .hls), reason: "loss 9 %") == .accepted)
        #expect(world.messages[viewer]?.last == .switchTo(.hls, reason: "asked by the operator"))
        #expect(try world.viewer(viewer).state == .switching)
        #expect(try world.viewer(viewer).requested == .hls)
        #expect(try world.operation("c1").waitingFor == "told, waiting for its first playlist request")

        try world.run(.milliseconds(400))
        try world.fetch("media.m3u8", viewer: viewer)
        try world.run(.milliseconds(100))
        #expect(try world.operation("c1").waitingFor == "playlist sent, waiting for first segment request")
        let playlist = try #require(try world.fetch("media.m3u8", viewer: viewer).response).text
        let part = try #require(playlist.firstMatch(of: /URI="([^"]+\.m4s)"/)).output.1
        #expect(try world.fetch(String(part), viewer: viewer).response?.status == 200)
        try world.run(.milliseconds(100))
        #expect(try world.operation("c1").waitingFor == "media sent, waiting for frames to be shown")
        try world.run(.milliseconds(300))
        world.report(.hls, viewer: viewer)

        let operation = try world.operation("c1")
        #expect(operation.outcome == .succeeded)
        #expect(operation.result == "plays HLS after 0.9 s")
        #expect(operation.stages.map(\.name) == ["playlist asked for", "media fetched"])
        #expect(operation.verb == "switch to HLS" && operation.viewer == viewer)
        #expect(try world.viewer(viewer).delivery == .hls)
        #expect(try world.viewer(viewer).state != .switching)
    }

    @Test func `a switch to WebRTC ends when the page shows frames by WebRTC`() throws {
        let (world, viewer) = try watching()
        world.report(.hls, viewer: viewer)
        #expect(world.submit(.switchViewer(viewer, to: .webrtc)) == .accepted)
        #expect(world.messages[viewer]?.last == .switchTo(.webrtc, reason: "asked by the operator"))
        _ = try world.offer(viewer: viewer)
        try world.run(.milliseconds(100))
        #expect(try world.operation("c1").waitingFor == "answered, waiting for ICE and DTLS")
        world.report(.webrtc, viewer: viewer)
        #expect(try world.operation("c1").result == "plays WebRTC after 0.1 s")
    }

    @Test func `a tab in the background is refused a switch at once, until it is in front`() throws {
        let (world, viewer) = try watching()
        world.report(.webrtc, viewer: viewer, isHidden: true)
        let told = world.messages[viewer]
        #expect(
            world.submit(.switchViewer(viewer, to: .hls), id: "a")
                == .refused("its tab is in the background, where browsers start no picture")
        )
        #expect(world.messages[viewer] == told)
        #expect(world.submit(.switchViewer(viewer, to: .auto), id: "b") == .accepted)
        world.report(.webrtc, viewer: viewer)
        #expect(world.submit(.switchViewer(viewer, to: .hls), id: "c") == .accepted)
        world.report(.webrtc, viewer: viewer, isHidden: true)
        try world.run(.seconds(9))
        #expect(try world.operation("c").result == "nothing shown after 8 s: its tab went to the background")
    }

    @Test func `a page that pauses HLS in the background is neither silent nor behind`() throws {
        let (world, viewer) = try watching()
        world.report(.hls, viewer: viewer)
        _ = try world.fetch("media.m3u8", viewer: viewer)
        try world.run(.seconds(3))
        let playlist = try #require(try world.fetch("media.m3u8", viewer: viewer).response).text
        let part = try #require(playlist.firstMatch(of: /URI="([^"]+\.m4s)"/)).output.1
        #expect(try world.fetch(String(part), viewer: viewer).response?.status == 200)
        world.report(.hls, viewer: viewer, isHidden: true)
        try world.run(.seconds(40))
        let hidden = try world.viewer(viewer)
        #expect(hidden.state == .playing && hidden.why == "tab in background" && hidden.score?.value == 100)
        #expect(hidden.behindLive == nil)
        world.report(.hls, viewer: viewer)
        #expect(try world.viewer(viewer).state == .silent)
    }

    @Test func `giving back the choice is done when it is told`() throws {
        let (world, viewer) = try watching()
        world.submit(.switchViewer(viewer, to: .hls), id: "a")
        world.report(.hls, viewer: viewer)
        world.submit(.switchViewer(viewer, to: .auto), id: "b")
        try world.run(.milliseconds(10))
        #expect(try world.operation("b").result == "its page chooses again")
        #expect(try world.viewer(viewer).requested == .auto)
        #expect(try world.viewer(viewer).state != .switching)
    }

    @Test func `a switch to what the viewer plays already is over at once and disturbs nothing`() throws {
        let (world, viewer) = try watching()
        world.submit(.switchViewer(viewer, to: .hls), id: "a")
        try world.run(.milliseconds(500))
        world.report(.hls, viewer: viewer)
        try world.run(.seconds(2))
        let told = world.messages[viewer]
        let generation = try world.viewer(viewer).generation
        #expect(world.submit(.switchViewer(viewer, to: .hls), id: "b") == .accepted)
        #expect(try world.operation("b").outcome == .succeeded)
        #expect(try world.operation("b").result == "already plays HLS")
        #expect(world.messages[viewer] == told)
        #expect(try world.viewer(viewer).generation == generation)
        #expect(try world.viewer(viewer).state != .switching)
    }

    @Test func `who came to a delivery by itself is told to keep to it, and nothing is waited for`() throws {
        let (world, viewer) = try watching()
        world.report(.hls, viewer: viewer)
        #expect(world.submit(.switchViewer(viewer, to: .hls)) == .accepted)
        #expect(try world.operation("c1").result == "already plays HLS, and keeps to it from now on")
        #expect(try world.operation("c1").outcome == .succeeded)
        #expect(world.messages[viewer]?.last == .switchTo(.hls, reason: "asked by the operator"))
        #expect(try world.viewer(viewer).requested == .hls)
        #expect(try world.viewer(viewer).state != .switching)
    }

    @Test func `during a switch the way back is a switch of its own`() throws {
        let (world, viewer) = try watching()
        world.submit(.switchViewer(viewer, to: .hls), id: "a")
        try world.run(.seconds(1))
        #expect(world.submit(.switchViewer(viewer, to: .webrtc), id: "b") == .accepted)
        #expect(try world.operation("b").outcome == .running)
        #expect(try world.viewer(viewer).state == .switching)
    }

    @Test func `a page that does nothing lets the switch fail after 8 s, with what was waited for`() throws {
        let (world, viewer) = try watching()
        world.submit(.switchViewer(viewer, to: .hls))
        try world.run(.seconds(9))
        let operation = try world.operation("c1")
        #expect(operation.outcome == .timedOut)
        #expect(operation.result == "nothing shown after 8 s: told, waiting for its first playlist request")
        #expect(try world.viewer(viewer).state != .switching)
        #expect(world.events.texts.contains("switch to HLS by ana: \(operation.result)"))
        #expect(try world.viewer(viewer).requested == .auto, "what did not come about is not asked for any more")
        #expect(world.messages[viewer]?.last == .switchTo(.auto, reason: "the switch did not succeed"))
    }

    @Test func `a viewer that leaves meanwhile ends the switch`() throws {
        let (world, viewer) = try watching()
        world.submit(.switchViewer(viewer, to: .hls))
        world.leave(viewer)
        try world.run(.milliseconds(100))
        #expect(try world.operation("c1").outcome == .failed)
        #expect(try world.operation("c1").result == "the viewer left")
    }

    @Test func `a switch raises the viewer's generation, so that two operators do not fight`() throws {
        let (world, viewer) = try watching()
        let seen = try world.viewer(viewer).generation
        #expect(world.submit(.switchViewer(viewer, to: .hls), id: "a", generation: seen) == .accepted)
        #expect(
            world.submit(.switchViewer(viewer, to: .webrtc), id: "b", generation: seen)
                == .refused("viewer \(viewer) has changed since; look again")
        )
    }

    @Test func `a viewer without a page cannot be switched`() throws {
        let (world, _) = try watching()
        let whep = try world.join(control: .whep)
        #expect(
            world.submit(.switchViewer(whep, to: .hls))
                == .refused("it came by bare WHEP, which has no channel to tell it; it can only be dropped")
        )
        let player = try world.join(control: .hls)
        #expect(
            world.submit(.switchViewer(player, to: .webrtc))
                == .refused("it is a bare HLS player, which has no channel to tell it; it can only be dropped")
        )
    }

    @Test func `a page whose signalling is away cannot be switched now`() throws {
        let (world, viewer) = try watching()
        try world.closeControl(of: viewer)
        #expect(
            world.submit(.switchViewer(viewer, to: .hls))
                == .refused("its page has no signalling connection at the moment; try again when it has reconnected")
        )
    }

    @Test func `a policy binds the operator, too`() throws {
        let world = try World(delivery: .hls)
        try world.becomeLive()
        let viewer = try world.join()
        #expect(
            world.submit(.switchViewer(viewer, to: .webrtc)) == .refused("the delivery policy for gate is hls only")
        )
    }

    @Test func `a camera with B-frames cannot be switched to WebRTC`() throws {
        let (world, viewer) = try watching { $0.reordersPictures = true }
        try world.run(.seconds(2))
        #expect(
            world.submit(.switchViewer(viewer, to: .webrtc))
                == .refused("gate's pictures are reordered (B-frames), WebRTC cannot show them")
        )
    }

    @Test func `a dropped viewer is told, ends, and may come again`() throws {
        let (world, viewer) = try watching()
        #expect(world.submit(.drop(viewer: viewer)) == .accepted)
        #expect(try world.operation("c1").result == "ended; it may join again")
        #expect(world.messages[viewer]?.last == .bye(reason: "ended by the operator", retryAfter: nil))
        #expect(world.openChannels[viewer] == nil)
        #expect(!world.owns(viewer))
        #expect(try world.join(resume: viewer) != viewer)
    }
}
