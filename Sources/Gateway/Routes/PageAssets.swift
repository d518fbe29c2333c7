import Digests
import Foundation
import HTTPTypes
import NIOCore

/// The files of the page, read once and kept.
///
/// They are addressed under a name made from their content, `/-/VERSION/player.js`, and may be cached for ever;
/// the two documents that name that version are not cached.
struct PageAssets: Sendable {
    /// One file.
    struct Asset: Sendable {
        var contentType: String
        var body: ByteBuffer
        var tag: String
        /// What admits the script that a document carries in itself (CSP Level 3 §2.3.1, `hash-source`).
        var scriptSource: String?
    }

    /// The cameras' page.
    let index: Asset
    /// The page of one camera.
    let player: Asset
    /// What a browser gets for a camera that does not exist.
    let missing: Asset
    /// Changes with every change of any file.
    let version: String

    private let files: [String: Asset]

    init() throws(GatewayError) {
        let directory = Bundle.module.bundleURL.appendingPathComponent("Page", isDirectory: true)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
        var contents: [String: Data] = [:]
        for name in names { contents[name] = try? Data(contentsOf: directory.appendingPathComponent(name)) }
        let version = Self.tag(of: names.sorted().flatMap { contents[$0].map(Array.init) ?? [] })
        func document(_ name: String) throws(GatewayError) -> Asset {
            guard let data = contents[name] else {
                throw GatewayError(
                    .installation,
                    problem: "The page's file \(name) is missing from \(directory.path).",
                    remedy: "Install the relay again, with its resource directory beside the program."
                )
            }
            var text = String(decoding: data, as: UTF8.self).replacingOccurrences(
                of: "{{assets}}",
                with: "/-/\(version)"
            )
            guard let place = text.range(of: "{{begin}}"), let script = contents["begin.js"] else {
                return Asset(name: name, bytes: Array(text.utf8))
            }
            text.replaceSubrange(place, with: String(decoding: script, as: UTF8.self))
            var asset = Asset(name: name, bytes: Array(text.utf8))
            asset.scriptSource = "'sha256-\(Data(Digest.sha256(Array(script))).base64EncodedString())'"
            return asset
        }
        self.version = version
        index = try document("index.html")
        player = try document("player.html")
        missing = try document("missing.html")
        var files: [String: Asset] = [:]
        for (name, data) in contents where !name.hasSuffix(".html") {
            files[name] = Asset(name: name, bytes: Array(data))
        }
        self.files = files
    }

    /// The script, style or image called `name`.
    func file(_ name: String) -> Asset? { files[name] }

    /// FNV-1a: names content, protects nothing.
    fileprivate static func tag(of bytes: [UInt8]) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return String(hash, radix: 36)
    }
}

extension PageAssets.Asset {
    fileprivate init(name: String, bytes: [UInt8]) {
        let types = [
            "html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8",
            "css": "text/css; charset=utf-8", "svg": "image/svg+xml",
        ]
        let suffix = name.split(separator: ".").last.map(String.init) ?? ""
        contentType = types[suffix] ?? "application/octet-stream"
        body = ByteBuffer(bytes: bytes)
        tag = "\"\(PageAssets.tag(of: bytes))\""
    }
}
