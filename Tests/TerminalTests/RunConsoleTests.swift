import Console
import Glibc
import Relay
import Synchronization
import Testing
import Wire

@testable import Terminal

/// The console on real pseudo-terminals. One after the other: a process has one console, and signals are the process's.
@Suite(.serialized) struct RunConsoleTests {
    @Test(arguments: ["xterm-256color", "tmux-256color", "linux", "vt100", "xterm"])
    func `it draws, takes keys, quits, and leaves the terminal as it was`(type: String) throws {
        let terminal = try #require(PseudoTerminal())
        let before = terminal.modes
        let console = RunningConsole(terminal, type: type)
        try #require(console.waitForOutput("pty-relay"))
        #expect(terminal.modes.c_lflag & tcflag_t(ICANON | ECHO) == 0)
        terminal.type("2")
        try #require(console.waitForOutput("gate-north"))
        terminal.type("q")
        #expect(console.waitForExit() == .detach)
        let after = terminal.modes
        #expect(after.c_lflag == before.c_lflag && after.c_iflag == before.c_iflag && after.c_oflag == before.c_oflag)
        if type.contains("256color") {
            let text = console.output
            #expect(text.contains("\u{1B}[?1049h") && text.contains("\u{1B}[?1049l"))
            #expect(text.contains("\u{1B}[?2004h") && text.hasSuffix("\u{1B}[?2004l"))
        }
    }

