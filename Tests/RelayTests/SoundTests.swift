import Media
import Relay
import Testing
import Wire

/// Converted sound: negotiated ahead, made while somebody listens, and nobody's ruin.
struct SoundTests {
    /// A live camera with PCMA sound, which HLS does not carry.
    private func live() throws -> World {
        let world = try World([try .scripted("gate")], convertsSound: true) { $0.hasAudio = true }
        try world.becomeLive()
        try world.run(.seconds(3))
        return world
    }

    /// Converted frames for this moment.
    private func frames(_ world: World, count: Int = 5) -> [ConversionMessage] {
        let start = world.now.nanoseconds / 1_000_000 * 48
        return (0..<count).map {
            let payload = [UInt8](repeating: UInt8(truncatingIfNeeded: $0), count: 90)
            return .frame(ConversionFrame(timestamp: start + Int64($0 * 1_024), payload: payload))
        }
    }

    /// Says everything in one write.
    private func say(_ messages: [ConversionMessage], in world: World) {
        var bytes: [UInt8] = []
        for message in messages { message.append(to: &bytes) }
        world.codec(writes: bytes)
    }

    /// Lets a player go on asking.
    private func listen(_ world: World, viewer: String, _ duration: Duration) throws {
        let end = world.now + duration
        while world.now < end {
            try world.fetch("media.m3u8", viewer: viewer)
            try world.run(.seconds(1))
        }
    }

    @Test func `without a listener there is no process`() throws {
        let world = try live()
        try world.run(.seconds(30))
        #expect(world.codecs.started == 0)
        let sound = try #require(try world.camera().sound)
        #expect(sound.from == .pcma && sound.to == .aac && sound.delivery == "HLS" && sound.state == .idle)
        #expect(try world.camera().tracks.count == 2, "the camera's own tracks")
        #expect(try world.camera().notes.isEmpty)
    }

    @Test func `an HLS viewer's playlist promises the sound before there is any, and starts the process`() throws {
        let world = try live()
        let answer = try #require(try world.fetch("index.m3u8").response)
        #expect(answer.text.contains("mp4a.40.2"))
        #expect(world.codecs.started == 1)
        guard case .begin(let conversion)? = world.codecs.received["gate"]?.first else {
            Issue.record("the process was not told what to do")
            return
        }
        #expect(conversion.source.codec == .pcma && conversion.result.codec == .aac)
        try world.run(.milliseconds(500))
        let sent = (world.codecs.received["gate"] ?? []).compactMap { message -> ConversionFrame? in
            if case .frame(let frame) = message { frame } else { nil }
        }
        #expect(sent.count >= 10)
        #expect(zip(sent.dropFirst(), sent).allSatisfy { $0.timestamp - $1.timestamp == 320 })
    }

