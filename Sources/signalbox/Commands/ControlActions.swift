import ArgumentParser
import Foundation
import Networking
import Relay

/// What every command that changes something takes.
struct ActionOptions: ParsableArguments {
    @OptionGroup var control: ControlOptions

    @Option(help: "Why; goes into the event log.")
    var reason = ""

    @Flag(help: "Wait for the observed result.")
    var wait = false

    /// Submits an action on the viewer that `word` means.
    func perform(on word: String, _ action: (String) -> Command.Action) async throws {
        let client = try await connect(control.stateOptions)
        let viewer = try await ViewerName(word: word).id(client, try await control.latest(client))
        try await perform(action(viewer), by: client)
    }

    /// Submits the action; with `--wait`, or where the result is all there is to it, until it was observed.
    func perform(_ action: Command.Action, waiting: Bool = false) async throws {
        try await perform(action, by: try await connect(control.stateOptions), waiting: waiting)
    }

    private func perform(_ action: Command.Action, by client: ControlClient, waiting: Bool = false) async throws {
        let command = Command(id: UUID().uuidString, action: action, author: "\(NSUserName()) (ctl)", reason: reason)
        if case .refused(let reason) = await client.submit(command) {
            throw StartFailure(problem: "refused: \(reason)", remedy: "Nothing was changed", exitCode: 3)
        }
        guard wait || waiting else {
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
        switch operation.outcome {
        case .succeeded, .running: break
        case .failed: throw ExitCode(1)
        case .timedOut: throw ExitCode(4)
        }
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
    struct Restart: ControlSubcommand {
        static let configuration = CommandConfiguration(abstract: "Restart a camera; its viewers stay.")
        @OptionGroup var options: ActionOptions
        var wantsJSON: Bool { options.control.json }
        @Argument var camera: String
        func run() async throws { try await options.perform(.restart(camera: camera)) }
    }

    struct Kill: ControlSubcommand {
        static let configuration = CommandConfiguration(abstract: "Stop pulling a camera; its viewers stay.")
        @OptionGroup var options: ActionOptions
        var wantsJSON: Bool { options.control.json }
        @Argument var camera: String
        func run() async throws { try await options.perform(.kill(camera: camera)) }
    }

    struct Start: ControlSubcommand {
        static let configuration = CommandConfiguration(abstract: "Pull a camera again, or at once.")
        @OptionGroup var options: ActionOptions
        var wantsJSON: Bool { options.control.json }
        @Argument var camera: String
        func run() async throws { try await options.perform(.start(camera: camera)) }
    }

    struct Switch: ControlSubcommand {
        static let configuration = CommandConfiguration(
            abstract: "Move a viewer that is watching: hls, webrtc or auto."
        )
        @OptionGroup var options: ActionOptions
        var wantsJSON: Bool { options.control.json }
        @Argument(help: "Its id, or enough of the beginning.") var viewer: String
        @Argument var to: DeliveryPolicy
        func run() async throws { try await options.perform(on: viewer) { .switchViewer($0, to: to) } }
    }

    struct Drop: ControlSubcommand {
        static let configuration = CommandConfiguration(abstract: "End a viewer's session.")
        @OptionGroup var options: ActionOptions
        var wantsJSON: Bool { options.control.json }
        @Argument(help: "Its id, or enough of the beginning.") var viewer: String
        func run() async throws { try await options.perform(on: viewer) { .drop(viewer: $0) } }
    }

    struct Keyframe: ControlSubcommand {
        static let configuration = CommandConfiguration(abstract: "Ask for a keyframe, or say why that cannot be.")
        @OptionGroup var options: ActionOptions
        var wantsJSON: Bool { options.control.json }
        @Argument var camera: String
        func run() async throws { try await options.perform(.keyframe(camera: camera), waiting: true) }
    }
}

extension DeliveryPolicy: ExpressibleByArgument {}
