import Testing

@testable import Relay

/// How well a viewer is served, and who is to blame when it is not.
struct ViewerScoreTests {
    private static func camera(_ state: CameraState = .live, loss: Double = 0) -> CameraSnapshot {
        var camera = CameraSnapshot(id: "gate", generation: 1, state: state, source: "")
        (camera.fps, camera.loss) = (25, loss)
        return camera
    }

    private func score(
        _ delivery: Delivery = .webrtc,
        state: ViewerState = .playing,
        camera: CameraSnapshot = Self.camera(),
        loopDelay: Double? = nil,
        _ measure: (inout ViewerSnapshot, inout ViewerReport) -> Void = { _, _ in }
    ) -> ViewerScore? {
        var viewer = ViewerSnapshot(id: "v", generation: 1, camera: "gate", delivery: delivery, control: .page)
        viewer.state = state
        viewer.age = 100
        viewer.path = "prflx/udp"
        (viewer.loss, viewer.roundTrip, viewer.jitter, viewer.behindLive, viewer.reportAge) = (0, 20, 3, 0.2, 1)
        var report = ViewerReport()
        (report.fps, report.freezeShare, report.dropShare, report.bufferMilliseconds) = (25, 0, 0, 60)
        report.isHidden = false
        measure(&viewer, &report)
        viewer.report = report
        return ViewerScore(of: viewer, camera: camera, loopDelay: loopDelay)
    }

    @Test func `who wants for nothing has 100, and no cause`() {
        #expect(score() == ViewerScore(value: 100))
        #expect(score(loopDelay: 19) { viewer, _ in viewer.loss = 1 } == ViewerScore(value: 100))
    }

    @Test func `each measurement costs nothing up to one value and all its weight from another on`() {
        #expect(score { viewer, _ in viewer.loss = 8 }?.value == 75)
        #expect(score { viewer, _ in viewer.loss = 15 }?.value == 50)
        #expect(score { viewer, _ in viewer.loss = 90 }?.value == 50)
        #expect(score { viewer, _ in viewer.roundTrip = 575 }?.value == 85)
        #expect(score { _, report in report.freezeShare = 0.125 }?.value == 60)
        #expect(score { _, report in report.fps = 7.5 }?.value == 40)
        #expect(score(loopDelay: 200)?.value == 50)
    }

    @Test func `losses multiply, and the largest gives the cause and the words`() {
        let both = score { viewer, report in
            viewer.loss = 15
            report.dropShare = 0.3
            report.freezeShare = 0.25
        }
        #expect(both?.value == 5)
        #expect(both?.reason == "frozen 25 % of the time" && both?.cause == .clientNetwork)
    }

    @Test func `the cause of a picture that stands still is the first in the chain with a fault of its own`() {
        func frozen(
            camera: CameraSnapshot = Self.camera(),
            loopDelay: Double? = nil,
            delivery: Delivery = .webrtc,
            _ more: (inout ViewerSnapshot, inout ViewerReport) -> Void = { _, _ in }
        ) -> Cause? {
            score(delivery, camera: camera, loopDelay: loopDelay) { viewer, report in
                report.freezeShare = 0.25
                more(&viewer, &report)
            }?.cause
        }
        #expect(frozen(camera: Self.camera(.stalled)) == .camera)
        #expect(frozen(camera: Self.camera(loss: 2)) == .ourNetwork)
        #expect(frozen(loopDelay: 60) == .server)
        #expect(frozen { viewer, _ in viewer.loss = 3 } == .clientNetwork)
        #expect(frozen { viewer, _ in (viewer.loss, viewer.path) = (3, "relay/udp") } == .turn)
        #expect(frozen { _, report in report.decodeMilliseconds = 39 } == .clientDevice)
        let reduced = frozen { viewer, _ in viewer.quality = .init(rung: "reduced", reason: "1.0M fits", age: 1) }
        #expect(reduced == .clientNetwork)
        #expect(frozen(delivery: .hls) == .clientNetwork, "TCP hides what was lost")
        #expect(frozen() == .clientDevice)
    }

    @Test func `a page in the background is not blamed for what its browser does not show`() {
        let hidden = score { _, report in
            report.isHidden = true
            (report.fps, report.freezeShare, report.dropShare) = (0, 1, 1)
        }
        #expect(hidden?.value == 100)
        let late = score { viewer, report in
            report.isHidden = true
            (viewer.behindLive, report.bufferMilliseconds, viewer.age, report.firstFrameMilliseconds) = (
                60, 9000, 30, 9e4
            )
        }
        #expect(late == ViewerScore(value: 100), "what it showed last only gets older")
        let throttled = score { viewer, report in
            (report.isHidden, viewer.reportAge, viewer.behindLive) = (true, 55, 60)
        }
        #expect(throttled?.value == 100, "its timers may not run for a minute")
        #expect(score { viewer, report in (report.isHidden, viewer.loss) = (true, 15) }?.cause == .clientNetwork)
    }

    @Test func `an old report says nothing of now`() {
        #expect(score { viewer, report in (viewer.reportAge, report.freezeShare) = (7, 1) }?.value == 100)
    }

    @Test func `who cannot be heard has no score, however well it was when it last spoke`() {
        #expect(score { viewer, _ in viewer.controlLost = 0 } == nil)
        #expect(score(.hls) { viewer, _ in viewer.controlLost = 0.3 } == nil)
        #expect(score { viewer, _ in viewer.heardAge = 7.9 }?.value == 100)
        #expect(score { viewer, _ in viewer.heardAge = 8 } == nil)
        let verdict = Verdict(.noRTP, .critical, .clientNetwork, "connected but no RTP gets through")
        #expect(score { viewer, _ in (viewer.heardAge, viewer.verdict) = (9, verdict) }?.value == 0)
    }

    @Test func `who sees nothing has 0, for the reason that is known`() {
        #expect(score(state: .silent)?.value == 0)
        let waiting = score(state: .waiting, camera: Self.camera(.retrying))
        #expect(waiting == ViewerScore(value: 0, cause: .camera, reason: "the camera is retrying"))
        let verdict = Verdict(.dtlsStalled, .warning, .clientNetwork, "DTLS stalled after ClientHello")
        let stalled = score(state: .connecting) { viewer, _ in viewer.verdict = verdict }
        #expect(stalled == ViewerScore(value: 0, cause: .clientNetwork, reason: verdict.text))
        #expect(score(state: .connecting) == nil && score(state: .joining) == nil && score(state: .switching) == nil)
    }

    @Test func `by HLS 6 s behind live cost nothing, by WebRTC half a second`() {
        #expect(score(.hls) { viewer, _ in viewer.behindLive = 6 }?.value == 100)
        #expect(score(.hls) { viewer, _ in viewer.behindLive = 30 }?.value == 50)
        #expect(score { viewer, _ in viewer.behindLive = 5 }?.value == 50)
    }

    @Test func `no number a client may send breaks the formula`() {
        for number in [Double.nan, .infinity, -.infinity, -1, 1e300] {
            let score = score(loopDelay: number) { viewer, report in
                (viewer.loss, viewer.roundTrip, viewer.jitter, viewer.behindLive) = (number, number, number, number)
                (report.fps, report.freezeShare, report.dropShare) = (number, number, number)
                (report.bufferMilliseconds, report.decodeMilliseconds) = (number, number)
            }
            #expect((0...100).contains(score?.value ?? -1))
        }
    }
}
