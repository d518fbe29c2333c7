import Relay
import Wire

extension ConsoleModel {
    /// After a key, rows keep their places for this long: nothing moves away under the operator's hands.
    static let steadyAfterKey = Duration.seconds(2)

    /// Brings the rows of all lists into order.
    mutating func arrange(resort: Bool = false) {
        guard let shown else { return }
        let isSteady = !resort && (overlay != nil || lastKeyAt.map { now - $0 < ConsoleModel.steadyAfterKey } ?? false)
        for pane in Pane.allCases { arrange(pane, shown, isSteady: isSteady) }
    }

    private mutating func arrange(_ pane: Pane, _ shown: Snapshot, isSteady: Bool) {
        var state = table(pane)
        let all = members(of: pane, shown)
        var rows = state.filter.isEmpty ? all : all.filter { state.filter.matches(searchable(pane, $0, shown)) }
        let inOrder = ordering(pane, state.sort, shown)
        if isSteady, !state.order.isEmpty {
            let ranks = Dictionary(
                state.order.enumerated().map { ($0.element, $0.offset) },
                uniquingKeysWith: { a, _ in a }
            )
            let ranked = rows.map { (row: $0, rank: ranks[identity(pane, $0, shown)] ?? Int.max) }
            rows = ranked.sorted { $0.rank != $1.rank ? $0.rank < $1.rank : inOrder($0.row, $1.row) }.map(\.row)
        } else {
            rows.sort(by: inOrder)
        }
        state.update(rows: rows, order: rows.map { identity(pane, $0, shown) }, total: all.count)
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
        }
    }

    private func identity(_ pane: Pane, _ row: Int, _ shown: Snapshot) -> String {
        switch pane {
        case .cameras: shown.cameras[row].id
        case .viewers, .cameraViewers: shown.viewers[row].id
        case .pairs, .viewerPairs: shown.pairs[row].id
        case .hls: shown.hls[row].id
        case .events: String(eventLog[row].id)
        }
    }

    /// The comparison for `sort`; ends in the identity, so that equal rows never change places.
    private func ordering(_ pane: Pane, _ sort: SortOrder, _ shown: Snapshot) -> (Int, Int) -> Bool {
        switch pane {
        case .cameras:
            return { a, b in
                let (a, b) = (shown.cameras[a], shown.cameras[b])
                switch sort {
                case .severity where a.severity != b.severity: return a.severity > b.severity
                case .rate where a.bitrate != b.bitrate: return (a.bitrate ?? -1) > (b.bitrate ?? -1)
                case .loss where a.loss != b.loss: return (a.loss ?? -1) > (b.loss ?? -1)
                case .viewers where a.viewers != b.viewers: return a.viewers > b.viewers
                default: return a.id < b.id
                }
            }
        case .viewers, .cameraViewers:
            return { a, b in
                let (a, b) = (shown.viewers[a], shown.viewers[b])
                switch sort {
                case .severity where a.severity != b.severity: return a.severity > b.severity
                case .rate where a.bitrate != b.bitrate: return (a.bitrate ?? -1) > (b.bitrate ?? -1)
                case .loss where a.loss != b.loss: return (a.loss ?? -1) > (b.loss ?? -1)
                case .roundTrip where a.roundTrip != b.roundTrip: return (a.roundTrip ?? -1) > (b.roundTrip ?? -1)
                case .age where a.age != b.age: return a.age < b.age
                default: return (a.camera, a.id) < (b.camera, b.id)
                }
            }
        case .pairs, .viewerPairs:
            let severity = Dictionary(shown.viewers.map { ($0.id, $0.severity) }, uniquingKeysWith: { a, _ in a })
            return { a, b in
                let (a, b) = (shown.pairs[a], shown.pairs[b])
                let (x, y) = (severity[a.viewer] ?? .unknown, severity[b.viewer] ?? .unknown)
                switch sort {
                case .severity where x != y: return x > y
                case .roundTrip where a.roundTrip != b.roundTrip: return (a.roundTrip ?? -1) > (b.roundTrip ?? -1)
                case .path where a.local != b.local: return a.local < b.local
                default:
                    if a.viewer != b.viewer { return a.viewer < b.viewer }
                    return a.isNominated != b.isNominated ? a.isNominated : a.id < b.id
                }
            }
        case .hls:
            return { a, b in
                let (a, b) = (shown.hls[a], shown.hls[b])
                switch sort {
                case .severity where a.severity != b.severity: return a.severity > b.severity
                case .latency where a.latencyMaximum != b.latencyMaximum:
                    return (a.latencyMaximum ?? -1) > (b.latencyMaximum ?? -1)
                case .viewers where a.viewers != b.viewers: return a.viewers > b.viewers
                default: return a.id < b.id
                }
            }
        case .events:
            return { [eventLog] a, b in
                let (a, b) = (eventLog[a], eventLog[b])
                if sort == .severity, a.severity != b.severity { return a.severity > b.severity }
                return a.id > b.id
            }
        }
    }

    private func searchable(_ pane: Pane, _ row: Int, _ shown: Snapshot) -> Searchable {
        switch pane {
        case .cameras: return Searchable(shown.cameras[row])
        case .viewers, .cameraViewers: return Searchable(shown.viewers[row])
        case .pairs, .viewerPairs:
            let pair = shown.pairs[row]
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
                Wording.name(viewer.severity),
            ],
            fields: [
                "viewer": viewer.id, "camera": viewer.camera, "state": viewer.state.rawValue,
                "delivery": viewer.delivery.rawValue, "client": viewer.client, "path": viewer.path ?? "",
                "ip": viewer.remote, "control": viewer.control.rawValue,
            ],
            numbers: [
                "rate": viewer.bitrate, "loss": viewer.loss, "rtt": viewer.roundTrip, "jitter": viewer.jitter,
                "behind": viewer.behindLive, "nack": Double(viewer.nacks), "pli": Double(viewer.plis),
                "sev": Double(viewer.severity.rawValue), "age": viewer.age,
            ]
        )
    }
}
