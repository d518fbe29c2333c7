import Media
import Relay
import Wire

/// A relay in the middle of an ordinary bad day: every camera state, every kind of viewer, running and ended operations.
enum RelayFixture {
    static let wallClock: Int64 = 1_795_356_271_000

    /// - Parameters:
    ///   - cameras: How many cameras; the first twelve have names and troubles of their own.
    ///   - viewers: How many viewers.
    ///   - second: Moves measured values and clocks, for sequences.
    static func snapshot(cameras: Int = 12, viewers: Int = 20, second: Double = 0) -> Snapshot {
        let cameraList = (0..<cameras).map { camera($0, second) }
        var viewerList = (0..<viewers).map { viewer($0, cameras: cameras, second) }
        var byCamera: [String: (webrtc: Int, hls: Int)] = [:]
        for viewer in viewerList {
            let old = byCamera[viewer.camera] ?? (0, 0)
            byCamera[viewer.camera] = viewer.delivery == .webrtc ? (old.webrtc + 1, old.hls) : (old.webrtc, old.hls + 1)
        }
        let counted = cameraList.map { camera in
            var camera = camera
            camera.webrtcViewers = byCamera[camera.id]?.webrtc ?? 0
            camera.hlsViewers = byCamera[camera.id]?.hls ?? 0
            return camera
        }.sorted { $0.id < $1.id }
        viewerList.sort { $0.age > $1.age }
        return Snapshot(
            sampledAt: Instant(nanoseconds: 1_000_000_000_000 + Int64(second * 1e9)),
            wallClock: wallClock + Int64(second * 1000),
            node: node(second),
            cameras: counted,
            viewers: viewerList,
            pairs: viewerList.filter { $0.delivery == .webrtc }.flatMap { pairs($0, second) },
            turn: turn(viewerList),
            hls: counted.filter { [.live, .stalled].contains($0.state) }.prefix(40).enumerated().map {
                stream($0.offset, $0.element, second)
            },
            operations: cameras >= 12 && viewers >= 12 ? operations(second) : [],
            events: events()
        )
    }

    static func node(_ second: Double) -> NodeSnapshot {
        NodeSnapshot(
            name: "relay-01",
            version: "1.0.0",
            processID: 4711,
            uptime: 1_051_200 + second,
            cpu: 18 + wave(second, 1) * 2,
            residentBytes: 412 << 20,
            descriptors: 181,
            descriptorLimit: 65_536,
            threads: 9,
            bitrateIn: 38.2e6 + wave(second, 2) * 1e6,
            bitrateOut: 91.3e6 + wave(second, 3) * 3e6,
            loopDelay: 0.4,
            pageURL: "https://127.0.0.1:8443/",
            listeners: [
                ListenerSnapshot(name: "https", address: "127.0.0.1:8443"),
                ListenerSnapshot(name: "media/udp", address: "127.0.0.1:8189"),
                ListenerSnapshot(name: "media/tcp", address: "127.0.0.1:8189"),
            ],
            notices: [
                "this machine only: `viewers: { auth: open }` lets others in",
                "the certificate is self-signed: browsers ask once",
            ]
        )
    }

    private static let names = [
        "yard/dock-07", "ramp-02", "gate-north", "aisle-14", "yard-03", "lobby-01", "gate-south", "gate-west",
        "kiosk-01", "roof-cam-a", "office/reception", "tank-01",
    ]

    static func name(_ number: Int) -> String { number < names.count ? names[number] : "hall-\(number)" }

    static func camera(_ number: Int, _ second: Double) -> CameraSnapshot {
        var camera = CameraSnapshot(
            id: name(number),
            generation: UInt64(50 + number),
            state: .live,
            source: "rtsp://10.2.0.\(31 + number % 200)/stream1"
        )
        camera.transport = number % 3 == 0 ? "udp" : "tcp"
        camera.tags = number % 2 == 0 ? ["switch-3", "entrance"] : ["switch-1"]
        camera.stateAge = 7_860 + second
        camera.uptime = 7_860 + Double(number) * 86_000 + second
        camera.fps = 25
        camera.bitrate = (3.9 + Double(number % 7) * 0.2 + wave(second, Double(number)) * 0.1) * 1e6
        camera.loss = number % 4 == 1 ? 0.01 : 0
        camera.jitter = Double(2 + number % 6)
        camera.keyframeAge = (Double(number) * 0.3 + second).truncatingRemainder(dividingBy: 2)
        camera.gopFrames = 50
        camera.gopSeconds = 2
        camera.cachedFrames = 31
        camera.cachedBytes = 1_180_000
        var video = TrackSnapshot(kind: .video, codec: .h264, clockRate: 90_000, channels: 1)
        video.profile = "High"
        video.width = 1920
        video.height = 1080
        var audio = TrackSnapshot(kind: .audio, codec: .aac, clockRate: 48_000, channels: 2)
        audio.bitrate = 128_000
        camera.tracks = [video, audio]
        trouble(number, &camera)
        return camera
    }

