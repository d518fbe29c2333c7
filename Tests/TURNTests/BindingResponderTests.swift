import ICE
import TURN
import TestSupport
import Testing
import Wire

@Suite struct BindingResponderTests {
    private let id = STUNTransactionID(high: 0x0102_0304, low: 5)
    private let now = Instant(nanoseconds: 1_000_000_000)

    private func address(_ text: String, _ port: UInt16 = 40_000) throws -> TransportAddress {
        TransportAddress(try #require(IPAddress(text)), port: port)
    }

    private func parsed(
        _ attributes: [STUNAttribute] = [],
        key: [UInt8]? = nil,
        fingerprint: Bool = false
    ) throws
        -> STUNMessage
    {
        let message = STUNMessage(.request, transactionID: id, attributes: attributes)
        return try STUNMessage(parsing: message.serialized(integrityKey: key, fingerprint: fingerprint)[...])
    }

    @Test(arguments: [("203.0.113.7", 32), ("2001:db8::7", 44)])
    func `a Binding request is told where it came from, in few bytes`(ip: String, size: Int) throws {
        var responder = BindingResponder()
        let source = try address(ip)
        let plain = responder.respond(to: try parsed(), from: source, at: now)
        let answer = try #require(plain)
        #expect(answer.count == size)
        let message = try STUNMessage(parsing: answer[...])
        #expect(message.class == .successResponse)
        #expect(message.transactionID == id)
        #expect(message.xorMappedAddress == source)
        let checked = responder.respond(to: try parsed(fingerprint: true), from: source, at: now)
        #expect(checked?.count == size + 8)
    }

    @Test func `connectivity checks, indications and answers stay without an answer`() throws {
        var responder = BindingResponder()
        let source = try address("203.0.113.7")
        var messages = [try parsed([.username("mine:theirs")]), try parsed(key: [1, 2, 3])]
        for other in [STUNMessage.Class.indication, .successResponse, .errorResponse] {
            messages.append(STUNMessage(other, transactionID: id))
        }
        for message in messages { #expect(responder.respond(to: message, from: source, at: now) == nil) }
    }

    @Test func `what a request demands and we do not know is named in a 420`() throws {
        var responder = BindingResponder()
        let request = try parsed([.other(type: 0x0003, value: [0, 0, 0, 6]), .other(type: 0x8050, value: [])])
        let answer = responder.respond(to: request, from: try address("203.0.113.7"), at: now)
        let message = try STUNMessage(parsing: try #require(answer)[...])
        #expect(message.errorCode == 420)
        #expect(message.attributes.contains(.unknownAttributes([0x0003])))
    }

    @Test func `one source gets a burst and then so many a second, whatever others do`() throws {
        var responder = BindingResponder()
        let source = try address("203.0.113.7")
        let request = try parsed()
        let answered = (0..<1_000).count { _ in responder.respond(to: request, from: source, at: now) != nil }
        #expect(answered == 60)
        let later = (0..<1_000).count { _ in responder.respond(to: request, from: source, at: now + .seconds(2)) != nil
        }
        #expect(later == 40)
        #expect(responder.respond(to: request, from: try address("198.51.100.9"), at: now) != nil)
    }
}
