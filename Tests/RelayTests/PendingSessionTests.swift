import Relay
import Testing
import Wire

/// Offers that are answered and never followed up.
struct PendingSessionTests {
    private func refusal(_ world: World, from address: UInt32, control: ControlChannel = .whep) throws -> ViewerRefusal?
    {
        do {
            _ = try world.offer(viewer: try world.join(control: control, from: IPAddress(v4: address).description))
            return nil
        } catch let refusal as ViewerRefusal {
            return refusal
        }
    }

    @Test func `an address has eight sessions that have yet to connect, and gets room again after ten seconds`() throws
    {
        let world = try World()
        try world.becomeLive()
        for _ in 0..<8 { #expect(try refusal(world, from: 0xCB00_7107) == nil) }
        let ninth = try #require(try refusal(world, from: 0xCB00_7107))
        #expect(ninth.kind == .busy && ninth.retryAfter == 10)
        #expect(ninth.text == "8 sessions have yet to connect")
        let turnedAway = try #require(world.endedSessions.first)
        #expect(turnedAway.verdict.text == "turned away: 8 sessions have yet to connect")
        #expect(turnedAway.verdict.cause == .clientNetwork && turnedAway.remote == "203.0.113.7")
        for _ in 0..<20 { _ = try refusal(world, from: 0xCB00_7107) }
        #expect(world.endedSessions.map(\.repeats) == [20])
        // Others are not concerned, and loopback, where proxies are, may have more.
        #expect(try refusal(world, from: 0xCB00_7108) == nil)
        for _ in 0..<20 { #expect(try refusal(world, from: 0x7F00_0001) == nil) }
        #expect(try refusal(world, from: 0xCB00_7107)?.text == "8 sessions of this address have yet to connect")

        try world.run(.seconds(11))
        let before = world.claims.count
        for _ in 0..<8 { #expect(try refusal(world, from: 0xCB00_7107) == nil) }
        #expect(world.claims.count == before, "each took the place of an old one")
        #expect(try refusal(world, from: 0xCB00_7107)?.kind == .busy)
        let ends = world.endedSessions.map(\.end)
        #expect(ends.contains("it did not connect, and others wanted its place"))
    }

    @Test func `a session that has connected takes no place`() throws {
        let world = try World()
        try world.becomeLive()
        for port in UInt16(50_000)..<50_012 {
            let viewer = try world.join(from: "203.0.113.7")
            try WebRTCClient(world, viewer: viewer, port: port).connect()
        }
        #expect(try refusal(world, from: 0xCB00_7107) == nil)
    }

    @Test func `a flood from everywhere keeps nobody out for long, and all of it is gone in the end`() throws {
        let world = try World()
        try world.becomeLive()
        for number in 0..<256 { #expect(try refusal(world, from: 0xC612_0000 + UInt32(number)) == nil) }
        #expect(world.claims.count == 256)
        #expect(try refusal(world, from: 0xCB00_7107)?.text == "256 sessions have yet to connect")
        #expect(world.endedSessions.first?.verdict.cause == .server)
        try world.run(.seconds(11))
        #expect(try refusal(world, from: 0xCB00_7107) == nil)
        // A page keeps its viewer and its socket, and may offer again.
        #expect(world.claims.count == 256)
        try world.run(.seconds(40))
        #expect(world.claims.isEmpty && world.claimedPaths.isEmpty)
    }
}