    private static func trouble(_ number: Int, _ camera: inout CameraSnapshot) {
        func silent() {
            camera.fps = nil
            camera.bitrate = nil
            camera.loss = nil
            camera.jitter = nil
            camera.uptime = nil
        }
        switch number {
        case 0:
            silent()
            (camera.state, camera.severity, camera.stateAge, camera.reconnects) = (.retrying, .critical, 41, 9)
            camera.reason = "connection refused by 10.2.0.31:554"
            camera.remedy = "Check that the camera has power and that its RTSP port is 554."
            camera.lastError = "connection refused"
            camera.nextRetry = 4
        case 1:
            (camera.state, camera.severity, camera.bitrate, camera.fps, camera.keyframeAge) = (
                .stalled, .critical, 0, 0, 7.2
            )
            camera.reason = "no video for 7.2 s, the RTSP connection stands"
            camera.remedy = "Restart it (r); if that helps only for a while, its encoder hangs."
        case 2:
            (camera.severity, camera.loss, camera.jitter, camera.fps, camera.bitrate) = (
                .warning, 1.84, 58, 18.2, 3.1e6
            )
            camera.reason = "loss 1.84 % > 1 % for 29 s"
            camera.remedy = "Set transport: tcp for this camera, or look at the switch port of 10.2.0.33."
            camera.reconnects = 3
        case 3:
            (camera.severity, camera.keyframeAge, camera.gopSeconds) = (.warning, 9.8, 10)
            camera.reason = "no keyframe for 9.8 s: joining by WebRTC takes that long, HLS segments are as long"
            camera.remedy = "Set the camera's I-frame interval to 2 s."
        case 4:
            silent()
            (camera.state, camera.severity, camera.stateAge) = (.held, .critical, 312)
            camera.reason = "401 Unauthorized: the password is wrong"
            camera.remedy = "Correct password in signalbox.yml and press S."
        case 5:
            silent()
            (camera.state, camera.severity, camera.stateAge) = (.starting, .info, 0.8)
            camera.reason = "waiting for the first keyframe"
        case 8:
            silent()
            (camera.state, camera.severity, camera.stateAge) = (.stopped, .info, 120)
            camera.reason = "killed by ana@pts/3"
        case 9:
            silent()
            (camera.state, camera.stateAge) = (.idle, 3000)
        case 10:
            silent()
            (camera.state, camera.severity, camera.stateAge) = (.negotiating, .info, 0.2)
        case 11:
            silent()
            (camera.state, camera.severity, camera.stateAge) = (.connecting, .info, 0.1)
        case 7:
            camera.notes = ["AAC is converted to Opus for WebRTC viewers"]
        default: break
        }
    }

    static let clients = ["Chrome 141", "Safari 18", "Firefox 143", "Edge 140", "ffmpeg 7.1", "VLC 3.0"]

