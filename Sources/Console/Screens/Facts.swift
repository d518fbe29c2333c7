import Media
import Relay

/// A line of a detail: what it is, and what is known of it.
struct Fact {
    var name: String
    var spans: [Span]

    init(_ name: String, _ spans: [Span]) {
        self.name = name
        self.spans = spans
    }

    init(_ name: String, _ text: String, _ role: Role = .text) { self.init(name, [Span(text, role)]) }

    /// Draws facts below each other, wrapping none.
    static func draw(_ facts: [Fact], _ rect: Rect, on canvas: inout Canvas) {
        let nameWidth = 9
        canvas.clipped(to: rect) { canvas in
            for (line, fact) in facts.prefix(rect.height).enumerated() {
                canvas.text(fact.name, rect.x + 1, rect.y + line, .dim, width: nameWidth)
                canvas.spans(fact.spans, rect.x + 1 + nameWidth, rect.y + line)
            }
        }
    }
}

/// Draws text over several lines, broken between words.
func drawWrapped(_ text: String, _ rect: Rect, _ role: Role, on canvas: inout Canvas) -> Int {
    let lines = wrapped(text, width: rect.width)
    for (line, text) in lines.prefix(rect.height).enumerated() {
        let isCut = line == rect.height - 1 && lines.count > rect.height
        canvas.text(isCut ? fitted(text + " ~~~", rect.width) : text, rect.x, rect.y + line, role, width: rect.width)
    }
    return min(lines.count, rect.height)
}

func wrapped(_ text: String, width: Int) -> [String] {
    guard width > 0 else { return [] }
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ").map(String.init) {
        let candidate = line.isEmpty ? word : line + " " + word
        if displayWidth(candidate) <= width {
            line = candidate
        } else {
            if !line.isEmpty { lines.append(line) }
            line = fitted(word, width)
        }
    }
    if !line.isEmpty { lines.append(line) }
    return lines
}

extension ConsoleModel {
    func facts(_ camera: CameraSnapshot) -> [Fact] {
        var facts: [Fact] = [
            Fact("source", [Span(camera.source), Span("  " + (camera.transport ?? ""), .dim)]),
            Fact(
                "state",
                [
                    Span(Wording.state(camera.state), Role(camera.severity)),
                    Span(" for \(Format.calmAge(camera.stateAge)), generation \(camera.generation)", .dim),
                ]
            ),
        ]
        if let video = camera.video {
            let gop =
                camera.gopFrames.map { "  GOP \($0)" + (camera.gopSeconds.map { " (\(Format.fixed($0, 1)) s)" } ?? "") }
                ?? ""
            facts.append(
                Fact(
                    "video",
                    [
                        Span("\(video.codec.rawValue) \(video.profile ?? "")".trimmed, .strong),
                        Span("  \(Wording.resolution(video))  \(Format.frames(camera.fps)) fps\(gop)"),
                    ]
                )
            )
        }
        if let audio = camera.audio {
            let kilohertz =
                audio.clockRate % 1000 == 0
                ? "\(audio.clockRate / 1000)" : Format.fixed(Double(audio.clockRate) / 1000, 1)
            facts.append(
                Fact(
                    "audio",
                    "\(audio.codec.rawValue)  \(kilohertz) kHz  \(audio.channels == 1 ? "mono" : audio.channels == 2 ? "stereo" : "\(audio.channels) ch")"
                )
            )
        }
        facts.append(
            Fact(
                "input",
                [
                    Span(Format.bitrate(camera.bitrate), .graphIn),
                    Span("  loss \(Format.percent(camera.loss)) %", (camera.loss ?? 0) >= 1 ? .warning : .text),
                    Span(
                        "  jitter \(Format.milliseconds(camera.jitter)) ms  keyframe \(Format.calmAge(camera.keyframeAge)) ago"
                    ),
                ]
            )
        )
        if let sound = camera.sound { facts.append(fact(sound)) }
        facts.append(Fact("cache", "\(camera.cachedFrames) frames  \(Format.bytes(Double(camera.cachedBytes)))", .dim))
        facts.append(
            Fact(
                "uptime",
                [
                    Span("\(Format.calmAge(camera.uptime))  reconnects \(camera.reconnects)"),
                    Span(camera.lastError.isEmpty ? "" : "  last: \(camera.lastError)", .dim),
                ]
            )
        )
        facts.append(
            Fact(
                "viewers",
                [
                    Span("\(camera.webrtcViewers) WebRTC", .webrtc), Span("  "), Span("\(camera.hlsViewers) HLS", .hls),
                    Span("  delivery \(Wording.policy(camera.delivery))", .dim),
                ]
            )
        )
        if !camera.tags.isEmpty { facts.append(Fact("tags", camera.tags.joined(separator: "  "), .dim)) }
        if let action = operationText(index.cameraOperations[camera.id]) {
            facts.insert(Fact("action", [action]), at: 2)
        }
        for note in camera.notes.prefix(4) { facts.append(Fact("note", note, .info)) }
        return facts
    }

