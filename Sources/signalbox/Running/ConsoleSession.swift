import ArgumentParser
import Console
import Foundation
import Networking
import Relay
import Terminal

/// How the console looks.
struct AppearanceOptions: ParsableArguments {
    @Option(help: "Theme to begin with: a name (signalbox, daylight, signal-safe …) or a file.")
    var theme: String?

    /// The themes for `T`, the chosen one first.
    func themes() throws -> [Theme] {
        var themes: [Theme] = []
        if let theme {
            let file = theme.contains("/") ? theme : Self.files().first { name(of: $0) == theme }
            guard let file else {
                throw StartFailure(
                    problem: "there is no theme \(theme)",
                    remedy: "Looked for \(theme).theme in \(Self.directories.joined(separator: ", "))",
                    exitCode: 2
                )
            }
            themes.append(try read(file))
        }
        if theme != Theme.standard.name { themes.append(.standard) }
        var names = Set([theme, Theme.standard.name])
        for file in Self.files() where names.insert(name(of: file)).inserted {
            // A broken file among many is no reason not to start; it is when it was asked for.
            if let other = try? read(file) { themes.append(other) }
        }
        return themes
    }

    private func name(of file: String) -> String {
        URL(fileURLWithPath: file).deletingPathExtension().lastPathComponent
    }

    private func read(_ file: String) throws -> Theme {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw StartFailure(problem: "the theme \(file) cannot be read", remedy: "Check its path", exitCode: 2)
        }
        do throws(ThemeError) {
            return try Theme(parsing: String(decoding: data, as: UTF8.self), file: file)
        } catch {
            throw StartFailure(problem: error.description, remedy: "Correct the theme", exitCode: 2)
        }
    }

    private static var directories: [String] {
        themeDirectories(environment: ProcessInfo.processInfo.environment, program: programPath)
    }

    private static func files() -> [String] {
        directories.flatMap { directory in
            let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
            return names.filter { $0.hasSuffix(".theme") }.sorted().map { "\(directory)/\($0)" }
        }
    }
}

/// Where themes are looked for: the user's own, the installed ones, and those of the checkout the program was built in,
/// wherever it is started from.
func themeDirectories(environment: [String: String], program: String) -> [String] {
    func base(_ variable: String, _ fallback: String) -> String {
        environment[variable].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? (environment["HOME"] ?? "") + fallback
    }
    let folder = URL(fileURLWithPath: program).deletingLastPathComponent()
    let data = environment["XDG_DATA_DIRS"].flatMap { $0.isEmpty ? nil : $0 } ?? "/usr/local/share:/usr/share"
    var directories = [base("XDG_CONFIG_HOME", "/.config"), base("XDG_DATA_HOME", "/.local/share")]
    directories.append(folder.appendingPathComponent("../share").standardized.path)
    directories += data.split(separator: ":").map(String.init)
    directories = directories.map { "\($0)/signalbox/themes" }
    // .build/TRIPLE/release/signalbox
    var checkout = folder
    for _ in 0..<4 where checkout.pathComponents.count > 1 {
        if FileManager.default.fileExists(atPath: checkout.appendingPathComponent("Package.swift").path) {
            directories.append(checkout.appendingPathComponent("themes").path)
            break
        }
        checkout.deleteLastPathComponent()
    }
    var seen = Set<String>()
    return directories.filter { seen.insert($0).inserted }
}

/// The path of this program's file.
var programPath: String {
    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
}

/// Runs a console on a thread of its own and tells how it ended.
func console(for service: any RelayService, _ options: ConsoleOptions) async -> ConsoleExit {
    await withCheckedContinuation { continuation in
        let thread = Thread { continuation.resume(returning: runConsole(service: service, options: options)) }
        thread.name = "console"
        thread.stackSize = 4 << 20
        thread.start()
    }
}

/// Who is at this terminal, as it goes into the audit log: `ana@pts/3`.
func authorName() -> String {
    let user = NSUserName()
    guard let terminal = ttyname(STDIN_FILENO).map({ String(cString: $0) }) else { return user }
    return "\(user)@\(terminal.hasPrefix("/dev/") ? String(terminal.dropFirst(5)) : terminal)"
}

/// Starts the relay, shows its console, and goes on without one when the terminal is lost or the operator detaches.
func runConsoleWithRelay(
    _ configuration: Configuration,
    demo: DemoCameras?,
    _ options: StateOptions,
    _ appearance: AppearanceOptions,
    _ hold: ForegroundHold
) async throws {
    let themes = try appearance.themes()
    // Already here: the console puts back what it found, and a hang-up often comes twice.
    signal(SIGHUP, SIG_IGN)
    let relay = try await RunningRelay.start(
        configuration,
        demo: demo,
        state: options.state,
        controlSocket: options.socket
    )
    let exit = await console(
        for: relay.node,
        ConsoleOptions(
            mode: .inProcess,
            author: authorName(),
            themes: themes,
            errorLog: options.state.log,
            attachCommand: options.attachCommand,
            clock: MonotonicClock.now
        )
    )
    switch exit {
    case .shutdown:
        await relay.stop()
    case .failed(let message):
        await relay.stop()
        throw StartFailure(problem: message, remedy: "Use `signalbox serve` for a relay without a console")
    case .detach, .terminalLost:
        if case .detach = exit {
            complain(
                "the relay goes on without a console: `\(options.attachCommand)` brings one back, `kill \(getpid())` ends it"
            )
            if !hold.isHeld { complain("it keeps this terminal, where ^C ends it too") }
        }
        hold.release()
        _ = await SignalWatch([SIGTERM, SIGINT]).first()
        await relay.stop()
    }
}
