import RTP
import WebRTC
import Wire

extension RelayShard {
    /// Carries out a command, or refuses it with a reason. Its progress is in the snapshot's operations.
    public func submit(_ command: Command, at now: Instant, into effects: inout [ShardEffect]) -> CommandReply {
        if operations.contains(where: { $0.command.id == command.id }) { return .accepted }
        guard operations.count < Self.operationLimit else {
            return .refused("too many operations are under way; wait for some to end")
        }
        let reply: CommandReply
        switch command.action {
        case .restart(let name), .kill(let name), .start(let name), .keyframe(let name):
            guard let camera = cameras[name] else { return .refused("there is no camera named \(name)") }
            if let generation = command.generation, generation != camera.generation {
                return .refused("\(name) has changed since: it is \(camera.state.rawValue) now; look again")
            }
            reply = submit(command, to: camera, at: now, into: &effects)
        case .switchViewer(let id, _), .drop(let id):
            guard let viewer = viewers[id] else { return .refused("there is no viewer \(id), or no longer") }
            reply = submit(command, to: viewer, at: now, into: &effects)
        }
        if let camera = command.action.camera.flatMap({ cameras[$0] }) { publish(camera, into: &effects) }
        if reply == .accepted { wake(by: now) }
        return reply
    }

    /// Operations remembered at most.
    private static let operationLimit = 256
    /// How long a camera may take to show a keyframe after a restart, its GOP included.
    private static let bringUpLimit: Duration = .seconds(20)
    /// How long a page may take to show frames by the other delivery.
    private static let moveLimit: Duration = .seconds(8)

    private func submit(
        _ command: Command,
        to camera: Camera,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) -> CommandReply {
        let watching = camera.audience.present
        let before = camera.attempt
        switch command.action {
        case .restart:
            guard camera.state != .stopped else { return .refused("\(camera.name) is stopped; start it instead") }
            disconnect(camera, at: now, into: &effects)
            camera.generation += 1
            camera.backoff.reset()
            forgetReordering(of: camera, at: now)
            connect(camera, at: now, into: &effects)
        case .start:
            guard !camera.stream.facts.isPulled else {
                return .refused("\(camera.name) is running already; restart it instead")
            }
            camera.generation += 1
            camera.backoff.reset()
            camera.credentialHold.reset()
            forgetReordering(of: camera, at: now)
            connect(camera, at: now, into: &effects)
        case .kill:
            guard camera.state != .stopped else { return .refused("\(camera.name) is stopped already") }
            disconnect(camera, at: now, into: &effects)
            camera.generation += 1
            camera.enter(
                .stopped,
                reason: "stopped by \(command.author)" + (command.reason.isEmpty ? "" : ": \(command.reason)"),
                remedy: "start it when it is wanted again",
                at: now
            )
            ended(.dark(camera: camera.name), at: now)
            tell(camera, at: now, into: &effects)
            operations.append(
                Operation(
                    command: command,
                    kind: .takeDown(camera: camera.name, viewers: watching.count),
                    waitingFor: "waiting for the connection to close",
                    at: now,
                    limit: .seconds(5)
                )
            )
            return .accepted
        case .keyframe:
            guard camera.liveSince != nil else { return .refused("\(camera.name) is \(camera.state.rawValue)") }
            let result = requestKeyframe(of: camera, at: now, into: &effects)
            begin(command, .done, result: result, at: now)
            return .accepted
        case .switchViewer, .drop:
            return .refused("this command is for a viewer")
        }
        operations.append(
            Operation(
                command: command,
                kind: .bringUp(camera: camera.name, afterAttempt: before, viewers: watching),
                waitingFor: "connecting",
                at: now,
                limit: Self.bringUpLimit
            )
        )
        return .accepted
    }

    /// The camera has been set right, or may have been; if not, it will be seen again.
    func forgetReordering(of camera: Camera, at now: Instant) {
        camera.stream.facts.reordersPictures = false
        ended(.reordered(camera: camera.name), at: now)
    }

