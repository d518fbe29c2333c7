import Relay
import Wire

extension ConsoleModel {
    /// After a key, rows keep their places for this long: nothing moves away under the operator's hands.
    static let steadyAfterKey = Duration.seconds(2)

    /// Brings the rows of the lists on the screen into order.
    mutating func arrange(resort: Bool = false) {
        guard let shown else { return }
        let isSteady = !resort && (overlay != nil || lastKeyAt.map { now - $0 < ConsoleModel.steadyAfterKey } ?? false)
        for pane in place == .screen(.overview) ? Pane.overview : [pane] { arrange(pane, shown, isSteady: isSteady) }
    }

    private mutating func arrange(_ pane: Pane, _ shown: Snapshot, isSteady: Bool) {
        var state = table(pane)
        let all = members(of: pane, shown)
        let rows = state.applied.isEmpty ? all : all.filter { state.applied.matches(searchable(pane, $0, shown)) }
        var keys = sortKeys(pane, rows, state.sort, shown)
        if isSteady, pane != .events, pane != .ended, !state.order.isEmpty {
            let ranks = Dictionary(
                state.order.enumerated().map { ($0.element, $0.offset) },
                uniquingKeysWith: { a, _ in a }
            )
            // What is new comes after everything that has its place.
            for position in keys.indices { keys[position].place = ranks[keys[position].id] ?? .max }
        }
        keys.sort()
        // Who looks at the newest wants to see what is newer still.
        let followsFirst = !isSteady && (pane == .events || pane == .ended) && state.sort == .newest
        state.update(rows: keys.map(\.row), order: keys.map(\.id), total: all.count, followsFirst: followsFirst)
        tables[pane] = state
    }

    private func members(of pane: Pane, _ shown: Snapshot) -> [Int] {
        switch pane {
        case .cameras: return Array(shown.cameras.indices)
        case .viewers: return Array(shown.viewers.indices)
        case .pairs: return Array(shown.pairs.indices)
        case .hls: return Array(shown.hls.indices)
        case .events: return Array(eventLog.indices)
        case .cameraViewers:
            guard case .camera(let id)? = places.last(where: { if case .camera = $0 { true } else { false } }) else {
                return []
            }
            return shown.viewers.indices.filter { shown.viewers[$0].camera == id }
        case .viewerPairs:
            guard case .viewer(let id) = place else { return [] }
            return shown.pairs.indices.filter { shown.pairs[$0].viewer == id }
        case .ended: return Array(attempts.indices)
        case .endedPairs: return Array(attemptPairs.indices)
        case .attemptPairs: return Array((openedAttempt?.pairs ?? []).indices)
        }
    }

    /// What rows are compared by; looked up once, because snapshots are large and sorting compares often.
    private func sortKeys(_ pane: Pane, _ rows: [Int], _ sort: SortOrder, _ shown: Snapshot) -> [SortKey] {
        switch pane {
        case .cameras:
            return rows.map { row in
                let rank: Double? =
                    switch sort {
                    case .severity: Double(shown.cameras[row].severity.rawValue)
                    case .rate: shown.cameras[row].bitrate
                    case .loss: shown.cameras[row].loss
                    case .viewers: Double(shown.cameras[row].viewers)
                    default: nil
                    }
                return SortKey(row: row, id: shown.cameras[row].id, rank: rank, name: "")
            }
        case .viewers, .cameraViewers:
            return rows.map { row in
                let rank: Double? =
                    switch sort {
                    case .severity: Double(shown.viewers[row].severity.rawValue)
                    case .rate: shown.viewers[row].bitrate
                    case .loss: shown.viewers[row].loss
                    case .roundTrip: shown.viewers[row].roundTrip
                    case .age: -shown.viewers[row].age
                    case .score: shown.viewers[row].score.map { -Double($0.value) }
                    default: nil
                    }
                return SortKey(row: row, id: shown.viewers[row].id, rank: rank, name: shown.viewers[row].camera)
            }
        case .pairs, .viewerPairs, .endedPairs, .attemptPairs:
            let pairs = pairs(pane)
            return rows.map { row in
                let pair = pairs[row]
                let rank: Double? =
                    switch sort {
                    case .severity: Double(pairSeverity(pane, pair).rawValue)
                    case .roundTrip: pair.roundTrip
                    default: nil
                    }
                let name = sort == .path ? pair.local : pair.viewer
                // The pair in use before the others of its viewer.
                return SortKey(row: row, id: pair.id, rank: rank, name: name, order: pair.isNominated ? 0 : 1)
            }
        case .ended:
            // They are newest first already.
            return rows.map { row in
                let attempt = attempts[row]
                let rank = sort == .severity ? Double(attempt.verdict.severity.rawValue) : nil
                let name = sort == .name ? attempt.camera : ""
                return SortKey(row: row, id: "\(attempt.id)", rank: rank, name: name, order: row)
            }
        case .hls:
            return rows.map { row in
                let rank: Double? =
                    switch sort {
                    case .severity: Double(shown.hls[row].severity.rawValue)
                    case .latency: shown.hls[row].latencyMaximum
                    case .viewers: Double(shown.hls[row].viewers)
                    default: nil
                    }
                return SortKey(row: row, id: shown.hls[row].id, rank: rank, name: "")
            }
        case .events:
            // The log is newest first already.
            return rows.map { row in
                let rank = sort == .severity ? Double(eventLog[row].severity.rawValue) : nil
                return SortKey(row: row, id: String(eventLog[row].id), rank: rank, name: "", order: row)
            }
        }
    }

    /// All rows of a list as a ``Filter`` sees them.
    func searchable(_ pane: Pane) -> [Searchable] {
        guard let shown else { return [] }
        return members(of: pane, shown).map { searchable(pane, $0, shown) }
    }

