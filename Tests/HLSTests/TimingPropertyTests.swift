import HLS
import Media
import TestSupport
import Testing
import Wire

/// What must hold for every camera, however its frames come.
struct TimingPropertyTests {
    struct Camera: Sendable, CustomTestStringConvertible {
        var name: String
        var frameInterval: Int64 = 3_600
        var groupLength = 50
        var jitter: Int64 = 0
        var audio = false
        var partTarget: String?
        var testDescription: String { name }
    }

    static let cameras = [
        Camera(name: "25 fps, GOP 2 s", partTarget: "0.20000"),
        Camera(name: "25 fps, GOP 1 s", groupLength: 25, audio: true, partTarget: "0.20000"),
        Camera(name: "25 fps, GOP 10 s", groupLength: 250, audio: true, partTarget: "0.20000"),
        Camera(name: "25 fps, GOP 30 s", groupLength: 750, partTarget: "0.20000"),
        Camera(name: "25 fps, GOP 0.4 s", groupLength: 10, partTarget: "0.20000"),
        Camera(name: "25 fps, intra only", groupLength: 1, partTarget: "0.20000"),
        Camera(name: "29.97 fps", frameInterval: 3_003, groupLength: 60, partTarget: "0.20500"),
        Camera(name: "15 fps", frameInterval: 6_000, groupLength: 30, partTarget: "0.20000"),
        Camera(name: "12.5 fps", frameInterval: 7_200, groupLength: 25, partTarget: "0.24000"),
        Camera(name: "4 fps", frameInterval: 22_500, groupLength: 8, partTarget: "0.25000"),
        Camera(name: "60 fps", frameInterval: 1_500, groupLength: 120, audio: true, partTarget: "0.20000"),
        Camera(name: "25 fps, jitter 5 ms", jitter: 450),
        Camera(name: "25 fps, jitter 18 ms", jitter: 1_620, audio: true),
        Camera(name: "10 fps, jitter 45 ms", frameInterval: 9_000, groupLength: 20, jitter: 4_050),
    ]

    @Test(arguments: cameras, [1, 2] as [UInt64])
    func `parts, segments and decode times keep their promises`(camera: Camera, seed: UInt64) throws {
        var stream = SyntheticStream(
            frameInterval: camera.frameInterval,
            groupLength: camera.groupLength,
            jitter: camera.jitter,
            audio: camera.audio,
            seed: seed
        )
        var checker = try PlaylistChecker(stream.tracks())
        for unit in stream.next(seconds: 45) { try checker.append(unit) }
        #expect(checker.versions > 90)
        if let target = camera.partTarget {
            #expect(checker.constants.contains("PART-TARGET=\(target)"), "\(checker.constants)")
        }
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func `a camera that changes its rhythm and stalls keeps the same promises`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var stream = SyntheticStream(groupLength: 40, jitter: 900, audio: seed % 2 == 0, seed: seed)
        var checker = try PlaylistChecker(stream.tracks())
        for unit in stream.next(seconds: 4) { try checker.append(unit) }
        for _ in 0..<20 {
            stream.frameInterval = Int64.random(in: 1_500...40_000, using: &random)
            for unit in stream.next(seconds: 2) { try checker.append(unit) }
            // Less than 3 s: no discontinuity.
            stream.timestamp += Int64.random(in: 0...200_000, using: &random)
        }
        #expect(checker.discontinuities == 0)
    }

    @Test func `an interruption of more than 3 s is a discontinuity and the sequence goes on`() throws {
        var stream = SyntheticStream(audio: true)
        var checker = try PlaylistChecker(stream.tracks())
        for unit in stream.next(seconds: 7) { try checker.append(unit) }
        for _ in 0..<4 {
            stream.timestamp += 5 * 90_000
            // What comes between cannot be decoded and must not be shown.
            stream.index = 10
            for unit in stream.next(seconds: 5) { try checker.append(unit) }
        }
        #expect(checker.discontinuities == 4)
    }

    @Test func `a clock that jumps back is a discontinuity and media time does not go back`() throws {
        var stream = SyntheticStream(audio: true)
        var checker = try PlaylistChecker(stream.tracks())
        for unit in stream.next(seconds: 7) { try checker.append(unit) }
        stream.timestamp -= 500 * 90_000
        stream.index = 0
        for unit in stream.next(seconds: 10).filter({ $0.track == 0 }) { try checker.append(unit) }
        #expect(checker.discontinuities == 1)
    }
}

/// Feeds a muxer, reads the playlist at every change, and checks it as a strict client would.
struct PlaylistChecker {
    var muxer: HLSMuxer
    var versions = 0
    var constants = ""
    var discontinuities = 0
    private var known: [String: [UInt8]] = [:]
    private var decodeEnds: [UInt32: UInt64] = [:]
    private var lastFragment: UInt32 = 0
    private var lastMediaSequence = 0
    private var lastHint: String?
    private var joined: Set<String> = []
    private var leftDiscontinuities = 0
    private var listed: [String: Bool] = [:]

