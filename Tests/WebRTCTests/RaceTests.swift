import ICE
import RTP
import TestSupport
import Testing
import WebRTC
import Wire

/// Somebody else's datagrams on the way to a session: the ClientHello race of 2023, and what resembles it.
@Suite struct RaceTests {
    private let stranger = FiveTuple(.udp, local: address("192.0.2.1", 8_189), remote: address("203.0.113.66", 6_666))
    private static let alert: [UInt8] = [21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40]
    private static let report: [UInt8] = [0x80, 201, 0, 7] + [UInt8](repeating: 1, count: 44)

    /// What the stranger sends: hellos of clients of his own, alerts, RTP, RTCP.
    private func race(_ browser: Browser, with hello: [[UInt8]]) {
        var output = DatagramQueue()
        for datagram in hello + [Self.alert, Self.report, [0x80, 96] + Self.report] {
            browser.peer.receive(datagram[...], on: stranger, at: browser.now, into: &output, events: &browser.events)
        }
        #expect(output.isEmpty, "a stranger is answered")
    }

    @Test(arguments: UInt64(1)...250)
    func `a hello from another address changes nothing, before, during and after the start`(seed: UInt64) throws {
        let browser = try Browser(seed: seed)
        let hello = try #require(DTLSClient()).start()
        race(browser, with: hello)
        browser.check(nominating: false)
        race(browser, with: hello)
        browser.check()
        let flight = browser.dtls.start()
        race(browser, with: hello)
        race(browser, with: flight)
        for datagram in flight { browser.give(datagram) }
        #expect(browser.dtls.isConnected)
        browser.exportKeys()
        race(browser, with: hello)
        var camera = Camera(start: browser.now)
        browser.send(camera.frame(0))
        #expect(browser.received.count == 3)
        #expect(browser.undecryptable == 0)
        #expect(browser.peer.status.pairs.first { $0.isSelected }?.remote.address == browser.path.remote)
    }
}
