import ArgumentParser
import Foundation

/// `signalbox serve`: the relay without a console, for systemd.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the relay without a console (for systemd); `signalbox attach` shows it."
    )

    @OptionGroup var configurationOptions: ConfigurationOptions
    @OptionGroup var stateOptions: StateOptions

    func run() async throws {
        guard let configuration = try configurationOptions.read() else {
            throw StartFailure(
                problem: "there is no configuration file",
                remedy: "Write ./signalbox.yml or name one with --config; `signalbox demo --headless` needs none",
                exitCode: exitConfiguration
            )
        }
        try await serve(configuration, demo: nil, stateOptions)
    }
}

/// Runs a relay until SIGTERM or SIGINT.
func serve(_ configuration: Configuration, demo: DemoCameras?, _ options: StateOptions) async throws {
    let watch = SignalWatch([SIGTERM, SIGINT])
    signal(SIGHUP, SIG_IGN)
    let relay = try await RunningRelay.start(
        configuration,
        demo: demo,
        state: options.state,
        controlSocket: options.socket
    )
    announce(relay)
    _ = await watch.first()
    await relay.stop()
}

/// Tells on standard error what a person or a journal needs to know at start.
private func announce(_ relay: RunningRelay) {
    if !relay.pageURLs.isEmpty { complain("serving \(relay.pageURLs.joined(separator: " and "))") }
    for notice in relay.notices { complain(notice) }
}
