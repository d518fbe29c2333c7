import RTSP
import TestSupport
import Testing

@Suite struct RTSPDecoderTests {
    private func decode(_ bytes: [UInt8], chunk: Int = .max) throws -> [RTSPIncoming] {
        var decoder = RTSPDecoder()
        return try decode(bytes, chunk: chunk, with: &decoder)
    }

    private func decode(_ bytes: [UInt8], chunk: Int = .max, with decoder: inout RTSPDecoder) throws -> [RTSPIncoming] {
        var result: [RTSPIncoming] = []
        var start = 0
        while start < bytes.count {
            let end = start + min(chunk, bytes.count - start)
            decoder.push(Array(bytes[start..<end]))
            while let incoming = try decoder.next() { result.append(incoming) }
            start = end
        }
        return result
    }

    private let mixture: [UInt8] =
        RTSPResponse(200, "OK", headers: ["CSeq": "2", "Content-Type": "application/sdp"], body: Array("v=0\r\n".utf8))
        .bytes
        + interleavedFrame(channel: 0, payload: [0x80, 96, 0, 1]) + [0x0D, 0x0A]
        + RTSPRequest(.getParameter, uri: "rtsp://relay/", headers: ["CSeq": "1"]).bytes
        + interleavedFrame(channel: 1, payload: []) + [0, 0, 0] + interleavedFrame(channel: 200, payload: [1, 2, 3])

