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
        case .viewers, .pairs, .cameraViewers, .viewerPairs: return nil
        }
    }

    /// The viewer that viewer keys act on.
    var subjectViewer: ViewerSnapshot? {
        if case .viewer(let id) = place { return viewer(id) }
        switch pane {
        case .viewers, .cameraViewers: return viewer(table(pane).selected)
        case .pairs, .viewerPairs: return viewer(pair(table(pane).selected)?.viewer)
        case .events: return viewer(event(table(.events).selected)?.viewer)
        case .cameras, .hls: return nil
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
            "\(viewer.id) came by bare WHEP: it has no control channel, so it can be dropped (D) but not switched"
        case .hls:
            "\(viewer.id) is a bare HLS player: it has no control channel, so it can be dropped (D) but not switched"
        }
    }
}