    @Test func `keys reach the relay as commands`() throws {
        let terminal = try #require(PseudoTerminal())
        let console = RunningConsole(terminal)
        try #require(console.waitForOutput("pty-relay"))
        terminal.type("2")
        try #require(console.waitForOutput("Cameras"))
        terminal.type("f")
        #expect(
            console.wait { console.relay.commands.withLock { $0.map(\.action) } == [.keyframe(camera: "gate-north")] }
        )
        terminal.type("q")
        #expect(console.waitForExit() == .detach)
    }

    @Test func `arrow keys arrive whole even when the network splits them`() throws {
        let terminal = try #require(PseudoTerminal())
        let console = RunningConsole(terminal)
        try #require(console.waitForOutput("pty-relay"))
        terminal.type("7")
        try #require(console.waitForOutput("nothing has happened yet"))
        terminal.type("\u{1B}")
        usleep(5_000)
        terminal.type("[")
        usleep(5_000)
        terminal.type("Z")
        // Shift-Tab goes to the screen before: graphs. A lone Esc would have gone to the overview.
        #expect(console.waitForOutput("Relay out"))
        terminal.type("q")
        #expect(console.waitForExit() == .detach)
    }

    @Test func `a new size gets a new screen`() throws {
        let terminal = try #require(PseudoTerminal())
        let console = RunningConsole(terminal)
        try #require(console.waitForOutput("pty-relay"))
        console.forgetOutput()
        terminal.resize(columns: 132, rows: 43)
        kill(getpid(), SIGWINCH)
        // The last line, by whichever of its two ways curses goes there.
        #expect(console.waitForOutput("\u{1B}[43"))
        for (columns, rows) in [(1, 1), (65_535, 1), (65_535, 65_535), (32_767, 32_767), (20, 5), (80, 24)]
            as [(UInt16, UInt16)]
        {
            terminal.resize(columns: columns, rows: rows)
            kill(getpid(), SIGWINCH)
            usleep(20_000)
        }
        terminal.type("q")
        #expect(console.waitForExit() == .detach)
    }

    @Test func `hanging up returns within a second, with and without the signal`() throws {
        for sendsSignal in [true, false] {
            let terminal = try #require(PseudoTerminal())
            let console = RunningConsole(terminal)
            try #require(console.waitForOutput("pty-relay"))
            let start = monotonicNow()
            if sendsSignal { kill(getpid(), SIGHUP) } else { terminal.hangUp() }
            #expect(console.waitForExit() == .terminalLost)
            #expect(monotonicNow() - start < .seconds(2))
            if sendsSignal { #expect(console.output.contains("\u{1B}[?1049l")) }
        }
    }

    @Test func `SIGTERM restores the terminal and asks for the relay's end`() throws {
        let terminal = try #require(PseudoTerminal())
        let before = terminal.modes
        let console = RunningConsole(terminal, mode: .inProcess)
        try #require(console.waitForOutput("pty-relay"))
        kill(getpid(), SIGTERM)
        #expect(console.waitForExit() == .shutdown)
        #expect(terminal.modes.c_lflag == before.c_lflag)
        #expect(console.output.contains("\u{1B}[?1049l"))
    }

    @Test func `handlers are as before when it returns`() throws {
        let terminal = try #require(PseudoTerminal())
        var before = sigaction()
        sigaction(SIGSEGV, nil, &before)
        let console = RunningConsole(terminal)
        try #require(console.waitForOutput("pty-relay"))
        var during = sigaction()
        sigaction(SIGSEGV, nil, &during)
        terminal.type("q")
        #expect(console.waitForExit() == .detach)
        var after = sigaction()
        sigaction(SIGSEGV, nil, &after)
        #expect(
            unsafeBitCast(before.__sigaction_handler.sa_handler, to: Int.self)
                == unsafeBitCast(after.__sigaction_handler.sa_handler, to: Int.self)
        )
        #expect(
            unsafeBitCast(during.__sigaction_handler.sa_handler, to: Int.self)
                != unsafeBitCast(after.__sigaction_handler.sa_handler, to: Int.self)
        )
    }

    @Test func `a terminal that nobody reads does not stop the loop, and draws again when it is read`() throws {
        let terminal = try #require(PseudoTerminal(columns: 200, rows: 60))
        let console = RunningConsole(terminal, isReading: false)
        // Every resize is a whole screen: the terminal's buffer fills up at once.
        for step in 0..<30 {
            terminal.resize(columns: UInt16(180 + step % 2), rows: 60)
            kill(getpid(), SIGWINCH)
            usleep(30_000)
        }
        let looks = console.relay.looks.load(ordering: .relaxed)
        #expect(console.wait { console.relay.looks.load(ordering: .relaxed) > looks + 3 })
        console.startReading()
        #expect(console.waitForOutput("pty-relay"))
        terminal.type("q")
        #expect(console.waitForExit() == .detach)
    }

    @Test func `SIGTERM is obeyed although nobody reads the terminal`() throws {
        let terminal = try #require(PseudoTerminal(columns: 200, rows: 60))
        let console = RunningConsole(terminal, isReading: false)
        for step in 0..<20 {
            terminal.resize(columns: UInt16(180 + step % 2), rows: 60)
            kill(getpid(), SIGWINCH)
            usleep(20_000)
        }
        kill(getpid(), SIGTERM)
        #expect(console.waitForExit() == .detach)
    }

    @Test func `without a usable terminal it says what to do`() throws {
        func message(_ change: (inout ConsoleOptions) -> Void) -> String {
            var options = ConsoleOptions(mode: .inProcess, author: "t", clock: monotonicNow)
            change(&options)
            guard case .failed(let text) = runConsole(service: TestRelay(), options: options) else { return "" }
            return text
        }
        #expect(message { $0.device = .path("/dev/null") }.contains("not a terminal"))
        #expect(message { $0.device = .path("/nonexistent/tty") }.contains("signalbox attach"))
        let terminal = try #require(PseudoTerminal())
        #expect(
            message { ($0.device, $0.terminalType) = (.path(terminal.path), "no-such-terminal") }.contains("set TERM")
        )
        #expect(
            message { ($0.device, $0.terminalType) = (.path(terminal.path), "dumb") }.contains(
                "cannot place its cursor"
            )
        )
    }

    @Test func `a second console in the same process is refused`() throws {
        let terminal = try #require(PseudoTerminal())
        let console = RunningConsole(terminal)
        try #require(console.waitForOutput("pty-relay"))
        let other = ConsoleOptions(mode: .inProcess, author: "t", clock: monotonicNow)
        #expect(
            runConsole(service: TestRelay(), options: other) == .failed("a console is running in this process already")
        )
        terminal.type("q")
        #expect(console.waitForExit() == .detach)
    }

    @Test func `a calm screen costs few bytes`() throws {
        let terminal = try #require(PseudoTerminal(columns: 160, rows: 48))
        let console = RunningConsole(terminal)
        try #require(console.waitForOutput("pty-relay"))
        usleep(500_000)
        console.forgetOutput()
        usleep(2_000_000)
        let bytes = console.byteCount
        print("console benchmark: \(bytes) bytes in 2 s of calm")
        #expect(bytes < 8_000)
        terminal.type("q")
        #expect(console.waitForExit() == .detach)
    }
}

struct TerminalInputTests {
    @Test(arguments: [
        ("a", false), ("\u{1B}", true), ("x\u{1B}[", true), ("\u{1B}[1;5", true), ("\u{1B}[A", false),
        ("\u{1B}O", true), ("\u{1B}OA", false),
        ("\u{1B}[Aq", false), ("\u{1B}[200~text", false), ("\u{1B}x", false), ("", false),
    ])
    func `an unfinished escape sequence is waited for`(text: String, isUnfinished: Bool) {
        #expect(endsInsideEscape(Array(text.utf8)) == isUnfinished)
    }
}
