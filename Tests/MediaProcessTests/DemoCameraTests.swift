import Foundation
import TestSupport
import Testing

/// The demo cameras as ffmpeg and GStreamer see them.
@Suite(.serialized, .enabled(if: Programs.areExpected("ffmpeg", "ffprobe"), "ffmpeg is not installed"))
struct DemoCameraTests {
    /// Decodes pictures and returns ffmpeg's complaints.
    private func decode(_ camera: RunningDemo.Camera, over transport: String, frames: Int = 50) async throws -> String {
        let result = try await Tool.run(
            "ffmpeg",
            [
                "-v", "error", "-rtsp_transport", transport, "-i", camera.fullURL, "-frames:v", "\(frames)", "-f",
                "null", "-",
            ]
        )
        return result.status == 0 ? result.errors : "status \(result.status): \(result.errors)"
    }

    @Test func `four cameras announce what they send`() async throws {
        let demo = try await RunningDemo(["--cameras", "5"])
        defer { demo.end() }
        #expect(demo.cameras.map(\.name) == ["demo/clock", "demo/yard", "demo/gate", "demo/roof", "demo/clock-2"])
        #expect(demo.cameras.map(\.audio) == [nil, "AAC 48000/2", "PCMU 8000/1", nil, nil])
        #expect(demo.cameras[0].video == "H264 1280x720 25 fps GOP 2 s")
        #expect(demo.cameras[3].video == "H264 1280x720 25 fps GOP 10 s")
    }

    @Test(arguments: ["tcp", "udp"])
    func `ffmpeg decodes every camera with Digest authentication`(transport: String) async throws {
        let demo = try await RunningDemo(["--cameras", "4", "--user", "operator", "--keyframe-on-play"])
        defer { demo.end() }
        for camera in demo.cameras {
            #expect(try await decode(camera, over: transport) == "", "\(camera.name)")
        }
    }

    @Test(
        .enabled(if: Programs.areExpected("gst-launch-1.0"), "GStreamer is not installed"),
        arguments: ["tcp", "udp"]
    )
    func `GStreamer decodes a camera`(transport: String) async throws {
        let demo = try await RunningDemo(["--only", "demo/yard"])
        defer { demo.end() }
        let camera = try #require(demo.cameras.first)
        let source = ["location=\(camera.url)", "user-id=\(camera.user)", "user-pw=\(camera.password)"]
        let result = try await Tool.run(
            "gst-launch-1.0",
            ["-q", "rtspsrc"] + source + ["protocols=\(transport)", "!", "rtph264depay", "!", "h264parse"]
                + ["!", "avdec_h264", "!", "fakesink", "num-buffers=50"]
        )
        #expect(result.status == 0, "\(result.errors)")
    }

    @Test func `several clients share a camera`() async throws {
        let demo = try await RunningDemo(["--only", "demo/gate", "--size", "640x360"])
        defer { demo.end() }
        let camera = try #require(demo.cameras.first)
        async let first = decode(camera, over: "tcp")
        async let second = decode(camera, over: "udp")
        async let third = decode(camera, over: "tcp")
        #expect(try await [first, second, third] == ["", "", ""])
    }

    @Test func `a wrong password is refused`() async throws {
        let demo = try await RunningDemo(["--only", "demo/clock", "--password", "right"])
        defer { demo.end() }
        var camera = try #require(demo.cameras.first)
        camera.password = "wrong"
        #expect(try await decode(camera, over: "tcp").contains("401"))
    }

    @Test func `the strip tells each picture's time`() async throws {
        let demo = try await RunningDemo(["--only", "demo/clock"])
        defer { demo.end() }
        let camera = try #require(demo.cameras.first)
        let before = Int64(Date().timeIntervalSince1970 * 1_000)
        let result = try await Tool.run(
            "ffmpeg",
            [
                "-v", "error", "-rtsp_transport", "tcp", "-i", camera.fullURL, "-frames:v", "50", "-fps_mode",
                "passthrough",
            ]
                + ["-vf", "format=gray,crop=1280:1:0:16", "-f", "rawvideo", "-"]
        )
        let after = Int64(Date().timeIntervalSince1970 * 1_000)
        let times = ClockStripReader.times(result.output, width: 1280).compactMap(\.self)
        #expect(times.count == 50)
        #expect(times.allSatisfy { before - 1_000 <= $0 && $0 <= after })
        #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
        // 49 intervals of 40 ms; drawing may be late by a picture on a busy machine.
        let span = try #require(times.last) - (try #require(times.first))
        #expect((1_900...2_100).contains(span))
    }

