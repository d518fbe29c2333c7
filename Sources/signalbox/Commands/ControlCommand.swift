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
            Cameras.self, Viewers.self, Pairs.self, TURNAllocations.self, HLSStreams.self, Events.self,
            WholeSnapshot.self, Restart.self,
            Kill.self, Start.self, Switch.self, Drop.self, Keyframe.self,
        ]
    )
}

extension ControlCommand {
    /// What to say when the word after `ctl` is none of its commands; the parser would complain of the options behind it.
    static func unknownSubcommand(_ arguments: ArraySlice<String>) -> String? {
        guard arguments.first == "ctl", let word = arguments.dropFirst().first, !word.hasPrefix("-") else { return nil }
        let names = configuration.subcommands.map { $0._commandName }
        guard !(names + ["help"]).contains(word) else { return nil }
        return "there is no `ctl \(word)`. Use one of: \(names.joined(separator: ", "))."
    }
}

/// One of `ctl`'s commands.
protocol ControlSubcommand: AsyncParsableCommand {
    /// Failures too are to be printed as JSON.
    var wantsJSON: Bool { get }
}

/// What a failure looks like as JSON.
struct ControlFailure: Encodable {
    var outcome: String
    var problem: String
    var remedy: String

    init(_ failure: StartFailure) {
        outcome =
            switch failure.exitCode {
            case 2: "usage"
            case 3: "refused"
            case 4: "timedOut"
            case 5: "noRelay"
            default: "failed"
            }
        problem = failure.problem.endedAsSentence
        remedy = failure.remedy.endedAsSentence
    }
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

