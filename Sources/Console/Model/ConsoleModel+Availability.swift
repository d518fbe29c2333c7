import Relay
import Wire

extension ConsoleModel {
    /// Whether a command can be used where the operator is.
    func availability(of id: ConsoleCommand.ID) -> Availability {
        switch id {
        case .restart, .kill, .start: return cameraAction(id)
        case .keyframe:
            guard let camera = relatedCamera else { return .absent }
            if let obstacle = actionObstacle { return .disabled(obstacle) }
            return camera.state == .live || camera.state == .starting
                ? .enabled : .disabled("\(camera.id) delivers nothing")
        case .switchDelivery, .automatic:
            guard let viewer = subjectViewer else { return viewerWanted }
            if let obstacle = actionObstacle ?? switchObstacle(viewer) { return .disabled(obstacle) }
            if id == .switchDelivery, viewer.isInBackground {
                return .disabled(
                    "\(Wording.viewer(viewer.id)): its tab is in the background, where browsers start no picture"
                )
            }
            if index.viewerOperations[viewer.id]?.outcome == .running {
                return .disabled("\(Wording.viewer(viewer.id)) is being changed already")
            }
            return .enabled
        case .drop:
            guard subjectViewer != nil else { return viewerWanted }
            return actionObstacle.map { .disabled($0) } ?? .enabled
        case .why:
            return subjectCamera != nil || subjectViewer != nil || subjectAttempt != nil ? .enabled : .absent
        case .ended: return place == .screen(.peers) || place == .screen(.pairs) ? .enabled : .absent
        case .open: return target == nil ? .absent : .enabled
        case .metric: return screenHasCameraGraphs ? .enabled : .absent
        case .zoomIn, .zoomOut: return screenHasGraphs ? .enabled : .absent
        case .sort, .filter, .nextProblem: return .enabled
        case .back:
            return places.count > 1 || !table(pane).filter.isEmpty || place != .screen(.overview) ? .enabled : .absent
        case .suspend:
            if case .attached = configuration.mode { return .enabled }
            return .disabled("the relay lives in this process and would stop with it; q leaves it running")
        default: return .enabled
        }
    }

    /// What keys for viewers are where none is selected.
    private var viewerWanted: Availability {
        subjectCamera == nil ? .absent : .disabled("this acts on viewers: select one (3)")
    }

    private func cameraAction(_ id: ConsoleCommand.ID) -> Availability {
        guard let camera = subjectCamera else {
            return subjectViewer == nil ? .absent : .disabled("this acts on cameras: select one (2)")
        }
        if let obstacle = actionObstacle { return .disabled(obstacle) }
        if let operation = index.cameraOperations[camera.id], operation.outcome == .running,
            operation.verb != "keyframe"
        {
            return .disabled("\(camera.id): \(operation.verb) by \(operation.author) is running")
        }
        switch id {
        case .kill where camera.state == .stopped: return .disabled("\(camera.id) is killed already; S starts it")
        case .restart where camera.state == .stopped: return .disabled("\(camera.id) is killed; S starts it")
        case .start where camera.state == .live: return .disabled("\(camera.id) is live")
        case .start where camera.state == .starting: return .disabled("\(camera.id) is starting")
        default: return .enabled
        }
    }

    private var screenHasCameraGraphs: Bool { place == .screen(.graphs) }

    private var screenHasGraphs: Bool {
        switch place {
        case .screen(.overview), .screen(.cameras), .screen(.hls), .screen(.graphs), .camera, .viewer: true
        case .screen(.peers), .screen(.pairs), .screen(.events), .attempt: false
        }
    }

    /// What Enter opens.
    var target: Place? {
        switch pane {
        case .cameras, .hls: return camera(table(pane).selected).map { .camera($0.id) }
        case .viewers, .cameraViewers: return viewer(table(pane).selected).map { .viewer($0.id) }
        case .pairs: return viewer(pair(table(.pairs).selected)?.viewer).map { .viewer($0.id) }
        case .viewerPairs, .attemptPairs: return nil
        case .ended, .endedPairs: return subjectAttempt.map { .attempt($0.id) }
        case .events:
            let event = event(table(.events).selected)
            if let viewer = viewer(event?.viewer) { return .viewer(viewer.id) }
            return camera(event?.camera).map { .camera($0.id) }
        }
    }
}
