import ArgumentParser
import Console
import Foundation
import Networking
import Terminal

/// `signalbox attach`: the console of a relay that runs already.
struct AttachCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attach",
        abstract: "Console of a running relay, over its control socket."
    )

    @OptionGroup var stateOptions: StateOptions
    @OptionGroup var appearance: AppearanceOptions

    @Flag(help: "Look, but do not act.")
    var readOnly = false

    func run() async throws {
        try requireTerminal()
        try requireForeground()
        let themes = try appearance.themes()
        let client = try await connect(stateOptions)
        let exit = await console(
            for: client,
            ConsoleOptions(
                mode: .attached(readOnly: readOnly),
                author: authorName(),
                themes: themes,
                errorLog: stateOptions.state.log,
                clock: MonotonicClock.now
            )
        )
        await client.close()
        if case .failed(let message) = exit {
            throw StartFailure(problem: message, remedy: "Use `signalbox ctl` for one command at a time")
        }
    }
}

/// Connects to the relay's control socket.
///
/// - Throws: ``StartFailure`` with exit code 5 when there is none.
func connect(_ options: StateOptions) async throws -> ControlClient {
    do throws(ControlError) {
        return try await ControlClient.connect(path: options.socket)
    } catch {
        throw StartFailure(problem: error.problem, remedy: error.remedy, exitCode: 5)
    }
}
