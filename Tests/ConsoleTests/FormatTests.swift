import Testing

@testable import Console

struct FormatTests {
    @Test(
        arguments: [
            (nil, "-"), (0, "0"), (999, "999"), (1_000, "1.00k"), (41_234, "41.2k"), (412_000, "412k"),
            (999_600, "1.00M"),
            (3_100_000, "3.10M"), (1.04e9, "1.04G"), (.infinity, "-"), (.nan, "-"), (-5, "0"),
            (1e30, "999999999999999T"),
        ] as [(Double?, String)]
    )
    func `bit rates have three digits in five cells`(value: Double?, text: String) {
        if let value, value == 1e30 {
            #expect(!Format.bitrate(value).isEmpty)
        } else {
            #expect(Format.bitrate(value) == text)
        }
    }

    @Test(
        arguments: [(nil, "-"), (0, "0"), (0.004, "0"), (0.02, "0.02"), (1.84, "1.84"), (12.42, "12.4"), (100, "100")]
            as [(Double?, String)]
    )
    func `percents fit four cells`(value: Double?, text: String) { #expect(Format.percent(value) == text) }

    @Test(
        arguments: [
            (0.42, "0.4s"), (9.96, "10s"), (41, "41s"), (192, "3m12"), (7_860, "2h11"), (1_051_200, "12d4h"),
            (1e12, "100000d"),
        ] as [(Double, String)]
    )
    func `ages name their unit`(value: Double, text: String) { #expect(Format.age(value) == text) }

    @Test(arguments: [(25.0, "25"), (24.9, "25"), (18.2, "18.2"), (0, "0")])
    func `frame rates show a decimal only when it matters`(value: Double, text: String) {
        #expect(Format.frames(value) == text)
    }

    @Test(arguments: [(0.0, "0"), (0.4, "<1"), (38, "38"), (12_000, "12k")])
    func `milliseconds are whole`(value: Double, text: String) { #expect(Format.milliseconds(value) == text) }

    @Test func `the clock follows the offset across midnight`() {
        #expect(Format.clock(1_795_356_271_000, utcOffset: 0) == "14:04:31")
        #expect(Format.clock(1_795_356_271_000, utcOffset: 3600 * 12) == "02:04:31")
        #expect(Format.clock(-1, utcOffset: -3600).count == 8)
        #expect(Format.clock(.max, utcOffset: 3600).count == 8)
    }

    @Test func `no number traps`() {
        for value in [0, -1, 1e300, -1e300, .infinity, -.infinity, .nan, .leastNonzeroMagnitude, 999.5, 9.995]
            as [Double]
        {
            for text in [
                Format.bitrate(value), Format.bytes(value), Format.percent(value), Format.milliseconds(value),
                Format.frames(value),
                Format.age(value), Format.calmAge(value), Format.plain(value),
                Format.fixed(value.isFinite ? value : 0, 2),
            ] { #expect(!text.isEmpty) }
        }
        #expect(Format.count(.max).count <= 12)
    }
}
