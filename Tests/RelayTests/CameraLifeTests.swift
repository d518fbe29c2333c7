import RTSP
import Testing
import Wire

@testable import Relay

/// How a camera comes up, goes away and comes back.
struct CameraLifeTests {
    @Test func `a camera is connected, negotiated, and live with its first keyframe`() throws {
        let world = try World()
        #expect(try world.camera().state == .connecting)
        #expect(try world.camera().reason == "connecting to gate:554")
        try world.run(.milliseconds(5))
        #expect(try world.camera().state == .negotiating)
        try world.becomeLive()
        #expect(try world.gate.methods == [.options, .describe, .setup, .play])
        try world.run(.seconds(3))
        let camera = try world.camera()
        #expect(camera.state == .live)
        #expect(camera.reason.isEmpty && camera.remedy.isEmpty)
        #expect(camera.severity == .ok)
        #expect(camera.transport == "tcp")
        #expect(camera.source == "rtsp://gate/stream")
        #expect(camera.gopFrames == 25)
        #expect(abs(try #require(camera.fps) - 25) < 1.5)
        #expect(try #require(camera.bitrate) > 50_000)
        #expect(camera.loss == 0)
        #expect(camera.cachedFrames > 0)
        #expect(camera.tracks.map(\.width) == [640])
        #expect(world.events.texts == ["live by TCP"])
    }

    @Test func `a camera that plays but sends no keyframe is starting, and that is worth a look after 5 s`() throws {
        let world = try World { $0.withholdsKeyframes = true }
        try world.run(.seconds(4))
        #expect(try world.camera().state == .starting)
        #expect(try world.camera().reason == "playing by TCP, waiting for a keyframe")
        #expect(try world.camera().severity == .info)
        try world.run(.seconds(2))
        #expect(try world.camera().severity == .warning)
        #expect(try world.camera().cachedFrames == 0)
        try world.gate.withholdsKeyframes = false
        try world.run(.seconds(2))
        #expect(try world.camera().state == .live)
    }

    @Test func `the right password is taken by Digest`() throws {
        let world = try World([.scripted("gate", password: "secret")]) { $0.password = "secret" }
        try world.becomeLive()
        #expect(try !world.gate.requests.contains { "\($0)".contains("secret") })
    }

    @Test func `a wrong password holds the camera, and the pauses grow from 30 s to half an hour`() throws {
        let world = try World([.scripted("gate", password: "wrong")]) { $0.password = "secret" }
        try world.run(.seconds(1))
        let camera = try world.camera()
        #expect(camera.state == .held)
        #expect(camera.severity == .critical)
        #expect(camera.reason == "The camera refused the user name or password (Digest MD5).")
        #expect(camera.remedy.hasPrefix("Correct `user` and `password` of this camera"))
        #expect(abs(try #require(camera.nextRetry) - 29) < 0.1)
        try world.run(.seconds(7_000))
        let pauses = zip(world.connects.dropFirst(), world.connects).map { ($0.at - $1.at).inSeconds.rounded() }
        #expect(pauses == [30, 120, 600, 1_800, 1_800, 1_800])
        #expect(world.events.texts.count == 1, "the same failure again is no news")
    }

    @Test func `correcting the password and starting the camera ends the hold`() throws {
        let world = try World([.scripted("gate", password: "right")]) { $0.password = "other" }
        try world.run(.seconds(1))
        try world.gate.password = "right"
        #expect(world.submit(.start(camera: "gate")) == .accepted)
        try world.run(.seconds(1))
        #expect(world.state() == .live)
    }

