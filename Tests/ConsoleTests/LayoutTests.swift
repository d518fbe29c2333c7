import Relay
import TestSupport
import Testing
import Wire

@testable import Console

struct LayoutTests {
    @Test func `a line that does not fit ends with a mark, unless only blanks are cut`() {
        func shown(_ texts: [String], _ room: Int) -> String {
            var canvas = Canvas(size: Size(columns: 20, rows: 1), glyphs: .braille)
            canvas.spans(texts.map { Span($0) }, 1, 0, width: room)
            return String(String.UnicodeScalarView(canvas.grid.cells.compactMap { Unicode.Scalar($0.scalar) })).trimmed
        }
        #expect(shown(["queue", " 31 packets"], 16) == "queue 31 packets")
        #expect(shown(["queue", " 31 packets"], 15) == "queue 31 packe~")
        #expect(shown(["queue", " 31", " packets"], 8) == "queue 3~")
        #expect(shown(["queue", " 31", " packets"], 5) == "queu~")
        #expect(shown(["queue", "   ", ""], 5) == "queue")
        #expect(shown(["a line that is longer than the screen"], .max) == "a line that is lon~")
    }

    static let places: [[Key]] = [
        [], ["2"], ["3"], ["4"], ["5"], ["6"], ["7"], ["2", .enter], ["3", .enter], ["?"], ["w"], ["2", "K"], ["q"],
        ["2", "/", "g"],
    ]

    @Test(arguments: places.indices)
    func `every size from 1×1 to 300×100 gives a screen`(place: Int) {
        var person = Operator()
        for key in Self.places[place] { person.press(key) }
        for columns in Array(1...90) + Array(stride(from: 91, through: 300, by: 13)) + [300] {
            for rows in Array(1...26) + Array(stride(from: 27, through: 100, by: 11)) + [100]
            where (columns * 7 + rows * 3 + place) % 17 == 0 || (columns < 6 && rows < 6) {
                let size = Size(columns: columns, rows: rows)
                let grid = person.model.render(size: size)
                #expect(grid.cells.count == columns * rows)
            }
        }
        #expect(person.model.render(size: Size(columns: 0, rows: 0)).cells.isEmpty)
    }

    @Test func `an empty relay and a full one give screens`() {
        for snapshot in [
            RelayFixture.snapshot(cameras: 0, viewers: 0), RelayFixture.snapshot(cameras: 1000, viewers: 1000),
        ] {
            for keys in Self.places {
                var person = Operator(snapshot)
                for key in keys { person.press(key) }
                for (columns, rows) in [(80, 24), (160, 48), (33, 7)] {
                    #expect(!person.screen(columns, rows).isEmpty)
                }
            }
        }
    }

    @Test(arguments: UInt64(0)..<12)
    func `any keys in any order lead to a screen`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let keys = ConsoleCommand.all.flatMap(\.keys) + ["y", "d", "x", .backspace, .delete, .other, .paste, "z", "日"]
        var person = Operator()
        for step in 0..<150 {
            guard let key = keys.randomElement(using: &random) else { break }
            person.now += .milliseconds(Int.random(in: 1...900, using: &random))
            person.effects += person.model.handle(key, at: person.now)
            if step % 7 == 0 {
                let count = Int.random(in: 0...30, using: &random)
                person.see(RelayFixture.snapshot(cameras: count, viewers: count * 2, second: Double(step)))
            }
            _ = person.model.render(
                size: Size(
                    columns: Int.random(in: 1...120, using: &random),
                    rows: Int.random(in: 1...40, using: &random)
                )
            )
        }
    }

    @Test func `the most important columns stay when the width is short`() {
        for width in 30...200 {
            let columns = Table.layout(Operator().model.cameraColumns, width: width)
            let titles = columns.map(\.column.title)
            #expect(titles.contains("CAMERA") && titles.contains("STATE"))
            let used = columns.reduce(0) { $0 + $1.width + 1 } - 1
            #expect(used <= width)
        }
    }

    @Test func `without colours every severity still differs`() {
        let marks = Set(Severity.allCases.map { Wording.mark($0) })
        #expect(marks.count == Severity.allCases.count)
    }
}
