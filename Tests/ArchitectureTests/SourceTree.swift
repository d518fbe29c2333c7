import Foundation
import Testing

/// The repository as it lies on disk, found from this file.
enum SourceTree {
    static let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// One Swift file.
    struct File: Sendable, CustomTestStringConvertible {
        var target: String
        /// Relative to the root.
        var path: String
        var lines: [String]

        var testDescription: String { path }

        /// The lines without what stands in comments, numbered from 1.
        var code: [(number: Int, text: String)] {
            lines.enumerated().compactMap { index, line in
                let text = line.trimmingCharacters(in: .whitespaces)
                guard !text.isEmpty, !text.hasPrefix("//") else { return nil }
                return (index + 1, text.components(separatedBy: " // ")[0])
            }
        }

        /// The modules it imports.
        var imports: Set<String> {
            var modules: Set<String> = []
            for line in code.map(\.text) {
                var words = line.split(separator: " ").map(String.init)
                words.removeAll { $0.hasPrefix("@") || ["public", "internal", "private", "fileprivate"].contains($0) }
                guard words.count >= 2, words[0] == "import" else { continue }
                let kinds: Set = ["struct", "class", "enum", "protocol", "func", "let", "var", "typealias"]
                let name = kinds.contains(words[1]) && words.count > 2 ? words[2] : words[1]
                modules.insert(String(name.prefix { $0 != "." }))
            }
            return modules
        }
    }

    /// Every Swift file below `Sources` or `Tests`.
    static func swiftFiles(in folder: String) throws -> [File] {
        let base = root.appendingPathComponent(folder)
        let paths = try #require(FileManager.default.enumerator(atPath: base.path)).compactMap { $0 as? String }
        try #require(paths.count > 10, "\(base.path) is not where the sources are")
        return try paths.filter { $0.hasSuffix(".swift") }.sorted().map { path in
            let text = try String(contentsOf: base.appendingPathComponent(path), encoding: .utf8)
            return File(
                target: String(path.prefix { $0 != "/" }),
                path: "\(folder)/\(path)",
                lines: text.components(separatedBy: "\n")
            )
        }
    }

    /// Names at the top of the repository, build products aside.
    static func topLevel() throws -> Set<String> {
        Set(try FileManager.default.contentsOfDirectory(atPath: root.path))
    }
}
