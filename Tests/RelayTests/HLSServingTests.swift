import HLS
import Testing
import Wire

@testable import Relay

/// Playlists and media, and who waits for what.
struct HLSServingTests {
    private func live(_ seconds: Int = 4) throws -> World {
        let world = try World()
        try world.becomeLive()
        try world.run(.seconds(seconds))
        return world
    }

    /// The last `NAME=` of a part or the newest media sequence number in a playlist.
    private func newest(_ playlist: String) throws -> (msn: Int, parts: Int) {
        let first = try #require(playlist.firstMatch(of: /#EXT-X-MEDIA-SEQUENCE:(\d+)/)).output.1
        let complete = playlist.matches(of: /#EXTINF/).count
        let open = playlist[(playlist.ranges(of: "#EXTINF").last?.lowerBound ?? playlist.startIndex)...]
        return (try #require(Int(first)) + complete, open.matches(of: /#EXT-X-PART:/).count)
    }

    @Test func `a bare player becomes a viewer with the multivariant playlist, and its playlist carries its name`()
        throws
    {
        let world = try live()
        let answer = try #require(try world.fetch("index.m3u8").response)
        #expect(answer.status == 200)
        #expect(answer.contentType == "application/vnd.apple.mpegurl")
        #expect(answer.cacheControl == "no-cache")
        let id = try #require(answer.viewer)
        #expect(answer.text.contains("media.m3u8?viewer=\(id)"))
        let viewer = try world.viewer(id)
        #expect(viewer.control == .hls && viewer.delivery == .hls)
        #expect(viewer.client == "ffmpeg 61")
        #expect(viewer.path == "hls/https")
        #expect(viewer.state == .connecting)
        #expect(try world.camera().hlsViewers == 1)
    }

    @Test func `what a player fetches is counted for it, and it plays once it has media`() throws {
        let world = try live()
        let id = try #require(try world.fetch("index.m3u8").response?.viewer)
        let playlist = try #require(try world.fetch("media.m3u8", viewer: id).response)
        #expect(playlist.status == 200 && playlist.viewer == id)
        let name = try #require(playlist.text.firstMatch(of: /URI="([^"]+\.mp4)"/)).output.1
        let part = try #require(playlist.text.matches(of: /URI="([^"]+\.m4s)"/).first).output.1
        #expect(try world.fetch(String(name), viewer: id).response?.status == 200)
        let media = try #require(try world.fetch(String(part), viewer: id).response)
        #expect(media.contentType == "video/mp4")
        #expect(media.cacheControl == "public, max-age=3600, immutable")
        let viewer = try world.viewer(id)
        #expect(viewer.state == .playing)
        #expect(viewer.bytes > UInt64(playlist.body.count + media.body.count))
        #expect(viewer.ladder.map(\.name) == ["playlist", "first part"])
    }

    @Test func `a bare player that fetches whole segments has a rate and plays between them`() throws {
        let world = try live(12)
        let id = try #require(try world.fetch("index.m3u8").response?.viewer)
        var fetched = Set<String>()
        for _ in 0..<6 {
            let playlist = try #require(try world.fetch("media.m3u8", viewer: id).response)
            let segments = playlist.text.split(separator: "\n").filter { !$0.hasPrefix("#") && $0.contains(".m4s") }
            for segment in segments.suffix(2).map(String.init) where fetched.insert(segment).inserted {
                #expect(try world.fetch(segment, viewer: id).response?.status == 200)
            }
            try world.run(.seconds(4))
            let viewer = try world.viewer(id)
            #expect(viewer.state == .playing)
            #expect(try #require(viewer.bitrate) > 1_000)
        }
        #expect(fetched.count > 4)
    }

    @Test func `media fetched on a connection that never asked for a playlist is counted by address and program`()
        throws
    {
        let world = try live()
        let id = try #require(try world.fetch("index.m3u8").response?.viewer)
        #expect(try world.fetch("media.m3u8").response?.viewer == id)
        #expect(try world.fetch("media.m3u8", agent: "VLC/3.0").response?.viewer == nil)
        #expect(try world.fetch("media.m3u8", from: "198.51.100.10").response?.viewer == nil)
        #expect(world.snapshot.viewers.count == 1)
    }

    @Test func `a page's viewer stays the same by HLS`() throws {
        let world = try live()
        let id = try world.join()
        let answer = try #require(try world.fetch("index.m3u8", viewer: id).response)
        #expect(answer.viewer == id)
        #expect(answer.text.contains("viewer=\(id)"))
        #expect(world.snapshot.viewers.count == 1)
    }

    @Test func `a bare player that stops asking is silent after 8 s and gone after 20`() throws {
        let world = try live()
        let id = try #require(try world.fetch("index.m3u8").response?.viewer)
        try world.run(.seconds(9))
        #expect(try world.viewer(id).state == .silent)
        try world.run(.seconds(12))
        #expect(!world.owns(id))
    }

    // MARK: - Waiting

    @Test func `a request that comes before the camera is live waits, and is answered within a second of the keyframe`()
        throws
    {
        let world = try World { $0.withholdsKeyframes = true }
        try world.run(.seconds(1))
        let ticket = try #require(try world.fetch("index.m3u8").ticket)
        let other = try #require(try world.fetch("index.m3u8", from: "198.51.100.10").ticket)
        try world.run(.seconds(2))
        #expect(world.pendingTickets == [ticket, other])
        try world.gate.withholdsKeyframes = false
        try world.run(atMost: .seconds(2)) { world.state() == .live }
        try world.run(.milliseconds(1_000))
        let answer = try #require(world.responses[ticket])
        #expect(answer.status == 200)
        #expect(answer.text.contains("media.m3u8?viewer=\(try #require(answer.viewer))"))
        #expect(world.responses[other]?.viewer != answer.viewer)
    }

    @Test func `a request for a camera that does not come is given up after 6 s, with what the camera says`() throws {
        let world = try World { $0.withholdsKeyframes = true }
        try world.run(.seconds(1))
        let ticket = try #require(try world.fetch("index.m3u8").ticket)
        try world.run(.milliseconds(5_900))
        #expect(world.responses[ticket] == nil)
        try world.run(.milliseconds(500))
        let answer = try #require(world.responses[ticket])
        #expect(answer.status == 503 && answer.retryAfter == 1)
        #expect(answer.text == "Waiting for the camera's first picture.")
        #expect(answer.cacheControl == "no-store")
    }

    @Test func `a camera that is stopped has nothing to wait for`() throws {
        let world = try World()
        world.submit(.kill(camera: "gate"))
        let answer = try #require(try world.fetch("index.m3u8").response)
        #expect(answer.status == 503 && answer.retryAfter == 2)
        #expect(answer.text == "An operator has stopped this camera.")
        #expect(answer.remedy == "Ask the relay's operator to start it.")
    }

    @Test func `an on-demand camera begins for a bare player`() throws {
        let world = try World(onDemand: true)
        let ticket = try #require(try world.fetch("index.m3u8").ticket)
        try world.run(.seconds(2))
        #expect(world.responses[ticket]?.status == 200)
    }

    @Test func `a blocking reload waits for its part and wakes with it`() throws {
        let world = try live()
        let id = try #require(try world.fetch("index.m3u8").response?.viewer)
        let playlist = try #require(try world.fetch("media.m3u8", viewer: id).response).text
        let (msn, parts) = try newest(playlist)
        let ticket = try #require(try world.fetch("media.m3u8", viewer: id, msn: msn, part: parts).ticket)
        let stream = try #require(world.shard.cameras["gate"]?.hls)
        let requests = stream.requests.total
        #expect(world.snapshot.hls.first?.blocked == 1)
        try world.run(.milliseconds(400))
        #expect(stream.requests.total == requests, "a request that waits is one request")
        let answer = try #require(world.responses[ticket])
        #expect(answer.status == 200 && answer.viewer == id)
        let after = try newest(answer.text)
        #expect((after.msn, after.parts) >= (msn, parts + 1) || after.msn > msn)
        #expect(world.snapshot.hls.first?.blocked == 0)
    }

    @Test func `the part of the preload hint waits and wakes`() throws {
        let world = try live()
        let playlist = try #require(try world.fetch("media.m3u8").response).text
        let hinted = try #require(playlist.firstMatch(of: /PRELOAD-HINT:TYPE=PART,URI="([^"]+)"/)).output.1
        let ticket = try #require(try world.fetch(String(hinted)).ticket)
        try world.run(.milliseconds(400))
        #expect(world.responses[ticket]?.status == 200)
        #expect(world.responses[ticket]?.contentType == "video/mp4")
    }

    @Test func `a request that blocks while the camera is silent is given up in time`() throws {
        let world = try live()
        let playlist = try #require(try world.fetch("media.m3u8").response).text
        let (msn, parts) = try newest(playlist)
        try world.gate.isSilent = true
        let ticket = try #require(try world.fetch("media.m3u8", msn: msn, part: parts + 1).ticket)
        try world.run(.seconds(30))
        #expect(world.responses[ticket]?.status == 503)
        let text = try #require(world.responses[ticket]?.text)
        #expect(["The camera is connected but sends no picture.", "no new part in time"].contains(text))
    }

    @Test func `a request whose client has gone is forgotten`() throws {
        let world = try live()
        try world.gate.isSilent = true
        let playlist = try #require(try world.fetch("media.m3u8").response).text
        let (msn, parts) = try newest(playlist)
        for _ in 0..<100 {
            world.cancel(try #require(try world.fetch("media.m3u8", msn: msn, part: parts + 1).ticket))
        }
        try world.run(.milliseconds(500))
        #expect(world.pendingTickets.isEmpty)
        #expect(world.shard.cameras["gate"]?.hls?.waiting == [])
        try world.run(.seconds(40))
        #expect(world.responses.isEmpty)
    }

    // MARK: - Refusals

    @Test(
        arguments: [
            ("media.m3u8", 1_000, nil, 400), ("nonsense.m4s", nil, nil, 404), ("../etc/passwd", nil, nil, 404),
            ("", nil, nil, 404), ("e_s0.m4s", nil, nil, 404),
        ] as [(String, Int?, Int?, Int)]
    )
    func `what is not there is 404, what is too far ahead is 400`(
        name: String,
        msn: Int?,
        part: Int?,
        status: Int
    ) throws {
        let world = try live()
        #expect(try world.fetch(name, msn: msn, part: part).response?.status == status)
        #expect(world.pendingTickets.isEmpty)
    }

    @Test func `a camera that is not there is 404`() throws {
        let world = try live()
        let answer = try #require(try world.fetch("index.m3u8", camera: "yard").response)
        #expect(answer.status == 404 && answer.text == "there is no camera named yard")
    }

    @Test func `a relay that serves WebRTC only refuses HLS`() throws {
        let world = try World(delivery: .webrtc)
        try world.becomeLive()
        let answer = try #require(try world.fetch("index.m3u8").response)
        #expect(answer.status == 403)
        #expect(answer.text == "HLS is switched off for this camera; use WebRTC")
    }

    @Test func `a camera's own policy goes before the relay's`() throws {
        let world = try World([.scripted("gate", delivery: .hls)], delivery: .webrtc)
        try world.becomeLive()
        try world.run(.seconds(3))
        #expect(try world.fetch("index.m3u8").response?.status == 200)
        #expect(throws: ViewerRefusal(.policy, "WebRTC is switched off for this camera; use HLS")) {
            try world.offer(viewer: try world.join())
        }
    }

    // MARK: - The stream's life

    @Test func `a camera's restart is a discontinuity, never an end, and the numbers go on`() throws {
        let world = try live()
        let id = try #require(try world.fetch("index.m3u8").response?.viewer)
        let before = try newest(try #require(try world.fetch("media.m3u8", viewer: id).response).text)
        world.submit(.restart(camera: "gate"))
        try world.run(.seconds(5))
        let playlist = try #require(try world.fetch("media.m3u8", viewer: id).response).text
        #expect(playlist.contains("#EXT-X-DISCONTINUITY"))
        #expect(!playlist.contains("ENDLIST"))
        #expect(try newest(playlist).msn > before.msn)
    }

    @Test func `a stream nobody asks for is let go after 40 s, and the next one's numbers lie above it`() throws {
        let world = try live()
        let first = try #require(try world.fetch("media.m3u8").response).text
        try world.run(.seconds(10))
        let before = try newest(try #require(try world.fetch("media.m3u8").response).text)
        try world.run(.seconds(39))
        #expect(world.snapshot.hls.count == 1)
        try world.run(.seconds(2))
        #expect(world.snapshot.hls.isEmpty)
        let second = try #require(try world.fetch("media.m3u8").response).text
        let after = try newest(second)
        #expect(after.msn > before.msn, "a player that paused must not see numbers go back")
        let prefix = { (text: String) in text.firstMatch(of: /URI="([a-zA-Z0-9]+)_/).map { String($0.output.1) } }
        #expect(prefix(first) != prefix(second), "no cache mixes the two up")
    }

    @Test func `the relay answers everybody who waits when it shuts down`() throws {
        let world = try live()
        let playlist = try #require(try world.fetch("media.m3u8").response).text
        let (msn, parts) = try newest(playlist)
        let anonymous = try #require(try world.fetch("media.m3u8", msn: msn, part: parts).ticket)
        let id = try #require(try world.fetch("index.m3u8").response?.viewer)
        let known = try #require(try world.fetch("media.m3u8", viewer: id, msn: msn, part: parts).ticket)
        world.input { world.shard.shutdown(at: $0, into: &$1) }
        #expect(world.pendingTickets.isEmpty)
        #expect(world.responses[anonymous]?.status == 503)
        #expect(world.responses[known] != nil)
        #expect(try world.fetch("index.m3u8").response?.status == 503)
    }

    @Test func `a dropped player's waiting request is answered`() throws {
        let world = try live()
        let id = try #require(try world.fetch("index.m3u8").response?.viewer)
        let (msn, parts) = try newest(try #require(try world.fetch("media.m3u8", viewer: id).response).text)
        let ticket = try #require(try world.fetch("media.m3u8", viewer: id, msn: msn, part: parts).ticket)
        world.submit(.drop(viewer: id))
        #expect(world.responses[ticket]?.status == 404)
        #expect(world.responses[ticket]?.text == "this viewer's session is over")
    }
}
