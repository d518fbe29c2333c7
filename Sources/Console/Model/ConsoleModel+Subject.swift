import Relay
import Wire

extension ConsoleModel {
    func camera(_ id: String?) -> CameraSnapshot? {
        guard let shown, let id, let position = index.cameras[id] else { return nil }
        return shown.cameras[position]
    }

    func viewer(_ id: String?) -> ViewerSnapshot? {
        guard let shown, let id, let position = index.viewers[id] else { return nil }
        return shown.viewers[position]
    }

    func stream(_ id: String?) -> HLSSnapshot? {
        guard let shown, let id, let position = index.hls[id] else { return nil }
        return shown.hls[position]
    }

    func pair(_ id: String?) -> PairSnapshot? { id.flatMap { id in shown?.pairs.first { $0.id == id } } }

    /// What the rows of a list of candidate pairs count in.
    func pairs(_ pane: Pane) -> [PairSnapshot] {
        switch pane {
        case .endedPairs: attemptPairs
        case .attemptPairs: openedAttempt?.pairs ?? []
        default: shown?.pairs ?? []
        }
    }

    /// How bad the session is that a pair belongs to.
    func pairSeverity(_ pane: Pane, _ pair: PairSnapshot) -> Severity {
        switch pane {
        case .endedPairs: attempt(ofPair: pair.id)?.verdict.severity ?? .ok
        case .attemptPairs: openedAttempt?.verdict.severity ?? .ok
        default: viewer(pair.viewer)?.severity ?? .ok
        }
    }

    func attempt(_ id: String?) -> AttemptSnapshot? {
        guard let id, let number = UInt64(id) else { return nil }
        return attempts.first { $0.id == number }
    }

    private func attempt(ofPair id: String?) -> AttemptSnapshot? {
        id.flatMap { attemptsByPair[$0] }.map { attempts[$0] }
    }

    /// The ended session under the cursor, or the one being looked at.
    var subjectAttempt: AttemptSnapshot? {
        if case .attempt(let id) = place {
            return openedAttempt?.id == id ? openedAttempt : nil
        }
        switch pane {
        case .ended: return attempt(table(.ended).selected)
        case .endedPairs: return attempt(ofPair: table(.endedPairs).selected)
        default: return nil
        }
    }

    func event(_ id: String?) -> EventSnapshot? {
        guard let id, let number = UInt64(id) else { return nil }
        return eventLog.first { $0.id == number }
    }

    /// The camera that camera keys act on: the one under the cursor, or the one being looked at.
    var subjectCamera: CameraSnapshot? {
        if case .camera(let id) = place { return camera(id) }
        switch pane {
        case .cameras, .hls: return camera(table(pane).selected)
        case .events: return camera(event(table(.events).selected)?.camera)
        case .viewers, .pairs, .cameraViewers, .viewerPairs, .ended, .endedPairs, .attemptPairs: return nil
        }
    }

    /// The viewer that viewer keys act on.
    var subjectViewer: ViewerSnapshot? {
        if case .viewer(let id) = place { return viewer(id) }
        switch pane {
        case .viewers, .cameraViewers: return viewer(table(pane).selected)
        case .pairs, .viewerPairs: return viewer(pair(table(pane).selected)?.viewer)
        case .events: return viewer(event(table(.events).selected)?.viewer)
        // A viewer that came back under the same name is not what the row is about.
        case .cameras, .hls, .ended, .endedPairs, .attemptPairs: return nil
        }
    }

    /// The camera behind whatever is under the cursor.
    var relatedCamera: CameraSnapshot? { subjectCamera ?? camera(subjectViewer?.camera) }

    /// Why nothing can be changed now; `nil` when it can.
    var actionObstacle: String? {
        if case .attached(readOnly: true) = configuration.mode { return "this console is read-only" }
        guard shown != nil else { return "the relay has not been seen yet" }
        if pausedAt != nil { return "the display is paused: p goes back to live first" }
        let age = freshness.age(at: now)
        if age > Freshness.blindAfter { return "the data is \(Format.calmAge(age.inSeconds)) old" }
        return nil
    }

    /// Why the selected viewer cannot be switched; `nil` when it can.
    func switchObstacle(_ viewer: ViewerSnapshot) -> String? {
        switch viewer.control {
        case .page: nil
        case .whep:
            "\(Wording.viewer(viewer.id)) came by bare WHEP: it has no control channel, so it can be dropped (D) but not switched"
        case .hls:
            "\(Wording.viewer(viewer.id)) is a bare HLS player: it has no control channel, so it can be dropped (D) but not switched"
        }
    }
}
