import Relay
import Wire

extension ConsoleModel {
    /// How often measured numbers on the screen change. States, operations and events show at once.
    static let numberInterval = Duration.milliseconds(950)

    /// The snapshot with numbers that do not jitter: measured values are taken over once a second, and then only when
    /// they moved by more than one percent. Keeps the screen readable and a calm frame small on a slow link.
    mutating func calmed(_ snapshot: Snapshot) -> Snapshot {
        guard let old = shown else {
            numbersTakenAt = now
            return snapshot
        }
        let isDue = numbersTakenAt.map { now - $0 >= ConsoleModel.numberInterval } ?? true
        if isDue { numbersTakenAt = now }
        func calm(_ before: Double?, _ after: Double?) -> Double? {
            guard let before, let after else { return after }
            guard isDue else { return before }
            return abs(after - before) <= 0.01 * abs(before) && after != 0 ? before : after
        }
        var result = snapshot
        result.node.bitrateIn = calm(old.node.bitrateIn, snapshot.node.bitrateIn) ?? 0
        result.node.bitrateOut = calm(old.node.bitrateOut, snapshot.node.bitrateOut) ?? 0
        result.node.cpu = calm(old.node.cpu, snapshot.node.cpu)
        result.node.loopDelay = calm(old.node.loopDelay, snapshot.node.loopDelay)
        for position in result.cameras.indices {
            guard let before = index.cameras[result.cameras[position].id] else { continue }
            calmCamera(&result.cameras[position], old.cameras[before], calm)
        }
        for position in result.viewers.indices {
            guard let before = index.viewers[result.viewers[position].id] else { continue }
            calmViewer(&result.viewers[position], old.viewers[before], calm)
        }
        for position in result.hls.indices {
            guard let before = index.hls[result.hls[position].id] else { continue }
            let stream = old.hls[before]
            result.hls[position].requestRate = calm(stream.requestRate, result.hls[position].requestRate) ?? 0
            result.hls[position].bitrateOut = calm(stream.bitrateOut, result.hls[position].bitrateOut) ?? 0
            result.hls[position].latencyMedian = calm(stream.latencyMedian, result.hls[position].latencyMedian)
            result.hls[position].latencyMaximum = calm(stream.latencyMaximum, result.hls[position].latencyMaximum)
            result.hls[position].lastPartAge = calm(stream.lastPartAge, result.hls[position].lastPartAge)
        }
        return result
    }
}

private func calmCamera(
    _ camera: inout CameraSnapshot,
    _ before: CameraSnapshot,
    _ calm: (Double?, Double?) -> Double?
) {
    guard camera.state == before.state else { return }
    camera.bitrate = calm(before.bitrate, camera.bitrate)
    camera.fps = calm(before.fps, camera.fps)
    camera.loss = calm(before.loss, camera.loss)
    camera.jitter = calm(before.jitter, camera.jitter)
    camera.keyframeAge = calm(before.keyframeAge, camera.keyframeAge)
}

private func calmViewer(
    _ viewer: inout ViewerSnapshot,
    _ before: ViewerSnapshot,
    _ calm: (Double?, Double?) -> Double?
) {
    guard viewer.state == before.state, viewer.delivery == before.delivery else { return }
    viewer.bitrate = calm(before.bitrate, viewer.bitrate)
    viewer.roundTrip = calm(before.roundTrip, viewer.roundTrip)
    viewer.loss = calm(before.loss, viewer.loss)
    viewer.jitter = calm(before.jitter, viewer.jitter)
    viewer.behindLive = calm(before.behindLive, viewer.behindLive)
}
