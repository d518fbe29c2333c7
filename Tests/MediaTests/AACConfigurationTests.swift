import Media
import TestSupport
import Testing
import Wire

@Suite struct AACConfigurationTests {
    @Test(arguments: [
        ("1210", 2, 44_100, 2), ("1190", 2, 48_000, 2), ("1408", 2, 16_000, 1), ("1588", 2, 8_000, 1),
        ("138856e500", 2, 22_050, 1),
    ])
    func `object type, rate and channels are read`(text: String, type: Int, rate: Int, channels: Int) throws {
        let bytes = try #require([UInt8](hexadecimal: text))
        let configuration = try AACConfiguration(parsing: bytes)
        #expect(configuration.objectType == type)
        #expect(configuration.sampleRate == rate)
        #expect(configuration.channels == channels)
        #expect(configuration.samplesPerFrame == 1_024)
        #expect(configuration.bytes == bytes)
    }

    @Test func `an explicit rate is read`() throws {
        // 2, index 15, 24 bits of 12345, one channel.
        let configuration = try AACConfiguration(parsing: [0x17, 0x80, 0x18, 0x1C, 0x88])
        #expect(configuration.sampleRate == 12_345)
        #expect(configuration.channels == 1)
    }

    @Test func `HE-AAC keeps both rates`() throws {
        // Type 5, 24 kHz core, stereo, 48 kHz extension, core type 2.
        let bytes = try #require([UInt8](hexadecimal: "2b118800"))
        let configuration = try AACConfiguration(parsing: bytes)
        #expect(configuration.objectType == 5)
        #expect(configuration.sampleRate == 24_000)
        #expect(configuration.extensionSampleRate == 48_000)
        #expect(configuration.codecString == "mp4a.40.5")
    }

    @Test func `what is made from rate and channels reads back`() throws {
        for rate in [8_000, 16_000, 22_050, 44_100, 48_000] {
            for channels in [1, 2, 6] {
                let made = try AACConfiguration(sampleRate: rate, channels: channels)
                #expect(made == (try AACConfiguration(parsing: made.bytes)))
                #expect(made.sampleRate == rate)
                #expect(made.channels == channels)
                #expect(made.codecString == "mp4a.40.2")
            }
        }
        #expect(try AACConfiguration(sampleRate: 48_000, channels: 2).bytes == [0x11, 0x90])
        #expect(throws: AACConfiguration.Failure.unsupported("sampleRate")) {
            try AACConfiguration(sampleRate: 12_345, channels: 1)
        }
        #expect(throws: AACConfiguration.Failure.unsupported("channels")) {
            try AACConfiguration(sampleRate: 48_000, channels: 0)
        }
    }

    @Test func `short and reserved configurations are refused`() {
        #expect(throws: AACConfiguration.Failure.truncated) { try AACConfiguration(parsing: []) }
        #expect(throws: AACConfiguration.Failure.truncated) { try AACConfiguration(parsing: [0x12]) }
        #expect(throws: AACConfiguration.Failure.unsupported("samplingFrequency")) {
            try AACConfiguration(parsing: [0x16, 0x90])
        }
        #expect(throws: AACConfiguration.Failure.unsupported("channelConfiguration")) {
            try AACConfiguration(parsing: [0x11, 0x80])
        }
    }

    @Test func `no input traps`() {
        sweep([[0x11, 0x90], [0x2B, 0x11, 0x88, 0x00], [0x17, 0x80, 0x18, 0x1C, 0x88]], mutations: 5_000) {
            _ = try AACConfiguration(parsing: $0)
        }
    }
}
