import Media
import TestSupport
import Testing
import Wire

@Suite struct H264SequenceParameterSetTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        var name: String
        var sps: String
        var width: Int
        var height: Int
        var rate: Double
        var mayReorder: Bool?
        var codec: String
        var testDescription: String { name }
    }

    /// Made with x264; sizes, rates and reordering are what ffprobe says about the same streams.
    static let samples = [
        Sample(
            name: "Constrained Baseline",
            sps: "6742c016d900a03db0110000030001000003001e0f162e48",
            width: 640,
            height: 480,
            rate: 15,
            mayReorder: false,
            codec: "avc1.42c016"
        ),
        Sample(
            name: "Main without B-frames",
            sps: "674d401fd9005005bb011000000300100000030320f1832480",
            width: 1280,
            height: 720,
            rate: 25,
            mayReorder: false,
            codec: "avc1.4d401f"
        ),
        Sample(
            name: "High, cropped, with B-frames",
            sps: "67640028acd940780227e5c044000003000400000300f03c60c658",
            width: 1920,
            height: 1080,
            rate: 30,
            mayReorder: true,
            codec: "avc1.640028"
        ),
        Sample(
            name: "High, interlaced",
            sps: "67640028acd94078044fde0220000003002000000643e2c5b2c0",
            width: 1920,
            height: 1080,
            rate: 25,
            mayReorder: true,
            codec: "avc1.640028"
        ),
        Sample(
            name: "High 4:2:2, 10 bits",
            sps: "677a0020b6cd94056061e6f011000003000100000300320f183196",
            width: 1366,
            height: 768,
            rate: 25,
            mayReorder: true,
            codec: "avc1.7a0020"
        ),
        Sample(
            name: "High 4:4:4",
            sps: "67f40015919b283413f1f780880000030008000003019078b16cb0",
            width: 402,
            height: 302,
            rate: 25,
            mayReorder: true,
            codec: "avc1.f40015"
        ),
        Sample(
            name: "with HRD parameters",
            sps: "6764001eacd940b0126c0440000003004000000c9810003d090007a13930c01e2c5b2c",
            width: 704,
            height: 576,
            rate: 25,
            mayReorder: true,
            codec: "avc1.64001e"
        ),
    ]

    @Test(arguments: samples)
    func `size, rate and reordering are those of the stream`(sample: Sample) throws {
        let sps = try #require([UInt8](hexadecimal: sample.sps))
        let sets = try H264ParameterSets(sps: sps, pps: [])
        #expect(sets.parsed.width == sample.width)
        #expect(sets.parsed.height == sample.height)
        #expect(sets.parsed.claimedFrameRate == sample.rate)
        #expect(sets.parsed.mayReorder == sample.mayReorder)
        #expect(sets.codecString == sample.codec)
        #expect(sets.parsed.isProgressive == (sample.name != "High, interlaced"))
    }

    @Test func `chroma format and depth come from the high profile fields`() throws {
        let sps = try #require([UInt8](hexadecimal: Self.samples[4].sps))
        let parsed = try H264SequenceParameterSet(parsing: sps)
        #expect(parsed.chromaFormat == 2)
        #expect(parsed.lumaBitDepth == 10)
        #expect(parsed.chromaBitDepth == 10)
    }

    @Test func `a VUI that ends in the middle and trailing rubbish are tolerated`() throws {
        let sps = try #require([UInt8](hexadecimal: Self.samples[1].sps))
        let cut = try H264SequenceParameterSet(parsing: Array(sps.prefix(14)))
        #expect(cut.width == 1280)
        #expect(cut.height == 720)
        #expect(cut.claimedFrameRate == nil)
        // pic_order_cnt_type 2 proves it without any VUI.
        #expect(cut.mayReorder == false)
        let padded = try H264SequenceParameterSet(parsing: sps + [0, 0, 0, 1, 0x68, 0xFF])
        #expect(padded == (try H264SequenceParameterSet(parsing: sps)))
    }

    @Test func `the field that is cut off or forbidden is named`() {
        #expect(throws: H264ParameterSetError.notAnSPS) { try H264SequenceParameterSet(parsing: []) }
        #expect(throws: H264ParameterSetError.notAnSPS) { try H264SequenceParameterSet(parsing: [0x68, 0xCB]) }
        #expect(throws: H264ParameterSetError.truncated("level_idc")) {
            try H264SequenceParameterSet(parsing: [0x67, 0x42, 0xC0])
        }
        #expect(throws: H264ParameterSetError.invalid("length")) {
            try H264SequenceParameterSet(parsing: [0x67] + [UInt8](repeating: 0x80, count: 2_000))
        }
    }

    @Test func `no input traps and every size is plausible`() throws {
        let samples = Self.samples.compactMap { [UInt8](hexadecimal: $0.sps) }
        let tried = sweep(samples, mutations: 3_000) { bytes in
            let parsed = try H264SequenceParameterSet(parsing: bytes)
            #expect((1...16_384).contains(parsed.width))
            #expect((1...16_384).contains(parsed.height))
        }
        #expect(tried > 20_000)
    }
}
