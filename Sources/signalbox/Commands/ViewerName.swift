import Networking
import Relay

/// What somebody types for a viewer: its id, or as much of its beginning as no other's has.
struct ViewerName {
    let word: String

    /// The viewer that is meant.
    ///
    /// - Parameters:
    ///   - living: Ids of the viewers there are.
    ///   - ended: Ids of viewers whose sessions have ended.
    func id(among living: [String], ended: [String] = []) throws(StartFailure) -> String {
        let known = living + ended
        if known.contains(word) { return word }
        let candidates = Set(word.isEmpty ? [] : known.filter { $0.hasPrefix(word) }).sorted()
        if candidates.count == 1 { return candidates[0] }
        guard candidates.isEmpty else {
            let shown = candidates.prefix(Self.shownCandidates).joined(separator: ", ")
            let more =
                candidates.count > Self.shownCandidates ? " and \(candidates.count - Self.shownCandidates) more" : ""
            throw StartFailure(
                problem: "viewer \(word) is ambiguous: \(shown)\(more)",
                remedy: "Type more of it",
                exitCode: 2
            )
        }
        throw StartFailure(
            problem: "there is no viewer \(word)",
            remedy: "`signalbox ctl viewers` lists those there are",
            exitCode: 3
        )
    }

    /// The viewer of a running relay that is meant, of those that watch and those whose sessions ended in the last hour.
    ///
    /// - Parameter includingEnded: One that has left will do; otherwise it is said that it has.
    func id(_ client: ControlClient, _ snapshot: Snapshot, includingEnded: Bool = false) async throws -> String {
        let living = snapshot.viewers.map(\.id)
        if let found = try? id(among: living) { return found }
        let ended = await client.attempts(AttemptsRequest(limit: AttemptsRequest.limit)).map(\.viewer)
        let found = try id(among: living, ended: ended)
        guard includingEnded || living.contains(found) else {
            throw StartFailure(
                problem: "viewer \(found) has left",
                remedy: "`signalbox ctl pairs --ended --viewer \(word)` tells how its sessions ended",
                exitCode: 3
            )
        }
        return found
    }

    /// Ambiguous names are answered with so many.
    private static let shownCandidates = 5
}

/// What viewers are called in tables: as on the console by the first characters of their ids, or by as many more as it
/// takes to tell them apart, so that what is read can be typed.
struct ShortViewerNames {
    /// As many as the console shows.
    private static let customary = 7

    private let names: [String: String]

    /// Names for `ids`, among which they are unique.
    init(_ ids: some Sequence<String>) {
        let sorted = Set(ids).sorted()
        var names: [String: String] = [:]
        for (index, id) in sorted.enumerated() {
            // In this order nobody has more in common with an id than its neighbours.
            let neighbours = [index - 1, index + 1].filter(sorted.indices.contains).map { sorted[$0] }
            let shared = neighbours.map { zip($0, id).prefix { $0 == $1 }.count }.max() ?? 0
            names[id] = String(id.prefix(max(Self.customary, shared + 1)))
        }
        self.names = names
    }

    /// The name of `id`; the whole of it if it is none of those known.
    subscript(id: String) -> String { names[id] ?? id }

    /// The name of the viewer of `pair` with the pair's number.
    subscript(pair: PairSnapshot) -> String {
        pair.id.hasPrefix(pair.viewer) ? self[pair.viewer] + pair.id.dropFirst(pair.viewer.count) : pair.id
    }
}