    static func viewer(_ number: Int, cameras: Int, _ second: Double) -> ViewerSnapshot {
        let watched = [2, 6, 6, 7, 1, 5, 2, 3, 6, 7][number % 10] + (number >= 10 ? number / 10 * 10 : 0)
        let isHLS = number % 4 == 3
        let control: ControlChannel = number % 10 == 4 ? .whep : number % 8 == 7 ? .hls : .page
        var viewer = ViewerSnapshot(
            id: "v\(String(1_000_003 &* (number + 7) % 60_466_176, radix: 36).prefix(5))",
            generation: 1,
            camera: name(cameras > 0 ? (number < 10 ? watched : watched % cameras) % cameras : 0),
            delivery: isHLS ? .hls : .webrtc,
            control: control
        )
        viewer.state = .playing
        viewer.remote = number % 6 == 5 ? "2001:db8::\(number)" : "203.0.113.\(number % 250 + 1)"
        viewer.client = clients[number % clients.count]
        viewer.age = 40 + Double(number) * 97 + second
        viewer.bitrate = (3.9 + wave(second, Double(number)) * 0.2) * 1e6
        viewer.bytes = UInt64(120_000_000 + number * 7_000_000)
        viewer.path = isHLS ? "hls/https" : number % 9 == 8 ? "host/tcp" : number == 2 ? "relay/udp" : "prflx/udp"
        viewer.roundTrip = isHLS ? nil : Double(3 + number * 7 % 90)
        viewer.loss = isHLS ? nil : Double(number % 5) * 0.1
        viewer.jitter = isHLS ? nil : 4
        viewer.nacks = UInt64(number % 7)
        viewer.plis = UInt64(number % 3)
        viewer.queuedPackets = isHLS ? nil : 0
        viewer.score = ViewerScore(value: 100)
        viewer.behindLive = isHLS ? 1.6 + wave(second, Double(number)) * 0.2 : 0.12
        if !isHLS {
            viewer.ice = "connected"
            viewer.dtls = "connected"
            viewer.srtp = "AEAD_AES_128_GCM"
            viewer.ladder = [
                .init(name: "offer", after: 0), .init(name: "answer", after: 2), .init(name: "first check", after: 31),
                .init(name: "nominated", after: 48), .init(name: "DTLS", after: 96),
                .init(name: "first RTP", after: 98),
                .init(name: "first decoded frame", after: 132), .init(name: "first RR", after: 160),
            ]
        } else {
            viewer.ladder = [
                .init(name: "playlist", after: 12), .init(name: "first part", after: 40),
                .init(name: "first decoded frame", after: 410),
            ]
        }
        if control == .page {
            var report = ViewerReport()
            report.playing = viewer.delivery
            report.fps = 25
            report.framesDecoded = 31_000
            report.framesDropped = 12
            report.freezes = number % 6 == 0 ? 3 : 0
            report.freezeSeconds = number % 6 == 0 ? 2.4 : 0
            report.bufferMilliseconds = 60
            report.behindLive = viewer.behindLive
            report.firstFrameMilliseconds = 132
            report.width = 1920
            report.height = 1080
            viewer.report = report
        }
        switch number {
        case 0:
            (viewer.severity, viewer.loss, viewer.roundTrip, viewer.nacks, viewer.plis) = (.warning, 3.8, 212, 4120, 12)
            viewer.why = "loss 3.8 % > 2 % for 14 s, round trip 212 ms > 200 ms"
            viewer.hint = "Switch it to HLS (s): gate-north's HLS is healthy."
            viewer.score = ViewerScore(value: 62, cause: .clientNetwork, reason: "frozen 8 % of the time")
            (viewer.retransmittedBytes, viewer.queuedPackets, viewer.queuedBytes) = (1_700_000, 31, 36_000)
            viewer.queueDropped = 54
            viewer.quality = .init(rung: "reduced", reason: "2.4M of 3.9M fit", age: 14, estimate: 2.4e6)
        case 4:
            (viewer.state, viewer.severity, viewer.bitrate) = (.waiting, .warning, 0)
            viewer.why = "ramp-02 delivers nothing"
            viewer.score = ViewerScore(value: 0, cause: .camera, reason: "the camera is stalled")
        case 5:
            (viewer.state, viewer.severity, viewer.bitrate, viewer.path, viewer.roundTrip) = (
                .connecting, .critical, nil, nil, nil
            )
            let verdict = blocked(seconds: "11.0")
            (viewer.verdict, viewer.why, viewer.hint) = (verdict, verdict.text, verdict.remedy)
            viewer.score = ViewerScore(value: 0, cause: .clientNetwork, reason: verdict.text)
            viewer.ice = "checking"
            viewer.dtls = "new"
            viewer.srtp = nil
            viewer.ladder = [.init(name: "offer", after: 0), .init(name: "answer", after: 3)]
        case 6: (viewer.state, viewer.score) = (.switching, nil)
        case 7: viewer.score = ViewerScore(value: 84, cause: .clientNetwork, reason: "13.2 s behind live")
        case 9: viewer.notes = ["no sound: AAC cannot be sent by WebRTC yet"]
        default: break
        }
        return viewer
    }

