import Glibc

/// Keeps stray prints off the screen: while it lives, standard output and error go to a file if they were terminals.
struct StandardStreams {
    private var saved: [(descriptor: Int32, copy: Int32)] = []

    /// - Parameter path: The file; `nil` drops what is written.
    init(redirectedTo path: String?) {
        let file = open(path ?? "/dev/null", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard file >= 0 else { return }
        for descriptor in [STDOUT_FILENO, STDERR_FILENO] where isatty(descriptor) == 1 {
            fflush(nil)
            let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
            guard copy >= 0 else { continue }
            saved.append((descriptor, copy))
            dup2(file, descriptor)
        }
        close(file)
        TerminalSignals.armStreams(output: copy(of: STDOUT_FILENO), error: copy(of: STDERR_FILENO))
    }

    private func copy(of descriptor: Int32) -> Int32 { saved.first { $0.descriptor == descriptor }?.copy ?? -1 }

    func restore() {
        TerminalSignals.armStreams(output: -1, error: -1)
        fflush(nil)
        for (descriptor, copy) in saved {
            dup2(copy, descriptor)
            close(copy)
        }
    }
}
