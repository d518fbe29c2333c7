import Foundation
import Testing

/// Rules that hold for every line of the sources.
struct CodeRuleTests {
    private func offences(
        in files: [SourceTree.File],
        _ isOffence: (String) -> Bool
    ) -> [String] {
        files.flatMap { file in
            file.code.filter { isOffence($0.text) }.map { "\(file.path):\($0.number): \($0.text)" }
        }
    }

    private func pureFiles() throws -> [SourceTree.File] {
        try SourceTree.swiftFiles(in: "Sources").filter { ImportMapTests.pure.contains($0.target) }
    }

    @Test(arguments: ["try!", "as!", "fatalError(", "unsafelyUnwrapped", "unsafeBitCast("])
    func `nothing in the sources trades a crash for an error`(word: String) throws {
        let found = offences(in: try SourceTree.swiftFiles(in: "Sources")) { line in
            line.ranges(of: word).contains { range in
                // `has!` and `retry!` are other words.
                range.lowerBound == line.startIndex || !line[line.index(before: range.lowerBound)].isLetter
            }
        }
        #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
    }

    @Test(arguments: [
        "ContinuousClock", "SuspendingClock", "clock_gettime", "gettimeofday", "Date(", "Date.now", "DispatchTime",
        "Task {", "Task.", "Task<", "async let", "Thread", "print(", "debugPrint(", "getenv(", "FileManager",
        "SystemRandomNumberGenerator",
    ])
    func `a pure target reads no clock, starts no task, prints nothing`(word: String) throws {
        let found = offences(in: try pureFiles()) { line in
            line.ranges(of: word).contains { range in
                guard range.lowerBound != line.startIndex else { return true }
                let before = line[line.index(before: range.lowerBound)]
                return !before.isLetter && before != "_" && before != "."
            }
        }
        #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
    }

    @Test func `a pure target is handed its randomness`() throws {
        for file in try pureFiles() {
            let code = file.code.map(\.text).joined(separator: "\n")
            for call in ["random(", "randomElement(", "shuffled(", "shuffle("] {
                var rest = code[...]
                while let range = rest.firstRange(of: "." + call) {
                    rest = rest[range.upperBound...]
                    #expect(arguments(rest).contains("using:"), "\(file.path): .\(call)\(arguments(rest)))")
                }
            }
        }
    }

    /// What stands between the bracket that was just opened and its end.
    private func arguments(_ text: Substring) -> Substring {
        var depth = 1
        for index in text.indices {
            if text[index] == "(" { depth += 1 }
            if text[index] == ")" { depth -= 1 }
            if depth == 0 { return text[..<index] }
        }
        return text
    }

    @Test func `no file is longer than 500 lines`() throws {
        for file in try SourceTree.swiftFiles(in: "Sources") + SourceTree.swiftFiles(in: "Tests") {
            #expect(file.lines.count <= 501, "\(file.path) has \(file.lines.count) lines")
        }
    }

    @Test(arguments: ["TODO", "FIXME", "XXX", "HACK"])
    func `nothing is left for later in a comment`(word: String) throws {
        for file in try SourceTree.swiftFiles(in: "Sources") {
            for (index, line) in file.lines.enumerated() {
                let words = line.split { !$0.isLetter }
                #expect(!words.contains(Substring(word)), "\(file.path):\(index + 1)")
            }
        }
    }

    @Test func `unchecked promises to the compiler say why they hold`() throws {
        for file in try SourceTree.swiftFiles(in: "Sources") {
            for (number, text) in file.code
            where text.contains("@unchecked Sendable") || text.contains("nonisolated(unsafe)") {
                // The comment may stand above a group of declarations.
                let above = file.lines[..<number].reversed().prefix { !$0.isEmpty }
                #expect(above.contains { $0.contains("//") }, "\(file.path):\(number) gives no reason")
            }
        }
    }

    @Test func `the top of the repository holds the product and nothing else`() throws {
        let visible = try SourceTree.topLevel().filter { !$0.hasPrefix(".") }
        let allowed: Set = ["Makefile", "Package.swift", "Package.resolved", "README.md", "Sources", "Tests", "themes"]
        #expect(visible.isSubset(of: allowed), "\(visible.subtracting(allowed).sorted())")
        #expect(Set(["Package.swift", "README.md", "Sources", "Tests", "themes"]).isSubset(of: visible))
    }

    @Test func `every test target tests a target there is`() throws {
        let folders = try FileManager.default.contentsOfDirectory(
            atPath: SourceTree.root.appendingPathComponent("Tests").path
        )
        let targets = Set(ImportMapTests.map.keys)
        let others: Set = [
            "TestSupport", "Browser", "Benchmarks", "Fuzz", "ArchitectureTests", "MediaProcessTests", "SignalboxTests",
        ]
        for folder in folders where !folder.hasPrefix(".") && !others.contains(folder) {
            #expect(folder.hasSuffix("Tests") && targets.contains(String(folder.dropLast(5))), "Tests/\(folder)")
        }
    }
}