    @Test func `a camera that is down stays critical through its attempts, its event open until it is live`() throws {
        let world = try World([.scripted("gate", password: "wrong")]) { $0.password = "secret" }
        try world.run(.seconds(1))
        let event = try #require(world.events.newest(1).first)
        #expect(event.severity == .critical && event.endedAt == nil)
        let viewer = try world.join()
        #expect(try world.viewer(viewer).state == .waiting, "nothing can come of joining")
        #expect(world.submit(.restart(camera: "gate")) == .accepted)
        #expect(try world.camera().state == .connecting)
        #expect(try world.camera().severity == .critical)
        let refusal = "before: The camera refused the user name or password (Digest MD5)."
        #expect(try world.camera().reason.hasSuffix(refusal))
        try world.gate.password = "wrong"
        try world.run(.seconds(2))
        #expect(try world.camera().state == .live)
        #expect(try world.camera().severity == .ok)
        #expect(world.events.newest(99).first { $0.id == event.id }?.endedAt != nil)
        #expect(!world.events.newest(99).contains { $0.endedAt == nil })
    }

    @Test func `a camera that closes the connection is retried at once, and is live again within a second`() throws {
        let world = try World()
        try world.becomeLive()
        let viewer = try world.join()
        try world.run(.seconds(3))
        world.closeCamera()
        #expect(try world.camera().state == .retrying)
        #expect(try world.camera().reason == "The camera closed the connection.")
        let pause = try #require(try world.camera().nextRetry)
        #expect(pause >= 0.05 && pause <= 0.15)
        try world.run(.milliseconds(300))
        let camera = try world.camera()
        #expect(camera.state == .live)
        #expect(camera.reconnects == 1)
        #expect(camera.lastError == "The camera closed the connection.")
        #expect(world.owns(viewer), "its viewers stay")
        #expect(world.sources(viewer) == [.retrying, .connecting, .starting, .live])
    }

    @Test func `while a camera is away nothing wakes the relay but its own watch`() throws {
        let world = try World()
        try world.run(.seconds(3))
        try world.gate.reach = .fails(.timedOut)
        world.closeCamera()
        // Longer than the period of receiver reports, whose time came while the camera was away.
        try world.run(.seconds(20))
        let before = world.wakeUps
        try world.run(.seconds(10))
        #expect(world.wakeUps - before < 60)
    }

    @Test func `failures in a row are 1, 2, 5, 10 and 30 s apart, give or take a fifth`() throws {
        let world = try World { $0.reach = .fails(.refused) }
        try world.run(.seconds(200))
        let pauses = zip(world.connects.dropFirst(), world.connects).map { ($0.at - $1.at).inSeconds }
        for (pause, expected) in zip(pauses, [1.0, 2, 5, 10, 30, 30, 30]) {
            #expect(pause >= expected * 0.8 && pause <= expected * 1.2 + 0.01, "\(pause) for \(expected)")
        }
        #expect(Set(pauses.suffix(3).map { Int($0 * 1_000) }).count == 3, "the pauses are spread")
        let camera = try world.camera()
        #expect(camera.state == .retrying)
        #expect(camera.reason == "Nothing accepts connections at gate:554.")
        #expect(camera.reconnects == 0, "it never was up")
    }

    @Test func `a camera that comes and goes is retried more and more rarely, until it was well for 10 s`() throws {
        let world = try World()
        func pauseAfterClosing() throws -> Double {
            world.closeCamera()
            return try #require(try world.camera().nextRetry)
        }
        try world.becomeLive()
        #expect(try pauseAfterClosing() <= 0.15)
        try world.run(.seconds(5))
        #expect((1.6...2.4).contains(try pauseAfterClosing()))
        try world.run(.seconds(8))
        #expect((4...6).contains(try pauseAfterClosing()))
        try world.run(.seconds(18))
        #expect(world.state() == .live)
        #expect(try pauseAfterClosing() <= 0.15)
    }

