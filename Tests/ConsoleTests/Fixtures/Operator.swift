import Console
import Foundation
import Relay
import Testing
import Wire

/// Somebody at the console: presses keys, sees snapshots, and waits, all in virtual time.
struct Operator {
    var model: ConsoleModel
    var now = Instant(nanoseconds: 5_000_000_000)
    var effects: [ConsoleEffect] = []
    var snapshot: Snapshot?
    /// The relay's clock stands still.
    var isRelaySilent = false

    init(
        _ snapshot: Snapshot? = RelayFixture.snapshot(),
        mode: ConsoleMode = .inProcess,
        glyphs: Glyphs = .braille,
        size: Size = Size(columns: 80, rows: 24),
        themes: [Theme] = [.standard]
    ) {
        let configuration = ConsoleConfiguration(
            mode: mode,
            author: "ana@pts/3",
            commandPrefix: "c",
            glyphs: glyphs,
            themes: themes
        )
        model = ConsoleModel(configuration: configuration, at: now)
        model.resize(size)
        if let snapshot { see(snapshot) }
    }

    mutating func see(_ snapshot: Snapshot) {
        self.snapshot = snapshot
        model.apply(snapshot, at: now)
        if let request = model.wantedHistory { model.apply(RelayFixture.history(request), to: request, at: now) }
        if let request = model.wantedAttempts { model.apply(RelayFixture.attempts(request), at: now) }
    }

    /// Time passes; the relay goes on, unless it is silent.
    mutating func wait(_ duration: Duration) {
        now += duration
        if var next = snapshot, !isRelaySilent {
            next.sampledAt += duration
            see(next)
        } else {
            model.apply(snapshot, at: now)
        }
    }

    /// Presses keys as a person does, one after another.
    mutating func press(_ keys: Key...) {
        for key in keys {
            wait(.milliseconds(400))
            effects += model.handle(key, at: now)
        }
        if let request = model.wantedHistory { model.apply(RelayFixture.history(request), to: request, at: now) }
        if let request = model.wantedAttempts { model.apply(RelayFixture.attempts(request), at: now) }
    }

    mutating func type(_ text: String) {
        for scalar in text.unicodeScalars { press(.character(scalar)) }
    }

    /// What the screen says.
    func screen(_ columns: Int = 80, _ rows: Int = 24) -> String {
        model.render(size: Size(columns: columns, rows: rows)).text
    }

    /// Lines of the screen that contain `text`.
    func lines(with text: String) -> [String] {
        screen().split(separator: "\n").map(String.init).filter { $0.contains(text) }
    }

    /// The line the cursor is in.
    var cursorLine: String { lines(with: ">").first { $0.dropFirst().hasPrefix(">") } ?? "" }

    /// The commands sent so far.
    var commands: [Command] { effects.compactMap { if case .submit(let command) = $0 { command } else { nil } } }

    /// How the operator left, if so.
    var quit: QuitChoice? { effects.compactMap { if case .quit(let choice) = $0 { choice } else { nil } }.last }
}

/// Compares a grid with its golden file; `SIGNALBOX_RECORD=1` writes the file instead.
func expectGolden(_ grid: CellGrid, _ name: String, sourceLocation: SourceLocation = #_sourceLocation) {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Screens/\(name).\(grid.size.columns)x\(grid.size.rows).txt")
    let actual = grid.text + "\n--- roles ---\n" + grid.stylePlane + "\n"
    if ProcessInfo.processInfo.environment["SIGNALBOX_RECORD"] == "1" {
        try? FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        #expect(throws: Never.self, sourceLocation: sourceLocation) {
            try actual.write(to: file, atomically: true, encoding: .utf8)
        }
        return
    }
    let expected = (try? String(contentsOf: file, encoding: .utf8)) ?? "(no golden file)"
    if expected != actual {
        Issue.record(
            "\(name) differs from \(file.lastPathComponent)\nexpected:\n\(expected)\nactual:\n\(actual)",
            sourceLocation: sourceLocation
        )
    }
}
