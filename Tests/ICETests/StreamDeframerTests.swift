import ICE
import TestSupport
import Testing
import Wire

@Suite struct StreamDeframerTests {
    private static let check = STUNMessage(
        .request,
        transactionID: STUNTransactionID(high: 1, low: 2),
        attributes: [.username("mine:theirs"), .priority(7)]
    ).serialized(integrityKey: Array("password".utf8))

    private static let dtls: [UInt8] = [22, 254, 253] + [UInt8](repeating: 9, count: 700)
    private static let srtcp: [UInt8] = [0x81, 201] + [UInt8](repeating: 3, count: 33)

    private static func prefixed(_ messages: [[UInt8]]) -> [UInt8] {
        messages.flatMap { [UInt8($0.count >> 8), UInt8($0.count & 0xFF)] + $0 }
    }

    private static func channelData(_ payload: [UInt8]) -> [UInt8] {
        [0x40, 0x01, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)] + payload
    }

    private static func padded(_ message: [UInt8]) -> [UInt8] {
        message + [UInt8](repeating: 0xEE, count: (4 - message.count % 4) % 4)
    }

    private func read(_ chunks: [ArraySlice<UInt8>]) throws -> [[UInt8]] {
        var deframer = StreamDeframer()
        var messages: [[UInt8]] = []
        for chunk in chunks {
            deframer.append(chunk)
            while let message = try deframer.next() { messages.append(Array(message)) }
        }
        #expect(deframer.pendingBytes == 0)
        return messages
    }

    /// Every cut in two, every byte alone, and random chunks.
    private func everyChunking(of stream: [UInt8]) -> [[ArraySlice<UInt8>]] {
        var random = SeededGenerator(seed: 4_571)
        var chunkings = stream.indices.map { [stream[..<$0], stream[$0...]] }
        chunkings.append(stream.indices.map { stream[$0...$0] })
        for _ in 0..<200 {
            var chunks: [ArraySlice<UInt8>] = []
            var start = 0
            while start < stream.count {
                let end = min(stream.count, start + Int.random(in: 1...90, using: &random))
                chunks.append(stream[start..<end])
                start = end
            }
            chunkings.append(chunks)
        }
        return chunkings
    }

    @Test func `RFC 4571 frames come out the same however the stream is cut`() throws {
        let messages = [Self.check, Self.dtls, Self.srtcp, Self.check]
        for chunks in everyChunking(of: Self.prefixed(messages)) { #expect(try read(chunks) == messages) }
    }

    @Test func `STUN messages and padded ChannelData come out the same however the stream is cut`() throws {
        let channel = (0...5).map { Self.channelData([UInt8](repeating: 8, count: $0)) }
        let messages = [Self.check] + channel + [Self.check]
        let stream = messages.flatMap(Self.padded)
        for chunks in everyChunking(of: stream) { #expect(try read(chunks) == messages) }
    }

    @Test func `a null packet says nothing`() throws {
        let stream = Self.prefixed([Self.check, [], [], Self.srtcp])
        #expect(try read([stream[...]]) == [Self.check, Self.srtcp])
    }

    @Test func `a connection that begins with anything but STUN is refused, at the latest with its tenth byte`() {
        let http = Array("GET / HTTP/1.1\r\n".utf8)
        let tls: [UInt8] = [0x16, 3, 1, 2, 0, 1, 0, 1, 252, 3]
        for bytes in [http, tls, Self.prefixed([Self.dtls]), [UInt8](repeating: 0, count: 10)] {
            var deframer = StreamDeframer()
            deframer.append(bytes.prefix(10))
            #expect(throws: StreamDeframer.Failure.notSTUN) { try deframer.next() }
        }
    }

    @Test func `a message longer than any real one is refused before it is gathered`() {
        var deframer = StreamDeframer(framing: .lengthPrefixed)
        deframer.append([0x10, 0x00])
        #expect(throws: StreamDeframer.Failure.tooLong(4_096)) { try deframer.next() }
        deframer = StreamDeframer(framing: .selfDelimiting)
        deframer.append([0x40, 0x01, 0xFF, 0xFF])
        #expect(throws: StreamDeframer.Failure.tooLong(65_539)) { try deframer.next() }
    }

    @Test func `random bytes behind a good beginning are cut or refused, and what is kept stays small`() {
        var random = SeededGenerator(seed: 6_544)
        for _ in 0..<2_000 {
            var deframer = StreamDeframer()
            deframer.append(Bool.random(using: &random) ? Self.prefixed([Self.check]) : Self.check)
            for _ in 0..<8 {
                let count = Int.random(in: 0...600, using: &random)
                deframer.append((0..<count).map { _ in UInt8.random(in: 0...127, using: &random) })
                do {
                    while try deframer.next() != nil {}
                } catch {
                    break
                }
                #expect(deframer.pendingBytes <= StreamDeframer.messageLimit + 4)
            }
        }
    }
}
