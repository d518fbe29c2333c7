import Relay

/// How a console is connected to its relay.
public enum ConsoleMode: Sendable, Equatable {
    /// The relay lives in this process: leaving asks, suspending is refused.
    case inProcess
    /// The relay is another process: leaving and suspending harm nobody.
    case attached(readOnly: Bool)
}

/// What a ``ConsoleModel`` is told once.
public struct ConsoleConfiguration: Sendable {
    /// How the console is connected.
    public var mode: ConsoleMode
    /// Who gives the commands, for the audit log: `ana@pts/3`.
    public var author: String
    /// Begins the id of every command; unique to this console.
    public var commandPrefix: String
    /// What the terminal can show.
    public var glyphs: Glyphs
    /// Seconds that local time is ahead of UTC.
    public var utcOffset: Int
    /// The themes `T` walks through, the first to begin with.
    public var themes: [Theme]
    /// What the operator types to get the console back after leaving the relay running.
    public var attachCommand: String

    /// Creates a configuration.
    public init(
        mode: ConsoleMode,
        author: String,
        commandPrefix: String,
        glyphs: Glyphs = .braille,
        utcOffset: Int = 0,
        themes: [Theme] = [.standard],
        attachCommand: String = "signalbox attach"
    ) {
        self.mode = mode
        self.author = author
        self.commandPrefix = commandPrefix
        self.glyphs = glyphs
        self.utcOffset = utcOffset
        self.themes = themes.isEmpty ? [.standard] : themes
        self.attachCommand = attachCommand
    }
}

/// How the operator leaves.
public enum QuitChoice: Sendable, Equatable {
    /// The relay goes on without a console.
    case detach
    /// The relay ends.
    case shutdown
}

/// What the console wants done.
public enum ConsoleEffect: Sendable {
    /// Ask the relay for a change.
    case submit(Command)
    /// Close the console.
    case quit(QuitChoice)
    /// Give the terminal back to the shell until the process is continued.
    case suspend
    /// Draw everything again.
    case redraw
    /// Make the terminal's sound.
    case beep
    /// Put text on the operator's clipboard.
    case copy(String)
}
