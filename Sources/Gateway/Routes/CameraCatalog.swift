import NIOConcurrencyHelpers
import Relay
import Wire

/// Finds the camera a path is about. Names may contain slashes, so the longest known name wins.
final class CameraCatalog: Sendable {
    /// A path split at the end of the camera's name.
    struct Match: Equatable {
        /// The camera's name.
        var camera: String
        /// What follows the name and a slash; empty for the camera's page.
        var rest: Substring
    }

    /// Longest path looked at: a name of 128 bytes, a session id, a file name.
    private static let pathLimit = 512
    /// Most segments looked at.
    private static let segmentLimit = 72

    private let names = NIOLockedValueBox<(sampledAt: Instant, names: Set<String>)?>(nil)
    private let service: any ViewerService

    init(service: any ViewerService) { self.service = service }

    /// The camera that `path` (as in the request, with or without query) is about; `nil` when there is none.
    ///
    /// - Throws: ``Refusal`` while the relay does not know its cameras yet.
    func match(_ path: some StringProtocol) throws(Refusal) -> Match? {
        guard let snapshot = service.snapshot() else { throw .starting }
        let known = names.withLockedValue { cached in
            if let cached, cached.sampledAt == snapshot.sampledAt { return cached.names }
            let names = Set(snapshot.cameras.map(\.id))
            cached = (snapshot.sampledAt, names)
            return names
        }
        return Self.match(path, among: known)
    }

    static func match(_ path: some StringProtocol, among known: Set<String>) -> Match? {
        var path = Substring(path)
        if let query = path.utf8.firstIndex(of: UInt8(ascii: "?")) { path = path[..<query] }
        guard path.utf8.count <= pathLimit, path.utf8.first == UInt8(ascii: "/") else { return nil }
        path = path.dropFirst()
        if path.utf8.last == UInt8(ascii: "/") { path = path.dropLast() }
        var name = path
        for _ in 0..<segmentLimit {
            if known.contains(String(name)) {
                let rest = path[name.endIndex...]
                return Match(camera: String(name), rest: rest.dropFirst())
            }
            guard let slash = name.utf8.lastIndex(of: UInt8(ascii: "/")) else { return nil }
            name = name[..<slash]
        }
        return nil
    }
}

/// The value of `name` in the query of `target`, percent-decoding not applied: our values are plain words and numbers.
func queryValue(_ name: String, in target: some StringProtocol) -> String? {
    guard let question = target.utf8.firstIndex(of: UInt8(ascii: "?")) else { return nil }
    let query = target[target.utf8.index(after: question)...]
    for pair in query.utf8.split(separator: UInt8(ascii: "&"), maxSplits: 16) {
        let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].elementsEqual(name.utf8) else { continue }
        return String(decoding: parts[1].prefix(64), as: UTF8.self)
    }
    return nil
}
