import ArgumentParser
import Foundation
import Media
import Networking
import Relay

/// `signalbox ctl`: one question or one command to a running relay.
///
/// Exit codes: 0 observed success, 1 observed failure, 2 usage, 3 refused, 4 timed out, 5 no relay.
struct ControlCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ctl",
        abstract: "Ask a running relay, or tell it something, over its control socket.",
        discussion: "Exit codes: 0 done, 1 failed, 2 usage, 3 refused, 4 timed out, 5 no relay.",
        subcommands: [
            Cameras.self, Viewers.self, Pairs.self, HLSStreams.self, Events.self, WholeSnapshot.self, Restart.self,
            Kill.self, Start.self, Switch.self, Drop.self, Keyframe.self,
        ]
    )
}

/// What every `ctl` command takes.
struct ControlOptions: ParsableArguments {
    @OptionGroup var stateOptions: StateOptions

    @Flag(help: "Print JSON.")
    var json = false

    /// The relay's latest snapshot.
    func snapshot() async throws -> Snapshot {
        let client = try await connect(stateOptions)
        defer { Task { await client.close() } }
        return try await latest(client)
    }

    fileprivate func latest(_ client: ControlClient) async throws -> Snapshot {
        for _ in 0..<200 {
            if let snapshot = client.snapshot() { return snapshot }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw StartFailure(problem: "the relay does not answer", remedy: "Look at its log", exitCode: 4)
    }

    func print(_ value: some Encodable, orTable table: Table) throws {
        if json {
            try printJSON(value)
        } else {
            Swift.print(table.text)
        }
    }
}

/// Prints a value as JSON with stable order of keys.
func printJSON(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    print(String(decoding: try encoder.encode(value), as: UTF8.self))
}

// MARK: - Questions

extension ControlCommand {
    struct Cameras: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the cameras.")
        @OptionGroup var options: ControlOptions

        func run() async throws {
            let cameras = try await options.snapshot().cameras
            var table = Table("CAMERA", "STATE", "CODEC", "SIZE", "FPS", "RATE", "LOSS", "VIEWERS", "REASON")
            for camera in cameras {
                table.add(
                    camera.id,
                    camera.state.rawValue,
                    camera.video?.codec.rawValue,
                    camera.video.flatMap { video in video.width.flatMap { w in video.height.map { "\(w)x\($0)" } } },
                    camera.fps.map { String(format: "%.1f", $0) },
                    camera.bitrate.map(bits),
                    camera.loss.map { String(format: "%.2f%%", $0) },
                    "\(camera.webrtcViewers)+\(camera.hlsViewers)",
                    camera.reason
                )
            }
            try options.print(cameras, orTable: table)
        }
    }

    struct Viewers: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the viewers.")
        @OptionGroup var options: ControlOptions

        func run() async throws {
            let viewers = try await options.snapshot().viewers
            var table = Table("VIEWER", "CAMERA", "BY", "STATE", "PATH", "RATE", "LOSS", "RTT", "CLIENT", "WHY")
            for viewer in viewers {
                table.add(
                    viewer.id,
                    viewer.camera,
                    viewer.delivery.rawValue,
                    viewer.state.rawValue,
                    viewer.path,
                    viewer.bitrate.map(bits),
                    viewer.loss.map { String(format: "%.1f%%", $0) },
                    viewer.roundTrip.map { String(format: "%.0f ms", $0) },
                    "\(viewer.client) \(viewer.remote)",
                    viewer.why
                )
            }
            try options.print(viewers, orTable: table)
        }
    }

    struct Pairs: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the ICE candidate pairs, of sessions that live or of those that ended in the last hour."
        )
        @OptionGroup var options: ControlOptions
        @Flag(help: "WebRTC sessions that ended in the last hour, with their verdicts; pairs and evidence with --json.")
        var ended = false
        @Option(help: "Only those of this viewer.") var viewer: String?

        func run() async throws {
            if ended { return try await listEnded() }
            let pairs = try await options.snapshot().pairs.filter { viewer == nil || $0.viewer == viewer }
            var table = Table(
                "PAIR",
                "CAMERA",
                "LOCAL",
                "REMOTE",
                "STATE",
                "NOMINATED",
                "RTT",
                "CHECKS IN",
                "OUT",
                "ANSWERED"
            )
            for pair in pairs {
                table.add(
                    pair.id,
                    pair.camera,
                    pair.local,
                    pair.remote,
                    pair.state,
                    pair.isNominated ? "yes" : "no",
                    pair.roundTrip.map { String(format: "%.1f ms", $0) },
                    "\(pair.checksReceived)",
                    "\(pair.checksSent)",
                    "\(pair.answersReceived)"
                )
            }
            try options.print(pairs, orTable: table)
        }

        private func listEnded() async throws {
            let client = try await connect(options.stateOptions)
            let attempts = await client.attempts(AttemptsRequest(viewer: viewer))
            await client.close()
            var table = Table("ENDED", "VIEWER", "CAMERA", "CLIENT", "LASTED", "REACHED", "PAIRS", "CHECKED", "VERDICT")
            for attempt in attempts {
                table.add(
                    Date(timeIntervalSince1970: Double(attempt.endedAt) / 1000).formatted(.iso8601),
                    attempt.viewer,
                    attempt.camera,
                    "\(attempt.client) \(attempt.remote)",
                    String(format: "%.1f s", attempt.duration),
                    attempt.ladder.last?.name,
                    "\(attempt.pairs.count)",
                    "\(attempt.pairs.count { $0.checksReceived > 0 })",
                    attempt.verdict.text + (attempt.repeats > 0 ? " (\(attempt.repeats + 1) times)" : "")
                )
            }
            try options.print(attempts, orTable: table)
        }
    }

    struct HLSStreams: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "hls", abstract: "List the HLS streams.")
        @OptionGroup var options: ControlOptions

        func run() async throws {
            let streams = try await options.snapshot().hls
            var table = Table("CAMERA", "KIND", "PART", "TARGET", "SEGMENTS", "LATENCY", "VIEWERS", "WAITING", "RATE")
            for stream in streams {
                table.add(
                    stream.id,
                    stream.isLowLatency ? "low latency" : "plain",
                    stream.partTarget.map { String(format: "%.3f s", $0) },
                    stream.targetDuration.map { String(format: "%.0f s", $0) },
                    "\(stream.segments.count)",
                    stream.latencyMedian.map { String(format: "%.0f ms", $0) },
                    "\(stream.viewers)",
                    "\(stream.blocked)",
                    bits(stream.bitrateOut)
                )
            }
            try options.print(streams, orTable: table)
        }
    }

    struct Events: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the newest events, newest first.")
        @OptionGroup var options: ControlOptions
        @Option(help: "How many.") var limit = 50

        func run() async throws {
            let client = try await connect(options.stateOptions)
            let events = await client.events(EventsRequest(limit: limit))
            await client.close()
            var table = Table("TIME", "SEVERITY", "CAMERA", "VIEWER", "EVENT")
            let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
            for event in events {
                let date = Date(timeIntervalSince1970: Double(event.at) / 1000)
                table.add(date.formatted(format), "\(event.severity)", event.camera, event.viewer, event.text)
            }
            try options.print(events, orTable: table)
        }
    }

    struct WholeSnapshot: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "snapshot",
            abstract: "Print everything the console sees, as JSON."
        )
        @OptionGroup var options: ControlOptions

        func run() async throws { try printJSON(try await options.snapshot()) }
    }
}

