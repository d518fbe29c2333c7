import Testing

@testable import Console

struct FilterTests {
    private let row = Searchable(
        ["gate-north", "rtsp://10.2.0.33:554/s1", "live", "H264"],
        fields: ["camera": "gate-north", "codec": "H264", "state": "live"],
        numbers: ["rate": 3.1e6, "loss": 1.84, "sev": 3, "fps": nil]
    )

    @Test(arguments: [
        ("", true), ("gate", true), ("GATE live", true), ("gate south", false), ("!south", true), ("!gate", false),
        ("codec:h264", true), ("codec:av1", false), ("10.2.0.33:554", true), ("nosuchfield:gate", false),
        ("rate>3M", true), ("rate<500k", false), ("rate>=3.1m", true), ("loss>1", true), ("loss>1%", true),
        ("loss<=1.84", true),
        ("sev>=warning", true), ("sev=critical", false), ("fps>0", false), ("!fps>0", true),
        ("gate loss>1 !codec:av1", true),
        ("!", true), (">", false), ("a>b", false), ("loss>inf", false), ("loss>nan", false), ("loss>0x1", false),
    ])
    func `a filter matches as its grammar says`(text: String, matches: Bool) {
        #expect(Filter(text).matches(row) == matches)
    }

    @Test func `a filter of any length and content stays bounded`() {
        let filter = Filter(String(repeating: "x:>=!", count: 10_000))
        #expect(filter.text.count <= Filter.limit)
        #expect(!filter.matches(row))
    }
}