    /// A server that one viewer uses by TLS, having tried TCP, and somebody unknown.
    static func turn(_ viewers: [ViewerSnapshot]) -> TURNSnapshot {
        var turn = TURNSnapshot()
        (turn.allocated, turn.challenged) = (31, 40)
        turn.refused = .init(unauthorized: 2, expired: 1, forbidden: 4, overQuota: 3, staleNonce: 12)
        turn.toClients = .init(packets: 1_812_000, bytes: 2_100_000_000, dropped: 18)
        turn.fromClients = .init(packets: 21_000, bytes: 1_900_000)
        let viewer = viewers.first { $0.path == "relay/udp" }
        func allocation(_ id: String, _ viewer: String?, _ transport: String, _ client: String) -> AllocationSnapshot {
            AllocationSnapshot(
                id: id,
                viewer: viewer,
                user: "6d5c1f0e9b2a7788",
                transport: "turn/\(transport)",
                client: client,
                server: "198.51.100.4:443",
                age: 41,
                remaining: 559
            )
        }
        turn.allocations = [allocation("198.19.0.9:49152", nil, "udp", "192.0.2.77:61001")]
        guard let viewer else { return turn }
        var used = allocation("198.19.128.7:49153", viewer.id, "tls", "\(viewer.remote):50319")
        (used.permissions, used.channels) = (1, 1)
        used.toClient = .init(packets: 110_000, bytes: viewer.bytes, dropped: 18)
        used.fromClient = .init(packets: 900, bytes: 81_000)
        turn.allocations += [allocation("198.19.64.6:49152", viewer.id, "tcp", "\(viewer.remote):50318"), used]
        return turn
    }

    static func pairs(_ viewer: ViewerSnapshot, _ second: Double) -> [PairSnapshot] {
        func pair(_ number: Int, _ remote: String, _ state: String, transport: String = "udp") -> PairSnapshot {
            PairSnapshot(
                id: "\(viewer.id)/\(number)",
                viewer: viewer.id,
                camera: viewer.camera,
                local: "host 198.51.100.4:8189",
                remote: remote,
                transport: transport,
                state: state
            )
        }
        if viewer.state == .connecting {
            var waiting = pair(0, "host 4f1ce2aa.local:61002", "waiting")
            waiting.checksReceived = 0
            return [waiting]
        }
        var nominated = pair(
            0,
            viewer.path == "relay/udp" ? "relay 198.19.128.7:49153" : "prflx \(viewer.remote):50312",
            "succeeded",
            transport: viewer.path == "relay/udp" ? "turn/tls" : viewer.path == "host/tcp" ? "tcp" : "udp"
        )
        nominated.isNominated = true
        nominated.roundTrip = viewer.roundTrip
        nominated.checksReceived = 88
        nominated.checksSent = 87
        nominated.answersReceived = 87
        nominated.bytesSent = viewer.bytes
        nominated.bytesReceived = 81_000
        nominated.lastActivity = 0.4
        var failed = pair(1, "host 10.0.0.5:61002", "failed")
        failed.checksReceived = 3
        failed.checksSent = 7
        failed.lastActivity = 61
        return viewer.severity >= .warning ? [nominated, failed] : [nominated]
    }

    static func stream(_ number: Int, _ camera: CameraSnapshot, _ second: Double) -> HLSSnapshot {
        var stream = HLSSnapshot(id: camera.id)
        stream.partTarget = 0.5
        stream.targetDuration = 2
        let first = 9900 + Int(second / 2)
        let latencies: [Double] = [31, 30, 32, 29, 44, 91, 140, 203, 188, 176, 181, 188]
        stream.segments = (0..<12).map { index in
            let latency = camera.id == "gate-north" ? latencies[index] : 28 + Double((index + number) % 5)
            return .init(
                msn: first + index,
                duration: 2 + Double(index % 3) * 0.02,
                parts: 4,
                bytes: 980_000,
                latency: latency,
                isIndependent: true
            )
        }
        stream.latencyMedian = camera.id == "gate-north" ? 188 : 30 + Double(number % 4)
        stream.latencyMaximum = camera.id == "gate-north" ? 203 : 44
        stream.lastPartAge = camera.state == .stalled ? 7.4 : 0.3
        stream.viewers = camera.hlsViewers
        stream.requestRate = Double(camera.hlsViewers) * 4
        stream.blocked = camera.hlsViewers
        stream.bitrateOut = Double(camera.hlsViewers) * 4e6
        stream.bytesHeld = 11_800_000
        stream.codecs = "avc1.640029,mp4a.40.2"
        if camera.id == "gate-north" {
            (stream.severity, stream.why) = (
                .warning, "publication takes 188 ms > 150 ms for 18 s: the camera loses packets"
            )
        }
        if camera.state == .stalled {
            (stream.severity, stream.why) = (.critical, "no part for 7.4 s: the camera delivers nothing")
        }
        return stream
    }

