import Wire

/// How bad a viewer's picture is, why, and what helps, from what its snapshot says.
struct ViewerHealth: Equatable {
    var severity = Severity.ok
    var why = ""
    var hint = ""

    /// Judges a viewer that has its score; `camera` is the one it watches.
    init(of viewer: ViewerSnapshot, camera: CameraSnapshot) {
        if viewer.state == .waiting {
            severity = .warning
            why = "sees nothing new: the camera is \(camera.state.rawValue)"
            hint = "It resumes by itself when the camera does."
        } else if let lost = viewer.controlLost, viewer.delivery == .hls || viewer.verdict?.severity ?? .ok < .warning {
            severity = .warning
            let silence = viewer.heardAge.flatMap {
                $0 >= Self.unheard ? "; nothing heard from it for \(Int($0)) s" : nil
            }
            why = "control connection lost, waiting for it to come back (\(Int(lost)) s)\(silence ?? "")"
            hint = "Media goes on meanwhile. If its browser is gone, it ends within 30 s of its last sign of life."
        } else if viewer.delivery == .webrtc {
            judgeWebRTC(viewer)
        } else if viewer.isInBackground {
            judgeBackground()
        } else if let behind = viewer.behindLive, behind > Self.farBehind {
            severity = .warning
            why = "is \(Int(behind)) s behind live"
            hint = Self.remedy(viewer)
        } else if let refuge = viewer.refuge {
            severity = .info
            why = "watches by HLS: \(refuge.reason)"
            hint = "WebRTC is tried again by itself, next in \(Int(refuge.remaining.rounded(.up))) s."
        } else if let verdict = viewer.verdict, verdict.severity >= .warning, viewer.requested != .hls {
            severity = .info
            why = "watches by HLS: \(verdict.text)"
            hint = verdict.remedy
        }
        if severity == .ok, viewer.isInBackground {
            judgeBackground()
        } else if severity == .ok, let report = viewer.report, let freezes = report.freezes, freezes > 0,
            let seconds = report.freezeSeconds, seconds > 0.02 * viewer.age, seconds > 1
        {
            severity = .warning
            why = "froze \(freezes) times, \(seconds.tenths) s in all"
            hint = Self.remedy(viewer)
        }
    }

    private mutating func judgeBackground() {
        severity = .info
        why = "tab in background"
        hint = "Its browser shows nothing until the tab is in front; what its page measures is not held against it."
    }

    /// What helps against what costs it most now, so that cause and remedy are about the same thing.
    private static func remedy(_ viewer: ViewerSnapshot) -> String {
        guard let cause = viewer.score?.cause else { return "It has been well since." }
        return cause.remedy(canSwitch: viewer.control == .page && viewer.delivery == .webrtc)
    }

    private mutating func judgeWebRTC(_ viewer: ViewerSnapshot) {
        let isOnPage = viewer.control == .page
        let way: Cause = viewer.path?.hasPrefix("relay/") == true ? .turn : .clientNetwork
        if let verdict = viewer.verdict, verdict.severity >= .warning {
            severity = verdict.severity
            why = verdict.text
            hint = verdict.remedy
        } else if let quality = viewer.thinned {
            severity = .warning
            why = "\(quality.text): \(quality.reason)"
            hint = "Its way carries less than the camera sends; full quality is tried again by itself."
        } else if let loss = viewer.loss, loss >= Self.lossWarning {
            severity = loss >= Self.lossCritical ? .critical : .warning
            why = "loss \(loss.tenths) % (warns from \(Self.lossWarning.tenths) %)"
            hint = way.remedy(canSwitch: isOnPage)
        } else if let roundTrip = viewer.roundTrip, roundTrip >= Self.slowRoundTrip {
            severity = .warning
            why = "round trip \(Int(roundTrip)) ms (warns from \(Int(Self.slowRoundTrip)) ms)"
            hint = way.remedy(canSwitch: isOnPage)
        } else if let silence = viewer.heardAge, silence >= Self.unheard {
            severity = .warning
            why = "nothing heard from it for \(Int(silence)) s; ends after 30 s"
        } else if viewer.state == .silent {
            severity = .warning
            why = "nothing heard from it; ends soon"
        } else if let verdict = viewer.verdict {
            severity = verdict.severity
            why = verdict.text
            hint = verdict.remedy
        }
    }

    /// Percent.
    private static let lossWarning = 2.0
    /// Percent.
    private static let lossCritical = 10.0
    /// Milliseconds.
    private static let slowRoundTrip = ViewerSnapshot.slowRoundTrip
    /// Seconds.
    private static let farBehind = 12.0
    /// Seconds after which a WebRTC client is overdue with its reports and checks, which come every 5 s at the least.
    static let unheard = 8.0
}