    func latest(_ client: ControlClient) async throws -> Snapshot {
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
    struct Cameras: ControlSubcommand {
        static let configuration = CommandConfiguration(abstract: "List the cameras.")
        @OptionGroup var options: ControlOptions
        var wantsJSON: Bool { options.json }

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

    struct Viewers: ControlSubcommand {
        static let configuration = CommandConfiguration(abstract: "List the viewers.")
        @OptionGroup var options: ControlOptions
        var wantsJSON: Bool { options.json }

        func run() async throws {
            let viewers = try await options.snapshot().viewers
            var table = Table(
                "VIEWER",
                "CAMERA",
                "BY",
                "STATE",
                "PATH",
                "SCORE",
                "CAUSE",
                "RATE",
                "LOSS",
                "DROPPED",
                "RTT",
                "CLIENT",
                "WHY"
            )
            let names = ShortViewerNames(viewers.map(\.id))
            for viewer in viewers {
                table.add(
                    names[viewer.id],
                    viewer.camera,
                    viewer.delivery.rawValue,
                    viewer.state.rawValue,
                    viewer.path,
                    viewer.score.map { "\($0.value)" },
                    viewer.score?.cause?.rawValue,
                    viewer.bitrate.map(bits),
                    viewer.loss.map { String(format: "%.1f%%", $0) },
                    viewer.queuedPackets.map { _ in "\(viewer.queueDropped)" },
                    viewer.roundTrip.map { String(format: "%.0f ms", $0) },
                    "\(viewer.client) \(viewer.remote)",
                    viewer.why
                )
            }
            try options.print(viewers, orTable: table)
        }
    }

    struct Pairs: ControlSubcommand {
        static let configuration = CommandConfiguration(
            abstract: "List the ICE candidate pairs, of sessions that live or of those that ended in the last hour."
        )
        @OptionGroup var options: ControlOptions
        @Flag(help: "WebRTC sessions that ended in the last hour, with their verdicts; pairs and evidence with --json.")
        var ended = false
        @Option(help: "Only those of this viewer: its id, or enough of the beginning.") var viewer: String?

        var wantsJSON: Bool { options.json }

        func run() async throws {
            if ended { return try await listEnded() }
            let client = try await connect(options.stateOptions)
            let snapshot = try await options.latest(client)
            let wanted = try await wanted(client, snapshot, includingEnded: false)
            await client.close()
            let pairs = snapshot.pairs.filter { wanted == nil || $0.viewer == wanted }
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
            let names = ShortViewerNames(snapshot.viewers.map(\.id) + snapshot.pairs.map(\.viewer))
            for pair in pairs {
                table.add(
                    names[pair],
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

        private func wanted(
            _ client: ControlClient,
            _ snapshot: Snapshot,
            includingEnded: Bool
        ) async throws -> String? {
            guard let viewer else { return nil }
            return try await ViewerName(word: viewer).id(client, snapshot, includingEnded: includingEnded)
        }

        private func listEnded() async throws {
            let client = try await connect(options.stateOptions)
            let snapshot = try await options.latest(client)
            let wanted = try await wanted(client, snapshot, includingEnded: true)
            let attempts = await client.attempts(AttemptsRequest(viewer: wanted))
            await client.close()
            var table = Table("ENDED", "VIEWER", "CAMERA", "CLIENT", "LASTED", "REACHED", "PAIRS", "CHECKED", "VERDICT")
            let names = ShortViewerNames(snapshot.viewers.map(\.id) + attempts.map(\.viewer))
            for attempt in attempts {
                table.add(
                    Date(timeIntervalSince1970: Double(attempt.endedAt) / 1000).formatted(.iso8601),
                    names[attempt.viewer],
                    attempt.camera,
                    "\(attempt.client) \(attempt.remote)",
                    String(format: "%.1f s", attempt.duration),
                    attempt.ladder.furthest?.name,
                    "\(attempt.pairs.count)",
                    "\(attempt.pairs.count { $0.checksReceived > 0 })",
                    attempt.verdict.text + (attempt.repeats > 0 ? " (\(attempt.repeats + 1) times)" : "")
                )
            }
            try options.print(attempts, orTable: table)
        }
    }

    struct TURNAllocations: ControlSubcommand {
        static let configuration = CommandConfiguration(
            commandName: "turn",
            abstract:
                "List what goes through TURN, and for whom; on the last line how many requests were refused, and why."
        )
        @OptionGroup var options: ControlOptions
        var wantsJSON: Bool { options.json }

        func run() async throws {
            let snapshot = try await options.snapshot()
            let turn = snapshot.turn
            var table = Table("RELAYED", "VIEWER", "BY", "CLIENT", "SERVER", "AGE", "LEFT", "IN", "OUT", "DROPPED")
            let allocations = turn?.allocations ?? []
            let names = ShortViewerNames(snapshot.viewers.map(\.id) + allocations.compactMap(\.viewer))
            for allocation in allocations {
                table.add(
                    allocation.id,
                    allocation.viewer.map { names[$0] },
                    allocation.transport,
                    allocation.client,
                    allocation.server,
                    String(format: "%.0f s", allocation.age),
                    String(format: "%.0f s", allocation.remaining),
                    bytes(allocation.fromClient.bytes),
                    bytes(allocation.toClient.bytes),
                    "\(allocation.fromClient.dropped &+ allocation.toClient.dropped)"
                )
            }
            try options.print(turn, orTable: table)
            if !options.json { Swift.print(summary(turn)) }
        }

        private func summary(_ turn: TURNSnapshot?) -> String {
            guard let turn else { return "the relay offers no TURN" }
            let refused = turn.refused
            let reasons = [
                ("wrong credentials", refused.unauthorized), ("expired credentials", refused.expired),
                ("forbidden peer", refused.forbidden), ("over quota", refused.overQuota),
                ("over capacity", refused.overCapacity), ("invalid", refused.invalid), ("unanswered", refused.ignored),
            ].filter { $0.1 > 0 }.map { "\($0.1) \($0.0)" }
            return "\(turn.allocated) allocations made, \(turn.allocations.count) in use; refused: "
                + (reasons.isEmpty ? "none" : reasons.joined(separator: ", "))
        }
    }

    struct HLSStreams: ControlSubcommand {
        static let configuration = CommandConfiguration(commandName: "hls", abstract: "List the HLS streams.")
        @OptionGroup var options: ControlOptions
        var wantsJSON: Bool { options.json }

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

    struct Events: ControlSubcommand {
        static let configuration = CommandConfiguration(abstract: "List the newest events, newest first.")
        @OptionGroup var options: ControlOptions
        var wantsJSON: Bool { options.json }
        @Option(help: "How many.") var limit = 50

        func run() async throws {
            let client = try await connect(options.stateOptions)
            let viewers = try await options.latest(client).viewers
            let events = await client.events(EventsRequest(limit: limit))
            await client.close()
            let names = ShortViewerNames(viewers.map(\.id) + events.compactMap(\.viewer))
            var table = Table("TIME", "SEVERITY", "CAMERA", "VIEWER", "EVENT")
            let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
            for event in events {
                let date = Date(timeIntervalSince1970: Double(event.at) / 1000)
                let viewer = event.viewer.map { names[$0] }
                table.add(date.formatted(format), "\(event.severity)", event.camera, viewer, event.text)
            }
            try options.print(events, orTable: table)
        }
    }

    struct WholeSnapshot: ControlSubcommand {
        static let configuration = CommandConfiguration(
            commandName: "snapshot",
            abstract: "Print everything the console sees, as JSON."
        )
        @OptionGroup var options: ControlOptions
        var wantsJSON: Bool { options.json }

        func run() async throws { try printJSON(try await options.snapshot()) }
    }
}
