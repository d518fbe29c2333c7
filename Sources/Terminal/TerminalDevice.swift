import Glibc

/// The terminal itself: modes, size, bytes in and out, without ever blocking.
///
/// It is opened anew, because making the shell's own description of it non-blocking would break the shell.
final class TerminalDevice {
    let descriptor: Int32
    private let savedModes: termios
    /// Bytes that the terminal has not taken yet.
    private var pending: [UInt8] = []
    private var pendingStart = 0

    /// What reading gave.
    enum Input {
        case bytes([UInt8])
        case nothing
        /// End of file or an input/output error: nobody is there any more.
        case lost
    }

    /// Opens the terminal, or says why not.
    static func open(_ device: ConsoleOptions.Device) -> Result<TerminalDevice, TerminalProblem> {
        let path: String
        switch device {
        case .path(let given): path = given
        case .controlling: path = "/dev/tty"
        }
        let descriptor = Glibc.open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else {
            return .failure(
                TerminalProblem(
                    "there is no terminal here (\(path): \(String(cString: strerror(errno)))); start the relay with \"signalbox serve\" and use \"signalbox attach\" from a terminal"
                )
            )
        }
        var modes = termios()
        guard isatty(descriptor) == 1, tcgetattr(descriptor, &modes) == 0 else {
            close(descriptor)
            return .failure(TerminalProblem("\(path) is not a terminal; use \"signalbox serve\" without one"))
        }
        return .success(TerminalDevice(descriptor, modes))
    }

    private init(_ descriptor: Int32, _ modes: termios) {
        self.descriptor = descriptor
        savedModes = modes
    }

    deinit { close(descriptor) }

    /// The modes to go back to.
    var originalModes: termios { savedModes }

    /// Every byte and every key as it is; output untouched.
    func enterRawMode() {
        var modes = savedModes
        modes.c_iflag &= ~tcflag_t(BRKINT | ICRNL | INLCR | IGNCR | INPCK | ISTRIP | IXON | PARMRK)
        modes.c_oflag &= ~tcflag_t(OPOST)
        modes.c_cflag |= tcflag_t(CS8)
        modes.c_lflag &= ~tcflag_t(ECHO | ECHONL | ICANON | IEXTEN | ISIG)
        tcsetattr(descriptor, TCSANOW, &modes)
    }

    func restoreModes() {
        var modes = savedModes
        tcsetattr(descriptor, TCSANOW, &modes)
    }

    /// Columns and rows; 80×24 where the terminal does not know. Whoever logs in by SSH chooses these numbers, and
    /// ncurses counts in 16 bits with a sign, so they are bounded.
    var size: (columns: Int, rows: Int) {
        var window = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0, window.ws_row > 0 else {
            return (80, 24)
        }
        return (min(Int(window.ws_col), Self.maximumColumns), min(Int(window.ws_row), Self.maximumRows))
    }

    /// Wider than any screen.
    private static let maximumColumns = 1_000
    private static let maximumRows = 500

    /// Whether everything written has been taken.
    var isDrained: Bool { pendingStart >= pending.count }

    /// Queues bytes and passes on what the terminal takes now.
    ///
    /// - Returns: `false` when the terminal is gone.
    func send(_ bytes: [UInt8]) -> Bool {
        if isDrained {
            pending = bytes
            pendingStart = 0
        } else {
            pending.append(contentsOf: bytes)
        }
        return flush()
    }

    /// Passes on what the terminal takes now.
    ///
    /// - Returns: `false` when the terminal is gone.
    func flush() -> Bool {
        while pendingStart < pending.count {
            let written = pending.withUnsafeBytes { bytes in
                bytes.baseAddress.map { write(descriptor, $0 + pendingStart, bytes.count - pendingStart) } ?? 0
            }
            if written > 0 {
                pendingStart += written
            } else if written < 0, errno == EINTR {
                continue
            } else {
                return written < 0 && errno == EAGAIN
            }
        }
        pending.removeAll(keepingCapacity: true)
        pendingStart = 0
        return true
    }

    /// Drops what the terminal has not taken: it is going to get a whole new screen, or nothing.
    func discardPending() {
        pending.removeAll()
        pendingStart = 0
    }

    /// Waits until everything is written, but not longer than `milliseconds`.
    func drain(milliseconds: Int32) {
        var rounds = 0
        while !isDrained, rounds < 20 {
            var poller = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&poller, 1, milliseconds) > 0, poller.revents & Int16(POLLHUP | POLLERR | POLLNVAL) == 0, flush()
            else { return }
            rounds += 1
        }
    }

    func read() -> Input {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count > 0 { return .bytes(Array(buffer.prefix(count))) }
            if count < 0, errno == EINTR { continue }
            return count < 0 && errno == EAGAIN ? .nothing : .lost
        }
    }

    /// Whether input arrives within `milliseconds`.
    func hasInput(within milliseconds: Int32) -> Bool {
        var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&poller, 1, milliseconds) > 0 && poller.revents & Int16(POLLIN) != 0
    }
}

/// Why a terminal cannot be used, and what to do about it.
struct TerminalProblem: Error {
    var text: String
    init(_ text: String) { self.text = text }
}
