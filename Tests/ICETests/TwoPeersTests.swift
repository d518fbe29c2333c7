import ICE
import TestSupport
import Testing
import Wire

@Suite struct TwoPeersTests {
    let wlan = tuple("198.51.100.4", 50_112)
    let ethernet = tuple("203.0.113.9", 61_002)
    let mobile = tuple("198.51.100.77", 4_444)
    let rough = TwoPeers.Link(loss: 0.2, duplication: 0.2, delay: 5...120)

    @Test(arguments: UInt64(1)...40)
    func `through loss, reordering and repetition the pair is found, kept and measured`(seed: UInt64) {
        var peers = TwoPeers(seed: seed, link: rough, paths: [ethernet, wlan])
        peers.run(for: .seconds(90))
        #expect(peers.states == [.checking, .connected], "\(peers.states)")
        #expect(peers.selections.first.map { $0.at - .zero <= .seconds(10) } ?? false)
        // A path on which nothing came through for three seconds is left, and taken up again when it answers.
        #expect(peers.selections.count <= 6, "\(peers.selections)")
        peers.link.loss = 0
        peers.run(for: .seconds(10))
        #expect(peers.agent.selectedPath == ethernet)
        let roundTrip = peers.agent.roundTripTime
        #expect(roundTrip.map { $0 >= .milliseconds(10) && $0 <= .milliseconds(240) } ?? false)
    }

    @Test(arguments: UInt64(1)...40)
    func `two paths that fall silent together do not hand media back and forth`(seed: UInt64) {
        var peers = TwoPeers(seed: seed, link: rough, paths: [ethernet, wlan])
        peers.run(for: .seconds(20))
        let before = peers.selections.count
        // Checks come through now and then, as on a link that is nearly gone.
        peers.link.loss = 0.8
        peers.run(for: .seconds(60))
        let moves = peers.selections.dropFirst(before)
        let hasty = zip(moves, moves.dropFirst()).count { $1.at - $0.at < .milliseconds(20) }
        #expect(hasty == 0, "\(moves)")
        #expect(moves.count <= 20, "\(moves.count)")
    }

    @Test(arguments: UInt64(1)...20)
    func `every check is answered once, repeated ones too`(seed: UInt64) {
        let link = TwoPeers.Link(duplication: 1, delay: 5...80)
        var peers = TwoPeers(seed: seed, link: link, paths: [wlan])
        peers.run(for: .seconds(60))
        let pair = peers.agent.pairs.first
        #expect(pair?.checksReceived == pair?.checksAnswered)
        #expect(peers.agent.pairs.count == 1)
        #expect(peers.agent.rejectedChecks == 0)
        #expect(peers.selections.count == 1)
    }

    @Test(arguments: UInt64(1)...30)
    func `after a change of network media follows within eight seconds and never returns`(seed: UInt64) {
        var peers = TwoPeers(seed: seed, link: .init(loss: 0.1, duplication: 0.1, delay: 10...60), paths: [wlan])
        peers.run(for: .seconds(20))
        #expect(peers.agent.selectedPath == wlan)
        let moved = peers.now
        peers.move(to: mobile)
        peers.run(for: .seconds(60))
        #expect(peers.agent.selectedPath == mobile)
        #expect(peers.states == [.checking, .connected], "the move is no interruption: \(peers.states)")
        #expect(peers.selections.count == 2)
        #expect(peers.selections.last.map { $0.at - moved <= .seconds(8) } ?? false, "\(peers.selections)")
    }

    @Test(arguments: UInt64(1)...20)
    func `a NAT that gives a new port again and again is followed each time`(seed: UInt64) {
        var peers = TwoPeers(seed: seed, link: .init(delay: 10...60), paths: [wlan])
        peers.run(for: .seconds(10))
        for port in UInt16(1)...8 {
            peers.move(to: tuple("198.51.100.4", 40_000 + port))
            peers.run(for: .seconds(12))
            #expect(peers.agent.selectedPath?.remote.port == 40_000 + port)
        }
        #expect(peers.agent.state == .connected)
        #expect(peers.agent.pairs.count <= 32)
    }

    @Test(arguments: UInt64(1)...20)
    func `a restart keeps the session connected and moves to the new credentials`(seed: UInt64) {
        var peers = TwoPeers(seed: seed, link: rough, paths: [wlan])
        peers.run(for: .seconds(20))
        let answered = peers.answersToBrowser
        for _ in 0..<3 {
            peers.restart()
            peers.run(for: .seconds(25))
        }
        #expect(peers.states == [.checking, .connected], "\(peers.states)")
        #expect(peers.agent.selectedPath == wlan)
        #expect(peers.answersToBrowser > answered)
        #expect(peers.agent.local == peers.local && peers.agent.remote == peers.remote)
        #expect(peers.agent.pairs.first { $0.isSelected }?.isNominated == true)
    }

    @Test(arguments: UInt64(1)...20)
    func `a restart on a new network ends on the new network`(seed: UInt64) {
        var peers = TwoPeers(seed: seed, link: .init(loss: 0.1, delay: 10...60), paths: [wlan])
        peers.run(for: .seconds(20))
        peers.move(to: mobile)
        peers.restart()
        peers.run(for: .seconds(20))
        #expect(peers.agent.selectedPath == mobile)
        #expect(peers.states == [.checking, .connected], "\(peers.states)")
    }

    @Test(arguments: UInt64(1)...20)
    func `a browser in the wrong role is corrected and connects`(seed: UInt64) {
        var peers = TwoPeers(seed: seed, link: rough, paths: [wlan])
        peers.isConfused = true
        peers.run(for: .seconds(30))
        #expect(peers.conflicts > 0)
        #expect(peers.agent.state == .connected)
        #expect(peers.agent.selectedPath == wlan)
    }

    @Test(arguments: UInt64(1)...20)
    func `consent ends with the link: suspect at 15 s, expired at 30 s, and not a byte after that`(seed: UInt64) throws
    {
        var peers = TwoPeers(seed: seed, link: rough, paths: [wlan])
        peers.run(for: .seconds(20))
        let heard = try #require(peers.agent.pairs.first?.lastActivity)
        peers.dead = [wlan]
        peers.run(for: .seconds(14) - (peers.now - heard))
        #expect(peers.agent.state == .connected)
        peers.run(for: .seconds(2))
        #expect(peers.agent.state == .suspect)
        peers.run(for: .seconds(13))
        #expect(peers.agent.state == .suspect)
        peers.run(for: .seconds(2))
        #expect(peers.agent.state == .expired)
        #expect(peers.agent.nextDeadline == nil)
        peers.dead = []
        let answers = peers.answersToBrowser
        peers.run(for: .seconds(20))
        #expect(peers.answersToBrowser == answers)
    }

    @Test(arguments: UInt64(1)...20)
    func `a link that fails for less than half a minute is taken up again`(seed: UInt64) {
        var peers = TwoPeers(seed: seed, link: .init(loss: 0.1, delay: 10...60), paths: [wlan])
        peers.run(for: .seconds(20))
        for _ in 0..<3 {
            peers.dead = [wlan]
            peers.run(for: .seconds(17))
            #expect(peers.agent.state == .suspect)
            peers.dead = []
            peers.run(for: .seconds(20))
            #expect(peers.agent.state == .connected)
        }
        #expect(peers.agent.selectedPath == wlan)
    }
}
