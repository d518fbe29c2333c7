import Foundation
import Glibc
import Media
import Testing

/// The codec process by itself: its timeline, its manners and its cage.
@Suite(.serialized) struct ConvertTests {
    private let pcma = TrackFormat(codec: .pcma, clockRate: 8_000, channels: 1)

    private func begin(_ format: TrackFormat) throws -> ConversionMessage {
        .begin(try #require(AudioConversion(of: format)))
    }

    /// 20 ms of A-law silence at a time in milliseconds.
    private func silence(at milliseconds: Int64) -> ConversionMessage {
        .frame(ConversionFrame(timestamp: milliseconds * 8, payload: [UInt8](repeating: 0xD5, count: 160)))
    }

    private func frames(_ messages: [ConversionMessage]) -> [ConversionFrame] {
        messages.compactMap { if case .frame(let frame) = $0 { frame } else { nil } }
    }

    @Test func `frames come out on the input's timeline, the encoder's look-ahead taken off`() async throws {
        let codec = try RunningCodec()
        codec.send(try begin(pcma))
        #expect(try await codec.next() == .ready)
        for index in 0..<100 { codec.send(silence(at: 5_000 + Int64(index) * 20)) }
        codec.hangUp()
        let frames = frames(try await codec.rest())
        #expect(try #require(frames.first).timestamp == 5_000 * 48 - 1_024)
        #expect(zip(frames.dropFirst(), frames).allSatisfy { $0.timestamp - $1.timestamp == 1_024 })
        #expect(frames.allSatisfy { !$0.followsGap && !$0.payload.isEmpty })
        // Two seconds in, less what resampler and encoder hold back.
        #expect((90...94).contains(frames.count), "\(frames.count)")
    }

    @Test(arguments: [60, 1_000, 3_600_000])
    func `a hole stays a hole of its length`(hole: Int64) async throws {
        let codec = try RunningCodec()
        codec.send(try begin(pcma))
        for index in 0..<50 { codec.send(silence(at: Int64(index) * 20)) }
        for index in 0..<50 { codec.send(silence(at: 1_000 + hole + Int64(index) * 20)) }
        codec.hangUp()
        let frames = frames(try await codec.rest())
        let gaps = zip(frames.dropFirst(), frames).filter { $0.timestamp - $1.timestamp != 1_024 }
        #expect(gaps.count == 1)
        #expect(gaps.first?.0.followsGap == true && gaps.first?.0.timestamp == (1_000 + hole) * 48)
        #expect(frames.count { $0.followsGap } == 1)
    }

    @Test func `a source that is a little fast or slow is followed and never a frame off`() async throws {
        for milliseconds in [19.9, 20.1] {
            let codec = try RunningCodec()
            codec.send(try begin(pcma))
            for index in 0..<3_000 { codec.send(silence(at: Int64(Double(index) * milliseconds))) }
            codec.hangUp()
            let frames = frames(try await codec.rest())
            #expect(zip(frames.dropFirst(), frames).allSatisfy { $0.timestamp > $1.timestamp })
            let last = try #require(frames.last)
            let lag = 3_000 * milliseconds - Double(last.timestamp + 1_024) / 48
            #expect(lag > -25 && lag < 90, "\(milliseconds): \(lag) ms")
        }
    }

    @Test func `times from the end of the world do no harm`() async throws {
        let codec = try RunningCodec()
        codec.send(try begin(pcma))
        for timestamp in [0, Int64.max, .min, .max / 2, -1, 0] {
            codec.send(.frame(ConversionFrame(timestamp: timestamp, payload: [UInt8](repeating: 0xD5, count: 1_160))))
        }
        codec.send(silence(at: 1_000))
        codec.hangUp()
        #expect(try await codec.rest().first == .ready)
    }

    @Test func `sound that cannot be decoded ends it with a reason`() async throws {
        let aac = try AACConfiguration(sampleRate: 48_000, channels: 2)
        let codec = try RunningCodec()
        codec.send(try begin(TrackFormat(codec: .aac, clockRate: 48_000, channels: 2, aac: aac)))
        for index in 0..<200 {
            let payload = (0..<40).map { UInt8(truncatingIfNeeded: 0xFF - index - $0 * 7) }
            codec.send(.frame(ConversionFrame(timestamp: Int64(index) * 1_024, payload: [0xFF, 0xFF] + payload)))
        }
        codec.hangUp()
        let last = try await codec.rest().last
        guard case .failed(let reason) = last else {
            Issue.record("it said \(String(describing: last))")
            return
        }
        #expect(reason == "The camera's sound cannot be decoded as AAC.")
    }

    @Test func `bytes that are no message end it with a reason`() async throws {
        let codec = try RunningCodec()
        codec.send([0xFF, 0xFF, 0xFF, 0xFF])
        guard case .failed? = try await codec.next() else {
            Issue.record("it went on")
            return
        }
        #expect(try await codec.next() == nil)
    }

    @Test func `it holds three descriptors, and the kernel keeps it from more`() async throws {
        let stray = open("/dev/null", O_RDONLY)
        defer { close(stray) }
        let codec = try RunningCodec()
        codec.send(try begin(pcma))
        #expect(try await codec.next() == .ready)
        let folder = "/proc/\(codec.pid)"
        let status = try String(contentsOfFile: "\(folder)/status", encoding: .utf8)
        #expect(status.contains("NoNewPrivs:\t1") && status.contains("Seccomp:\t2"))
        let limits = try String(contentsOfFile: "\(folder)/limits", encoding: .utf8)
        #expect(limits.contains(#/Max open files +3 +3/#))
        #expect(limits.contains(#/Max data size +134217728/#))
        #expect(limits.contains(#/Max processes +0 +0/#))
        #expect(limits.contains(#/Max cpu time +1[0-9] /#))
        // As root the folder can be read although the process is not dumpable.
        if let open = try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/fd") {
            #expect(Set(open) == ["0", "1", "2"])
        }
    }
}
