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