    @Test(arguments: [("demo/yard", "48000"), ("demo/gate", "8000")])
    func `the beep begins with the second that the picture shows`(name: String, rate: String) async throws {
        let demo = try await RunningDemo(["--only", name])
        defer { demo.end() }
        let camera = try #require(demo.cameras.first)
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("signalbox-\(UUID().uuidString).mkv")
            .path
        defer { try? FileManager.default.removeItem(atPath: file) }
        let recording = ["-v", "error", "-rtsp_transport", "tcp", "-i", camera.fullURL, "-t", "5", "-c", "copy", file]
        #expect(try await Tool.run("ffmpeg", recording).status == 0)

        let strip = [
            "-v", "error", "-i", file, "-an", "-fps_mode", "passthrough", "-vf", "format=gray,crop=1280:1:0:16",
        ]
        let rows = try await Tool.run("ffmpeg", strip + ["-pix_fmt", "gray", "-f", "rawvideo", "-"]).output
        let times = ClockStripReader.times(rows, width: 1280)
        let pictures = try await presentationTimes(file, stream: "v")
        let shown = try #require(zip(times, pictures).reversed().first { $0.0 != nil })
        let wallClockOffset = Double(shown.0 ?? 0) / 1_000 - shown.1

        let decoded = ["-v", "error", "-i", file, "-vn", "-ac", "1", "-ar", rate, "-f", "s16le", "-"]
        let bytes = try await Tool.run("ffmpeg", decoded).output
        let samples = stride(from: 0, to: bytes.count - 1, by: 2).map {
            Int16(truncatingIfNeeded: Int(bytes[$0]) | Int(bytes[$0 + 1]) << 8)
        }
        let firstSound = try #require(try await presentationTimes(file, stream: "a").first)
        let perSecond = try #require(Double(rate))
        let onsets = beepOnsets(samples, quiet: Int(perSecond) / 2).map { firstSound + Double($0) / perSecond }
        #expect(onsets.count >= 3)
        for onset in onsets {
            let fraction = (onset + wallClockOffset).truncatingRemainder(dividingBy: 1)
            #expect(min(fraction, 1 - fraction) < 0.025, "beep \(fraction) s after the second")
        }
    }

    @Test func `GOP, size and frame rate are as asked`() async throws {
        let demo = try await RunningDemo(["--only", "demo/roof", "--gop", "1", "--size", "640x360", "--fps", "15"])
        defer { demo.end() }
        let camera = try #require(demo.cameras.first)
        #expect(camera.video == "H264 640x360 15 fps GOP 1 s")
        let result = try await Tool.run(
            "ffprobe",
            ["-v", "error", "-rtsp_transport", "tcp", "-select_streams", "v", "-read_intervals", "%+#50"]
                + ["-show_entries", "frame=key_frame,width,height", "-of", "csv=p=0", camera.fullURL]
        )
        let frames = result.lines.map { $0.split(separator: ",") }
        #expect(frames.allSatisfy { $0.dropFirst().starts(with: ["640", "360"]) })
        let keyframes = frames.indices.filter { frames[$0].first == "1" }
        #expect(keyframes.count >= 3)
        #expect(zip(keyframes, keyframes.dropFirst()).allSatisfy { $1 - $0 == 15 })
    }

    @Test func `B-frames are sent when asked for`() async throws {
        let demo = try await RunningDemo(["--only", "demo/clock", "--bframes", "2", "--audio", "aac"])
        defer { demo.end() }
        let camera = try #require(demo.cameras.first)
        let result = try await Tool.run(
            "ffprobe",
            ["-v", "error", "-rtsp_transport", "tcp", "-select_streams", "v", "-read_intervals", "%+#100"]
                + ["-show_entries", "frame=pict_type", "-of", "csv=p=0", camera.fullURL]
        )
        #expect(result.lines.contains { $0.hasPrefix("B") })
        #expect(camera.audio == "AAC 48000/2")
    }

    private func presentationTimes(_ file: String, stream: String) async throws -> [Double] {
        let result = try await Tool.run(
            "ffprobe",
            ["-v", "error", "-select_streams", stream, "-show_entries", "frame=pts_time", "-of", "csv=p=0", file]
        )
        return result.lines.compactMap { $0.split(separator: ",").first.flatMap { Double($0) } }
    }

    /// Indices at which sound begins after at least `quiet` samples of silence, the first stretch left out.
    private func beepOnsets(_ samples: [Int16], quiet: Int) -> [Int] {
        var onsets: [Int] = []
        var lastLoud: Int?
        for (index, sample) in samples.enumerated() where abs(Int(sample)) > 600 {
            if let lastLoud, index - lastLoud > quiet { onsets.append(index) }
            lastLoud = index
        }
        return onsets
    }
}