    private func searchable(_ pane: Pane, _ row: Int, _ shown: Snapshot) -> Searchable {
        switch pane {
        case .cameras: return Searchable(shown.cameras[row])
        case .viewers, .cameraViewers: return Searchable(shown.viewers[row])
        case .ended: return Searchable(attempts[row])
        case .pairs, .viewerPairs, .endedPairs, .attemptPairs:
            let pair = pairs(pane)[row]
            return Searchable(
                [
                    pair.id, pair.camera, pair.local, pair.remote, pair.transport, pair.state,
                    pair.isNominated ? "nominated" : "",
                ],
                fields: [
                    "viewer": pair.viewer, "camera": pair.camera, "state": pair.state, "transport": pair.transport,
                ],
                numbers: ["rtt": pair.roundTrip, "checks": Double(pair.checksReceived)]
            )
        case .hls:
            let stream = shown.hls[row]
            return Searchable(
                [stream.id, stream.codecs, stream.why, Wording.name(stream.severity)],
                fields: ["camera": stream.id, "codecs": stream.codecs],
                numbers: [
                    "viewers": Double(stream.viewers), "latency": stream.latencyMedian, "max": stream.latencyMaximum,
                    "sev": Double(stream.severity.rawValue), "blocked": Double(stream.blocked),
                ]
            )
        case .events:
            let event = eventLog[row]
            return Searchable(
                [
                    event.text, event.camera, event.viewer, Wording.name(event.severity),
                    event.endedAt == nil ? "open" : "ended",
                ],
                fields: ["camera": event.camera ?? "", "viewer": event.viewer ?? ""],
                numbers: ["sev": Double(event.severity.rawValue)]
            )
        }
    }
}

extension Searchable {
    init(_ camera: CameraSnapshot) {
        self.init(
            [
                camera.id, camera.source, Wording.state(camera.state), camera.state.rawValue, camera.reason,
                camera.transport, Wording.codec(camera.video), Wording.resolution(camera.video),
                camera.audio.map { Wording.codec($0) }, camera.tags.joined(separator: " "),
                Wording.name(camera.severity),
            ],
            fields: [
                "camera": camera.id, "state": camera.state.rawValue, "codec": Wording.codec(camera.video),
                "tag": camera.tags.joined(separator: " "), "source": camera.source, "transport": camera.transport ?? "",
            ],
            numbers: [
                "rate": camera.bitrate, "loss": camera.loss, "fps": camera.fps, "jitter": camera.jitter,
                "viewers": Double(camera.viewers), "key": camera.keyframeAge, "sev": Double(camera.severity.rawValue),
                "reconnects": Double(camera.reconnects),
            ]
        )
    }

    init(_ viewer: ViewerSnapshot) {
        self.init(
            [
                viewer.id, viewer.camera, Wording.delivery(viewer.delivery), viewer.state.rawValue, viewer.why,
                viewer.remote, viewer.client, viewer.path, viewer.ice, viewer.dtls, viewer.control.rawValue,
                Wording.name(viewer.severity), viewer.score?.cause?.rawValue,
            ],
            fields: [
                "viewer": viewer.id, "camera": viewer.camera, "state": viewer.state.rawValue,
                "delivery": viewer.delivery.rawValue, "client": viewer.client, "path": viewer.path ?? "",
                "ip": viewer.remote, "control": viewer.control.rawValue, "cause": viewer.score?.cause?.rawValue ?? "",
            ],
            numbers: [
                "score": viewer.score.map { Double($0.value) }, "rate": viewer.bitrate, "loss": viewer.loss,
                "rtt": viewer.roundTrip, "jitter": viewer.jitter,
                "behind": viewer.behindLive, "nack": Double(viewer.nacks), "pli": Double(viewer.plis),
                "sev": Double(viewer.severity.rawValue), "age": viewer.age,
            ]
        )
    }
}

extension Searchable {
    init(_ attempt: AttemptSnapshot) {
        self.init(
            [
                attempt.viewer, attempt.camera, attempt.client, attempt.remote, attempt.control.rawValue,
                attempt.verdict.text, attempt.verdict.rule.rawValue, attempt.verdict.cause?.rawValue, attempt.end,
                attempt.path, Wording.name(attempt.verdict.severity),
            ],
            fields: [
                "viewer": attempt.viewer, "camera": attempt.camera, "client": attempt.client, "ip": attempt.remote,
                "rule": attempt.verdict.rule.rawValue, "cause": attempt.verdict.cause?.rawValue ?? "",
            ],
            numbers: [
                "sev": Double(attempt.verdict.severity.rawValue), "lasted": attempt.duration,
                "times": Double(attempt.repeats + 1),
            ]
        )
    }
}

/// What a row is compared by: its place if it has one, the highest rank, then names; ends in the identity, so that equal
/// rows never change places.
private struct SortKey: Comparable {
    var row: Int
    var id: String
    var rank: Double
    var name: String
    var order: Int
    /// Where the row was, while rows must not move.
    var place = 0

    /// - Parameter rank: What is not known comes last.
    init(row: Int, id: String, rank: Double?, name: String, order: Int = 0) {
        self.row = row
        self.id = id
        self.rank = rank.map { $0.isNaN ? -.infinity : $0 } ?? -.infinity
        self.name = name
        self.order = order
    }

    static func < (a: SortKey, b: SortKey) -> Bool {
        if a.place != b.place { return a.place < b.place }
        if a.rank != b.rank { return a.rank > b.rank }
        if a.name != b.name { return a.name < b.name }
        return a.order != b.order ? a.order < b.order : a.id < b.id
    }
}
