import RTSP
import Relay
import Testing
import Wire

/// Commands are refused with a reason, or end in a result that was observed.
struct CameraCommandTests {
    @Test func `a restart goes through its stages and ends when the keyframe is there`() throws {
        let world = try World()
        try world.becomeLive()
        let viewers = try (0..<3).map { _ in try world.join() }
        #expect(world.submit(.restart(camera: "gate"), reason: "picture frozen") == .accepted)
        #expect(try world.gate.methods.last == .teardown)
        #expect(try world.operation("c1").outcome == .running)
        #expect(try world.operation("c1").waitingFor == "connecting")
        try world.gate.withholdsKeyframes = true
        try world.run(.seconds(1))
        #expect(try world.operation("c1").waitingFor == "RTSP ok, waiting for keyframe")
        #expect(try world.operation("c1").result.isEmpty)
        try world.gate.withholdsKeyframes = false
        try world.run(.seconds(1))
        let operation = try world.operation("c1")
        #expect(operation.outcome == .succeeded)
        #expect(operation.stages.map(\.name).suffix(2) == ["RTSP ok", "first keyframe"])
        #expect(operation.stages.map(\.after) == operation.stages.map(\.after).sorted())
        #expect(operation.result == "up in \(operation.elapsed.tenthsForTest) s, viewers 3/3 kept")
        #expect(operation.waitingFor.isEmpty)
        #expect(operation.verb == "restart" && operation.camera == "gate" && operation.author == "ana")
        #expect(world.events.texts.contains("restart by ana (picture frozen): \(operation.result)"))
        for viewer in viewers {
            #expect(world.sources(viewer) == [.connecting, .starting, .live])
        }
    }

    @Test func `the result counts the viewers that left meanwhile`() throws {
        let world = try World()
        try world.becomeLive()
        let leaving = try world.join()
        try world.join()
        world.submit(.restart(camera: "gate"))
        world.leave(leaving)
        try world.run(.seconds(1))
        #expect(try world.operation("c1").result.hasSuffix("viewers 1/2 kept"))
    }

    @Test func `a camera that does not come up fails the restart after 20 s, with what it last said`() throws {
        let world = try World()
        try world.becomeLive()
        try world.gate.reach = .fails(.refused)
        world.submit(.restart(camera: "gate"))
        try world.run(.seconds(19))
        #expect(try world.operation("c1").outcome == .running)
        try world.run(.seconds(2))
        let operation = try world.operation("c1")
        #expect(operation.outcome == .timedOut)
        #expect(operation.result == "not up after 20 s: Nothing accepts connections at gate:554.")
    }

    @Test func `a camera that is held fails the start at once`() throws {
        let world = try World([.scripted("gate", password: "wrong")]) { $0.password = "secret" }
        try world.run(.seconds(1))
        world.submit(.start(camera: "gate"))
        try world.run(.seconds(1))
        #expect(try world.operation("c1").outcome == .failed)
        #expect(try world.operation("c1").result == "The camera refused the user name or password (Digest MD5).")
    }

    @Test func `a kill stops the camera, keeps its viewers and tells them why`() throws {
        let world = try World()
        try world.becomeLive()
        let viewer = try world.join()
        #expect(world.submit(.kill(camera: "gate"), reason: "lens is cleaned") == .accepted)
        try world.run(.milliseconds(100))
        let camera = try world.camera()
        #expect(camera.state == .stopped)
        #expect(camera.reason == "stopped by ana: lens is cleaned")
        #expect(camera.remedy == "start it when it is wanted again")
        #expect(camera.severity == .info)
        #expect(try world.operation("c1").outcome == .succeeded)
        #expect(try world.operation("c1").result == "stopped, 1 viewer stays and is told")
        #expect(world.owns(viewer))
        let info = try #require(world.lastSource(viewer))
        #expect(info.state == .stopped)
        #expect(info.reason == "An operator has stopped this camera.", "who and why is for the console")
        try world.run(.seconds(300))
        #expect(world.connects.count == 1, "a killed camera stays down")
    }

    @Test func `a start after a kill brings the same viewers their picture back`() throws {
        let world = try World()
        try world.becomeLive()
        let viewer = try world.join()
        world.submit(.kill(camera: "gate"), id: "k")
        try world.run(.seconds(2))
        #expect(world.submit(.start(camera: "gate"), id: "s") == .accepted)
        try world.run(.seconds(1))
        #expect(try world.operation("s").outcome == .succeeded)
        #expect(try world.operation("s").result.hasSuffix("viewers 1/1 kept"))
        #expect(world.sources(viewer) == [.stopped, .connecting, .starting, .live])
    }

