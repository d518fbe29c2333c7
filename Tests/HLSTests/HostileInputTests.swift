import HLS
import Media
import TestSupport
import Testing
import Wire

struct HostileInputTests {
    @Test func `delivery directives`() throws {
        let table: [(query: String, expected: PlaylistQuery)] = [
            ("", .init()),
            ("viewer=v7", .init()),
            ("_HLS_msn=12", .init(mediaSequenceNumber: 12)),
            ("viewer=v7&_HLS_msn=12&_HLS_part=3&_HLS_skip=YES", .init(mediaSequenceNumber: 12, part: 3, skip: true)),
            ("_HLS_skip=v2", .init(skip: true)),
            ("_HLS_skip=NO&&=&a", .init()),
        ]
        for (query, expected) in table { #expect(try PlaylistQuery(parsing: query) == expected) }
        let faults: [(query: String, failure: PlaylistQuery.Failure)] = [
            ("_HLS_part=3", .partWithoutSegment),
            ("_HLS_msn=", .notANumber("_HLS_msn")),
            ("_HLS_msn", .notANumber("_HLS_msn")),
            ("_HLS_msn=-1", .notANumber("_HLS_msn")),
            ("_HLS_msn=+1", .notANumber("_HLS_msn")),
            ("_HLS_msn=1e3", .notANumber("_HLS_msn")),
            ("_HLS_msn=9223372036854775808", .notANumber("_HLS_msn")),
            ("_HLS_msn=1&_HLS_part=x", .notANumber("_HLS_part")),
            ("_HLS_msn=1&_HLS_msn=2", .repeated("_HLS_msn")),
            ("_HLS_skip=YES&_HLS_skip=YES", .repeated("_HLS_skip")),
            (String(repeating: "a", count: 5_000), .tooLong),
        ]
        for (query, failure) in faults { #expect(throws: failure) { try PlaylistQuery(parsing: query) } }
    }

    @Test func `queries and resource names survive any bytes`() throws {
        var stream = SyntheticStream(audio: true)
        var muxer = try HLSMuxer(tracks: stream.tracks(), configuration: .test(), at: .zero)
        for unit in stream.next(seconds: 10) { muxer.append(unit, at: unit.arrival) }
        let queries = ["viewer=v7&_HLS_msn=12&_HLS_part=3&_HLS_skip=YES", "_HLS_part=1&_HLS_msn=3"].map {
            Array($0.utf8)
        }
        let tried = sweep(queries) { bytes in
            let query = try PlaylistQuery(parsing: String(decoding: bytes, as: UTF8.self))
            _ = muxer.playlist(query, at: .zero)
        }
        #expect(tried > 2_000)
        sweep(["e3_init1.mp4", "e3_s2.m4s", "e3_s2_p1.m4s"].map { Array($0.utf8) }) { bytes in
            let name = String(decoding: bytes, as: UTF8.self)
            guard case .ready = muxer.resource(named: name) else { return }
            // Only names we write are found.
            #expect(name.hasPrefix("e3_") && (name.hasSuffix(".mp4") || name.hasSuffix(".m4s")))
        }
        for name in [
            "", "e3", "e3_", "_s2.m4s", "e3_s02.m4s", "e3_s2.m4s/", "../e3_s2.m4s", "e3_s2_p1_p1.m4s", "e3_s+2.m4s",
        ] {
            #expect(muxer.resource(named: name) == .gone, "\(name)")
        }
        #expect(muxer.bytes("e3_s2.m4s") != nil)
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `access units with any content and timing never trap and stay within memory`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var stream = SyntheticStream(audio: true, seed: seed)
        var configuration = HLSConfiguration.test()
        configuration.maximumBytes = 1 << 20
        var muxer = try HLSMuxer(tracks: stream.tracks(), configuration: configuration, at: .zero)
        for var unit in stream.next(seconds: 120) {
            switch Int.random(in: 0..<40, using: &random) {
            case 0: unit.units = []
            case 1: unit.units = [[]]
            case 2: unit.timestamp += Int64.random(in: -400_000...400_000, using: &random)
            case 3: unit.isKeyframe.toggle()
            case 4: unit.track = Int.random(in: -1...3, using: &random)
            case 5: unit.units.insert([0x67] + (0..<20).map { _ in .random(in: 0...255, using: &random) }, at: 0)
            case 6: unit.units.insert([0x68, .random(in: 0...255, using: &random)], at: 0)
            case 7 where seed == 4: unit.timestamp = .random(in: .min ... .max, using: &random)
            case 8: unit.followsGap = true
            default: break
            }
            muxer.append(unit, at: unit.arrival)
            if Int.random(in: 0..<500, using: &random) == 0 { muxer.interrupt(at: unit.arrival) }
            #expect(muxer.status(at: unit.arrival).byteCount <= 1 << 20)
        }
        let text = muxer.text()
        #expect(seed == 4 || ReadPlaylist(text)?.hints.count == 1, "\(text ?? "none") \(muxer.status(at: .zero))")
    }
}
