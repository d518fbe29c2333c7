import Testing

@testable import Relay

/// How bad a camera is, and why.
struct CameraHealthTests {
    private func health(
        _ state: CameraState,
        isFailing: Bool = false,
        _ change: (inout CameraSnapshot) -> Void = { _ in }
    ) -> CameraHealth {
        var camera = CameraSnapshot(id: "gate", generation: 1, state: state, source: "")
        camera.reason = "the state's reason"
        camera.remedy = "the state's remedy"
        change(&camera)
        return CameraHealth(of: camera, isFailing: isFailing)
    }

    @Test(arguments: [
        (CameraState.retrying, Severity.critical), (.held, .critical), (.stalled, .critical), (.stopped, .info),
        (.idle, .info), (.live, .ok), (.connecting, .info), (.negotiating, .info), (.starting, .info),
    ])
    func `each state is as bad as it is, with its own words`(state: CameraState, severity: Severity) {
        let health = health(state)
        #expect(health.severity == severity)
        #expect(health.reason == "the state's reason" && health.remedy == "the state's remedy")
    }

    @Test(arguments: [CameraState.connecting, .negotiating, .starting])
    func `a start that takes longer than 5 s is a warning`(state: CameraState) {
        #expect(health(state) { $0.stateAge = 5 }.severity == .info)
        #expect(health(state) { $0.stateAge = 5.1 }.severity == .warning)
    }

    @Test(arguments: [CameraState.connecting, .negotiating, .starting])
    func `another attempt makes a dark camera no better`(state: CameraState) {
        #expect(health(state, isFailing: true).severity == .critical)
    }

    @Test func `lost packets are told with value, window and threshold`() {
        #expect(health(.live) { $0.loss = 0.4 }.severity == .ok)
        let some = health(.live) { $0.loss = 0.5 }
        #expect(some.severity == .warning)
        #expect(some.reason == "loses 0.5 % of its packets (over 10 s; warns from 0.5 %)")
        #expect(some.remedy == "Check the network to the camera, or set `transport: tcp`.")
        #expect(health(.live) { $0.loss = 5 }.severity == .critical)
    }

    @Test func `a keyframe is overdue after 15 s, or three groups of pictures`() {
        #expect(health(.live) { $0.keyframeAge = 15 }.severity == .ok)
        let overdue = health(.live) { $0.keyframeAge = 16 }
        #expect(overdue.severity == .warning)
        #expect(overdue.reason == "no keyframe for 16 s; new viewers wait for a picture")
        #expect(health(.live) { ($0.keyframeAge, $0.gopSeconds) = (29, 10) }.severity == .ok)
        #expect(health(.live) { ($0.keyframeAge, $0.gopSeconds) = (31, 10) }.severity == .warning)
    }
}

/// How bad a viewer's picture is, and why.
struct ViewerHealthTests {
    private func health(
        _ delivery: Delivery = .webrtc,
        control: ControlChannel = .page,
        camera: CameraState = .live,
        _ change: (inout ViewerSnapshot) -> Void
    ) -> ViewerHealth {
        var viewer = ViewerSnapshot(id: "v", generation: 1, camera: "gate", delivery: delivery, control: control)
        viewer.state = .playing
        viewer.age = 100
        change(&viewer)
        return ViewerHealth(of: viewer, camera: CameraSnapshot(id: "gate", generation: 1, state: camera, source: ""))
    }

