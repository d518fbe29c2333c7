import TestSupport
import Testing
import Wire

@testable import Media

@Suite struct ConversionTests {
    private static func format(_ codec: Codec, _ clockRate: Int = 8_000, channels: Int = 1) throws -> TrackFormat {
        let aac = codec == .aac ? try AACConfiguration(sampleRate: clockRate, channels: channels) : nil
        return TrackFormat(codec: codec, clockRate: clockRate, channels: channels, aac: aac)
    }

    private let video = TrackFormat(codec: .h264, clockRate: 90_000)

    @Test(arguments: [
        (Codec.aac, 44_100, 2, Codec.opus, 2), (.aac, 16_000, 1, .opus, 1), (.aac, 48_000, 6, .opus, 2),
        (.pcmu, 8_000, 1, .aac, 1), (.pcma, 8_000, 1, .aac, 1), (.pcmu, 16_000, 1, .opus, 1),
        (.g722, 8_000, 1, .opus, 1),
        (.l16, 44_100, 2, .opus, 2),
    ])
    func `what a delivery lacks is made of what the camera sends`(
        codec: Codec,
        clockRate: Int,
        channels: Int,
        result: Codec,
        resultChannels: Int
    ) throws {
        let tracks = [video, try Self.format(codec, clockRate, channels: channels)]
        let needed = try #require(AudioConversion.needed(for: tracks))
        #expect(needed.track == 1)
        #expect(needed.conversion.result.codec == result)
        #expect(needed.conversion.result.clockRate == 48_000)
        #expect(needed.conversion.result.channels == resultChannels)
        #expect((needed.conversion.result.aac != nil) == (result == .aac))
    }

    @Test func `nothing is made where every delivery has sound, or none can`() throws {
        let (aac, pcmu) = (try Self.format(.aac, 48_000, channels: 2), try Self.format(.pcmu))
        let opus = TrackFormat(codec: .opus, clockRate: 48_000, channels: 2)
        #expect(AudioConversion.needed(for: [video]) == nil)
        #expect(AudioConversion.needed(for: [video, opus]) == nil)
        #expect(AudioConversion.needed(for: [video, pcmu, aac]) == nil)
        #expect(AudioConversion.needed(for: [video, TrackFormat(codec: .other, clockRate: 8_000)]) == nil)
        #expect(AudioConversion(of: TrackFormat(codec: .aac, clockRate: 48_000)) == nil, "without its configuration")
    }

    private static func samples() throws -> [ConversionMessage] {
        let conversion = try #require(AudioConversion(of: try format(.aac, 44_100, channels: 2)))
        return [
            .begin(conversion), .begin(try #require(AudioConversion(of: try format(.pcma)))), .ready,
            .frame(ConversionFrame(timestamp: -5, followsGap: true, payload: [1, 2, 3])),
            .frame(ConversionFrame(timestamp: .max, payload: [])), .failed("The camera's sound cannot be decoded."),
        ]
    }

    @Test func `messages survive the pipe in pieces of any size`() throws {
        let messages = try Self.samples()
        var bytes: [UInt8] = []
        for message in messages { message.append(to: &bytes) }
        for size in [1, 3, 7, bytes.count] {
            var decoder = ConversionDecoder()
            var read: [ConversionMessage] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                decoder.push(Array(bytes[start..<min(start + size, bytes.count)]))
                while let message = try decoder.next() { read.append(message) }
            }
            guard case .begin(let conversion)? = read.first, case .begin(let sent) = messages[0] else {
                Issue.record("no begin")
                return
            }
            #expect(conversion.result == sent.result && conversion.source.aac?.bytes == sent.source.aac?.bytes)
            #expect(read.dropFirst(2) == messages.dropFirst(2))
        }
    }

    @Test func `bytes on the wire are as documented`() {
        var bytes: [UInt8] = []
        ConversionMessage.frame(ConversionFrame(timestamp: 258, followsGap: true, payload: [0xAB])).append(to: &bytes)
        #expect(bytes == [0, 0, 0, 11, 3, 1, 0, 0, 0, 0, 0, 0, 1, 2, 0xAB])
    }

    @Test(arguments: [
        ("00000000", ConversionProtocolError.badLength(0)), ("00004001", .badLength(16_385)),
        ("ffffffff", .badLength(.max)), ("0000000109", .unknownMessage(9)), ("00000003030000", .malformed),
        ("000000020202", .wrongVersion(2)), ("000000030201ff", .malformed),
        ("000000080101630000bb8001", .noSuchConversion),
    ])
    func `what is no message is refused`(text: String, error: ConversionProtocolError) throws {
        var decoder = ConversionDecoder()
        decoder.push(try #require([UInt8](hexadecimal: text)))
        #expect(throws: error) { try decoder.next() }
    }

    @Test func `no byte from a codec process can trap`() throws {
        let samples = try Self.samples().map { message in
            var bytes: [UInt8] = []
            message.append(to: &bytes)
            return bytes
        }
        let tried = sweep(samples) { bytes in
            var decoder = ConversionDecoder()
            decoder.push(bytes)
            while try decoder.next() != nil {}
        }
        #expect(tried > 6_000)
    }
}
