import Foundation
import Testing

/// The checks are only as good as what they see.
struct SourceTreeTests {
    private func file(_ text: String) -> SourceTree.File {
        SourceTree.File(target: "X", path: "Sources/X/x.swift", lines: text.components(separatedBy: "\n"))
    }

    @Test func `imports are found in every spelling`() {
        let text = """
            import Wire
            @testable import Relay
            @preconcurrency private import NIOCore
            import struct Foundation.Data
            public import enum Media.Codec
            // import Console
            """
        #expect(file(text).imports == ["Wire", "Relay", "NIOCore", "Foundation", "Media"])
    }

    @Test func `comments are no code`() {
        let found = file("a() // try! b\n/// fatalError(\n    c()").code
        #expect(found.map(\.number) == [1, 3])
        #expect(found.map(\.text) == ["a()", "c()"])
    }

    @Test func `the sources are really read`() throws {
        let files = try SourceTree.swiftFiles(in: "Sources")
        #expect(files.count > 200)
        #expect(files.contains { $0.target == "Relay" && $0.imports.contains("WebRTC") })
    }
}