    @Test(arguments: [1, 2, 3, 5, 7, 64, Int.max])
    func `responses, requests and packets are told apart however they are cut`(chunk: Int) throws {
        let result = try decode(mixture, chunk: chunk)
        #expect(
            result == [
                .response(
                    RTSPResponse(
                        200,
                        "OK",
                        headers: ["CSeq": "2", "Content-Type": "application/sdp", "Content-Length": "5"],
                        body: Array("v=0\r\n".utf8)
                    )
                ),
                .interleaved(channel: 0, payload: [0x80, 96, 0, 1]),
                .request(RTSPRequest(.getParameter, uri: "rtsp://relay/", headers: ["CSeq": "1"])),
                .interleaved(channel: 1, payload: []),
                .interleaved(channel: 200, payload: [1, 2, 3]),
            ]
        )
    }

    @Test func `a cut at any byte gives the same result`() throws {
        let whole = try decode(mixture)
        for cut in 0...mixture.count {
            var decoder = RTSPDecoder()
            let parts =
                try decode(Array(mixture[..<cut]), with: &decoder) + decode(Array(mixture[cut...]), with: &decoder)
            #expect(parts == whole)
        }
    }

    @Test func `bare line feeds, folded lines, blanks and lines without a colon are tolerated`() throws {
        let text = "RTSP/1.0 401\nCSeq:  3 \nWWW-Authenticate: Digest\n realm=\"x\"\nnonsense\nX-Empty:\n\n"
        guard case .response(let response) = try decode(Array(text.utf8)).first else {
            Issue.record("no response")
            return
        }
        #expect(response.status == 401)
        #expect(response.reason.isEmpty)
        #expect(response.headers.cseq == 3)
        #expect(response.headers["www-authenticate"] == "Digest realm=\"x\"")
        #expect(response.headers["x-empty"] == "")
    }

    @Test(arguments: [1, Int.max])
    func `garbage before a packet is skipped and counted`(chunk: Int) throws {
        // The "$" inside promises a long packet on a low channel, but no RTP follows.
        let garbage: [UInt8] =
            Array("RTP? PLAYX GET".utf8) + [0x24, 0x01, 0x10, 0x00, 0x00, 0xFF, 0x24, 0xF0, 0, 9, 0x80]
        let packet: [UInt8] = [0x80, 96, 0, 1, 2, 3]
        var decoder = RTSPDecoder()
        let good = interleavedFrame(channel: 0, payload: packet)
        let result = try decode(good + garbage + good + good, chunk: chunk, with: &decoder)
        #expect(result == Array(repeating: .interleaved(channel: 0, payload: packet[...]), count: 3))
        #expect(decoder.discardedBytes == garbage.count)
    }

    @Test func `64 KiB of garbage end the connection`() throws {
        var decoder = RTSPDecoder()
        #expect(throws: RTSPDecodingError.noSynchronisation) {
            try decode([UInt8](repeating: 0xFF, count: 70_000), chunk: 1_000, with: &decoder)
        }
        #expect(throws: RTSPDecodingError.noSynchronisation) { try decoder.next() }
        #expect(decoder.firstDiscarded == [UInt8](repeating: 0xFF, count: 32))
        #expect(throws: RTSPDecodingError.noSynchronisation) { try decode([UInt8](repeating: 0, count: 70_000)) }
    }

    @Test(arguments: [
        ("RTSP/1.0 " + String(repeating: "a", count: 5_000), RTSPDecodingError.lineTooLong),
        ("RTSP/1.0 200 OK\r\nX: " + String(repeating: "a", count: 17_000), .headTooLarge),
        ("RTSP/1.0 200 OK\r\n" + String(repeating: "X: y\r\n", count: 65) + "\r\n", .tooManyFields),
        ("RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n", .invalidContentLength),
        ("RTSP/1.0 200 OK\r\nContent-Length: +5\r\n\r\n", .invalidContentLength),
        ("RTSP/1.0 200 OK\r\nContent-Length: 0x10\r\n\r\n", .invalidContentLength),
        ("RTSP/1.0 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n", .invalidContentLength),
        ("RTSP/1.0 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", .invalidContentLength),
        ("RTSP/1.0 200 OK\r\nContent-Length: 2147483648\r\n\r\n", .bodyTooLarge),
        ("RTSP/1.0 200 OK\r\nContent-Length: 131073\r\n\r\n", .bodyTooLarge),
        ("RTSP/1.0 200 OK\r\nCSeq: 1\0\r\n\r\n", .containsNUL),
        ("RTSP/1.0 OK\r\n\r\n", .invalidFirstLine), ("RTSP/1.0 99 x\r\n\r\n", .invalidFirstLine),
        ("RTSP/1.0\r\n\r\n", .invalidFirstLine), ("PLAY rtsp://x\r\n\r\n", .invalidFirstLine),
    ])
    func `a message beyond the limits ends the connection`(text: String, expected: RTSPDecodingError) {
        for chunk in [1, 1_000, Int.max] {
            #expect(throws: expected) { try decode(Array(text.utf8), chunk: chunk) }
        }
    }

    @Test func `header values cannot start a line of their own`() throws {
        let response = RTSPResponse(200, "O\r\nK", headers: ["CSeq": "1\r\nX: y", "A\r\nB:": "\u{0}c"])
        let result = try decode(response.bytes)
        #expect(result == [.response(RTSPResponse(200, "OK", headers: ["CSeq": "1X: y", "AB": "c"]))])
    }

    @Test func `a hundred thousand packets in changing chunks all come out`() throws {
        var random = SeededGenerator(seed: 5)
        var decoder = RTSPDecoder()
        var sent = 0
        var received = 0
        var stream: [UInt8] = []
        while sent < 100_000 {
            let payload = [UInt8](
                repeating: UInt8(truncatingIfNeeded: sent),
                count: Int.random(in: 0...40, using: &random)
            )
            stream += interleavedFrame(channel: UInt8(truncatingIfNeeded: sent), payload: payload)
            sent += 1
            if stream.count > 5_000 {
                let cut = Int.random(in: 0...stream.count, using: &random)
                decoder.push(Array(stream[..<cut]))
                stream.removeFirst(cut)
                while case .interleaved(let channel, let payload) = try decoder.next() {
                    let index = UInt8(truncatingIfNeeded: received)
                    #expect(channel == index && payload.allSatisfy { $0 == index })
                    received += 1
                }
            }
        }
        decoder.push(stream)
        while try decoder.next() != nil { received += 1 }
        #expect(received == sent)
    }

    @Test func `no input makes the decoder trap, and chunks do not matter`() {
        sweep([mixture], mutations: 3_000) { bytes in
            let whole = Result { try decode(bytes) }
            let pieces = Result { try decode(bytes, chunk: 3) }
            switch (whole, pieces) {
            case (.success(let lhs), .success(let rhs)): #expect(lhs == rhs)
            case (.failure, .failure): break
            default: Issue.record("chunks change the outcome")
            }
        }
    }
}

