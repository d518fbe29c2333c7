import ArgumentParser
import Foundation
import Gateway
import Networking

/// Where state and control socket are.
struct StateOptions: ParsableArguments {
    @Option(help: "Directory for certificate, control socket and log.")
    var stateDir: String?

    @Option(help: "Path of the control socket (default: control.sock in the state directory).")
    var controlSocket: String?

    var state: StateDirectory { StateDirectory.location(option: stateDir) }
    var socket: String { controlSocket ?? state.controlSocket }

    /// What brings a console back to a relay that was started with these options.
    var attachCommand: String {
        let options = [("--state-dir", stateDir), ("--control-socket", controlSocket)]
        return options.reduce("signalbox attach") { command, option in
            // Whole paths: it may be typed in another directory.
            let path = option.1.map { URL(fileURLWithPath: $0).standardizedFileURL.path }
            return path.map { "\(command) \(option.0) \(quoted($0))" } ?? command
        }
    }

    /// A word as a shell takes it.
    private func quoted(_ word: String) -> String {
        let isPlain = word.utf8.allSatisfy { byte in
            (0x2B...0x3A).contains(byte) || (0x40...0x5A).contains(byte) || byte == 0x5F || (0x61...0x7A).contains(byte)
        }
        return isPlain ? word : "'" + word.replacingOccurrences(of: "'", with: "'\\''") + "'"
    }
}

/// Which configuration is used.
struct ConfigurationOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "The configuration file.")
    var config: String?

    /// The file to read: the option's, or the first that exists of the usual places.
    var path: String? {
        if let config { return config }
        let environment = ProcessInfo.processInfo.environment
        let home = environment["HOME"] ?? ""
        let base = environment["XDG_CONFIG_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "\(home)/.config"
        return ["./signalbox.yml", "\(base)/signalbox/signalbox.yml", "/etc/signalbox/signalbox.yml"].first {
            FileManager.default.fileExists(atPath: $0)
        }
    }

    /// Reads the configuration; `nil` when there is no file.
    func read() throws -> Configuration? { try path.map { try ConfigurationReader.read(path: $0) } }
}

/// An error of one of the parts, in its own words.
func describe(_ error: any Error) -> String {
    switch error {
    case let error as NodeError: "\(error.problem) \(error.remedy)"
    case let error as GatewayError: error.description
    default: "\(error)"
    }
}
