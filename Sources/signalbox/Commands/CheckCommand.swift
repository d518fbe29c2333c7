import ArgumentParser
import Foundation
import NIOCore
import NIOPosix
import Networking
import RTSP
import Relay
import Wire

/// `signalbox check`: is everything in order, before it is started?
struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Validate configuration, ports and cameras; exit 0 or 78."
    )

    @OptionGroup var configurationOptions: ConfigurationOptions
    @OptionGroup var stateOptions: StateOptions

    func run() async throws {
        guard let path = configurationOptions.path else {
            throw StartFailure(
                problem: "there is no configuration file",
                remedy: "Write ./signalbox.yml or name one with --config",
                exitCode: exitConfiguration
            )
        }
        let configuration = try ConfigurationReader.read(path: path)
        for notice in configuration.notices { print("note: \(notice)") }
        let running = try? await ControlClient.connect(path: stateOptions.socket, subscribing: false)
        let known = (try? await running?.fetchSnapshot())?.cameras ?? []
        await running?.close()
        var failures = running == nil ? portFailures(configuration) : []
        if access(stateOptions.state.path, F_OK) == 0, access(stateOptions.state.path, W_OK) != 0 {
            failures.append(
                "the state directory \(stateOptions.state.path) is not writable. Choose another with --state-dir."
            )
        }
        // What the running relay shows live needs no second look.
        let cameras = configuration.cameras.filter { camera in
            !known.contains {
                $0.id == camera.name && $0.source == camera.source.description && $0.state == .live
            }
        }
        let findings = try await CameraProbe.findings(cameras)
        failures += findings.filter { !$0.isUnreachable }.map(\.description)
        for failure in failures { complain(failure) }
        let unreachable = findings.filter(\.isUnreachable)
        for finding in unreachable { print("warning: \(finding.description)") }
        guard failures.isEmpty else { throw ExitCode(exitConfiguration) }
        let count = configuration.cameras.count
        let remark = unreachable.isEmpty ? "" : ", \(unreachable.count) not reachable now"
        print("\(path): in order, \(count) \(count == 1 ? "camera" : "cameras")\(remark)")
    }

    /// Ports that somebody else has. A running relay's own ports are no error and are not looked at.
    private func portFailures(_ configuration: Configuration) -> [String] {
        var listeners: [(key: String, address: ListenAddress, type: PortType)] = [
            ("media", configuration.media, .udp),
            ("media", configuration.media, .tcp),
        ]
        if let turn = configuration.turn {
            listeners.append(("turn", turn, .udp))
            listeners.append(("turn", turn, .tcp))
        }
        if let http = configuration.listen.http { listeners.append(("http", http, .tcp)) }
        if let https = configuration.https { listeners.append(("https", https, .tcp)) }
        var failures: [String] = []
        for (key, address, type) in listeners {
            guard address.port != 0, let reason = address.bindFailure(type) else { continue }
            let failure =
                "listen.\(key): \(address) cannot be used: \(reason). Stop what uses it, or choose another port."
            // By UDP and by TCP it is one port to whoever reads this.
            if !failures.contains(failure) { failures.append(failure) }
        }
        return failures
    }
}