    @Test func `a viewer that plays is well`() {
        #expect(
            health { _ in }
                == ViewerHealth(
                    of: .init(id: "", generation: 1, camera: "", delivery: .hls, control: .page),
                    camera: .init(id: "", generation: 1, state: .live, source: "")
                )
        )
        #expect(health { _ in }.severity == .ok && health { _ in }.why.isEmpty)
    }

    @Test func `a viewer of a camera that is away is not to blame`() {
        let health = health(camera: .retrying) { ($0.state, $0.loss) = (.waiting, 50) }
        #expect(health.severity == .warning)
        #expect(health.why == "sees nothing new: the camera is retrying")
    }

    @Test func `what is known of its WebRTC session says why and what helps`() {
        let blocked = Verdict(.udpBlocked, .warning, .clientNetwork, "UDP 8189 blocked", remedy: "Open it.")
        let detour = Verdict(.detour, .info, .clientNetwork, "reached by TCP")
        #expect(health { ($0.state, $0.age) = (.connecting, 5) }.severity == .ok)
        let connecting = health { ($0.state, $0.verdict) = (.connecting, blocked) }
        #expect(connecting.severity == .warning)
        #expect(connecting.why == "UDP 8189 blocked" && connecting.hint == "Open it.")
        #expect(health { ($0.verdict, $0.loss) = (detour, 10) }.severity == .critical, "the worse counts")
        #expect(health { $0.verdict = detour }.severity == .info)
    }

    @Test func `a page that watches by HLS for lack of WebRTC says so, unless HLS was asked for`() {
        let blocked = Verdict(.udpBlocked, .warning, .clientNetwork, "UDP 8189 blocked", remedy: "Open it.")
        let fallback = health(.hls) { $0.verdict = blocked }
        #expect(fallback.severity == .info && fallback.why == "watches by HLS: UDP 8189 blocked")
        #expect(health(.hls) { ($0.verdict, $0.requested) = (blocked, .hls) }.why.isEmpty)
    }

    @Test func `a page that cannot be reached is told of at once, and how long it has been away`() {
        for delivery in [Delivery.webrtc, .hls] {
            let lost = health(delivery) { $0.controlLost = 0.1 }
            #expect(lost.severity == .warning)
            #expect(lost.why == "control connection lost, waiting for it to come back (0 s)")
            #expect(lost.hint.hasPrefix("Media goes on meanwhile."))
        }
        let silent = health { ($0.state, $0.controlLost, $0.heardAge) = (.silent, 17.2, 17.4) }
        #expect(
            silent.why
                == "control connection lost, waiting for it to come back (17 s); nothing heard from it for 17 s"
        )
        let verdict = Verdict(.noRTP, .critical, .clientNetwork, "connected but no RTP gets through")
        #expect(health { ($0.controlLost, $0.verdict) = (3, verdict) }.severity == .critical, "the worse counts")
    }

    @Test func `a WebRTC client that is overdue with its reports is not well`() {
        #expect(health(control: .whep) { $0.heardAge = 7.9 }.severity == .ok)
        let overdue = health(control: .whep) { $0.heardAge = 8 }
        #expect(overdue.severity == .warning && overdue.why == "nothing heard from it for 8 s; ends after 30 s")
    }

    @Test func `loss warns from 2 percent and is critical from 10`() {
        #expect(health { $0.loss = 1.9 }.severity == .ok)
        #expect(health { $0.loss = 2 }.severity == .warning)
        #expect(health { $0.loss = 2 }.why == "loss 2.0 % (warns from 2.0 %)")
        #expect(health { $0.loss = 2 }.hint.contains("s moves this viewer to HLS"))
        #expect(health { $0.loss = 10 }.severity == .critical)
        let bare = health(control: .whep) { $0.loss = 10 }
        #expect(bare.hint == Cause.clientNetwork.remedy(canSwitch: false), "what cannot be switched is not offered")
    }

    @Test func `a round trip of 300 ms is a warning`() {
        #expect(health { $0.roundTrip = 299 }.severity == .ok)
        #expect(health { $0.roundTrip = 300 }.why == "round trip 300 ms (warns from 300 ms)")
    }

    @Test func `by HLS it is the distance to live that counts`() {
        #expect(health(.hls) { ($0.behindLive, $0.loss) = (12, 50) }.severity == .ok)
        #expect(health(.hls) { $0.behindLive = 13 }.why == "is 13 s behind live")
    }

    @Test func `freezes count when they are more than a fiftieth of the time`() {
        func frozen(_ seconds: Double, of age: Double) -> ViewerHealth {
            health {
                var report = ViewerReport()
                (report.freezes, report.freezeSeconds) = (3, seconds)
                $0.report = report
                $0.age = age
            }
        }
        #expect(frozen(1.9, of: 100).severity == .ok)
        #expect(frozen(2.1, of: 100).why == "froze 3 times, 2.1 s in all")
        #expect(frozen(0.9, of: 10).severity == .ok)
    }

    @Test func `the remedy is about the cause that the score names`() {
        func frozen(_ score: ViewerScore?) -> String {
            health {
                var report = ViewerReport()
                (report.freezes, report.freezeSeconds) = (3, 9)
                ($0.report, $0.score) = (report, score)
            }.hint
        }
        for cause in Cause.allCases {
            let remedy = frozen(ViewerScore(value: 40, cause: cause, reason: "frozen 12 % of the time"))
            #expect(remedy == cause.remedy(canSwitch: true))
            #expect(remedy.contains("s moves this viewer to HLS") == (cause == .clientNetwork))
        }
        #expect(frozen(ViewerScore(value: 100)) == "It has been well since.")
        #expect(health { ($0.loss, $0.path) = (3, "relay/udp") }.hint == Cause.turn.remedy(canSwitch: true))
    }

    @Test func `a tab in the background is no fault, whatever its page measures`() {
        for delivery in [Delivery.webrtc, .hls] {
            let hidden = health(delivery) {
                var report = ViewerReport()
                (report.freezes, report.freezeSeconds, report.isHidden) = (9, 90, true)
                ($0.report, $0.behindLive, $0.reportAge) = (report, 70, 45)
            }
            #expect(hidden.severity == .info && hidden.why == "tab in background")
        }
        let lossy = health {
            var report = ViewerReport()
            report.isHidden = true
            ($0.report, $0.loss) = (report, 12)
        }
        #expect(lossy.severity == .critical, "the way to it counts as before")
    }

    @Test func `silence is a warning`() {
        #expect(health { $0.state = .silent }.why == "nothing heard from it; ends soon")
    }
}
