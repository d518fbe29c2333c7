import ICE
import TestSupport
import Testing
import Wire

@testable import Networking

@Suite struct DatagramRoutesTests {
    private func path(_ port: UInt16) -> FiveTuple {
        let ip = IPAddress(v4: 0xC000_0201)
        return FiveTuple(.udp, local: TransportAddress(ip, port: 8_189), remote: TransportAddress(ip, port: port))
    }

    private let request = STUNMessage(
        .request,
        transactionID: STUNTransactionID(high: 1, low: 2),
        attributes: [.username("mine:theirs"), .priority(1)]
    ).serialized(integrityKey: [1, 2, 3])

    @Test func `first bytes outside stun, dtls and rtp never have an owner`() {
        var routes = DatagramRoutes()
        routes.claim("mine", for: 3)
        routes.claim(path(1), through: "mine")
        for first in UInt8.min...UInt8.max {
            let datagram = [first] + [UInt8](repeating: 0, count: 40)
            let isOwned = (20...63).contains(first) || (128...191).contains(first)
            #expect(routes.shard(of: datagram, on: path(1)) == (isOwned ? 3 : nil))
        }
    }

    @Test func `stun without a user name follows the path, with one the ufrag where the path is nobody's`() {
        var routes = DatagramRoutes()
        routes.claim("mine", for: 1)
        routes.claim("other", for: 2)
        routes.claim(path(1), through: "other")
        let response = STUNMessage(.successResponse, transactionID: STUNTransactionID(high: 1, low: 2)).serialized()
        #expect(routes.shard(of: request, on: path(9)) == 1)
        #expect(routes.shard(of: response, on: path(1)) == 2)
        #expect(routes.shard(of: response, on: path(9)) == nil)
    }

    @Test func `a check under the address of another session's client does not reach the forger's session`() {
        var routes = DatagramRoutes()
        routes.claim("victim", for: 2)
        routes.claim("mine", for: 1)
        routes.claim(path(1), through: "victim")
        // Where the path is known its session refuses the check; the forger's would take the path over.
        #expect(routes.shard(of: request, on: path(1)) == 2)
        routes.release("victim")
        #expect(routes.shard(of: request, on: path(1)) == 1)
    }

    @Test func `a path is claimed only through a known ufrag and goes with it`() {
        var routes = DatagramRoutes()
        routes.claim(path(1), through: "mine")
        #expect(routes.counts == (0, 0))
        routes.claim("mine", for: 0)
        routes.claim(path(1), through: "mine")
        #expect(routes.counts == (1, 1))
        routes.release("mine")
        #expect(routes.counts == (0, 0))
    }

    @Test func `a path is released by itself, or with all that come from one address`() {
        var routes = DatagramRoutes()
        routes.claim("mine", for: 3)
        for port in UInt16(1)...3 { routes.claim(path(port), through: "mine") }
        #expect(routes.release(path(2)) == 3)
        #expect(routes.release(path(2)) == nil)
        #expect(!routes.isClaimed(path(2)) && routes.counts == (ufrags: 1, paths: 2))
        #expect(routes.paths(from: path(3).remote) == [path(3)] && routes.paths(from: path(2).remote).isEmpty)
        // It may be claimed again, and goes with its session.
        routes.claim(path(2), through: "mine")
        routes.release("mine")
        #expect(routes.counts == (ufrags: 0, paths: 0))
    }

    @Test func `a path that moved to another session survives the release of the first`() {
        var routes = DatagramRoutes()
        routes.claim("old", for: 0)
        routes.claim("new", for: 1)
        routes.claim(path(1), through: "old")
        routes.claim(path(1), through: "new")
        routes.release("old")
        #expect(routes.shard(of: [128, 0], on: path(1)) == 1)
    }

    @Test func `a session that opens paths without end forgets its oldest`() {
        var routes = DatagramRoutes()
        routes.claim("mine", for: 0)
        for port in 1...UInt16(1_000) { routes.claim(path(port), through: "mine") }
        #expect(routes.counts == (1, DatagramRoutes.pathLimit))
        #expect(routes.shard(of: [128, 0], on: path(1)) == nil)
        #expect(routes.shard(of: [128, 0], on: path(1_000)) == 0)
    }

    @Test func `damaged requests do not trap`() {
        var routes = DatagramRoutes()
        routes.claim("mine", for: 0)
        #expect(routes.shard(of: request, on: path(1)) == 0)
        sweep([request]) { _ = routes.shard(of: $0, on: path(1)) }
    }
}
