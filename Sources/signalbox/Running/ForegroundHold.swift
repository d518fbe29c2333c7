import Foundation

/// Two processes where a shell sees one: the shell waits for this program as for any other, and relay and console run in
/// a second process, in a process group of its own that has the terminal.
///
///     shell ──waits for──▶ first process ──waits for──▶ relay and console, the terminal's foreground
///
/// A process with threads cannot go into the background later (fork(2) takes one thread along), so it has to be there
/// from the start. When the operator leaves the relay running, the first process takes the terminal back and ends: the
/// shell has its prompt, and what is typed at this terminal or becomes of it no longer concerns the relay.
struct ForegroundHold {
    /// Where the first process listens; `nil` where there is none, because the terminal is nobody's that could wait or
    /// because ending it would end a container.
    private let waiter: Int32?

    /// Whether a shell gets its prompt back by ``release()``.
    var isHeld: Bool { waiter != nil }

    /// Makes the second process, or finds itself to be it. The first process ends in here, as the second one does.
    ///
    /// - Throws: ``StartFailure`` when it was started in the background.
    static func take() throws -> ForegroundHold {
        if let waiter = inheritedWaiter() { return ForegroundHold(waiter: waiter) }
        try requireForeground()
        guard getpid() != 1, tcgetpgrp(STDIN_FILENO) == getpgrp() else { return ForegroundHold(waiter: nil) }
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return ForegroundHold(waiter: nil) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        handleSignals()
        let isStarted = start(waiter: ends[1])
        close(ends[1])
        guard isStarted else {
            close(ends[0])
            for number in handled { signal(number, SIG_DFL) }
            return ForegroundHold(waiter: nil)
        }
        exit(waitForRelease(ends[0]))
    }

    /// Lets go of the terminal: its signals and its end cannot reach the relay, nor can writes of the relay reach it.
    /// Then the shell has its prompt back.
    func release() {
        for number in [SIGTTOU, SIGTTIN, SIGTSTP] { signal(number, SIG_IGN) }
        let terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)
        if terminal >= 0 {
            if isHeld { _ = ioctl(terminal, UInt(TIOCNOTTY)) }
            close(terminal)
        }
        let null = open("/dev/null", O_RDWR)
        if null >= 0 {
            for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] { dup2(null, descriptor) }
            if null > STDERR_FILENO { close(null) }
        }
        guard let waiter else { return }
        var byte: UInt8 = 0
        _ = write(waiter, &byte, 1)
        close(waiter)
    }

    // MARK: The second process

    private static let variable = "SIGNALBOX_SHELL_WAITS"
    private static let descriptorNumber: Int32 = 3

    private static func inheritedWaiter() -> Int32? {
        guard getenv(variable) != nil else { return nil }
        unsetenv(variable)
        var status = stat()
        guard fstat(descriptorNumber, &status) == 0, status.st_mode & S_IFMT == S_IFIFO else { return nil }
        _ = fcntl(descriptorNumber, F_SETFD, FD_CLOEXEC)
        // Who takes the terminal from the background is stopped, unless it ignores that.
        signal(SIGTTOU, SIG_IGN)
        tcsetpgrp(STDIN_FILENO, getpgrp())
        signal(SIGTTOU, SIG_DFL)
        return descriptorNumber
    }

    // MARK: The first process

    /// Passed on to the relay.
    private static let forwarded = [SIGTERM, SIGINT, SIGQUIT]
    /// Would end or stop the first process alone: the terminal's end reaches the relay by itself.
    private static let ignored = [SIGHUP, SIGTSTP, SIGTTIN, SIGTTOU]
    private static var handled: [Int32] { forwarded + ignored }

    private static func handleSignals() {
        for number in forwarded { signal(number, forwardSignal) }
        for number in ignored { signal(number, SIG_IGN) }
    }

    /// Starts the program again, with the same words, in a process group of its own.
    private static func start(waiter: Int32) -> Bool {
        var files = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&files)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&files)
            posix_spawnattr_destroy(&attributes)
        }
        var standard = sigset_t()
        sigemptyset(&standard)
        for number in handled { sigaddset(&standard, number) }
        guard posix_spawn_file_actions_adddup2(&files, waiter, descriptorNumber) == 0,
            posix_spawnattr_setsigdefault(&attributes, &standard) == 0,
            posix_spawnattr_setpgroup(&attributes, 0) == 0,
            posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF)) == 0
        else { return false }
        var environment = ProcessInfo.processInfo.environment
        environment[variable] = "1"
        var words: [UnsafeMutablePointer<CChar>?] = CommandLine.arguments.map { strdup($0) } + [nil]
        var settings: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for word in words + settings { free(word) } }
        var child: pid_t = 0
        // By its own name where it still has it, for that is what ps(1) shows.
        let name = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let program = access(name, X_OK) == 0 ? name : "/proc/self/exe"
        guard posix_spawn(&child, program, &files, &attributes, &words, &settings) == 0 else { return false }
        relayProcess = child
        return true
    }

    /// Waits until the relay lets the shell go, or ends.
    ///
    /// - Returns: This process's exit code.
    private static func waitForRelease(_ descriptor: Int32) -> Int32 {
        var byte: UInt8 = 0
        var count = 0
        repeat { count = read(descriptor, &byte, 1) } while count < 0 && errno == EINTR
        var status: Int32 = 0
        if count <= 0 { while waitpid(relayProcess, &status, 0) < 0, errno == EINTR {} }
        tcsetpgrp(STDIN_FILENO, getpgrp())
        let number = status & 0x7F
        guard number != 0 else { return status >> 8 & 0xFF }
        // Ends as the relay did, which is what the shell tells; one core file is enough.
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
        signal(number, SIG_DFL)
        raise(number)
        return 128 + number
    }
}

/// Written before there is anything to forward to and once after, read by the handler alone.
private nonisolated(unsafe) var relayProcess: pid_t = 0

private let forwardSignal: @convention(c) (Int32) -> Void = { number in
    let saved = errno
    if relayProcess > 0 { kill(relayProcess, number) }
    errno = saved
}