    init(_ tracks: [TrackFormat]) throws {
        var configuration = HLSConfiguration.test()
        configuration.maximumBytes = 8 << 20
        muxer = try HLSMuxer(tracks: tracks, configuration: configuration, at: .zero)
    }

    mutating func append(_ unit: AccessUnit) throws {
        let changed = muxer.append(unit, at: unit.arrival)
        if changed { try check(at: unit.arrival) }
    }

    mutating func check(at now: Instant) throws {
        let current = muxer.text(at: now)
        let text = try #require(current)
        let playlist = try #require(ReadPlaylist(text))
        let target = try #require(playlist.partTarget)
        versions += 1

        let fixed = text.split(separator: "\n").filter {
            $0.hasPrefix("#EXT-X-TARGET") || $0.hasPrefix("#EXT-X-SERVER") || $0.hasPrefix("#EXT-X-PART-INF")
        }.joined(separator: "\n")
        if !constants.isEmpty { #expect(fixed == constants) }
        constants = fixed
        #expect(playlist.hints.count == 1)
        #expect(playlist.attributes["PART-HOLD-BACK"].flatMap(Double.init).map { abs($0 - 3 * target) < 0.001 } == true)

        // Numbering.
        #expect(playlist.mediaSequence >= lastMediaSequence)
        for (index, segment) in playlist.segments.enumerated() {
            let number = playlist.mediaSequence + index
            #expect(segment.uri == "e3_s\(number).m4s")
            #expect(segment.duration <= Double(playlist.targetDuration))
            #expect(segment.date != nil && segment.map != nil)
            if listed.updateValue(segment.isDiscontinuity, forKey: segment.uri) == nil, segment.isDiscontinuity {
                discontinuities += 1
            }
        }
        for number in lastMediaSequence..<playlist.mediaSequence where listed["e3_s\(number).m4s"] == true {
            leftDiscontinuities += 1
        }
        lastMediaSequence = playlist.mediaSequence
        #expect(playlist.discontinuitySequence == leftDiscontinuities)
        let open = playlist.mediaSequence + playlist.segments.count
        #expect(playlist.hints.first == "e3_s\(open)_p\(playlist.openParts.count).m4s")
        #expect(playlist.openParts.isEmpty || playlist.openDate != nil)

        // Durations: 85 to 100 %, waived for the last part of a segment and for independent ones.
        for segment in playlist.segments where !segment.parts.isEmpty {
            #expect(abs(segment.parts.reduce(0) { $0 + $1.duration } - segment.duration) < 0.001)
            for part in segment.parts.dropLast() where !part.isIndependent {
                #expect(part.duration >= 0.85 * target - 0.00001, "\(part)")
            }
        }
        for part in playlist.allParts { #expect(part.duration <= target && part.duration > 0, "\(part)") }
        for part in playlist.openParts where !part.isIndependent {
            #expect(part.duration >= 0.85 * target - 0.00001, "\(part)")
        }

        // The part that was announced came, and names stand for the same bytes for ever.
        if let lastHint { #expect(muxer.bytes(lastHint) != nil, "\(lastHint) was announced") }
        lastHint = playlist.hints.first
        guard case .wait = muxer.resource(named: lastHint ?? "") else {
            Issue.record("the hinted part is not awaited")
            return
        }
        for part in playlist.allParts { try checkBytes(part) }
        if let segment = playlist.segments.last, joined.insert(segment.uri).inserted {
            var bytes: [UInt8] = []
            for part in segment.parts { bytes += known[part.uri] ?? [] }
            #expect(muxer.bytes(segment.uri) == bytes)
        }
        #expect(muxer.status(at: now).byteCount <= 8 << 20)
    }

    private mutating func checkBytes(_ part: ReadPlaylist.Part) throws {
        if known[part.uri] != nil { return }
        let bytes = try #require(muxer.bytes(part.uri))
        known[part.uri] = bytes
        let fragment = try ReadFragment(bytes)
        #expect(fragment.sequenceNumber == lastFragment + 1)
        lastFragment = fragment.sequenceNumber
        var offset = fragment.dataStart
        for track in fragment.tracks {
            if let end = decodeEnds[track.id] {
                // A discontinuity may leave a gap, never an overlap.
                let isContinuous = track.decodeTime == end || (track.decodeTime > end && muxer.hasDiscontinuity)
                #expect(isContinuous, "\(part.uri): track \(track.id) at \(track.decodeTime) after \(end)")
            }
            decodeEnds[track.id] = track.end
            #expect(track.durations.allSatisfy { $0 > 0 })
            #expect(track.dataOffset == offset)
            offset += Int(track.sizes.reduce(0, +))
            if track.id == 1 {
                #expect(track.flags.contains(0x0200_0000) == part.isIndependent)
                if track.durations.count > 0 {
                    let gap = Double(track.end) / 90_000 - Double(track.decodeTime) / 90_000
                    #expect(gap < 4)
                }
            }
        }
        #expect(offset == fragment.dataStart + fragment.data.count)
    }
}

extension HLSMuxer {
    fileprivate var hasDiscontinuity: Bool { status(at: .zero).discontinuities > 0 }
}
