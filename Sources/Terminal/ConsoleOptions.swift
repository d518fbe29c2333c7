import Console
import Wire

/// What ``runConsole(service:options:)`` is told.
public struct ConsoleOptions: Sendable {
    /// Which terminal to use.
    public enum Device: Sendable, Equatable {
        /// The one the process was started from (`/dev/tty`).
        case controlling
        /// A terminal device by path, such as `/dev/pts/3`.
        case path(String)
    }

    /// Relay in this process, or attached to another.
    public var mode: ConsoleMode
    /// Who gives the commands, for the audit log: `ana@pts/3`.
    public var author: String
    /// Themes for `T`, the first to begin with.
    public var themes: [Theme]
    /// Where standard output and standard error go while the screen is in use, if they are terminals; `nil` drops them.
    public var errorLog: String?
    /// What the operator types to get the console back.
    public var attachCommand: String
    /// The monotonic clock.
    public var clock: @Sendable () -> Instant
    /// Draw with ASCII only, whatever the locale says.
    public var asciiOnly = false
    /// Use no colours, as if `NO_COLOR` were set.
    public var withoutColours = false
    /// The terminal to use.
    public var device = Device.controlling
    /// Terminal type; `nil` takes `TERM`.
    public var terminalType: String?

    /// Creates options.
    public init(
        mode: ConsoleMode,
        author: String,
        themes: [Theme] = [.standard],
        errorLog: String? = nil,
        attachCommand: String = "signalbox attach",
        clock: @escaping @Sendable () -> Instant
    ) {
        self.mode = mode
        self.author = author
        self.themes = themes
        self.errorLog = errorLog
        self.attachCommand = attachCommand
        self.clock = clock
    }
}

/// Why the console ended. The terminal is as it was before, if it still exists.
public enum ConsoleExit: Equatable, Sendable {
    /// The operator leaves; a relay in this process goes on.
    case detach
    /// The operator, or SIGTERM, wants the relay to end.
    case shutdown
    /// The terminal is gone (hang-up, end of file, input/output error); a relay in this process goes on.
    case terminalLost
    /// There was no console, for this reason, which names its remedy.
    case failed(String)
}