    /// Converted sound, and the process that makes it.
    private func fact(_ sound: SoundSnapshot) -> Fact {
        let state =
            switch sound.state {
            case .idle: "idle: nobody listens"
            case .starting: "starting"
            case .running: "running"
            case .waiting: "down, next in \(Format.calmAge(sound.nextStart))"
            }
        let failures = sound.failures == 0 ? "" : "  failures \(sound.failures)  last: \(sound.lastFailure)"
        return Fact(
            "sound",
            [
                Span("\(sound.from.rawValue) to \(sound.to.rawValue) for \(sound.delivery)  "),
                Span(state, sound.state == .waiting ? .warning : .text), Span(failures, .dim),
            ]
        )
    }

    func facts(_ viewer: ViewerSnapshot) -> [Fact] {
        var facts: [Fact] = [
            Fact(
                "client",
                [
                    Span(viewer.client.isEmpty ? "unknown" : viewer.client, .strong),
                    Span("  \(viewer.remote)  session \(Format.calmAge(viewer.age))"),
                ]
            ),
            Fact(
                "camera",
                [
                    Span(viewer.camera, .strong),
                    camera(viewer.camera).map { Span("  \(Wording.state($0.state))", Role($0.severity)) } ?? Span(""),
                ]
            ),
            Fact(
                "state",
                [
                    ownStateSpan(viewer),
                    Span("  by \(Wording.delivery(viewer.delivery))", viewer.delivery == .webrtc ? .webrtc : .hls),
                    Span(
                        "  asked for \(Wording.policy(viewer.requested)), control \(controlWords(viewer.control))",
                        .dim
                    ),
                    Span(viewer.controlLost.map { ", lost for \(Format.calmAge($0))" } ?? "", .warning),
                ]
            ),
        ]
        if let action = operationText(index.viewerOperations[viewer.id]) { facts.append(Fact("action", [action])) }
        if let score = viewer.score {
            let cause = score.cause.map { "  \($0.rawValue)" } ?? ""
            facts.append(
                Fact(
                    "score",
                    [
                        scoreSpan(score), Span(" of 100"), Span(cause, .strong),
                        Span(score.reason.isEmpty ? "" : "  \(score.reason)"),
                    ]
                )
            )
        }
        if viewer.delivery == .webrtc {
            facts.append(
                Fact(
                    "path",
                    [
                        pathSpan(viewer), Span("  ICE \(viewer.ice ?? "-")  DTLS \(viewer.dtls ?? "-")"),
                        Span("  \(viewer.srtp ?? "")", .dim),
                    ]
                )
            )
        } else {
            facts.append(Fact("path", [pathSpan(viewer)]))
        }
        facts += turnFacts(viewer)
        facts.append(
            Fact(
                "sent",
                viewer.delivery == .hls
                    ? [
                        Span(Format.bitrate(viewer.bitrate), .graphOut),
                        Span("  total \(Format.bytes(Double(viewer.bytes)))"),
                    ]
                    : [
                        Span(Format.bitrate(viewer.bitrate), .graphOut),
                        Span(
                            "  rtt \(Format.milliseconds(viewer.roundTrip)) ms",
                            (viewer.roundTrip ?? 0) >= ViewerSnapshot.slowRoundTrip ? .warning : .text
                        ),
                        Span("  loss \(Format.percent(viewer.loss)) %", (viewer.loss ?? 0) >= 2 ? .warning : .text),
                        Span(
                            "  jitter \(Format.milliseconds(viewer.jitter)) ms  total \(Format.bytes(Double(viewer.bytes)))"
                        ),
                    ]
            )
        )
        if viewer.delivery == .webrtc {
            facts.append(
                Fact(
                    "feedback",
                    "nack \(Format.count(viewer.nacks))  resent \(Format.count(viewer.retransmitted))\(resentShare(viewer))  pli \(Format.count(viewer.plis))"
                )
            )
        }
        if let queue = sendQueue(viewer) { facts.append(queue) }
        if let report = viewer.report {
            let size = report.width.flatMap { width in report.height.map { "  \(width)x\($0)" } } ?? ""
            let playing = report.playing.map { Wording.delivery($0) } ?? "nothing"
            facts.append(
                Fact(
                    "page",
                    [
                        Span("plays \(playing)\(size)  \(Format.frames(report.fps)) fps"),
                        Span(viewer.isInBackground ? "  tab in background" : "", .info),
                        Span("  freezes \(report.freezes ?? 0)", (report.freezes ?? 0) > 0 ? .warning : .text),
                        Span(
                            " (\(Format.age(report.freezeSeconds ?? 0)))  dropped \(Format.count(report.framesDropped ?? 0))",
                            .dim
                        ),
                    ]
                )
            )
            facts.append(
                Fact(
                    "",
                    [
                        Span(
                            "behind live \(Format.age(report.behindLive ?? viewer.behindLive))  buffer \(Format.milliseconds(report.bufferMilliseconds)) ms  first frame \(Format.milliseconds(report.firstFrameMilliseconds)) ms"
                        )
                    ]
                )
            )
            if let reason = report.reason, !reason.isEmpty { facts.append(Fact("", "because \(reason)", .dim)) }
        } else {
            facts.append(Fact("page", "reports nothing; behind live \(Format.age(viewer.behindLive))", .dim))
        }
        for note in viewer.notes.prefix(3) { facts.append(Fact("note", note, .info)) }
        facts.append(Fact("id", viewer.id, .dim))
        return facts
    }

