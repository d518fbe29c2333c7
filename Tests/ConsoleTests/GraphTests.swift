import Relay
import Testing

@testable import Console

struct GraphTests {
    private func draw(
        _ values: [Double?],
        width: Int = 4,
        rows: Int = 1,
        window: Int,
        end: Int64 = 799,
        maximum: Double = 8,
        glyphs: Glyphs = .braille
    ) -> String {
        var canvas = Canvas(size: Size(columns: width, rows: rows), glyphs: glyphs)
        Graph(series: Series(values: values, endSecond: end), window: window, maximum: maximum, role: .graphIn).draw(
            Rect(0, 0, width, rows),
            on: &canvas
        )
        return canvas.grid.text
    }

    @Test func `a gap is blank and a measured zero stands on the floor`() {
        #expect(draw([8, 8, nil, nil, 0, 0, 8, 8], window: 8) == "⣿ ⣀⣿")
        #expect(draw([8, nil, 0, 8], window: 4, glyphs: .block) == "█ ▁█")
        #expect(draw([8, nil, 0, 8], window: 4, glyphs: .ascii) == ": .:")
    }

    @Test func `heights follow the values`() {
        #expect(draw([1, 2, 4, 8], window: 4, glyphs: .block) == "▁▂▄█")
        #expect(draw([8, 8, 4, 4], width: 2, rows: 2, window: 4, maximum: 8) == "⣿\n⣿⣿")
    }

    @Test func `a column once drawn stays as it is until it leaves`() {
        var values: [Double?] = (0..<600).map { Double(($0 * 37) % 100) }
        var previous: String?
        for step in 0..<60 {
            values.append(Double((step * 53) % 100))
            let line = draw(values, width: 40, window: 300, end: 10_000 + Int64(step), maximum: 100)
            if let previous {
                let kept = line.dropLast(1).map { $0 }
                let before = previous.map { $0 }
                let isShifted = Array(before.dropFirst().dropLast()) == Array(kept.dropLast())
                #expect(Array(before.dropLast()) == kept || isShifted)
            }
            previous = line
        }
    }

    @Test(arguments: [
        (0.0, 1.0, 1.0), (1, 1, 1), (1.1, 1, 2), (3, 1, 5), (5.01, 1, 10), (42_200_000, 1, 50_000_000),
        (0.003, 0.001, 0.005),
    ])
    func `scales are steps of 1, 2 and 5`(value: Double, floor: Double, scale: Double) {
        #expect(abs(Graph.scale(above: value, atLeast: floor) - scale) < scale * 1e-9)
    }

    @Test func `hostile values do not trap`() {
        for values in [[.nan, .infinity, -.infinity, -1], [1e300, -1e300, 0, nil], []] as [[Double?]] {
            for maximum in [0, -1, .nan, .infinity, 1e-300] {
                for window in [0, 1, 900] { _ = draw(values, window: window, maximum: maximum) }
            }
        }
        _ = draw([1], window: 60, end: .max / 4)
        _ = draw([1], window: 60, end: -5)
    }

    @Test func `a screen asks at once for graphs it has not seen, and stays blank until it is answered`() throws {
        var person = Operator()
        #expect(!person.model.lacksHistory)
        person.effects += person.model.handle("6", at: person.now)
        _ = person.model.handle("m", at: person.now)
        #expect(person.model.lacksHistory)
        #expect(!person.screen().contains("no samples yet"))
        let request = try #require(person.model.wantedHistory)
        person.model.apply(HistoryReply(values: []), to: request, at: person.now)
        #expect(!person.model.lacksHistory)
        #expect(person.screen().contains("no samples yet"))
        _ = person.model.handle("m", at: person.now)
        _ = person.model.handle("1", at: person.now)
        #expect(!person.model.lacksHistory, "what was seen before is still known")
    }
}
