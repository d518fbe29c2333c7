import HLS
import Media
import TestSupport
import Testing
import Wire

struct PlaylistTests {
    /// A muxer that has just been made for the first viewer and fed with `seconds` of a stream's cache.
    private func coldStart(seconds: Double, stream: inout SyntheticStream) throws -> (muxer: HLSMuxer, now: Instant) {
        let cache = stream.next(seconds: seconds)
        let now = instant(stream.timestamp - stream.frameInterval + 900)
        var configuration = HLSConfiguration.test()
        configuration.frameInterval = .milliseconds(40)
        var muxer = try HLSMuxer(tracks: stream.tracks(), configuration: configuration, at: now)
        for unit in cache { muxer.append(unit, at: now) }
        return (muxer, now)
    }

    @Test func `the first playlist of a cold start`() throws {
        var stream = SyntheticStream()
        var (muxer, now) = try coldStart(seconds: 0.6, stream: &stream)
        let text = muxer.text(at: now)
        #expect(
            text == """
                #EXTM3U
                #EXT-X-VERSION:9
                #EXT-X-TARGETDURATION:6
                #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=0.60000,HOLD-BACK=18.00000,CAN-SKIP-UNTIL=36.00000
                #EXT-X-PART-INF:PART-TARGET=0.20000
                #EXT-X-MEDIA-SEQUENCE:0
                #EXT-X-DISCONTINUITY-SEQUENCE:0
                #EXT-X-INDEPENDENT-SEGMENTS
                #EXT-X-MAP:URI="e3_init1.mp4"
                #EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:16:39.800Z
                #EXT-X-PART:DURATION=0.20000,URI="e3_s0_p0.m4s",INDEPENDENT=YES
                #EXTINF:0.20000,
                e3_s0.m4s
                #EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:16:40.000Z
                #EXT-X-PART:DURATION=0.20000,URI="e3_s1_p0.m4s",INDEPENDENT=YES
                #EXT-X-PART:DURATION=0.20000,URI="e3_s1_p1.m4s"
                #EXT-X-PRELOAD-HINT:TYPE=PART,URI="e3_s1_p2.m4s"

                """
        )
    }

    @Test(arguments: [0.04, 0.5, 1.9, 5, 9.5]) func `a cold start is served at once and up to the live edge`(
        seconds: Double
    ) throws {
        var stream = SyntheticStream(groupLength: 250, audio: true)
        var (muxer, now) = try coldStart(seconds: seconds, stream: &stream)
        let playlist = try muxer.read(at: now)
        #expect(!playlist.segments.isEmpty)
        // All but the part being filled and the frame held back is there.
        let published = playlist.segments.dropFirst().reduce(0) { $0 + $1.duration }
        let total = published + playlist.openParts.reduce(0) { $0 + $1.duration }
        #expect(seconds - total <= 0.24)
        // Whoever joins finds the keyframe among the parts of the group that is being played.
        #expect(playlist.allParts.contains { $0.isIndependent })
        #expect(muxer.status(at: now).maximumSegmentLatency == nil)
        // Time on the playlist is the relay's: the first picture was taken 1000 s after zero.
        let first = playlist.segments.count > 1 ? playlist.segments[1].date : playlist.openDate
        #expect(seconds < 0.3 || first == "2026-01-01T00:16:40.000Z")
    }

    @Test func `without any hint a playlist waits for a few frames`() throws {
        var stream = SyntheticStream()
        var muxer = try HLSMuxer(tracks: stream.tracks(), configuration: .test(), at: .zero)
        var frames = 0
        while muxer.text() == nil, frames < 100 {
            #expect(muxer.playlist(.init(), at: .zero) == .wait(.init(mediaSequenceNumber: 0, part: 0)))
            #expect(muxer.multivariantPlaylist(viewerQuery: "", at: .zero) == nil)
            for unit in stream.next() { muxer.append(unit, at: .zero) }
            frames += 1
        }
        #expect(frames == 6)
    }

    @Test func `the multivariant playlist carries the viewer and nothing that breaks a line`() throws {
        var stream = SyntheticStream(audio: true)
        var (muxer, now) = try coldStart(seconds: 4, stream: &stream)
        let bytes = muxer.multivariantPlaylist(viewerQuery: "viewer=v7\n#EXT\"", at: now) ?? []
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        #expect(lines[0] == "#EXTM3U")
        #expect(lines[2].hasSuffix("CODECS=\"avc1.42c00c,mp4a.40.2\",RESOLUTION=320x180,FRAME-RATE=25.000"))
        #expect(lines[3] == "media.m3u8?viewer=v7EXT")
        #expect(lines.count == 4)
    }

    @Test func `blocking requests wait for exactly what they ask for`() throws {
        var stream = SyntheticStream()
        var (muxer, now) = try coldStart(seconds: 5, stream: &stream)
        let playlist = try muxer.read(at: now)
        let open = playlist.mediaSequence + playlist.segments.count
        let next = playlist.openParts.count
        func ask(_ msn: Int?, _ part: Int? = nil) -> PlaylistResult {
            muxer.playlist(PlaylistQuery(mediaSequenceNumber: msn, part: part), at: now)
        }
        func isReady(_ result: PlaylistResult) -> Bool { if case .ready = result { true } else { false } }
        func isBad(_ result: PlaylistResult) -> Bool { if case .badRequest = result { true } else { false } }
        #expect(isReady(ask(0)))
        #expect(isReady(ask(open - 1)))
        #expect(isReady(ask(open - 1, 3)))
        // Beyond the end of a complete segment: the first part of the next one.
        #expect(isReady(ask(open - 1, 500)))
        #expect(isReady(ask(open, next - 1)))
        #expect(ask(open) == .wait(.init(mediaSequenceNumber: open, part: nil)))
        #expect(ask(open, next) == .wait(.init(mediaSequenceNumber: open, part: next)))
        #expect(ask(open + 1, 0) == .wait(.init(mediaSequenceNumber: open + 1, part: 0)))
        #expect(isBad(ask(open + 2)))
        #expect(isBad(ask(open + 2, 0)))
        #expect(isBad(ask(.max, 0)))
        #expect(isBad(ask(open, next + 16)))
        #expect(muxer.blockingTimeout == .seconds(9))

        // The waiting request becomes ready with the very append that completes its part.
        var changes = 0
        while changes == 0 {
            for unit in stream.next() where muxer.append(unit, at: unit.arrival) { changes += 1 }
            #expect(isReady(ask(open, next)) == (changes > 0))
        }
    }

    @Test func `a request beyond the end of the newest segment waits for the next one`() throws {
        var stream = SyntheticStream()
        var (muxer, now) = try coldStart(seconds: 4, stream: &stream)
        // The next frame is a keyframe and completes the second group.
        for unit in stream.next() { muxer.append(unit, at: now) }
        let playlist = try muxer.read(at: now)
        #expect(playlist.openParts.isEmpty)
        let open = playlist.mediaSequence + playlist.segments.count
        let query = PlaylistQuery(mediaSequenceNumber: open - 1, part: 10)
        #expect(muxer.playlist(query, at: now) == .wait(.init(mediaSequenceNumber: open, part: 0)))
    }

    @Test func `delta updates skip what lies before the boundary and nothing else`() throws {
        var stream = SyntheticStream(groupLength: 25)
        var configuration = HLSConfiguration.test()
        configuration.segmentCount = 40
        var muxer = try HLSMuxer(tracks: stream.tracks(), configuration: configuration, at: .zero)
        for unit in stream.next(seconds: 60) { muxer.append(unit, at: unit.arrival) }
        let full = try muxer.read()
        let delta = try muxer.read(.init(skip: true))
        #expect(full.skipped == 0 && full.segments.count == 40)
        #expect(delta.skipped > 20)
        #expect(delta.mediaSequence == full.mediaSequence)
        #expect(delta.segments.map(\.uri) == full.segments.dropFirst(delta.skipped).map(\.uri))
        let kept = delta.segments.reduce(0) { $0 + $1.duration }
        #expect(kept >= Double(6 * full.targetDuration) - 1)
        #expect(delta.hints == full.hints)
    }

    @Test func `a camera too slow for parts gets plain HLS that can be blocked on as well`() throws {
        var stream = SyntheticStream(frameInterval: 90_000, groupLength: 4)
        var muxer = try HLSMuxer(tracks: stream.tracks(), configuration: .test(), at: .zero)
        for unit in stream.next(seconds: 40) { muxer.append(unit, at: unit.arrival) }
        let text = muxer.text() ?? ""
        let playlist = try muxer.read()
        #expect(!text.contains("PART"))
        #expect(playlist.hints.isEmpty && playlist.segments.allSatisfy { $0.duration == 4 })
        #expect(!muxer.status(at: .zero).isLowLatency)
        let open = playlist.mediaSequence + playlist.segments.count
        let query = PlaylistQuery(mediaSequenceNumber: open)
        #expect(muxer.playlist(query, at: .zero) == .wait(.init(mediaSequenceNumber: open, part: nil)))
        #expect(muxer.resource(named: "e3_s\(open)_p0.m4s") == .gone)
    }

    @Test func `a long group of pictures is cut every 6 s and only its keyframe's part is independent`() throws {
        var stream = SyntheticStream(groupLength: 375)
        var configuration = HLSConfiguration.test()
        configuration.keyframeInterval = .seconds(15)
        var muxer = try HLSMuxer(tracks: stream.tracks(), configuration: configuration, at: .zero)
        for unit in stream.next(seconds: 42) { muxer.append(unit, at: unit.arrival) }
        let text = muxer.text() ?? ""
        let playlist = try muxer.read()
        #expect(playlist.targetDuration == 6)
        #expect(!text.contains("INDEPENDENT-SEGMENTS"))
        #expect(playlist.segments.allSatisfy { $0.duration <= 6 })
        #expect(playlist.allParts.filter(\.isIndependent).count == 1)
    }

    @Test func `changed parameter sets make a discontinuity with a new map, repeated ones do not`() throws {
        var stream = SyntheticStream()
        var muxer = try HLSMuxer(tracks: stream.tracks(), configuration: .test(), at: .zero)
        for unit in stream.next(seconds: 8) { muxer.append(unit, at: unit.arrival) }
        #expect(muxer.status(at: .zero).discontinuities == 0)
        for var unit in stream.next(seconds: 4) {
            if unit.isKeyframe {
                unit.units.replaceSubrange(1...2, with: [SyntheticStream.otherSPS, SyntheticStream.otherPPS])
            }
            muxer.append(unit, at: unit.arrival)
        }
        let playlist = try muxer.read()
        #expect(muxer.status(at: .zero).discontinuities == 1)
        #expect(playlist.segments.last?.map == "e3_init2.mp4")
        #expect(playlist.segments.filter(\.isDiscontinuity).count == 1)
        #expect(muxer.status(at: .zero).codecs == ["avc1.64001e"])
        let bytes = muxer.multivariantPlaylist(viewerQuery: "", at: .zero) ?? []
        #expect(String(decoding: bytes, as: UTF8.self).contains("RESOLUTION=640x360"))
    }

    @Test func `a restarted camera continues the sequence after a discontinuity`() throws {
        var stream = SyntheticStream(audio: true)
        var muxer = try HLSMuxer(tracks: stream.tracks(), configuration: .test(), at: .zero)
        for unit in stream.next(seconds: 7) { muxer.append(unit, at: unit.arrival) }
        let changed = muxer.interrupt(at: instant(stream.timestamp))
        #expect(changed)
        let before = try muxer.read()
        #expect(before.openParts.isEmpty)
        // Back after two seconds, without sound.
        stream.timestamp += 180_000
        stream.index = 0
        stream.audio = false
        try muxer.update(tracks: stream.tracks(), at: instant(stream.timestamp))
        for unit in stream.next(seconds: 5) { muxer.append(unit, at: unit.arrival) }
        let after = try muxer.read()
        let number = before.mediaSequence + before.segments.count
        let segment = try #require(after.segments.first { $0.uri == "e3_s\(number).m4s" })
        #expect(segment.isDiscontinuity && segment.map == "e3_init2.mp4")
        #expect(muxer.status(at: .zero).codecs == ["avc1.42c00c"])
    }

    @Test func `memory is bounded by bytes and names stay valid for a while after they leave`() throws {
        var stream = SyntheticStream()
        var configuration = HLSConfiguration.test()
        configuration.maximumBytes = 1 << 20
        var muxer = try HLSMuxer(tracks: stream.tracks(), configuration: configuration, at: .zero)
        var last: ReadPlaylist?
        for var unit in stream.next(seconds: 30) {
            unit.units.append([0x41] + [UInt8](repeating: 7, count: 5_000))
            guard muxer.append(unit, at: unit.arrival) else { continue }
            #expect(muxer.status(at: .zero).byteCount <= 1 << 20)
            let text = muxer.text()
            if let previous = last?.segments.first { #expect(muxer.bytes(previous.uri) != nil) }
            last = ReadPlaylist(text)
        }
        #expect(last.map { $0.segments.count < 7 } == true)
    }

    @Test func `latency is measured from a segment's first frame to its publication`() throws {
        var stream = SyntheticStream()
        var muxer = try HLSMuxer(tracks: stream.tracks(), configuration: .test(), at: .zero)
        for unit in stream.next(seconds: 20) { muxer.append(unit, at: unit.arrival + .milliseconds(3)) }
        let status = muxer.status(at: instant(stream.timestamp))
        #expect(status.medianSegmentLatency.map { abs($0.inMilliseconds - 2_003) < 1 } == true)
        #expect(status.partTarget.map { abs($0.inMilliseconds - 200) < 0.01 } == true)
        #expect(status.targetDuration == .seconds(3))
        #expect(status.isLowLatency && status.codecs == ["avc1.42c00c"])
    }

    @Test func `a part's span is the time its pictures came from the camera`() throws {
        var stream = SyntheticStream()
        var muxer = try HLSMuxer(tracks: stream.tracks(), configuration: .test(), at: .zero)
        for unit in stream.next(seconds: 20) { muxer.append(unit, at: unit.arrival) }
        let playlist = try #require(ReadPlaylist(muxer.text()))
        let segment = try #require(playlist.segments.last { $0.uri.hasSuffix(".m4s") })
        let span = try #require(muxer.span(ofResource: segment.uri))
        #expect(abs((span.end - span.start).inSeconds - 2) < 0.001)
        let live = instant(stream.timestamp)
        #expect(span.end <= live && live - span.end < .seconds(4))
        #expect(muxer.span(ofResource: "nothing.m4s") == nil)
    }

    @Test func `a stream without H264 is refused with a remedy`() throws {
        let tracks = [TrackFormat(codec: .h265, clockRate: 90_000)]
        #expect(throws: HLSFailure.noPlayableVideo) {
            try HLSMuxer(tracks: tracks, configuration: .test(), at: .zero)
        }
        #expect(HLSFailure.noPlayableVideo.description.contains("Set the camera"))
    }
}
