import TestSupport
import Testing

/// Faults that the end-to-end tests make the demo cameras have, and the process's own end.
@Suite(.serialized, .enabled(if: Programs.areExpected("ffmpeg", "ffprobe"), "ffmpeg is not installed"))
struct DemoControlTests {
    private static let small = ["--only", "demo/clock", "--size", "640x360", "--gop", "1"]

    /// Whether ten pictures come, none of them more than 2 s after the one before.
    private func delivers(_ camera: RunningDemo.Camera) async throws -> Bool {
        let result = try await Tool.run(
            "ffmpeg",
            ["-v", "error", "-rtsp_transport", "tcp", "-timeout", "2000000", "-i", camera.fullURL]
                + ["-frames:v", "10", "-f", "null", "-"]
        )
        return result.status == 0 && result.errors.isEmpty
    }

    @Test(arguments: ["stall", "hang"]) func `a stalled camera sends nothing until it is resumed`(
        command: String
    ) async throws {
        let demo = try await RunningDemo(Self.small)
        defer { demo.end() }
        let camera = try #require(demo.cameras.first)
        #expect(
            try await demo.perform("\(command) demo/clock") == (command == "stall" ? "stalled" : "hung") + " demo/clock"
        )
        #expect(try await !delivers(camera))
        #expect(try await demo.perform("resume demo/clock") == "resumed demo/clock")
        #expect(try await delivers(camera))
    }

    @Test func `a stopped camera refuses connections and returns on the same port`() async throws {
        let demo = try await RunningDemo(Self.small)
        defer { demo.end() }
        let camera = try #require(demo.cameras.first)
        #expect(try await delivers(camera))
        #expect(try await demo.perform("stop demo/clock") == "stopped demo/clock")
        let refused = try await Tool.run("ffprobe", ["-v", "error", camera.fullURL])
        #expect(refused.errors.contains("Connection refused"))
        #expect(try await demo.perform("start demo/clock") == "started demo/clock on port \(camera.port)")
        #expect(try await delivers(camera))
    }

    @Test func `unknown cameras and commands are named`() async throws {
        let demo = try await RunningDemo(Self.small)
        defer { demo.end() }
        #expect(try await demo.perform("stall nowhere") == "There is no camera nowhere.")
        #expect(
            try await demo.perform("melt demo/clock")
                == "There is no command melt. Use stall, hang, resume, stop or start."
        )
    }

    @Test func `the process ends with its standard input`() async throws {
        let demo = try await RunningDemo(Self.small)
        defer { demo.end() }
        #expect(try await demo.hangUp() == 0)
    }

    @Test func `a port in use is named and nothing is announced`() async throws {
        let first = try await RunningDemo(Self.small)
        defer { first.end() }
        let port = try #require(first.cameras.first).port
        let second = try await RunningDemo(Self.small + ["--base-port", port])
        defer { second.end() }
        #expect(second.cameras.isEmpty)
        #expect(await second.nextErrorLine().contains("Port \(port) on 127.0.0.1, meant for demo/clock, cannot be had"))
        #expect(await second.status() == 1)
    }
}