    private func submit(
        _ command: Command,
        to viewer: Viewer,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) -> CommandReply {
        if let generation = command.generation, generation != viewer.generation {
            return .refused("viewer \(viewer.id) has changed since; look again")
        }
        switch command.action {
        case .drop:
            end(viewer, reason: "ended by the operator", retryAfter: nil, at: now, into: &effects)
            begin(command, .done, result: "ended; it may join again", at: now)
            return .accepted
        case .switchViewer(_, let target):
            if let reason = viewer.reasonAgainstSwitch { return .refused(reason) }
            let camera = viewer.stream.name
            let facts = viewer.stream.facts
            let policy = policy(for: viewer.stream)
            if policy != .auto, target != policy {
                return .refused("the delivery policy for \(camera) is \(policy.rawValue) only")
            }
            if target != .auto, !facts.isShown {
                return .refused("\(camera) is \(facts.state.rawValue): there is nothing to show by either delivery")
            }
            if target == .webrtc, facts.reordersPictures {
                return .refused("\(camera)'s pictures are reordered (B-frames), WebRTC cannot show them")
            }
            guard viewer.channel != nil else { return .refused("its page is not connected") }
            let before = viewer.requested
            if let played = viewer.steadilyPlayed, target == (played == .hls ? .hls : .webrtc) {
                let name = played == .hls ? "HLS" : "WebRTC"
                var result = "already plays \(name)"
                if before != target {
                    result += ", and keeps to it from now on"
                    viewer.requested = target
                    viewer.refuge = nil
                    order(viewer, to: target, reason: "asked by the operator", into: &effects)
                }
                begin(command, .done, result: result, at: now)
                return .accepted
            }
            // Browsers start no picture that nobody sees; to wait for one would only end in a time-out.
            if target != .auto, viewer.isInBackground {
                return .refused("its tab is in the background, where browsers start no picture")
            }
            viewer.requested = target
            viewer.switchingTo = target
            viewer.refuge = nil
            viewer.generation += 1
            if target == .hls, viewer.delivery != .hls { viewer.beginHLS(at: now) }
            // The author's reason is for the event list, not for the viewer.
            order(viewer, to: target, reason: "asked by the operator", into: &effects)
            operations.append(
                Operation(
                    command: command,
                    kind: .move(viewer: viewer.id, to: target, from: before),
                    waitingFor: target == .hls
                        ? "told, waiting for its first playlist request" : "told, waiting for its offer",
                    at: now,
                    limit: Self.moveLimit
                )
            )
            return .accepted
        case .restart, .kill, .start, .keyframe:
            return .refused("this command is for a camera")
        }
    }

    private func begin(_ command: Command, _ kind: Operation.Kind, result: String, at now: Instant) {
        var operation = Operation(command: command, kind: kind, waitingFor: "", at: now, limit: .seconds(1))
        operation.end(.succeeded, result, at: now)
        operations.append(operation)
        logEnd(of: operation, at: now)
    }

    /// RTSP has no way to ask a camera for a keyframe, so this says what was done instead.
    private func requestKeyframe(of camera: Camera, at now: Instant, into effects: inout [ShardEffect]) -> String {
        refresh(camera.stream, at: now)
        for shard in camera.audience.shards where shard != number {
            say(.refresh, of: camera.stream, to: shard, at: now, into: &effects)
        }
        var text = "camera cannot be asked"
        if let counters = camera.videoIngest?.counters(at: now), let last = counters.lastKeyframe,
            let gop = counters.gopDuration
        {
            let left = (gop - (now - last)).inSeconds
            text += left > 0 ? "; next keyframe in about \(Int(left.rounded(.up))) s" : "; next keyframe is due now"
        }
        let count = camera.audience.subscribers
        let served = camera.stream.cache.isUsable ? count : 0
        return text + "; cache served \(served) of \(count) WebRTC \(count == 1 ? "viewer" : "viewers")"
    }

    // MARK: - Observed results

    /// Looks at what running operations wait for, and ends those whose result is to be seen.
    func advanceOperations(at now: Instant, into effects: inout [ShardEffect]) {
        for index in operations.indices where operations[index].isRunning {
            switch operations[index].kind {
            case .bringUp(let name, let attempt, let watching):
                advanceBringUp(&operations[index], name, after: attempt, watching: watching, at: now)
            case .takeDown(let name, let count):
                if let camera = cameras[name], camera.state == .stopped, !camera.isOpen {
                    let told =
                        switch count {
                        case 0: "stopped, nobody was watching"
                        case 1: "stopped, 1 viewer stays and is told"
                        default: "stopped, \(count) viewers stay and are told"
                        }
                    operations[index].end(.succeeded, told, at: now)
                }
            case .move(let id, let target, _):
                advanceMove(&operations[index], id, to: target, at: now)
            case .drop, .done:
                break
            }
            if operations[index].isRunning, now - operations[index].startedAt > operations[index].limit {
                giveUp(index, at: now, into: &effects)
            }
            if !operations[index].isRunning { logEnd(of: operations[index], at: now) }
        }
    }