    @Test func `a kill ends a restart that is under way`() throws {
        let world = try World { $0.reach = .neverAnswers }
        world.submit(.restart(camera: "gate"), id: "r")
        try world.run(.seconds(1))
        world.submit(.kill(camera: "gate"), id: "k")
        try world.run(.seconds(1))
        #expect(try world.operation("r").outcome == .failed)
        #expect(try world.operation("r").result == "stopped by another command")
        #expect(try world.operation("k").outcome == .succeeded)
    }

    @Test func `a start does not wait for the pause between attempts`() throws {
        let world = try World { $0.reach = .fails(.refused) }
        try world.run(.seconds(60))
        #expect(world.state() == .retrying)
        try world.gate.reach = .accepts
        #expect(world.submit(.start(camera: "gate")) == .accepted)
        try world.run(.milliseconds(500))
        #expect(try world.operation("c1").outcome == .succeeded)
    }

    @Test func `what cannot be done is refused with the reason`() throws {
        let world = try World()
        try world.becomeLive()
        #expect(world.submit(.restart(camera: "yard")) == .refused("there is no camera named yard"))
        #expect(world.submit(.start(camera: "gate")) == .refused("gate is running already; restart it instead"))
        #expect(world.submit(.kill(camera: "gate"), id: "k") == .accepted)
        #expect(world.submit(.kill(camera: "gate")) == .refused("gate is stopped already"))
        #expect(world.submit(.restart(camera: "gate")) == .refused("gate is stopped; start it instead"))
        #expect(world.submit(.keyframe(camera: "gate")) == .refused("gate is stopped"))
        #expect(world.submit(.drop(viewer: "v0")) == .refused("there is no viewer v0, or no longer"))
        #expect(world.submit(.switchViewer("v0", to: .hls)) == .refused("there is no viewer v0, or no longer"))
    }

    @Test func `a command aimed at what has changed since is refused`() throws {
        let world = try World()
        try world.becomeLive()
        let seen = try world.camera().generation
        #expect(world.submit(.restart(camera: "gate"), id: "a", generation: seen) == .accepted)
        let reply = world.submit(.kill(camera: "gate"), id: "b", generation: seen)
        #expect(reply == .refused("gate has changed since: it is connecting now; look again"))
        try world.run(.seconds(1))
        #expect(world.submit(.kill(camera: "gate"), id: "b", generation: try world.camera().generation) == .accepted)
    }

    @Test func `the same command twice is carried out once`() throws {
        let world = try World()
        try world.becomeLive()
        #expect(world.submit(.restart(camera: "gate")) == .accepted)
        #expect(world.submit(.restart(camera: "gate")) == .accepted)
        try world.run(.seconds(1))
        #expect(world.submit(.restart(camera: "gate")) == .accepted)
        #expect(world.connects.count == 2)
        #expect(world.snapshot.operations.count == 1)
    }

    @Test func `an operation stays visible for 15 s after its end`() throws {
        let world = try World()
        try world.becomeLive()
        world.submit(.restart(camera: "gate"))
        try world.run(.seconds(14))
        #expect(world.snapshot.operations.count == 1)
        try world.run(.seconds(3))
        #expect(world.snapshot.operations.isEmpty)
    }

    @Test func `no more than 256 operations are under way`() throws {
        let world = try World()
        try world.becomeLive()
        for number in 0..<256 { #expect(world.submit(.keyframe(camera: "gate"), id: "\(number)") == .accepted) }
        #expect(
            world.submit(.keyframe(camera: "gate"), id: "more")
                == .refused("too many operations are under way; wait for some to end")
        )
        try world.run(.seconds(17))
        #expect(world.submit(.keyframe(camera: "gate"), id: "more") == .accepted)
    }

    @Test func `a keyframe cannot be had from an RTSP camera, and the answer says what is done instead`() throws {
        let world = try World()
        try world.becomeLive()
        try world.run(.milliseconds(2_500))
        #expect(world.submit(.keyframe(camera: "gate")) == .accepted)
        let operation = try world.operation("c1")
        #expect(operation.outcome == .succeeded)
        #expect(
            operation.result
                == "camera cannot be asked; next keyframe in about 1 s; cache served 0 of 0 WebRTC viewers"
        )
    }
}

extension Double {
    /// One digit after the point.
    fileprivate var tenthsForTest: String {
        let tenths = Int((self * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}
