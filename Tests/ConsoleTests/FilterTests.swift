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

    @Test(arguments: [
        ("tags:aac", 0, "no field tags here: tag?"), ("gate !tags:aac", 5, "no field tags here: tag?"),
        ("fps>", 0, "fps> wants a number, such as fps>1"), ("gate loss<", 5, "loss< wants a number, such as loss>1"),
        ("loss>=", 0, "loss>= wants a number, such as loss>1"),
        ("rate>3x", 0, "3x is no number; k, M, G or % may follow one"),
        ("state=live", 0, "state is text: state:…"), ("loss:1", 0, "loss is a number: loss>1"),
        ("state:", 0, "state: wants some text"),
        (
            "colour>1", 0,
            "no field colour here; there are camera state codec tag "
                + "source transport rate loss fps jitter viewers key sev reconnects"
        ),
    ])
    func `what looks like a field and is none, or is not finished, is a mistake`(
        text: String,
        column: Int,
        words: String
    ) {
        #expect(Filter(text).mistake(in: Pane.cameras.vocabulary) == Mistake(column: column, text: words))
    }

    @Test(arguments: [
        "", "gate", "!gate", "!", ">", "10.2.0.33:554", "rtsp://10.2.0.33:554/s1", "camera-host:554", "door:554",
        "[2001:db8::1]:8189", "abcd::1", "state:live", "!state:live", "loss>1%", "sev>=warning", "rate<500k fps>0",
    ])
    func `words, addresses and whole conditions are no mistake`(text: String) {
        #expect(Filter(text).mistake(in: Pane.cameras.vocabulary) == nil)
    }

    @Test func `every field a row has can be named, and no other`() throws {
        let snapshot = RelayFixture.snapshot()
        for pane in [Pane.cameras, .viewers, .pairs, .hls, .events] {
            let rows = Operator(snapshot).model.searchable(pane)
            #expect(Set(rows.flatMap(\.fields.keys)) == Set(pane.vocabulary.texts))
            #expect(Set(rows.flatMap(\.numbers.keys)).isSubset(of: pane.vocabulary.numbers))
        }
    }

    @Test func `a filter of any length and content stays bounded`() {
        let filter = Filter(String(repeating: "x:>=!", count: 10_000))
        #expect(filter.text.count <= Filter.limit)
        #expect(!filter.matches(row))
    }
}
