import HLS
import Media
import Testing
import Wire

/// Init, parts and segments judged by ffmpeg and ffprobe.
@Suite(.disabled(if: ExternalPrograms.areMissing, "ffmpeg or ffprobe is not installed"), .serialized)
struct DecodingTests {
    struct Clip: Sendable, CustomTestStringConvertible {
        var name: String
        var bFrames = 0
        var groupLength = 50
        var sound = EncodedClip.Sound.none
        var testDescription: String { name }
    }

    static let clips = [
        Clip(name: "video only"),
        Clip(name: "AAC", sound: .aac),
        Clip(name: "Opus", sound: .opus),
        Clip(name: "B-frames and AAC", bFrames: 3, sound: .aac),
        Clip(name: "one group of pictures", groupLength: 250, sound: .aac),
    ]

    @Test(arguments: clips) func `ffmpeg decodes every frame without a complaint`(clip: Clip) throws {
        let source = try EncodedClip.make(bFrames: clip.bFrames, groupLength: clip.groupLength, sound: clip.sound)
        var player = try Player(source.tracks)
        for unit in source.units { try player.append(unit) }
        try player.finish(at: instant(6_000 * 90_000))
        try judge(player.movie, frames: source.frameCount + player.leadInFrames)
    }

    @Test func `a silent or missing microphone is filled with frames that decode`() throws {
        for sound in [EncodedClip.Sound.aac, .opus] {
            let source = try EncodedClip.make(sound: sound)
            var player = try Player(source.tracks)
            let quiet = instant(5_002 * 90_000)..<instant(5_004 * 90_000)
            for unit in source.units where unit.track == 0 || !quiet.contains(unit.arrival) { try player.append(unit) }
            try player.finish(at: instant(6_000 * 90_000))
            #expect(player.muxer.status(at: .zero).silentFrames > 80)
            try judge(player.movie, frames: source.frameCount + player.leadInFrames)

            player = try Player(source.tracks)
            for unit in source.units where unit.track == 0 { try player.append(unit) }
            try player.finish(at: instant(6_000 * 90_000))
            try judge(player.movie, frames: source.frameCount + player.leadInFrames)
        }
    }

    @Test func `a new picture size gets an initialization segment of its own and decodes`() throws {
        let first = try EncodedClip.make(seconds: 3, sound: .aac)
        let second = try EncodedClip.make(seconds: 3, size: "640x360", sound: .aac, start: 5_003 * 90_000)
        var player = try Player(first.tracks)
        for unit in first.units + second.units { try player.append(unit) }
        try player.finish(at: instant(6_000 * 90_000))
        #expect(player.movies.count == 2)
        try judge(player.movies[0], frames: first.frameCount + player.leadInFrames)
        try judge(player.movies[1], frames: second.frameCount)
        #expect(try probe(player.movies[1], "stream=width,height", "v:0") == "640,360")
    }

    @Test func `ffmpeg plays the playlist from disk as a client would`() throws {
        let source = try EncodedClip.make(sound: .aac)
        var muxer = try HLSMuxer(tracks: source.tracks, configuration: .test(), at: .zero)
        for unit in source.units { muxer.append(unit, at: unit.arrival) }
        muxer.interrupt(at: instant(6_000 * 90_000))
        let current = muxer.text()
        let playlist = try #require(ReadPlaylist(current))
        try ExternalPrograms.withTemporaryDirectory { directory in
            // A live playlist never ends; for a program that reads files it has to.
            try ExternalPrograms.write(Array(((current ?? "") + "#EXT-X-ENDLIST\n").utf8), to: "\(directory)media.m3u8")
            for name in playlist.segments.flatMap({ [$0.uri] + [$0.map].compactMap { $0 } }) {
                try ExternalPrograms.write(muxer.bytes(name) ?? [], to: "\(directory)\(name)")
            }
            let count = try ExternalPrograms.run(
                ExternalPrograms.ffprobe,
                ["-v", "error", "-count_frames", "-select_streams", "v:0", "-show_entries", "stream=nb_read_frames"]
                    + ["-of", "csv=p=0", "\(directory)media.m3u8"]
            )
            #expect(count.errors == "")
            #expect(count.output.split(whereSeparator: \.isNewline).last.map { $0.filter(\.isNumber) } == "150")
        }
    }

    private func judge(_ movie: [UInt8], frames: Int) throws {
        try ExternalPrograms.withTemporaryDirectory { directory in
            let file = "\(directory)movie.mp4"
            try ExternalPrograms.write(movie, to: file)
            let decoded = try ExternalPrograms.run(
                ExternalPrograms.ffmpeg,
                ["-v", "warning", "-xerror", "-i", file, "-f", "null", "-"]
            )
            #expect(decoded.errors == "")
        }
        #expect(try probe(movie, "stream=nb_read_frames", "v:0") == String(frames))
    }

    private func probe(_ movie: [UInt8], _ entries: String, _ stream: String) throws -> String {
        try ExternalPrograms.withTemporaryDirectory { directory in
            let file = "\(directory)movie.mp4"
            try ExternalPrograms.write(movie, to: file)
            let result = try ExternalPrograms.run(
                ExternalPrograms.ffprobe,
                ["-v", "warning", "-count_frames", "-select_streams", stream, "-show_entries", entries]
                    + ["-of", "csv=p=0", file]
            )
            #expect(result.errors == "")
            return result.output.split(whereSeparator: \.isNewline).first.map {
                $0.hasSuffix(",") ? String($0.dropLast()) : String($0)
            } ?? ""
        }
    }
}

/// Collects what a client would: every part once, after the initialization segment in force.
private struct Player {
    var muxer: HLSMuxer
    var movies: [[UInt8]] = []
    var leadInFrames: Int
    private var seen: Set<String> = []
    private var map: String?

    var movie: [UInt8] { movies.first ?? [] }

    init(_ tracks: [TrackFormat]) throws {
        muxer = try HLSMuxer(tracks: tracks, configuration: .test(), at: .zero)
        leadInFrames = 0
    }

    mutating func append(_ unit: AccessUnit) throws {
        if muxer.append(unit, at: unit.arrival) { try read(at: unit.arrival) }
    }

    mutating func finish(at now: Instant) throws {
        muxer.interrupt(at: now)
        try read(at: now)
    }

    private mutating func read(at now: Instant) throws {
        let text = muxer.text(at: now)
        guard let playlist = ReadPlaylist(text) else { return }
        if seen.isEmpty { leadInFrames = playlist.segments.first?.duration == playlist.partTarget ? 1 : 0 }
        for segment in playlist.segments {
            for part in segment.parts { take(part, map: segment.map) }
        }
        for part in playlist.openParts { take(part, map: playlist.openMap) }
    }

    private mutating func take(_ part: ReadPlaylist.Part, map current: String?) {
        guard seen.insert(part.uri).inserted, let current else { return }
        if map != current {
            map = current
            movies.append(muxer.bytes(current) ?? [])
        }
        movies[movies.count - 1] += muxer.bytes(part.uri) ?? []
    }
}
