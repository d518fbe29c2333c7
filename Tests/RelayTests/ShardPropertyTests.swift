import RTSP
import TestSupport
import Testing
import Wire

@testable import Relay

/// Whatever happens in whatever order: nothing traps, time goes on, and nothing is left behind.
struct ShardPropertyTests {
    /// One run: two cameras, one on demand, and twenty random things.
    private func play(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let policy = DeliveryPolicy.allCases.randomElement(using: &random) ?? .auto
        let world = try World(
            [.scripted("gate"), .scripted("yard", onDemand: true)],
            delivery: Int.random(in: 0..<4, using: &random) == 0 ? policy : .auto,
            seed: seed
        ) { $0.interval = .milliseconds(200) }
        world.hop = [nil, .zero, .milliseconds(2)].randomElement(using: &random) ?? nil
        var viewers: [String] = []
        var commands = 0
        for _ in 0..<20 {
            try step(world, &viewers, &commands, &random)
            // Mostly in quick succession, sometimes with time for timers between.
            let pause = Int.random(in: 0..<5, using: &random) == 0 ? 4_000 : 300
            try world.run(.milliseconds(Int.random(in: 0...pause, using: &random)))
        }
        try end(world)
    }

    private func step(
        _ world: World,
        _ viewers: inout [String],
        _ commands: inout Int,
        _ random: inout SeededGenerator
    ) throws {
        let name = Bool.random(using: &random) ? "gate" : "yard"
        let viewer = viewers.randomElement(using: &random) ?? "v03nobody00000"
        let camera = try #require(world.cameras[name])
        switch Int.random(in: 0..<22, using: &random) {
        case 0, 1, 2:
            world.placement = World.Placement.allCases.randomElement(using: &random) ?? .home
            let control: [ControlChannel] = [.page, .page, .whep, .hls]
            if let id = try? world.join(name, control: control.randomElement(using: &random) ?? .page) {
                viewers.append(id)
            }
        case 3: _ = try? world.join(name, resume: viewer)
        case 4: world.leave(viewer)
        case 5: if world.openChannels[viewer] != nil { try world.closeControl(of: viewer) }
        case 6, 7: _ = try? world.offer(viewer: viewer)
        case 8: world.report([.webrtc, .hls, nil].randomElement(using: &random) ?? nil, viewer: viewer)
        case 9, 10, 11:
            let resources = ["index.m3u8", "media.m3u8", "media.m3u8", "nonsense", "e_s1.m4s"]
            let known = Bool.random(using: &random) ? viewer : nil
            let msn = Bool.random(using: &random) ? Int.random(in: 0...9, using: &random) : nil
            let part = msn == nil ? nil : Int.random(in: 0...5, using: &random)
            let resource = resources.randomElement(using: &random) ?? ""
            let fetched = try world.fetch(resource, camera: name, viewer: known, msn: msn, part: part)
            if let id = fetched.response?.viewer { viewers.append(id) }
        case 12: if let ticket = world.pendingTickets.min() { world.cancel(ticket) }
        case 13: world.closeCamera(name)
        case 14: camera.isSilent.toggle()
        case 15: camera.reordersPictures.toggle()
        case 16:
            camera.reach =
                [.accepts, .accepts, .fails(.refused), .fails(.timedOut), .neverAnswers]
                .randomElement(using: &random) ?? .accepts
        case 17: camera.withholdsKeyframes.toggle()
        case 18: camera.videoCodec = Bool.random(using: &random) ? "H265/90000" : "H264/90000"
        case 19:
            let garbage = (0..<Int.random(in: 0...80, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            world.send(garbage, from: name)
        default:
            commands += 1
            let actions: [Command.Action] = [
                .restart(camera: name), .kill(camera: name), .start(camera: name), .keyframe(camera: name),
                .switchViewer(viewer, to: .hls), .switchViewer(viewer, to: .webrtc), .switchViewer(viewer, to: .auto),
                .drop(viewer: viewer),
            ]
            guard let action = actions.randomElement(using: &random) else { return }
            world.submit(action, id: "c\(commands)")
        }
        _ = world.snapshot
    }

    /// Everybody leaves, the relay shuts down: nothing may be left.
    private func end(_ world: World) throws {
        let shards = [world.shard, world.away]
        for camera in world.cameras.values { camera.interval = .seconds(1) }
        for shard in shards {
            for id in shard.viewers.keys.sorted() where shard.viewers[id]?.channel != nil {
                try world.closeControl(of: id)
            }
        }
        try world.run(.seconds(90))
        for shard in shards {
            #expect(shard.viewers.isEmpty, "viewers that say nothing are let go")
            #expect(shard.viewersByUfrag.isEmpty && shard.viewersByPath.isEmpty)
            #expect(shard.pendingHLS.isEmpty, "every request was answered")
            #expect(shard.operations.isEmpty, "every operation ended and was forgotten")
            #expect(shard.cameras.values.allSatisfy { $0.hls == nil && $0.audience.viewers.isEmpty })
            #expect(shard.cameras.values.allSatisfy { Array($0.audience.shards).isEmpty }, "nobody wants packets")
            #expect(shard.streams.values.allSatisfy { $0.subscribers.isEmpty && $0.viewers.isEmpty && !$0.isAttached })
        }
        for (name, stream) in world.away.streams {
            #expect(stream.facts == world.shard.streams[name]?.facts, "both know the same of a camera")
        }
        #expect(world.claims.isEmpty && world.openChannels.isEmpty && world.pendingTickets.isEmpty)
        #expect(!world.connected.contains("yard"), "nobody watches it")
        for shard in shards { world.input { shard.shutdown(at: $0, into: &$1) } }
        #expect(world.connected.isEmpty)
        try world.run(.seconds(10))
    }

    @Test(arguments: 0..<10)
    func `random inputs never trap, deadlines move forward, nothing leaks`(batch: UInt64) throws {
        for seed in (batch * 50)..<(batch * 50 + 50) {
            do {
                try play(seed: seed)
            } catch {
                Issue.record(error, "seed \(seed)")
            }
        }
    }
}
