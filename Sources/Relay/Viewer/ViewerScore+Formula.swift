extension ViewerScore {
    /// Scores a viewer by what its snapshot says.
    ///
    /// - Parameters:
    ///   - camera: The camera it watches.
    ///   - loopDelay: How late the relay's loop runs, in milliseconds.
    /// - Returns: `nil` while there is nothing to judge by: before it plays, during a switch, and while neither its page
    ///   nor its receiver can be heard.
    init?(of viewer: ViewerSnapshot, camera: CameraSnapshot, loopDelay: Double?) {
        switch viewer.state {
        case .playing: break
        case .waiting:
            self.init(value: 0, cause: .camera, reason: "the camera is \(camera.state.rawValue)")
            return
        case .silent:
            self.init(value: 0, cause: .clientNetwork, reason: "nothing is heard from it")
            return
        case .joining, .connecting:
            guard let verdict = viewer.verdict, verdict.severity >= .warning else { return nil }
            self.init(value: 0, cause: verdict.cause, reason: verdict.text)
            return
        case .switching: return nil
        }
        if let verdict = viewer.verdict, verdict.severity >= .warning, viewer.delivery == .webrtc {
            self.init(value: 0, cause: verdict.cause, reason: verdict.text)
            return
        }
        guard viewer.controlLost == nil, viewer.heardAge ?? 0 < ViewerHealth.unheard else { return nil }
        let evidence = Evidence(viewer, camera, loopDelay)
        var product = 1.0
        var worst: (penalty: Double, cause: Cause, reason: String)?
        for (penalty, cause, reason) in evidence.losses where penalty > 0 {
            product *= 1 - penalty
            if penalty > worst?.penalty ?? 0 { worst = (penalty, cause, reason()) }
        }
        let value = Int((100 * product).rounded())
        self.init(value: value, cause: value < 100 ? worst?.cause : nil, reason: value < 100 ? worst?.reason ?? "" : "")
    }
}

/// What is measured of a viewer, as penalties with their causes.
private struct Evidence {
    let viewer: ViewerSnapshot
    let camera: CameraSnapshot
    let loopDelay: Double?
    /// What its page says, unless that is old.
    let report: ViewerReport?

    init(_ viewer: ViewerSnapshot, _ camera: CameraSnapshot, _ loopDelay: Double?) {
        self.viewer = viewer
        self.camera = camera
        self.loopDelay = loopDelay
        report = viewer.reportAge ?? 0 < freshness ? viewer.report : nil
    }

    typealias Loss = (penalty: Double, cause: Cause, reason: () -> String)

    var losses: [Loss] {
        let isWebRTC = viewer.delivery == .webrtc
        let isSeen = !viewer.isInBackground
        let behind = isSeen ? viewer.behindLive.map { ramp($0, isWebRTC ? 0.5 : 6, isWebRTC ? 5 : 30) } : nil
        var losses: [Loss] = [
            (0.5 * ramp(viewer.loss, 1, 15), way, { "loss \((viewer.loss ?? 0).tenths) %" }),
            (0.3 * ramp(viewer.roundTrip, 150, 1000), way, { "round trip \(whole(viewer.roundTrip)) ms" }),
            (0.2 * ramp(viewer.jitter, 40, 300), way, { "jitter \(whole(viewer.jitter)) ms" }),
            (0.5 * (behind ?? 0), suspect, { "\((viewer.behindLive ?? 0).tenths) s behind live" }),
            (0.5 * ramp(loopDelay, 20, 200), .server, { "the relay runs \(whole(loopDelay)) ms late" }),
        ]
        if let thinned = viewer.thinned { losses.append((0.3, way, { thinned.reason })) }
        guard let report, isSeen else { return losses }
        if isWebRTC {
            let buffer = report.bufferMilliseconds
            losses.append((0.3 * ramp(buffer, 200, 2000), way, { "jitter buffer \(whole(buffer)) ms" }))
        }
        if viewer.age < 60, let first = report.firstFrameMilliseconds {
            losses.append(
                (0.3 * ramp(first, 1000, 10_000), suspect, { "first frame after \((first / 1000).tenths) s" })
            )
        }
        let frozen = report.freezeShare.map { $0 * 100 }
        losses.append((0.8 * ramp(frozen, 0, 25), suspect, { "frozen \(whole(frozen)) % of the time" }))
        let dropped = report.dropShare.map { $0 * 100 }
        losses.append((0.5 * ramp(dropped, 2, 30), .clientDevice, { "\(whole(dropped)) % of the frames not shown" }))
        if let fps = report.fps, let full = camera.fps, full > 0 {
            let missing = 100 * (1 - fps / full)
            losses.append((0.6 * ramp(missing, 10, 70), suspect, { "\(fps.tenths) of \(full.tenths) fps" }))
        }
        return losses
    }

    /// The way between relay and client.
    private var way: Cause { viewer.path?.hasPrefix("relay/") == true ? .turn : .clientNetwork }

    /// Who is to blame for a picture that stands still or comes late: the first in the chain with a fault of its own.
    private var suspect: Cause {
        if camera.state != .live { return .camera }
        if camera.loss ?? 0 >= 0.5 { return .ourNetwork }
        if loopDelay ?? 0 >= 50 { return .server }
        if viewer.thinned != nil { return way }
        if viewer.loss ?? 0 >= 2 || viewer.roundTrip ?? 0 >= 300 || viewer.jitter ?? 0 >= 100 { return way }
        if let decode = report?.decodeMilliseconds, let fps = camera.fps, decode * fps > 900 { return .clientDevice }
        if report?.dropShare ?? 0 >= 0.05 { return .clientDevice }
        // TCP hides loss; datagrams would have shown it.
        return viewer.delivery == .hls ? .clientNetwork : .clientDevice
    }
}

/// Seconds after which a page's report says nothing of now.
private let freshness = 6.0

/// 0 up to `free`, 1 from `full` on, straight between; 0 for what is not known.
private func ramp(_ value: Double?, _ free: Double, _ full: Double) -> Double {
    guard let value, value.isFinite else { return 0 }
    return min(max((value - free) / (full - free), 0), 1)
}

private func whole(_ value: Double?) -> String {
    guard let value, value.isFinite else { return "-" }
    return "\(Int(min(max(value.rounded(), 0), 1e9)))"
}
