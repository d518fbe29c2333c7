/// An MPEG-4 AudioSpecificConfig for AAC (ISO/IEC 14496-3 §1.6.2.1).
public struct AACConfiguration: Equatable, Sendable {
    /// The configuration's bytes, as in SDP `config=` and in an `esds` box.
    public var bytes: [UInt8]
    /// Audio object type as signalled first: 2 is AAC-LC, 5 is HE-AAC (SBR), 29 is HE-AACv2 (PS).
    public var objectType: Int
    /// Sample rate of the core codec in Hz.
    public var sampleRate: Int
    /// Sample rate after spectral band replication, when it is signalled explicitly.
    public var extensionSampleRate: Int?
    /// Channels.
    public var channels: Int
    /// Samples per frame and channel at ``sampleRate``: 1024, or 960 where the configuration says so.
    public var samplesPerFrame: Int = 1_024

    /// Why a configuration was refused.
    public enum Failure: Error, Equatable, Sendable {
        /// It ends too early.
        case truncated
        /// A reserved or unsupported value in the field named.
        case unsupported(String)
    }

    /// The RFC 6381 codec string, such as `mp4a.40.2`.
    public var codecString: String { "mp4a.40.\(objectType)" }

    /// Longest configuration that is kept, in bytes; AAC-LC needs 2.
    public static let maximumLength = 64

    /// Parses a configuration; trailing bytes are kept and not looked at.
    public init(parsing bytes: [UInt8]) throws(Failure) {
        guard bytes.count <= Self.maximumLength else { throw .unsupported("length") }
        self.bytes = bytes
        var bits = BitReader(bytes)
        objectType = try bits.readObjectType()
        sampleRate = try bits.readSampleRate()
        let layout = try bits.readField(4)
        guard layout < channelCounts.count, channelCounts[layout] > 0 else {
            throw .unsupported("channelConfiguration")
        }
        channels = channelCounts[layout]
        var coreType = objectType
        if objectType == 5 || objectType == 29 {
            extensionSampleRate = try bits.readSampleRate()
            coreType = try bits.readObjectType()
        }
        // Main, LC, SSR, LTP and scalable AAC share the GASpecificConfig that follows.
        guard (1...4).contains(coreType) || coreType == 6 else { throw .unsupported("audioObjectType") }
        if try bits.readField(1) == 1 { samplesPerFrame = 960 }
    }

    /// The AAC-LC configuration for a sample rate and a number of channels, as when a camera's SDP lacks `config=`.
    public init(sampleRate: Int, channels: Int) throws(Failure) {
        guard let rate = sampleRates.firstIndex(of: sampleRate) else { throw .unsupported("sampleRate") }
        guard let layout = channelCounts.firstIndex(of: channels), channels > 0 else { throw .unsupported("channels") }
        let word = UInt16(2) << 11 | UInt16(rate) << 7 | UInt16(layout) << 3
        try self.init(parsing: [UInt8(word >> 8), UInt8(word & 0xFF)])
    }
}

extension BitReader {
    fileprivate mutating func readField(_ count: Int) throws(AACConfiguration.Failure) -> Int {
        do throws(Exhausted) { return Int(try readBits(count)) } catch { throw .truncated }
    }

    /// `GetAudioObjectType` (ISO/IEC 14496-3 §1.6.2.1): five bits with an escape.
    fileprivate mutating func readObjectType() throws(AACConfiguration.Failure) -> Int {
        let type = try readField(5)
        return type == 31 ? 32 + (try readField(6)) : type
    }

    fileprivate mutating func readSampleRate() throws(AACConfiguration.Failure) -> Int {
        let index = try readField(4)
        let rate = index == 15 ? try readField(24) : index < sampleRates.count ? sampleRates[index] : 0
        guard (7_350...192_000).contains(rate) else { throw .unsupported("samplingFrequency") }
        return rate
    }
}

/// Sampling frequencies by index (ISO/IEC 14496-3 table 1.18).
private let sampleRates = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
]

/// Channels by channelConfiguration (ISO/IEC 14496-3 table 1.19); 0 where undefined or given in the bitstream.
private let channelCounts = [0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 0, 8]
