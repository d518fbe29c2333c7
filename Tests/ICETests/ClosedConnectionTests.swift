import ICE
import TestSupport
import Testing
import Wire

/// Paths over TCP whose connection closes.
struct ClosedConnectionTests {
    private let path = tuple("198.51.100.4", 50_112, .tcp)
    private let other = tuple("203.0.113.9", 61_002)

    private func close(_ path: FiveTuple, by end: ConnectionEnd = .client, in world: inout World) -> [ICEEffect] {
        var effects: [ICEEffect] = []
        world.agent.connectionClosed(path, by: end, at: world.now, into: &effects)
        return effects
    }

    @Test func `the path is given up at once, and its pair says who closed it`() throws {
        for (end, state) in [(ConnectionEnd.client, "closed by client"), (.relay, "closed by relay")] {
            var world = World()
            _ = world.check(on: path)
            #expect(close(path, by: end, in: &world) == [.pathRemoved(path)])
            #expect(!world.agent.isAuthenticated(path))
            let pair = try #require(world.agent.pairs.first { $0.checksReceived == 1 })
            #expect(pair.state.rawValue == state && pair.remote.address == path.remote)
            #expect(world.agent.state == .checking)
            // The same port again is another connection.
            #expect(world.check(on: path).contains(.pathAdded(path)))
            #expect(world.agent.pairs.count { $0.remote.address == path.remote } == 1)
        }
    }

    @Test func `without another way media pauses, until the client nominates one`() throws {
        var world = World()
        _ = world.check(on: path, nominating: true)
        #expect(close(path, in: &world) == [.pathRemoved(path), .suspect(true)])
        #expect(world.agent.selectedPath == nil)
        #expect(world.agent.pairs.allSatisfy { !$0.isSelected && !$0.isNominated })
        world.now += .seconds(1)
        #expect(!world.check(on: other).contains(.suspect(false)), "being heard is not enough")
        let effects = world.check(on: other, nominating: true)
        #expect(effects.contains(.selected(other)))
        let selected = try #require(effects.firstIndex(of: .selected(other)))
        #expect(try #require(effects.firstIndex(of: .suspect(false))) > selected)
        #expect(world.agent.state == .connected)
    }

    @Test func `another pair that works takes over at once`() throws {
        var world = World()
        _ = world.check(on: path, nominating: true)
        world.answer(try #require(world.check(on: other).checks.first))
        let effects = close(path, in: &world)
        #expect(effects == [.pathRemoved(path), .selected(other)])
        #expect(world.agent.state == .connected)
    }

    @Test func `a pair that fell silent is none that works`() throws {
        var world = World()
        _ = world.check(on: path, nominating: true)
        world.answer(try #require(world.check(on: other).checks.first))
        world.now += .seconds(16)
        _ = world.check(on: path)
        #expect(close(path, in: &world) == [.pathRemoved(path), .suspect(true)])
    }

    @Test func `one that nobody uses leaves the selected pair alone, wherever it is in the list`() {
        var world = World()
        _ = world.check(on: path)
        _ = world.check(on: other, nominating: true)
        #expect(close(path, in: &world) == [.pathRemoved(path)])
        #expect(world.agent.selectedPath == other && world.agent.state == .connected)
        #expect(close(path, in: &world).isEmpty)
    }

    @Test func `a session whose only connection closed ends when its consent does`() {
        var world = World()
        _ = world.check(on: path, nominating: true)
        _ = close(path, in: &world)
        world.now += .seconds(30)
        #expect(world.timeout() == [.expired])
        #expect(world.agent.pairs.first?.state == .closedByClient)
    }

    @Test func `connections opened and closed for ever leave a bounded memory`() {
        var world = World()
        for port in UInt16(1)...500 {
            let path = tuple("198.51.100.4", port, .tcp)
            _ = world.check(on: path)
            _ = close(path, in: &world)
        }
        #expect(world.agent.pairs.count == 8)
    }
}
