import ArgumentParser
import Foundation
import Gateway
import Networking
import RTSP
import Relay

/// `signalbox`: the console on this terminal, the relay in this process.
struct ConsoleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "console",
        abstract: "Console on this terminal, relay in this process (the default)."
    )

    @OptionGroup var configurationOptions: ConfigurationOptions
    @OptionGroup var stateOptions: StateOptions
    @OptionGroup var appearance: AppearanceOptions

    @Argument(help: "RTSP addresses of cameras to show besides the configured ones.")
    var urls: [String] = []

    func run() async throws {
        let cameras = try urls.enumerated().map { try Self.camera($1, number: $0 + 1) }
        try requireTerminal()
        let hold = try ForegroundHold.take()
        var configuration = try configurationOptions.read()
        if !cameras.isEmpty {
            var extended = configuration ?? Configuration()
            extended.cameras += cameras
            configuration = extended
        }
        var demo: DemoCameras?
        if configuration == nil {
            complain("no configuration: starting 4 demo cameras")
            demo = try DemoCameras(count: 4)
        }
        try await runConsoleWithRelay(configuration ?? .demo(), demo: demo, stateOptions, appearance, hold)
    }

    /// The camera of a word on the command line.
    static func camera(_ text: String, number: Int) throws -> CameraConfiguration {
        guard text.contains("://") else {
            throw UnknownWord.failure(text, commands: Signalbox.configuration.subcommands.map { $0._commandName })
        }
        do throws(RTSPURLError) {
            var source = try RTSPURL(parsing: text)
            let (user, password) = (source.user, source.password)
            source.user = nil
            source.password = nil
            return CameraConfiguration(name: "camera-\(number)", source: source, user: user, password: password)
        } catch {
            throw StartFailure(problem: "camera \(number): \(error.problem)", remedy: error.remedy, exitCode: 2)
        }
    }
}

/// `signalbox demo`: the same with synthetic cameras.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Console and relay with synthetic cameras, served over real RTSP on loopback."
    )

    @OptionGroup var stateOptions: StateOptions
    @OptionGroup var appearance: AppearanceOptions

    @Option(help: "How many cameras (1 to 32).")
    var cameras = 4

    @Flag(help: "No console; `signalbox attach` shows it.")
    var headless = false

    func validate() throws {
        guard (1...32).contains(cameras) else { throw ValidationError("--cameras takes 1 to 32, not \(cameras)") }
    }

    func run() async throws {
        if !headless { try requireTerminal() }
        let hold = headless ? nil : try ForegroundHold.take()
        complain("starting \(cameras) demo \(cameras == 1 ? "camera" : "cameras")")
        let demo = try DemoCameras(count: cameras)
        if let hold {
            try await runConsoleWithRelay(.demo(), demo: demo, stateOptions, appearance, hold)
        } else {
            try await serve(.demo(), demo: demo, stateOptions)
        }
    }
}

/// Fails when standard input and output are no terminal.
func requireTerminal() throws {
    guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 else {
        throw StartFailure(
            problem: "the console needs a terminal, and this is none",
            remedy: "Use `signalbox serve` for a relay without a console, or `ssh -t`"
        )
    }
}

/// Fails when the terminal is another job's: a console there would take keys and screen from it.
func requireForeground() throws {
    let foreground = tcgetpgrp(STDIN_FILENO)
    guard foreground <= 0 || foreground == getpgrp() else {
        throw StartFailure(
            problem: "the console was started in the background, where it has no terminal",
            remedy: "Start it without `&`; a relay without a console is `signalbox serve`"
        )
    }
}