    /// Share of the bytes that were sent twice.
    private func resentShare(_ viewer: ViewerSnapshot) -> String {
        guard viewer.retransmittedBytes > 0, viewer.bytes > 0 else { return "" }
        return " (\(Format.percent(100 * Double(viewer.retransmittedBytes) / Double(viewer.bytes))) % of bytes)"
    }

    /// What waits to be sent, what found no room, what its network is thought to carry, and the rung it is on; `nil`
    /// where there is none.
    private func sendQueue(_ viewer: ViewerSnapshot) -> Fact? {
        guard viewer.delivery == .webrtc, let packets = viewer.queuedPackets else { return nil }
        var spans = [Span("\(packets) packets (\(Format.bytes(Double(viewer.queuedBytes)))) wait")]
        if viewer.queueDropped > 0 { spans.append(Span("  \(Format.count(viewer.queueDropped)) dropped", .warning)) }
        if let estimate = viewer.quality?.estimate { spans.append(Span("  estimate \(Format.bitrate(estimate))")) }
        if let thinned = viewer.thinned { spans.append(Span("  \(thinned.text): \(thinned.reason)", .warning)) }
        return Fact("queue", spans)
    }

    private func controlWords(_ control: ControlChannel) -> String {
        switch control {
        case .page: "page"
        case .whep: "none (bare WHEP)"
        case .hls: "none (bare HLS)"
        }
    }

    /// What is known of a viewer's way to us.
    func verdict(_ viewer: ViewerSnapshot) -> Span {
        if let verdict = viewer.verdict, viewer.delivery == .webrtc || viewer.requested != .hls {
            let last = viewer.delivery == .hls ? "no WebRTC: " : ""
            return Span(last + verdict.text, Role(verdict.severity))
        }
        guard viewer.delivery == .webrtc else { return Span("no candidate pairs: it watches by HLS", .dim) }
        let pairs = shown?.pairs.filter { $0.viewer == viewer.id } ?? []
        if let nominated = pairs.first(where: \.isNominated) {
            let how = nominated.transport.hasPrefix("turn/") ? "through TURN" : "directly"
            let by = nominated.carrier.uppercased()
            return Span("reached \(how) by \(by), round trip \(Format.milliseconds(viewer.roundTrip)) ms", .ok)
        }
        if pairs.contains(where: { $0.checksReceived > 0 }) {
            return Span("checks arrive, the client has not chosen a pair yet", .pending)
        }
        return Span("no check received yet", .pending)
    }
}

extension String {
    var trimmed: String {
        var text = self[...]
        while text.last == " " { text = text.dropLast() }
        while text.first == " " { text = text.dropFirst() }
        return String(text)
    }
}
