import Console
import Testing

/// Every screen from one fixture, as text and as roles. `SIGNALBOX_RECORD=1 swift test` records them anew.
struct GoldenScreenTests {
    static let screens: [(name: String, keys: [Key])] = [
        ("overview", []),
        ("overview-hls-focus", [.tab, .tab, .tab]),
        ("cameras", ["2", "j"]),
        ("peers", ["3", "j"]),
        ("ice", ["4"]),
        ("peers-ended", ["3", "e", "j", "j"]),
        ("ice-ended", ["4", "e", "j", "j"]),
        ("ended-detail", ["3", "e", .enter]),
        ("ended-why", ["3", "e", "w"]),
        ("hls", ["5", "j"]),
        ("graphs", ["6"]),
        ("events", ["7"]),
        ("camera-detail", ["2", "j", "j", "j", "j", .enter]),
        ("viewer-detail", ["3", "j", .enter]),
        ("viewer-unreached", ["3", .enter]),
        ("help", ["2", "?"]),
        ("why", ["3", "w"]),
        ("kill", ["2", "j", "j", "K"]),
        ("quit", ["q"]),
        ("filter", ["2", "/", "g", "a", "t", "e"]),
        ("paused", ["2", "p"]),
    ]
    static let sizes = [Size(columns: 80, rows: 24), Size(columns: 160, rows: 48)]

    @Test(arguments: screens.map(\.name), sizes)
    func `a screen looks as recorded`(name: String, size: Size) throws {
        let keys = try #require(Self.screens.first { $0.name == name }).keys
        var person = Operator(size: size)
        for key in keys { person.press(key) }
        expectGolden(person.model.render(size: size), name)
    }

    @Test func `a terminal without UTF-8 gets the same screen in ASCII`() {
        let size = Size(columns: 80, rows: 24)
        for (name, keys) in [("ascii-overview", []), ("ascii-cameras", ["2"] as [Key])] {
            var person = Operator(glyphs: .ascii, size: size)
            for key in keys { person.press(key) }
            let grid = person.model.render(size: size)
            #expect(grid.cells.allSatisfy { $0.scalar < 0x7F })
            expectGolden(grid, name)
        }
    }

    @Test func `graphs without braille use eighth blocks`() {
        var person = Operator(glyphs: .block)
        person.press("6")
        expectGolden(person.model.render(size: Size(columns: 80, rows: 24)), "blocks-graphs")
    }

    @Test(arguments: [
        Size(columns: 40, rows: 10), Size(columns: 59, rows: 24), Size(columns: 80, rows: 15),
        Size(columns: 20, rows: 4), Size(columns: 120, rows: 30),
    ])
    func `other sizes look as recorded`(size: Size) {
        expectGolden(Operator(size: size).model.render(size: size), "overview")
    }

    @Test func `before the relay was seen the screen says so`() {
        let size = Size(columns: 80, rows: 24)
        expectGolden(Operator(nil, size: size).model.render(size: size), "waiting")
    }

    @Test func `a relay that stopped moving is marked as stale`() {
        let size = Size(columns: 80, rows: 24)
        var person = Operator(size: size)
        person.press("2")
        person.isRelaySilent = true
        person.wait(.seconds(7))
        expectGolden(person.model.render(size: size), "stale")
    }
}
