import Foundation
import TestSupport
import Testing

/// The page's logic runs under node, with time turned by hand.
struct PageLogicTests {
    @Test(.enabled(if: Programs.areExpected("node"), "needs node to run the page's scripts"))
    func `the page's own tests pass`() async throws {
        let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("js")
        let page = tests.appendingPathComponent("../../../Sources/Gateway/Page").standardizedFileURL
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("signalbox-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        for folder in [tests, page] {
            for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where name.hasSuffix(".js") {
                try FileManager.default.copyItem(
                    at: folder.appendingPathComponent(name),
                    to: directory.appendingPathComponent(name)
                )
            }
        }
        try #"{"type":"module"}"#.write(
            to: directory.appendingPathComponent("package.json"),
            atomically: true,
            encoding: .utf8
        )
        let output = try await execute("node", ["--test", "--test-reporter=tap", "."], in: directory)
        #expect(output.contains("\n# fail 0\n"), "\(output)")
        #expect(output.contains("not ok") == false, "\(output)")
    }
}
