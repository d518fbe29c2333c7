import Foundation
import Testing

/// Imports point down the map in the README, never up, and sideways only where protocols need each other.
struct ImportMapTests {
    /// What a target may import of ours. `nil` values would mean "anything"; there are none.
    static let map: [String: Set<String>] = [
        "Wire": [],
        "Digests": ["COpenSSL"],
        "Media": ["Wire"],
        "SDP": ["Wire"],
        "RTP": ["Media", "COpenSSL", "Wire"],
        "DTLS": ["RTP", "COpenSSL", "Wire"],
        "ICE": ["Digests", "Wire"],
        "TURN": ["ICE", "Digests", "Wire"],
        "RTSP": ["SDP", "RTP", "Media", "Digests", "Wire"],
        "HLS": ["Media", "Wire"],
        "WebRTC": ["ICE", "DTLS", "SDP", "RTP", "Media", "Digests", "Wire"],
        "Relay": ["WebRTC", "HLS", "RTSP", "ICE", "DTLS", "RTP", "Media", "Digests", "Wire"],
        "Console": ["Relay", "Media", "Wire"],
        "Networking": ["Relay", "WebRTC", "RTSP", "TURN", "ICE", "DTLS", "Media", "Wire", "CMedia", "CWorker"],
        "Gateway": ["Networking", "Relay", "HLS", "WebRTC", "ICE", "Media", "Digests", "Wire"],
        "Terminal": ["Console", "Relay", "Wire", "CNcurses"],
        "signalbox": ["Terminal", "Console", "Gateway", "Networking", "Relay", "DTLS", "Media", "RTSP", "Wire"],
        "signalbox-media": ["CFFmpeg", "CWorker", "RTSP", "Media", "Digests", "Wire"],
    ]

    /// Targets without I/O: they may use the language's own library and nothing else from outside.
    static let pure: Set<String> = [
        "Wire", "Digests", "Media", "SDP", "RTP", "DTLS", "ICE", "TURN", "RTSP", "HLS", "WebRTC", "Relay", "Console",
    ]

    /// What belongs to nobody but one target.
    static let reserved = [
        "CNcurses": "Terminal", "CFFmpeg": "signalbox-media", "CMedia": "Networking", "Yams": "signalbox",
    ]

    @Test func `every folder of Sources is on the map, and the other way round`() throws {
        let folders = try FileManager.default.contentsOfDirectory(
            atPath: SourceTree.root.appendingPathComponent("Sources").path
        )
        let libraries: Set = ["CMedia", "CWorker", "CNcurses", "COpenSSL", "CFFmpeg"]
        #expect(Set(folders.filter { !$0.hasPrefix(".") }) == Set(Self.map.keys).union(libraries))
    }

    @Test func `the README draws every folder`() throws {
        let readme = try String(contentsOf: SourceTree.root.appendingPathComponent("README.md"), encoding: .utf8)
        for target in Self.map.keys { #expect(readme.contains("\(target)/"), "\(target) is not in the README's map") }
    }

    @Test func `imports point down the map`() throws {
        let ours = Set(Self.map.keys).union(["CMedia", "CWorker", "CNcurses", "COpenSSL", "CFFmpeg"])
        for file in try SourceTree.swiftFiles(in: "Sources") {
            let allowed = try #require(Self.map[file.target], "\(file.path) is in no target")
            let wrong = file.imports.intersection(ours).subtracting(allowed)
            #expect(wrong.isEmpty, "\(file.path) imports \(wrong.sorted().joined(separator: ", "))")
        }
    }

    @Test func `the map has no circle`() {
        var settled: Set<String> = ["CMedia", "CWorker", "CNcurses", "COpenSSL", "CFFmpeg"]
        var open = Self.map
        while let (name, _) = open.first(where: { $0.value.isSubset(of: settled) }) {
            settled.insert(name)
            open[name] = nil
        }
        #expect(open.isEmpty, "these import each other: \(open.keys.sorted())")
    }

    @Test func `a pure target imports nothing from outside`() throws {
        for file in try SourceTree.swiftFiles(in: "Sources") where Self.pure.contains(file.target) {
            let foreign = file.imports.subtracting(Self.map.keys).subtracting(["COpenSSL", "Synchronization"])
            #expect(foreign.isEmpty, "\(file.path) imports \(foreign.sorted().joined(separator: ", "))")
        }
    }

    @Test func `each C library has one importer, and locks are for what several threads share`() throws {
        for file in try SourceTree.swiftFiles(in: "Sources") {
            for (module, owner) in Self.reserved where file.imports.contains(module) {
                #expect(file.target == owner, "\(file.path) imports \(module)")
            }
            if Self.pure.contains(file.target), file.imports.contains("Synchronization") {
                #expect(file.target == "Relay", "\(file.path) has a lock")
            }
        }
    }
}