    @Test func `a camera that goes silent is stalled after 2 s and connected anew after 10`() throws {
        let world = try World()
        try world.becomeLive()
        let viewer = try world.join()
        try world.run(.seconds(2))
        try world.gate.isSilent = true
        try world.run(.milliseconds(1_900))
        #expect(world.state() == .live)
        try world.run(.milliseconds(500))
        #expect(try world.camera().state == .stalled)
        #expect(try world.camera().severity == .critical)
        #expect(try world.camera().reason == "no video for 2 s, the connection stands")
        #expect(world.sources(viewer).last == .stalled)
        try world.run(.seconds(3))
        #expect(try world.camera().reason == "no video for 5 s, the connection stands")
        #expect(world.connects.count == 1)
        try world.gate.isSilent = false
        try world.gate.gop = 10
        try world.run(.milliseconds(100))
        #expect(try world.camera().state == .live)
        #expect(world.sources(viewer).last == .live)
        try world.gate.isSilent = true
        try world.run(.seconds(11))
        #expect(world.connects.count == 2)
        #expect(world.events.texts.contains("Track 0 has sent nothing for 10 s."))
        #expect(world.owns(viewer))
    }

    @Test func `a camera that never answers is given up after 10 s and tried again`() throws {
        let world = try World { $0.answer = { _ in [] } }
        try world.run(.seconds(9))
        #expect(world.state() == .negotiating)
        try world.run(.milliseconds(1_500))
        #expect(try world.camera().reason == "The camera did not answer OPTIONS in time.")
        try world.run(.seconds(3))
        #expect(world.connects.count == 2)
    }

    @Test(arguments: [
        (
            "H265/90000", "The camera sends H265 video, which reaches no viewer yet.",
            "Set the camera's main stream to H.264."
        ),
        (
            "JPEG/90000", "The camera sends JPEG video, which reaches no viewer yet.",
            "Set the camera's main stream to H.264."
        ),
    ])
    func `video that reaches nobody holds the camera and says why`(codec: String, reason: String, remedy: String) throws
    {
        let world = try World { $0.videoCodec = codec }
        try world.run(.seconds(1))
        #expect(try world.camera().state == .held)
        #expect(try world.camera().reason == reason)
        #expect(try world.camera().remedy == remedy)
        try world.run(.seconds(60))
        #expect(world.connects.count == 2, "somebody may have changed the setting")
        try world.gate.videoCodec = "H264/90000"
        try world.run(.seconds(61))
        #expect(world.state() == .live)
    }

    @Test func `a camera of another transport's mind is asked for UDP at once, and that is remembered`() throws {
        let world = try World { camera in
            camera.answer = { [unowned camera] request in
                let wantsTCP = request.headers["Transport"]?.contains("interleaved") ?? false
                return request.method == .setup && wantsTCP ? camera.reply(request, 461) : nil
            }
        }
        try world.run(.seconds(1))
        #expect(try world.gate.methods == [.options, .describe, .setup, .describe, .setup, .play])
        #expect(world.events.texts.contains("refuses TCP, asked for UDP now"))
    }

    @Test func `loss, bitrate and times do not outlive the connection they were measured on`() throws {
        let world = try World()
        try world.run(.seconds(3))
        world.closeCamera()
        let camera = try world.camera()
        #expect(camera.uptime == nil && camera.fps == nil && camera.bitrate == nil && camera.loss == nil)
        #expect(camera.cachedFrames == 0)
        #expect(camera.tracks.count == 1, "what it sends is still known")
    }

    @Test func `inputs of a connection that was given up change nothing`() throws {
        let world = try World()
        try world.becomeLive()
        #expect(world.submit(.kill(camera: "gate")) == .accepted)
        world.input { world.shard.cameraReceived([0x24, 0, 0, 1, 0], camera: "gate", attempt: 1, at: $0, into: &$1) }
        world.input { world.shard.cameraClosed(camera: "gate", attempt: 1, at: $0, into: &$1) }
        world.input { world.shard.cameraFailed(.refused, camera: "gate", attempt: 1, at: $0, into: &$1) }
        world.input { world.shard.cameraConnected("gate", attempt: 1, at: $0, into: &$1) }
        world.input { world.shard.cameraConnected("nobody", attempt: 1, at: $0, into: &$1) }
        #expect(world.state() == .stopped)
        #expect(world.connects.count == 1)
    }

