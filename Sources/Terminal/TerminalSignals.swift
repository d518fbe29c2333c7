import Glibc

/// Signals while a console runs, and what puts the terminal in order when the process dies.
///
/// Handlers do nothing but `write(2)` to a pipe that lives as long as the process; the console's loop reads it. The
/// fatal ones write a byte string that was made beforehand, put the terminal's modes back, restore the handler that
/// was there before, and raise the signal again: the process dies of what it died of, even if that handler returns.
enum TerminalSignals {
    /// Taken by the loop.
    static let handled: [Int32] = [SIGWINCH, SIGTERM, SIGINT, SIGHUP, SIGCONT]
    /// Would stop or kill a process that holds a relay; the loop notices in its own way.
    static let ignored: [Int32] = [SIGPIPE, SIGTTOU, SIGTTIN]
    static let fatal: [Int32] = [SIGSEGV, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGQUIT]

    /// The pipe's read end, non-blocking; -1 when there are no descriptors left.
    static var descriptor: Int32 { pipeEnds.read }

    /// Installs the handlers.
    ///
    /// - Parameter ignoresStop: SIGTSTP is ignored: the relay lives here and must not stop.
    static func install(ignoresStop: Bool) {
        guard pipeEnds.read >= 0 else { return }
        // Touch everything a handler uses, so that no initialiser runs inside one.
        wakeDescriptor = pipeEnds.write
        for signal in handled { replace(signal, handler: wakeHandler) }
        for signal in ignored { replace(signal, handler: SIG_IGN) }
        replace(SIGTSTP, handler: ignoresStop ? SIG_IGN : wakeHandler)
        for signal in fatal {
            replace(signal, handler: crashHandler, flags: SA_ONSTACK | Int32(bitPattern: UInt32(SA_NODEFER)))
        }
    }

    /// Puts back what was there before ``install(ignoresStop:)``.
    static func uninstall() {
        disarm()
        for signal in handled + ignored + fatal + [SIGTSTP] {
            guard savedActions[Int(signal)].isSaved else { continue }
            var before = savedActions[Int(signal)].action
            sigaction(signal, &before, nil)
            savedActions[Int(signal)].isSaved = false
        }
    }

    /// From now on a crash writes `bytes` to `terminal` and gives it `modes` back.
    static func arm(terminal: Int32, bytes: [UInt8], modes: termios) {
        disarm()
        let count = min(bytes.count, restoreCapacity)
        for (index, byte) in bytes.prefix(count).enumerated() { restoreBytes[index] = byte }
        restoreCount = count
        restoreModes.pointee = modes
        restoreDescriptor = terminal
    }

    /// A crash gives standard output or error back, so that its last words are seen; -1 for "was not redirected".
    static func armStreams(output: Int32, error: Int32) {
        savedOutput = output
        savedError = error
    }

    /// The terminal is in order: a crash leaves it alone.
    static func disarm() { restoreDescriptor = -1 }

    private static func replace(_ signal: Int32, handler: (@convention(c) (Int32) -> Void)?, flags: Int32 = SA_RESTART)
    {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = handler
        action.sa_flags = flags
        sigemptyset(&action.sa_mask)
        var before = sigaction()
        guard sigaction(signal, &action, &before) == 0 else { return }
        savedActions[Int(signal)].action = before
        savedActions[Int(signal)].isSaved = true
    }
}

private let pipeEnds: (read: Int32, write: Int32) = {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return (-1, -1) }
    for end in ends {
        _ = fcntl(end, F_SETFL, O_NONBLOCK)
        _ = fcntl(end, F_SETFD, FD_CLOEXEC)
    }
    return (ends[0], ends[1])
}()

private let restoreCapacity = 512

// Written before a handler can run and only read by handlers (or written by the one console thread, see
// `consoleIsRunning`), so no lock is needed, and none would be allowed in a signal handler.
private nonisolated(unsafe) var wakeDescriptor: Int32 = -1
private nonisolated(unsafe) var restoreDescriptor: Int32 = -1
private nonisolated(unsafe) var savedOutput: Int32 = -1
private nonisolated(unsafe) var savedError: Int32 = -1
private nonisolated(unsafe) var restoreCount = 0
private nonisolated(unsafe) let restoreBytes = UnsafeMutablePointer<UInt8>.allocate(capacity: restoreCapacity)
private nonisolated(unsafe) let restoreModes = UnsafeMutablePointer<termios>.allocate(capacity: 1)
private nonisolated(unsafe) let savedActions: UnsafeMutablePointer<SavedAction> = {
    let actions = UnsafeMutablePointer<SavedAction>.allocate(capacity: 65)
    actions.initialize(repeating: SavedAction(), count: 65)
    return actions
}()

private struct SavedAction {
    var action = sigaction()
    var isSaved = false
}

private let wakeHandler: @convention(c) (Int32) -> Void = { signal in
    let saved = errno
    var byte = UInt8(truncatingIfNeeded: signal)
    _ = write(wakeDescriptor, &byte, 1)
    errno = saved
}

private let crashHandler: @convention(c) (Int32) -> Void = { signal in
    let terminal = restoreDescriptor
    if terminal >= 0 {
        restoreDescriptor = -1
        // The descriptor is non-blocking: a terminal that nobody reads cannot keep a dead process alive.
        _ = write(terminal, restoreBytes, restoreCount)
        _ = tcsetattr(terminal, TCSANOW, restoreModes)
        if savedOutput >= 0 { _ = dup2(savedOutput, STDOUT_FILENO) }
        if savedError >= 0 { _ = dup2(savedError, STDERR_FILENO) }
    }
    if savedActions[Int(signal)].isSaved {
        _ = sigaction(signal, &savedActions[Int(signal)].action, nil)
    } else {
        var standard = sigaction()
        _ = sigaction(signal, &standard, nil)
    }
    _ = raise(signal)
    // The earlier handler came back: the Swift runtime's reports the crash and waits for the fault to happen again,
    // which it does not when the signal was sent.
    var standard = sigaction()
    _ = sigaction(signal, &standard, nil)
    _ = raise(signal)
}