    @Test func `what the process makes is in the parts`() throws {
        let world = try live()
        let viewer = try #require(try world.fetch("index.m3u8").response?.viewer)
        world.codec(says: .ready)
        var found = false
        for _ in 0..<40 where !found {
            say(frames(world, count: 2), in: world)
            try world.run(.milliseconds(100))
            let playlist = try #require(try world.fetch("media.m3u8", viewer: viewer).response).text
            guard let part = playlist.matches(of: /PART:.*URI="([^"]+\.m4s)"/).last?.output.1 else { continue }
            let bytes = try #require(try world.fetch(String(part), viewer: viewer).response).body
            found = bytes.indices.dropLast(90).contains { start in bytes[start..<(start + 90)].allSatisfy { $0 == 1 } }
        }
        #expect(found)
        #expect(try #require(try world.camera().sound).state == .running)
        #expect(try #require(try world.camera().sound).frames >= 2)
    }

    @Test func `the process ends a while after the last listener, and not before`() throws {
        let world = try live()
        let viewer = try #require(try world.fetch("index.m3u8").response?.viewer)
        world.codec(says: .ready)
        for _ in 0..<15 {
            try listen(world, viewer: viewer, .seconds(1))
            say(frames(world, count: 1), in: world)
        }
        #expect(world.codecs.started == 1 && world.codecs.running["gate"] != nil)
        for _ in 0..<20 {
            try world.run(.seconds(1))
            say(frames(world, count: 1), in: world)
        }
        #expect(world.codecs.running["gate"] == nil)
        #expect(try #require(try world.camera().sound).failures == 0)
    }

    @Test func `its death costs the sound for a moment and is said`() throws {
        let world = try live()
        let viewer = try #require(try world.fetch("index.m3u8").response?.viewer)
        world.codec(says: .ready)
        world.codecDies("the codec process was ended by signal 9")
        let camera = try world.camera()
        #expect(camera.state == .live)
        #expect(camera.sound?.state == .waiting && camera.sound?.failures == 1)
        #expect(camera.notes.contains { $0.contains("no sound for HLS viewers") && $0.contains("signal 9") })
        #expect(try world.viewer(viewer).notes == camera.notes)
        #expect(world.events.texts.contains("no PCMA sound for HLS viewers: the codec process was ended by signal 9"))
        try listen(world, viewer: viewer, .seconds(3))
        #expect(world.codecs.started == 2)
        world.codec(says: .ready)
        #expect(try world.camera().notes.isEmpty)
    }

    @Test func `one that dies again and again is tried ever more rarely`() throws {
        let world = try live()
        let viewer = try #require(try world.fetch("index.m3u8").response?.viewer)
        for _ in 0..<120 {
            world.codecDies("the codec process ended with code 1")
            try listen(world, viewer: viewer, .seconds(1))
        }
        #expect((5...12).contains(world.codecs.started), "\(world.codecs.started) in two minutes")
    }

    @Test func `one that says nothing is given up`() throws {
        let world = try live()
        let viewer = try #require(try world.fetch("index.m3u8").response?.viewer)
        try listen(world, viewer: viewer, .seconds(6))
        #expect(world.events.texts.contains { $0.hasSuffix("it does not answer") })
        world.codec(says: .ready)
        try listen(world, viewer: viewer, .seconds(12))
        #expect(try #require(try world.camera().sound).failures >= 2)
    }

    @Test(arguments: [
        ("0000000109", "it does not keep to its protocol"), ("ffffffff", "it does not keep to its protocol"),
        ("0000000a03000000000000000000", "it does not keep to its protocol"), ("00000004046e076f", "no"),
    ])
    func `one that talks nonsense is given up`(text: String, reason: String) throws {
        let world = try live()
        try world.fetch("index.m3u8")
        world.codec(writes: try #require([UInt8](hexadecimal: text)))
        #expect(world.codecs.running["gate"] == nil)
        #expect(try #require(try world.camera().sound).lastFailure == reason)
        try world.run(.seconds(3))
        #expect(world.state() == .live)
    }

    @Test func `a flood is cut off, and times that cannot be are left out`() throws {
        let world = try live()
        try world.fetch("index.m3u8")
        world.codec(says: .ready)
        let extremes: [Int64] = [.min, .max, 0, -1, world.now.nanoseconds]
        say(extremes.map { .frame(ConversionFrame(timestamp: $0, payload: [1])) }, in: world)
        #expect(try #require(try world.camera().sound).frames == 0)
        #expect(world.codecs.running["gate"] != nil)
        say(frames(world, count: 600), in: world)
        #expect(try #require(try world.camera().sound).lastFailure == "it floods the relay")
        #expect(try #require(try world.camera().sound).frames < 500)
        #expect(world.codecs.running["gate"] == nil)
    }

    @Test func `a WebRTC viewer of sound that WebRTC carries starts no process`() throws {
        let world = try live()
        let client = try WebRTCClient(world, viewer: try world.join())
        try client.connect()
        try client.watch(.seconds(3))
        #expect(world.codecs.started == 0)
    }

    @Test func `a camera that goes takes its process with it, one that returns gets one again`() throws {
        let world = try live()
        let viewer = try #require(try world.fetch("index.m3u8").response?.viewer)
        world.codec(says: .ready)
        world.submit(.kill(camera: "gate"))
        try listen(world, viewer: viewer, .seconds(8))
        #expect(world.codecs.running["gate"] == nil)
        world.submit(.start(camera: "gate"), id: "c2")
        try listen(world, viewer: viewer, .seconds(4))
        #expect(world.codecs.running["gate"] != nil)
    }

    @Test func `without the program the console says what is missing`() throws {
        let world = try World { $0.hasAudio = true }
        try world.becomeLive()
        try world.run(.seconds(3))
        try world.fetch("index.m3u8")
        #expect(world.codecs.started == 0)
        #expect(try world.camera().notes.contains { $0.contains("HLS") && $0.contains("signalbox-media") })
    }
}
