import Media
import RTP
import Testing
import Wire

@testable import Relay

/// What the shard makes of a viewer whose way carries too little, or whose camera can no longer go by WebRTC.
struct QualityServingTests {
    private func watching(control: ControlChannel = .page) throws -> (World, WebRTCClient) {
        // Six keyframes a second, so that keyframes alone are enough packets to judge loss by.
        let world = try World { $0.gop = 4 }
        try world.becomeLive()
        let client = try WebRTCClient(world, viewer: try world.join(control: control))
        try client.connect()
        world.report(.webrtc, viewer: client.viewer)
        try client.watch(.seconds(6))
        return (world, client)
    }

    /// Loses a third of everything for a while.
    private func lose(_ client: WebRTCClient, seconds: Int) throws {
        for _ in 0..<seconds {
            try client.watch(.seconds(1))
            try client.report(fractionLost: 85)
        }
    }

    private func switches(_ world: World, _ viewer: String) -> [ViewerMessage] {
        (world.messages[viewer] ?? []).filter { if case .switchTo = $0 { true } else { false } }
    }

    @Test func `a page that loses a third gets keyframes, then HLS, with the reason, and WebRTC again later`() throws {
        let (world, client) = try watching()
        #expect(try world.viewer(client.viewer).quality?.rung == "full")
        #expect(try #require(try world.viewer(client.viewer).quality?.needed) > 50_000)
        try lose(client, seconds: 3)
        let thinned = try #require(try world.viewer(client.viewer).quality)
        #expect(thinned.rung == "keyframes" && thinned.reason.hasSuffix("% of packets lost over 2 s (limit 10 %)"))
        #expect(try world.viewer(client.viewer).why == "keyframes only: \(thinned.reason)")
        #expect(
            world.messages[client.viewer]?.contains(.quality(rung: "keyframes", reason: thinned.reason)) == true
        )
        #expect(world.events.texts.contains("keyframes only: \(thinned.reason)"))
        let before = client.received.count
        try lose(client, seconds: 2)
        #expect(client.received[before...].allSatisfy { [0x78, 0x65].contains($0.payload[0]) })

