import ArgumentParser
import Foundation

/// The version told by `--version`, the console and the snapshot.
let signalboxVersion = "0.1.0"

/// `signalbox`: the console on this terminal with the relay in this process, and its companions.
@main
struct Signalbox: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "signalbox",
        abstract: "Pulls RTSP cameras, serves browsers by WebRTC and HLS, and shows the operator why a picture is bad.",
        discussion: """
            Without a subcommand: the console on this terminal, with the relay in this process. Configuration is looked \
            for in ./signalbox.yml, $XDG_CONFIG_HOME/signalbox/signalbox.yml and /etc/signalbox/signalbox.yml; with \
            none, demo cameras are shown.

              signalbox                             demo cameras, or the configured ones
              signalbox --config FILE               another configuration file
              signalbox rtsp://10.2.0.31/stream1    a camera by its address, or several
              signalbox --theme daylight            other colours

            `signalbox console --help` tells all options of the console.
            """,
        version: signalboxVersion,
        subcommands: [
            ConsoleCommand.self, ServeCommand.self, DemoCommand.self, AttachCommand.self, ControlCommand.self,
            CheckCommand.self,
        ],
        defaultSubcommand: ConsoleCommand.self
    )

    /// Ends the process with one clear sentence on standard error and the failure's exit code.
    static func main() async {
        signal(SIGPIPE, SIG_IGN)
        do {
            if let usage = ControlCommand.unknownSubcommand(CommandLine.arguments.dropFirst()) {
                complain(usage)
                Foundation.exit(2)
            }
            var command = try parseAsRoot()
            do {
                if var command = command as? any AsyncParsableCommand {
                    try await command.run()
                } else {
                    try command.run()
                }
            } catch let failure as StartFailure where (command as? any ControlSubcommand)?.wantsJSON == true {
                try printJSON(ControlFailure(failure))
                Foundation.exit(failure.exitCode)
            }
        } catch let code as ExitCode {
            Foundation.exit(code.rawValue)
        } catch let failure as StartFailure {
            complain(failure.description)
            Foundation.exit(failure.exitCode)
        } catch let error as ConfigurationError {
            complain(error.description)
            Foundation.exit(exitConfiguration)
        } catch {
            // Usage errors end with 2, as the manual promises, instead of the library's 64.
            let code = exitCode(for: error)
            if code == .validationFailure {
                complain(fullMessage(for: error))
                Foundation.exit(2)
            }
            if code == .success { exit(withError: error) }
            complain(describe(error))
            Foundation.exit(1)
        }
    }
}

/// sysexits.h: something is wrong with the configuration.
let exitConfiguration: Int32 = 78

/// Writes to standard error.
func complain(_ text: String) {
    FileHandle.standardError.write(Data("signalbox: \(text)\n".utf8))
}
