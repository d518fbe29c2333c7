import Glibc
import Synchronization

/// A terminal made of nothing: the master side is the person, the slave side what the console opens.
final class PseudoTerminal: Sendable {
    let master: Int32
    let path: String

    init?(columns: UInt16 = 80, rows: UInt16 = 24) {
        // What posix_openpt, unlockpt and ptsname do; libc hides them behind a feature macro.
        let descriptor = open("/dev/ptmx", O_RDWR | O_NOCTTY)
        var lock: Int32 = 0
        var number: Int32 = 0
        guard descriptor >= 0, ioctl(descriptor, 0x4004_5431, &lock) == 0, ioctl(descriptor, 0x8004_5430, &number) == 0
        else { return nil }
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        master = descriptor
        path = "/dev/pts/\(number)"
        isOpen = Mutex(true)
        // Held open so that the pair lives before the console opens its side and after it closed it.
        slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
        resize(columns: columns, rows: rows)
    }

    private let slave: Int32
    private let isOpen: Mutex<Bool>

    deinit {
        hangUp()
        close(slave)
    }

    func resize(columns: UInt16, rows: UInt16) {
        var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(master, UInt(TIOCSWINSZ), &size)
    }

    /// The modes of the terminal.
    var modes: termios {
        var modes = termios()
        tcgetattr(slave, &modes)
        return modes
    }

    var size: (columns: Int, rows: Int) {
        var size = winsize()
        _ = ioctl(slave, UInt(TIOCGWINSZ), &size)
        return (Int(size.ws_col), Int(size.ws_row))
    }

    func type(_ text: String) {
        let bytes = Array(text.utf8)
        _ = write(master, bytes, bytes.count)
    }

    /// Bytes the console has written since the last time.
    func read(waiting milliseconds: Int32) -> [UInt8] {
        var poller = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
        guard poll(&poller, 1, milliseconds) > 0 else { return [] }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = Glibc.read(master, &buffer, buffer.count)
        return count > 0 ? Array(buffer.prefix(count)) : []
    }

    /// The person goes away.
    func hangUp() {
        isOpen.withLock { isOpen in
            if isOpen { close(master) }
            isOpen = false
        }
    }
}
