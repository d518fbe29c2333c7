import Relay
import TestSupport
import Testing

@testable import Console

struct TextTests {
    @Test(arguments: [
        ("abc", 3), ("é", 1), ("e\u{301}", 1), ("日本", 4), ("ｶ", 1), ("Ａ", 2), ("한글", 4), ("─│╭", 3), ("⣿⠀", 2),
        ("🙂", 2), ("a\u{FE0F}", 1),
        ("\u{1B}[31m", 5), ("", 0), ("\u{200D}", 1), ("\u{0E33}", 1), ("क्ष", 2),
    ])
    func `text has the width of its characters`(text: String, width: Int) { #expect(displayWidth(text) == width) }

    @Test(arguments: [
        ("gate-north", 10, "gate-north"), ("gate-north", 6, "gate-~"), ("日本語", 5, "日本~"), ("日本語", 4, "日~"),
        ("abc", 1, "~"), ("abc", 0, ""),
    ])
    func `text is cut by cells`(text: String, width: Int, cut: String) { #expect(fitted(text, width) == cut) }

    @Test func `names are cut in the middle, so that their ends stay readable`() {
        #expect(fitted("prflx 203.0.113.9:50312", 15, keepingEnd: true) == "prflx 2~9:50312")
    }

    private static let hostile = [
        "\u{1B}]0;owned\u{07}", "\u{1B}[2J\u{1B}[H", "\u{9B}31m", "a\r\nb\tc\u{08}", "\u{202E}evil",
        "\u{2066}x\u{2069}", "\u{200B}\u{FEFF}", "\u{0}",
        "\u{7F}", "\u{E000}\u{F8FF}", "\u{2028}\u{2029}", "a" + String(repeating: "\u{301}", count: 500),
        "\u{301}first", "日\u{FE0F}本", "\u{1F468}\u{200D}\u{1F469}",
        "\u{AD}soft", "\u{E0041}", "\u{10FFFF}", String(repeating: "日", count: 300),
    ]

    @Test func `nothing that a terminal would obey gets into a cell, wherever it stands`() {
        for text in Self.hostile {
            var snapshot = RelayFixture.snapshot()
            for index in snapshot.cameras.indices {
                snapshot.cameras[index].source = text
                snapshot.cameras[index].reason = text
                snapshot.cameras[index].remedy = text
                snapshot.cameras[index].lastError = text
                snapshot.cameras[index].notes = [text, text]
                snapshot.cameras[index].tags = [text]
                snapshot.cameras[index].transport = text
            }
            snapshot.cameras[0].id = text
            for index in snapshot.viewers.indices {
                snapshot.viewers[index].client = text
                snapshot.viewers[index].why = text
                snapshot.viewers[index].path = text
                snapshot.viewers[index].remote = text
                snapshot.viewers[index].ice = text
                snapshot.viewers[index].ladder = [.init(name: text, after: .infinity)]
            }
            snapshot.pairs = snapshot.pairs.map {
                var pair = $0; pair.remote = text; pair.local = text; pair.state = text; return pair
            }
            snapshot.events = snapshot.events.map {
                var event = $0; event.text = text; return event
            }
            snapshot.node.name = text
            snapshot.node.notices = [text, text]
            snapshot.node.pageURL = text
            snapshot.operations = snapshot.operations.map {
                var one = $0; one.waitingFor = text; one.author = text; one.result = text; return one
            }
            for keys in [["1"], ["2", .enter], ["3", .enter], ["?"], ["2", "w"], ["2", "K"]] as [[Key]] {
                var person = Operator(snapshot)
                for key in keys { person.press(key) }
                for size in [Size(columns: 80, rows: 24), Size(columns: 120, rows: 33)] {
                    expectClean(person.model.render(size: size))
                }
            }
        }
    }

    @Test func `random text leaves only clean cells`() {
        var random = SeededGenerator(seed: 11)
        for _ in 0..<2_000 {
            var view = String.UnicodeScalarView()
            for _ in 0..<Int.random(in: 0...40, using: &random) {
                if let scalar = Unicode.Scalar(UInt32.random(in: 0...0x10FFFF, using: &random)) { view.append(scalar) }
            }
            var canvas = Canvas(size: Size(columns: 20, rows: 1), glyphs: .braille)
            canvas.text(String(view), Int.random(in: -3...19, using: &random), 0)
            expectClean(canvas.grid)
        }
    }

    private func expectClean(_ grid: CellGrid) {
        for y in 0..<grid.size.rows {
            let row = Array(grid.row(y))
            for (x, cell) in row.enumerated() where cell.scalar > 0x7E || cell.scalar < 0x20 || cell.mark != 0 {
                if cell.isContinuation {
                    #expect(x > 0 && !row[x - 1].isContinuation)
                    continue
                }
                guard let scalar = Unicode.Scalar(cell.scalar) else {
                    Issue.record("not a scalar")
                    continue
                }
                let kind = CharacterKind(scalar)
                if kind != .narrow && kind != .wide { Issue.record("\(scalar.value) in a cell") }
                if (kind == .wide) != (x + 1 < row.count && row[x + 1].isContinuation) {
                    Issue.record("half a wide character")
                }
                if cell.mark != 0, let mark = Unicode.Scalar(cell.mark) { #expect(CharacterKind(mark) == .mark) }
            }
        }
    }
}