@Suite struct TransportHeaderTests {
    @Test(arguments: [
        ("RTP/AVP/TCP;unicast;interleaved=2-3", TransportHeader(.tcp, interleaved: .init(2, 3))),
        (
            "RTP/AVP/TCP;interleaved=10-11;ssrc= 0A1B2C3D",
            TransportHeader(.tcp, interleaved: .init(10, 11), ssrc: 0x0A1B_2C3D)
        ),
        ("RTP/AVP/TCP;unicast;interleaved=0", TransportHeader(.tcp, interleaved: .init(0, 1))),
        (
            "RTP/AVP;unicast;client_port=5000-5001;server_port=6970-6971;mode=\"PLAY\"",
            TransportHeader(.udp, clientPort: .init(5000, 5001), serverPort: .init(6970, 6971))
        ),
        ("RTP/AVP/UDP;multicast;destination=239.0.0.1;port=5000-5001;ttl=3", TransportHeader(.udp, isMulticast: true)),
        ("rtp/avp;unicast;server_port=0", TransportHeader(.udp)),
        ("RTP/AVP/TCP;interleaved=255-256", TransportHeader(.tcp)),
        ("RTP/AVP/TCP;interleaved=255", TransportHeader(.tcp)),
        ("RTP/AVP;server_port=65536-65537", TransportHeader(.udp)),
        ("RTP/AVP/TCP;interleaved=+0-1;ssrc=+1234567", TransportHeader(.tcp)),
    ])
    func `a transport is read, and what cannot be is left out`(text: String, expected: TransportHeader) {
        #expect(TransportHeader(parsing: text) == expected)
    }

    @Test func `a list keeps its order and leaves out what is not RTP`() {
        let list = TransportHeader.parse("MP2T/H2221/UDP;unicast, RTP/AVP;unicast;client_port=2-3,RTP/AVP/TCP,,x")
        #expect(list == [TransportHeader(.udp, clientPort: .init(2, 3)), TransportHeader(.tcp)])
    }

    @Test func `what is written is read back`() {
        let transports = [
            TransportHeader(.tcp, interleaved: .init(0, 1), ssrc: 7), TransportHeader(.udp, isMulticast: true),
            TransportHeader(.udp, clientPort: .init(65_534, 65_535), serverPort: .init(1, 2), ssrc: .max),
        ]
        for transport in transports { #expect(TransportHeader(parsing: transport.text) == transport) }
        #expect(transports[0].text == "RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=00000007")
    }

    @Test(arguments: [
        ("12345678", "12345678", 60), (" abc ; timeout = 30 ", "abc", 30), ("x;timeout=0", "x", 10),
        ("x;timeout=4294967296", "x", 600), ("x;timeout=-1", "x", 60), ("x;timeout", "x", 60),
    ])
    func `a session has an identifier and a timeout within limits`(text: String, identifier: String, seconds: Int) {
        #expect(SessionHeader(parsing: text) == SessionHeader(identifier: identifier, timeoutSeconds: seconds))
    }

    @Test func `an identifier that is empty, huge or unprintable is refused`() {
        for text in ["", ";timeout=60", "a b", "a\u{7}", String(repeating: "x", count: 10_240)] {
            #expect(SessionHeader(parsing: text) == nil)
        }
    }

    @Test func `no input makes the header parsers trap`() {
        let samples = [
            "RTP/AVP/TCP;unicast;interleaved=2-3;client_port=1-2;server_port=3-4;ssrc=0A0B0C0D,RTP/AVP",
            "abc;timeout=60",
        ]
        sweep(samples.map { Array($0.utf8) }) { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            for transport in TransportHeader.parse(text) { #expect(TransportHeader(parsing: transport.text) != nil) }
            _ = SessionHeader(parsing: text)
        }
    }
}