    static func operations(_ second: Double) -> [OperationSnapshot] {
        [
            OperationSnapshot(
                id: "other-1",
                verb: "restart",
                camera: "lobby-01",
                author: "ana@pts/3",
                startedAt: wallClock - 800,
                elapsed: 0.8 + second,
                limit: 10,
                stages: [.init(name: "closed", after: 0.1), .init(name: "RTSP connected", after: 0.4)],
                waitingFor: "waiting for keyframe"
            ),
            OperationSnapshot(
                id: "other-2",
                verb: "switch to HLS",
                viewer: viewer(1, cameras: 12, 0).id,
                author: "ana@pts/3",
                startedAt: wallClock - 6000,
                elapsed: 1.4,
                limit: 8,
                outcome: .succeeded,
                result: "on HLS in 1.4 s, 0 ms black"
            ),
        ]
    }

    static func events() -> [EventSnapshot] {
        let list: [(Int64, Severity, String?, String?, String, Int64?)] = [
            (0, .info, "lobby-01", nil, "restart asked for by ana@pts/3", 0),
            (7, .critical, "ramp-02", nil, "no video for 7.2 s, 1 viewer waits", nil),
            (14, .warning, nil, viewer(0, cameras: 12, 0).id, "loss 3.8 % > 2 %", nil),
            (29, .warning, "gate-north", nil, "loss 1.84 % > 1 % (peak 2.91)", nil),
            (41, .critical, "yard/dock-07", nil, "connection refused by 10.2.0.31:554", nil),
            (120, .info, "kiosk-01", nil, "killed by ana@pts/3: down in 0.1 s, viewers 2/2 kept", 120),
            (211, .warning, "gate-west", nil, "loss 2.1 % > 1 %", 149),
            (312, .critical, "yard-03", nil, "401 Unauthorized: the password is wrong", nil),
            (800, .info, nil, nil, "configuration reloaded: 1 camera added, 11 untouched", 800),
            (1000, .info, "gate-south", nil, "restarted by ben@pts/5: up in 1.2 s, viewers 3/3 kept", 999),
        ]
        return list.enumerated().map { index, event in
            EventSnapshot(
                id: UInt64(1000 - index),
                at: wallClock - event.0 * 1000,
                severity: event.1,
                camera: event.2,
                viewer: event.3,
                text: event.4,
                endedAt: event.5.map { wallClock - $0 * 1000 }
            )
        }
    }

    /// Values for any series: waves, a gap, and a measured zero where the camera stalled.
    static func history(_ request: HistoryRequest, second: Double = 0) -> HistoryReply {
        HistoryReply(
            values: request.series.map { key in
                (0..<request.seconds).map { index in
                    let t = second - Double(request.seconds - 1 - index)
                    if (-90 ..< -75).contains(t.truncatingRemainder(dividingBy: 900)) { return nil }
                    return value(key, t)
                }
            }
        )
    }

    private static func value(_ key: SeriesKey, _ t: Double) -> Double {
        let ripple = wave(t / 9, 1) * 0.08 + wave(t / 2.3, 2) * 0.03
        switch key {
        case .node(.bitrateIn): return 38e6 * (1 + ripple)
        case .node(.bitrateOut): return 91e6 * (0.9 + wave(t / 60, 0) * 0.2 + ripple)
        case .node(.cpu): return 18
        case .camera("ramp-02", .bitrate): return t > -8 ? 0 : 4e6 * (1 + ripple)
        case .camera(let id, .bitrate): return (3.4 + Double(id.utf8.count % 5) * 0.3) * 1e6 * (1 + ripple)
        case .camera(let id, .loss): return id == "gate-north" ? max(0, 1.4 + wave(t / 11, 3) * 1.4) : 0
        case .camera(_, .fps): return 25 + wave(t / 5, 1) * 0.6
        case .camera(_, .egress): return 12e6 * (1 + ripple)
        case .viewer(_, .bitrate): return 3.9e6 * (1 + ripple)
        case .viewer(_, .roundTrip): return 60 + wave(t / 13, 1) * 25
        case .viewer(_, .loss): return max(0, wave(t / 17, 2) * 2)
        case .viewer(_, .behindLive): return 0.2 + ripple
        case .hlsLatency(let id): return id == "gate-north" ? 100 + wave(t / 30, 0) * 90 : 32 + ripple * 40
        }
    }

    /// A wave between -1 and 1, made of parabolas: the same on every machine.
    static func wave(_ t: Double, _ phase: Double) -> Double {
        var x = (t * 0.37 + phase * 0.31).truncatingRemainder(dividingBy: 2)
        if x < 0 { x += 2 }
        return x < 1 ? 4 * x * (1 - x) : -4 * (x - 1) * (2 - x)
    }
}