// MARK: - Commands

/// What every command that changes something takes.
struct ActionOptions: ParsableArguments {
    @OptionGroup var control: ControlOptions

    @Option(help: "Why; goes into the event log.")
    var reason = ""

    @Flag(help: "Wait for the observed result.")
    var wait = false

    /// Submits the action; with `--wait` until its result was observed.
    func perform(_ action: Command.Action) async throws {
        let client = try await connect(control.stateOptions)
        let command = Command(id: UUID().uuidString, action: action, author: "\(NSUserName()) (ctl)", reason: reason)
        if case .refused(let reason) = await client.submit(command) {
            throw StartFailure(problem: "refused: \(reason)", remedy: "Nothing was changed", exitCode: 3)
        }
        guard wait else {
            await client.close()
            if control.json { try printJSON(["id": command.id, "outcome": "accepted"]) }
            return
        }
        let operation = try await result(of: command.id, client)
        await client.close()
        if control.json {
            try printJSON(operation)
        } else {
            print("\(operation.verb): \(operation.result)")
        }
        if operation.outcome == .failed { throw ExitCode(operation.result.contains(" after ") ? 4 : 1) }
    }

    private func result(of id: String, _ client: ControlClient) async throws -> OperationSnapshot {
        for _ in 0..<600 {
            if let found = client.snapshot()?.operations.first(where: { $0.id == id }), found.outcome != .running {
                return found
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw StartFailure(
            problem: "no result within 30 s",
            remedy: "`signalbox ctl events` shows what happened",
            exitCode: 4
        )
    }
}

extension ControlCommand {
    struct Restart: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Restart a camera; its viewers stay.")
        @OptionGroup var options: ActionOptions
        @Argument var camera: String
        func run() async throws { try await options.perform(.restart(camera: camera)) }
    }

    struct Kill: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Stop pulling a camera; its viewers stay.")
        @OptionGroup var options: ActionOptions
        @Argument var camera: String
        func run() async throws { try await options.perform(.kill(camera: camera)) }
    }

    struct Start: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Pull a camera again, or at once.")
        @OptionGroup var options: ActionOptions
        @Argument var camera: String
        func run() async throws { try await options.perform(.start(camera: camera)) }
    }

    struct Switch: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Move a viewer that is watching: hls, webrtc or auto."
        )
        @OptionGroup var options: ActionOptions
        @Argument var viewer: String
        @Argument var to: DeliveryPolicy
        func run() async throws { try await options.perform(.switchViewer(viewer, to: to)) }
    }

    struct Drop: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "End a viewer's session.")
        @OptionGroup var options: ActionOptions
        @Argument var viewer: String
        func run() async throws { try await options.perform(.drop(viewer: viewer)) }
    }

    struct Keyframe: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Ask for a keyframe, or say why that cannot be.")
        @OptionGroup var options: ActionOptions
        @Argument var camera: String
        func run() async throws { try await options.perform(.keyframe(camera: camera)) }
    }
}

extension DeliveryPolicy: ExpressibleByArgument {}