        for _ in 0..<12 where switches(world, client.viewer).isEmpty { try lose(client, seconds: 1) }
        guard case .switchTo(.hls, let reason) = switches(world, client.viewer).first else {
            Issue.record("not moved: \(String(describing: world.messages[client.viewer]?.last))")
            return
        }
        #expect(reason.contains("% of packets lost"))
        world.report(.hls, viewer: client.viewer)
        try client.watch(.seconds(29))
        #expect(switches(world, client.viewer).count == 1)
        try client.watch(.seconds(2))
        #expect(
            switches(world, client.viewer).last == .switchTo(.auto, reason: "tries WebRTC again after 30 s with HLS")
        )
    }

    @Test func `a try that fails while HLS is shown is ended at once, and the next comes later`() throws {
        let (world, client) = try watching()
        for _ in 0..<20 where switches(world, client.viewer).isEmpty { try lose(client, seconds: 1) }
        world.report(.hls, viewer: client.viewer)
        try client.watch(.seconds(32))
        let trial = try WebRTCClient(world, viewer: client.viewer, port: 50_113)
        try trial.connect()
        try trial.watch(.seconds(4))
        try lose(trial, seconds: 3)
        #expect(switches(world, client.viewer).count == 3)
        let moved = world.now
        try trial.watch(.seconds(57))
        #expect(switches(world, client.viewer).count == 3)
        try trial.watch(.seconds(5))
        #expect(
            switches(world, client.viewer).last == .switchTo(.auto, reason: "tries WebRTC again after 60 s with HLS")
        )
        #expect(world.now - moved < .seconds(63))
    }

    @Test func `a page that connects anew goes on with what its way carried, and is told`() throws {
        let (world, client) = try watching()
        try lose(client, seconds: 3)
        let before = try #require(try world.viewer(client.viewer).quality)
        #expect(before.rung == "keyframes")
        let told = ViewerMessage.quality(rung: "keyframes", reason: before.reason)
        #expect(world.messages[client.viewer]?.count { $0 == told } == 1)
        let again = try WebRTCClient(world, viewer: client.viewer, port: 50_116)
        try again.connect()
        #expect(world.messages[client.viewer]?.count { $0 == told } == 2)
        try again.watch(.seconds(8))
        let after = try #require(try world.viewer(client.viewer).quality)
        #expect(after.rung == "keyframes" && after.hold == before.hold)
        #expect(again.received.count > 20)
        #expect(again.received.allSatisfy { [0x78, 0x65].contains($0.payload[0]) })
    }

    @Test func `a page that comes back while HLS is its place is told so again, and an onlooker sees why`() throws {
        let (world, client) = try watching()
        for _ in 0..<20 where switches(world, client.viewer).isEmpty { try lose(client, seconds: 1) }
        guard case .switchTo(.hls, let reason) = switches(world, client.viewer).first else {
            Issue.record("not moved")
            return
        }
        world.report(.hls, viewer: client.viewer)
        try world.closeControl(of: client.viewer)
        try world.join(resume: client.viewer)
        #expect(switches(world, client.viewer) == [.switchTo(.hls, reason: reason), .switchTo(.hls, reason: reason)])
        let shown = try world.viewer(client.viewer)
        #expect(shown.why == "watches by HLS: \(reason)" && shown.refuge?.reason == reason)
        #expect(try #require(shown.refuge).remaining > 20)
        world.submit(.switchViewer(client.viewer, to: .webrtc))
        #expect(try world.viewer(client.viewer).refuge == nil)
    }

    @Test func `a connection that does not take what is sent leads down the ladder, a full machine does not`() throws {
        let world = try World { $0.gop = 25 }
        try world.becomeLive()
        let tcp = try WebRTCClient(world, viewer: try world.join(), transport: .tcp)
        let udp = try WebRTCClient(world, viewer: try world.join(), port: 50_117)
        for client in [tcp, udp] {
            try client.connect()
            world.report(.webrtc, viewer: client.viewer)
        }
        try tcp.watch(.seconds(6))
        for _ in 0..<4 {
            world.shard.overflowed([tcp.path: 10, udp.path: 10], at: world.now)
            try tcp.watch(.milliseconds(1_500))
        }
        #expect(try world.viewer(tcp.viewer).quality?.rung == "keyframes")
        let reason = "did not take what was sent 3 times in 10 s (limit 3)"
        #expect(try world.viewer(tcp.viewer).quality?.reason == reason)
        #expect(try world.viewer(tcp.viewer).queueDropped >= 40)
        #expect(try world.viewer(udp.viewer).quality?.rung == "full")
    }

    @Test func `overflows of a viewer's queue are told at once, and then every ten seconds with all that was dropped`()
        throws
    {
        let (world, client) = try watching()
        func told() -> [String] { world.events.texts.filter { $0.hasPrefix("no room for what it is sent") } }
        func overflow(_ packets: Int) throws {
            world.shard(of: client.viewer).overflowed([client.path: packets], at: world.now)
            try client.watch(.milliseconds(1_500))
        }
        try overflow(1)
        #expect(told() == ["no room for what it is sent: 1 packet dropped, up to a keyframe"])
        try overflow(3)
        try overflow(4)
        #expect(told().count == 1)
        try client.watch(.seconds(10))
        #expect(told().dropFirst() == ["no room for what it is sent: 7 packets dropped, up to a keyframe"])
        try client.watch(.seconds(15))
        #expect(told().count == 2)
    }

    @Test func `a bare WHEP viewer stays with keyframes`() throws {
        let (world, client) = try watching(control: .whep)
        try lose(client, seconds: 20)
        #expect(try world.viewer(client.viewer).quality?.rung == "keyframes")
        #expect(try world.viewer(client.viewer).delivery == .webrtc)
    }

    @Test func `an operator's choice of WebRTC is not overruled by the ladder`() throws {
        let (world, client) = try watching()
        world.submit(.switchViewer(client.viewer, to: .webrtc))
        try client.watch(.milliseconds(300))
        world.report(.webrtc, viewer: client.viewer)
        try lose(client, seconds: 20)
        #expect(try world.viewer(client.viewer).quality?.rung == "keyframes")
        #expect(switches(world, client.viewer).count == 1)
    }

    @Test func `B-frames that begin under way end a WHEP session with the reason, and tell pages`() throws {
        let (world, page) = try watching()
        let whep = try WebRTCClient(world, viewer: try world.join(control: .whep), port: 50_114)
        try whep.connect()
        try whep.watch(.seconds(1))
        try world.gate.reordersPictures = true
        try whep.watch(.seconds(3))
        #expect(!world.owns(whep.viewer))
        #expect(
            world.events.texts.contains {
                $0.hasPrefix("WebRTC ended: the camera's pictures are reordered now (B-frames)")
            }
        )
        #expect(world.owns(page.viewer))
        #expect(world.lastSource(page.viewer)?.bframes == true)
        try world.closeControl(of: page.viewer)
    }

    @Test func `a page without signalling is let go when B-frames begin`() throws {
        let (world, page) = try watching()
        try world.closeControl(of: page.viewer)
        try world.gate.reordersPictures = true
        try page.watch(.seconds(3))
        #expect(try world.viewer(page.viewer).ice == nil)
    }

    @Test func `packets dropped for want of room lead to the next keyframe, without a hole in the numbers`() throws {
        let (world, client) = try watching()
        let other = try WebRTCClient(world, viewer: try world.join(), port: 50_115)
        try other.connect()
        try other.watch(.milliseconds(1_300))
        let before = (client.received.count, other.received.count)
        world.shard(of: client.viewer).overflowed([client.path: 3], at: world.now)
        #expect(try world.viewer(client.viewer).queueDropped == 3)
        try client.watch(.seconds(2))
        #expect(client.received[before.0].payload[0] == 0x78)
        #expect(client.received.count - before.0 < other.received.count - before.1)
        let numbers = client.received.map(\.header.sequenceNumber)
        #expect(zip(numbers.dropFirst(), numbers).allSatisfy { $0 == $1 &+ 1 })
    }
}
