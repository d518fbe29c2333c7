import Foundation
import Testing
import Wire

@testable import Console

struct CommandRegistryTests {
    @Test func `no key has two meanings`() {
        let keys = ConsoleCommand.all.flatMap(\.keys)
        #expect(Set(keys).count == keys.count)
    }

    @Test func `every command has a key and a line of help`() {
        for command in ConsoleCommand.all {
            #expect(!command.keys.isEmpty)
            #expect(!command.title.isEmpty)
            #expect(!command.label.isEmpty)
        }
    }

    @Test func `help lists every command`() {
        var person = Operator()
        person.press("?")
        let text = person.screen(200, 100)
        for command in ConsoleCommand.all { #expect(text.contains(command.title)) }
    }

    @Test func `help explains every column, and so does the manual in the same words`() throws {
        let model = Operator().model
        let lists: [(titles: [String], glossary: [ColumnGlossary.Entry], name: String)] = [
            (model.cameraColumns.map(\.title), ColumnGlossary.cameras, "Cameras"),
            (model.viewerColumns.map(\.title), ColumnGlossary.viewers, "Peers"),
            (model.pairColumns.map(\.title), ColumnGlossary.pairs, "ICE candidate pairs"),
            (model.streamColumns.map(\.title), ColumnGlossary.streams, "HLS streams"),
            (model.eventTable(isCompact: false).columns.map(\.title), ColumnGlossary.events, "Events"),
            (model.attemptColumns.map(\.title), ColumnGlossary.ended, "Ended WebRTC sessions"),
        ]
        let manual = try String(
            contentsOf: URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .appendingPathComponent("../../Sources/signalbox/Manual/signalbox.1"),
            encoding: .utf8
        )
        for list in lists {
            #expect(list.titles == list.glossary.map(\.title))
            #expect(manual.contains(".SS \(list.name)\n"), "\(list.name)")
            for (title, meaning) in list.glossary {
                let entry = ".TP\n.B \"\(title)\"\n\(meaning)\n".replacingOccurrences(of: "-", with: "\\-")
                #expect(manual.contains(entry), "\(entry)")
            }
        }
        var person = Operator()
        person.press("3")
        person.press("?")
        let help = person.screen(200, 100)
        for (title, meaning) in ColumnGlossary.viewers { #expect(help.contains(title) && help.contains(meaning)) }
    }

    @Test func `the destructive keys are capitals`() {
        for command in ConsoleCommand.all where [.kill, .drop].contains(command.id) {
            #expect(command.keys.allSatisfy { $0.label == $0.label.uppercased() })
        }
    }

    @Test func `the key line shows only what works now`() {
        var person = Operator()
        person.press("7")
        #expect(!person.screen().split(separator: "\n").last!.contains("kill"))
        person.press("2")
        #expect(person.screen().split(separator: "\n").last!.contains("K kill"))
    }
}