    @Test func `the relay says goodbye to cameras and viewers when it shuts down`() throws {
        let world = try World()
        try world.becomeLive()
        let viewer = try world.join()
        world.input { world.shard.shutdown(at: $0, into: &$1) }
        #expect(try world.gate.methods.last == .teardown)
        #expect(world.connected.isEmpty)
        #expect(world.messages[viewer]?.last == .bye(reason: "the relay is shutting down", retryAfter: 2))
        #expect(world.openChannels.isEmpty)
        #expect(!world.owns(viewer))
        #expect(throws: ViewerRefusal(.unavailable, "the relay is shutting down", retryAfter: 2)) { try world.join() }
        try world.run(.seconds(60))
        #expect(world.connects.count == 1)
    }
}

/// Cameras that are pulled only while somebody watches.
struct OnDemandTests {
    @Test func `an on-demand camera is idle until its first viewer comes`() throws {
        let world = try World(onDemand: true)
        try world.run(.seconds(30))
        #expect(try world.camera().state == .idle)
        #expect(try world.camera().reason == "pulled when somebody watches")
        #expect(try world.camera().severity == .info)
        #expect(world.connects.isEmpty)
        try world.join()
        try world.becomeLive()
    }

    @Test func `it is let go 20 s after its last viewer, not before`() throws {
        let world = try World(onDemand: true)
        let first = try world.join()
        let second = try world.join()
        try world.becomeLive()
        try world.run(.seconds(60))
        world.leave(first)
        try world.run(.seconds(60))
        #expect(world.state() == .live)
        world.leave(second)
        try world.run(.seconds(19))
        #expect(world.state() == .live)
        try world.run(.seconds(2))
        #expect(world.state() == .idle)
        #expect(try world.gate.methods.last == .teardown)
        #expect(world.connected.isEmpty)
    }

    @Test func `a viewer that comes while it lingers is served at once`() throws {
        let world = try World(onDemand: true)
        world.leave(try world.join())
        try world.run(.seconds(15))
        try world.join()
        try world.run(.seconds(30))
        #expect(world.state() == .live)
        #expect(world.connects.count == 1)
    }

    @Test func `one that cannot be reached is not retried for nobody`() throws {
        let world = try World(onDemand: true) { $0.reach = .fails(.refused) }
        world.leave(try world.join())
        try world.run(.seconds(300))
        #expect(world.state() == .idle)
        #expect(world.connects.count < 8)
    }

    @Test func `a killed one stays stopped although somebody comes`() throws {
        let world = try World(onDemand: true)
        #expect(world.submit(.kill(camera: "gate")) == .accepted)
        try world.join()
        try world.run(.seconds(30))
        #expect(world.state() == .stopped)
        #expect(world.connects.isEmpty)
    }
}

/// Cameras that send before they have answered PLAY.
struct EarlyPacketTests {
    @Test func `the keyframe that comes before the answer to PLAY is shown`() throws {
        // The world's cameras do that: the first picture overtakes the answer.
        let world = try World { $0.gop = 250 }
        try world.run(.milliseconds(200))
        #expect(world.state() == .live)
        #expect(try world.camera().cachedFrames > 0)
    }

    @Test func `a camera that never answers PLAY cannot fill the memory`() {
        var early = EarlyPackets()
        for _ in 0..<10_000 { early.append([], track: 0) }
        #expect(early.packets.count == EarlyPackets.packetLimit)
        _ = early.take()
        for _ in 0..<100 { early.append([UInt8](repeating: 0, count: 60_000), track: 0) }
        #expect(early.packets.reduce(0) { $0 + $1.bytes.count } <= EarlyPackets.byteLimit)
        #expect(!early.take().isEmpty && early.packets.isEmpty)
    }
}
