import CMedia
import Glibc

/// The control socket's file: made with narrow permissions, taken over from a relay that died, never from a live one.
struct ControlSocketFile: Sendable {
    /// Where it is.
    let path: String
    /// The listening socket. Owned by whoever called ``listen(at:)``.
    let descriptor: Int32
    private let device: UInt64
    private let inode: UInt64

    /// Makes the directory (0750) if it is missing, and the socket (0660).
    ///
    /// - Throws: ``NodeError`` when another relay listens, or the place cannot be used.
    static func listen(at path: String) throws(NodeError) -> ControlSocketFile {
        guard path.utf8.count <= pathLimit, !path.utf8.contains(0), let slash = path.lastIndex(of: "/") else {
            throw NodeError(
                problem: "The control socket's path \(path.prefix(160)) cannot be used.",
                remedy: "Name an absolute path of at most \(pathLimit) bytes with --control-socket."
            )
        }
        let directory = slash == path.startIndex ? "/" : String(path[..<slash])
        try prepareDirectory(directory)
        // Two relays that start at the same moment must not take the socket from each other.
        let lock = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { if lock >= 0 { close(lock) } }
        guard lock >= 0, flock(lock, LOCK_EX) == 0 else { throw unusable(path, SystemError(errno)) }
        try removeStale(path)
        let descriptor = cmedia_unix_listen(path, fileMode, backlog)
        guard descriptor >= 0 else { throw unusable(path, SystemError(-descriptor)) }
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK, status.st_mode & 0o7777 == fileMode else {
            close(descriptor)
            throw unusable(path, SystemError(EPERM))
        }
        return ControlSocketFile(
            path: path,
            descriptor: descriptor,
            device: UInt64(status.st_dev),
            inode: UInt64(status.st_ino)
        )
    }

    /// Removes the file, if nobody has put another one in its place. Call while the socket still listens.
    func remove() {
        var status = stat()
        guard lstat(path, &status) == 0, UInt64(status.st_dev) == device, UInt64(status.st_ino) == inode else { return }
        unlink(path)
    }

    private static func prepareDirectory(_ path: String) throws(NodeError) {
        var status = stat()
        if stat(path, &status) == 0 {
            guard status.st_mode & S_IFMT == S_IFDIR else { throw unusable(path, SystemError(ENOTDIR)) }
            // Whoever may write there can put a socket of its own in our place (a sticky directory forbids that).
            guard status.st_mode & 0o002 == 0 || status.st_mode & S_ISVTX != 0 else {
                throw NodeError(
                    problem: "Everybody may write to the control socket's directory \(path).",
                    remedy: "Run \"chmod 0750 \(path)\", or name another place with --state-dir."
                )
            }
            return
        }
        if let slash = path.lastIndex(of: "/"), slash != path.startIndex { try makeParents(String(path[..<slash])) }
        guard mkdir(path, directoryMode) == 0, chmod(path, directoryMode) == 0 else {
            throw unusable(path, SystemError(errno))
        }
    }

    private static func makeParents(_ path: String) throws(NodeError) {
        var status = stat()
        guard stat(path, &status) != 0 else { return }
        if let slash = path.lastIndex(of: "/"), slash != path.startIndex { try makeParents(String(path[..<slash])) }
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw unusable(path, SystemError(errno)) }
    }

    private static func removeStale(_ path: String) throws(NodeError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw NodeError(
                problem: "\(path) exists and is no socket.",
                remedy: "Move it away, or name another place with --control-socket."
            )
        }
        try refuseIfRunning(at: path)
        // Its relay died without cleaning up.
        guard unlink(path) == 0 || errno == ENOENT else { throw unusable(path, SystemError(errno)) }
    }

    /// Throws when somebody listens on the socket, or it cannot be told.
    static func refuseIfRunning(at path: String) throws(NodeError) {
        var process: pid_t = 0
        switch cmedia_unix_probe(path, &process) {
        case -ECONNREFUSED, -ENOENT:
            return
        case 0:
            throw NodeError(
                problem: "Another signalbox is running (pid \(process)) and listens on \(path).",
                remedy: "Use \"signalbox attach\" to see it, stop it, or name another place with --state-dir."
            )
        case let code:
            throw unusable(path, SystemError(-code))
        }
    }

    private static func unusable(_ path: String, _ error: SystemError) -> NodeError {
        NodeError(
            problem: "The control socket cannot be made at \(path): \(error).",
            remedy: "Give this user write access there, or name another place with --control-socket or --state-dir."
        )
    }

    /// What `sun_path` holds, less the final zero.
    static let pathLimit = 107
    private static let directoryMode: mode_t = 0o750
    private static let fileMode: mode_t = 0o660
    private static let backlog: Int32 = 16
}
