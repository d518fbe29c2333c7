import Console
import Glibc
import Relay
import Synchronization
import Wire

/// One console per process: ncurses has one screen.
private let isConsoleRunning = Mutex(false)

/// Shows the console on a terminal until the operator leaves or the terminal goes away.
///
/// Blocks; call it on a thread of its own. It never ends the process. While it runs it handles WINCH, TERM, INT, HUP,
/// CONT, TSTP and the fatal signals, and ignores PIPE, TTIN and TTOU; all are as before when it returns. A terminal
/// that nobody reads blocks nothing: frames are skipped until it reads again.
///
/// - Parameters:
///   - service: The relay. `snapshot()` is called four times a second on this thread and has to be quick.
///   - options: Mode, author, themes, clock, terminal.
/// - Returns: Why it ended.
public func runConsole(service: any RelayService, options: ConsoleOptions) -> ConsoleExit {
    let isFree = isConsoleRunning.withLock { isRunning in
        defer { isRunning = true }
        return !isRunning
    }
    guard isFree else { return .failed("a console is running in this process already") }
    defer { isConsoleRunning.withLock { $0 = false } }

    let device: TerminalDevice
    switch TerminalDevice.open(options.device) {
    case .success(let opened): device = opened
    case .failure(let problem): return .failed(problem.text)
    }
    let type = options.terminalType ?? getenv("TERM").map { String(cString: $0) } ?? ""
    guard !type.isEmpty else { return .failed("TERM is not set; set it, for example TERM=xterm-256color") }
    guard let mailbox = Mailbox() else { return .failed("no file descriptors are left; raise the limit (ulimit -n)") }
    let isInProcess = options.mode == .inProcess
    // Before newterm, which installs handlers of its own where there are none.
    TerminalSignals.install(ignoresStop: isInProcess)
    defer { TerminalSignals.uninstall() }
    let glyphs = chooseGlyphs(type: type, asciiOnly: options.asciiOnly)
    let window = device.size
    let size = Size(columns: window.columns, rows: window.rows)
    switch CursesScreen.start(type: type, size: size, withoutColours: options.withoutColours) {
    case .failure(let problem): return .failed(problem.text)
    case .success(let screen):
        let streams = StandardStreams(redirectedTo: options.errorLog)
        defer { streams.restore() }
        var session = ConsoleSession(device, screen, service, mailbox, options, glyphs, size)
        return session.run()
    }
}

/// Sets the locale that ncurses draws in, and finds out what the terminal can show.
private func chooseGlyphs(type: String, asciiOnly: Bool) -> Glyphs {
    setlocale(LC_CTYPE, "")
    let isUTF8 = String(cString: nl_langinfo(Int32(CODESET))) == "UTF-8"
    // With a wrong locale ncurses prints garbage and reports success. Nothing set at all means a bare container
    // behind a UTF-8 terminal; anything else that is not UTF-8 was chosen.
    if !isUTF8 { setlocale(LC_CTYPE, "C.UTF-8") }
    let isChosen = ["LC_ALL", "LC_CTYPE", "LANG"].contains { (name: String) in
        getenv(name).map { $0.pointee != 0 } == true
    }
    if asciiOnly || (!isUTF8 && isChosen) || ["vt", "ansi", "dumb", "sun"].contains(where: { type.hasPrefix($0) }) {
        return .ascii
    }
    return type == "linux" ? .block : .braille
}