    private func advanceBringUp(
        _ operation: inout Operation,
        _ name: String,
        after attempt: UInt64,
        watching: Set<String>,
        at now: Instant
    ) {
        guard let camera = cameras[name] else { return operation.end(.failed, "the camera is gone", at: now) }
        guard camera.attempt > attempt else { return }
        switch camera.state {
        case .stopped: operation.end(.failed, "stopped by another command", at: now)
        case .held: operation.end(.failed, camera.reason, at: now)
        case .negotiating: operation.reach("connected", thenAwait: "RTSP connected, negotiating", at: now)
        case .starting: operation.reach("RTSP ok", thenAwait: "RTSP ok, waiting for keyframe", at: now)
        case .live:
            operation.reach("first keyframe", thenAwait: "", at: now)
            let kept = watching.filter { camera.audience.viewers[$0] != nil }.count
            let seconds = (now - operation.startedAt).inSeconds.tenths
            let audience = watching.isEmpty ? "nobody was watching" : "viewers \(kept)/\(watching.count) kept"
            operation.end(.succeeded, "up in \(seconds) s, \(audience)", at: now)
        case .idle, .connecting, .stalled, .retrying: break
        }
    }

    private func advanceMove(_ operation: inout Operation, _ id: String, to target: DeliveryPolicy, at now: Instant) {
        guard let viewer = viewers[id] else { return operation.end(.failed, "the viewer left", at: now) }
        let since = operation.startedAt
        switch target {
        case .auto:
            viewer.switchingTo = nil
            operation.end(.succeeded, "its page chooses again", at: now)
            return
        case .hls:
            if let at = viewer.lastHLSRequestAt, at >= since {
                operation.reach(
                    "playlist asked for",
                    thenAwait: "playlist sent, waiting for first segment request",
                    at: now
                )
            }
            if let at = viewer.lastHLSMediaAt, at >= since {
                operation.reach("media fetched", thenAwait: "media sent, waiting for frames to be shown", at: now)
            }
        case .webrtc:
            if viewer.peer != nil {
                operation.reach("offer answered", thenAwait: "answered, waiting for ICE and DTLS", at: now)
            }
            if viewer.isSubscribed {
                operation.reach("connected", thenAwait: "connected, waiting for frames to be shown", at: now)
            }
        }
        let wanted: Delivery = target == .hls ? .hls : .webrtc
        if let report = viewer.report, let at = viewer.reportedAt, at > since, report.playing == wanted {
            viewer.switchingTo = nil
            viewer.delivery = wanted
            let seconds = (now - since).inSeconds.tenths
            operation.end(.succeeded, "plays \(wanted == .hls ? "HLS" : "WebRTC") after \(seconds) s", at: now)
        }
    }

    private func giveUp(_ index: Int, at now: Instant, into effects: inout [ShardEffect]) {
        let waitedFor = operations[index].waitingFor
        let seconds = Int(operations[index].limit.inSeconds)
        switch operations[index].kind {
        case .bringUp(let name, _, _):
            let reason = cameras[name].map { $0.reason.isEmpty ? $0.state.rawValue : $0.reason } ?? ""
            operations[index].end(.timedOut, "not up after \(seconds) s: \(reason)", at: now)
        case .move(let id, let target, let before):
            takeBack(target, for: id, to: before, into: &effects)
            let isHidden = viewers[id]?.isInBackground == true
            let why = isHidden ? "its tab went to the background" : waitedFor
            operations[index].end(.timedOut, "nothing shown after \(seconds) s: \(why)", at: now)
        case .takeDown, .drop, .done:
            operations[index].end(.timedOut, "not done after \(seconds) s: \(waitedFor)", at: now)
        }
    }

    /// A switch that nothing came of is taken back: what was asked for before holds again, and the page is told.
    private func takeBack(
        _ target: DeliveryPolicy,
        for id: String,
        to before: DeliveryPolicy,
        into effects: inout [ShardEffect]
    ) {
        guard let viewer = viewers[id] else { return }
        viewer.switchingTo = nil
        guard viewer.requested == target, before != target else { return }
        viewer.requested = before
        order(viewer, to: effectivePolicy(of: viewer), reason: "the switch did not succeed", into: &effects)
    }

    private func logEnd(of operation: Operation, at now: Instant) {
        let action = operation.command.action
        let camera = action.camera ?? action.viewer.flatMap { viewers[$0]?.stream.name }
        let reason = operation.command.reason.isEmpty ? "" : " (\(operation.command.reason))"
        log(
            operation.outcome == .succeeded ? .info : .warning,
            "\(action.verb) by \(operation.command.author)\(reason): \(operation.result)",
            camera: camera,
            viewer: action.viewer,
            at: now
        )
    }
}

extension Double {
    /// One digit after the point, without Foundation; `-` for what is no number.
    var tenths: String {
        guard isFinite else { return "-" }
        let value = Int((Swift.min(Swift.max(self, -1e12), 1e12) * 10).rounded())
        return "\(value / 10).\(abs(value % 10))"
    }
}
