import Glibc
import NIOCore

/// Who is at the other end of a Unix socket, as the kernel knew it when it connected (`SO_PEERCRED`).
///
/// The layout is the kernel's `struct ucred`.
struct PeerCredentials: Sendable {
    var processID: Int32
    var userID: UInt32
    var groupID: UInt32

    /// Reads the credentials of a channel's peer.
    static func of(_ channel: any Channel) -> EventLoopFuture<PeerCredentials> {
        guard let provider = channel as? any SocketOptionProvider else {
            return channel.eventLoop.makeFailedFuture(SystemError(ENOTSOCK))
        }
        return provider.unsafeGetSocketOption(level: .socket, name: .init(rawValue: SO_PEERCRED))
    }

    /// Whether it may control the relay: root, the relay's own user, or a member of its group.
    ///
    /// The file's permissions say the same; this holds where they were changed.
    func mayControl(user: UInt32 = geteuid(), group: UInt32 = getegid()) -> Bool {
        userID == 0 || userID == user || groupID == group || supplementaryGroups().contains(group)
    }

    /// The `Groups:` line of the process; empty when it has gone.
    private func supplementaryGroups() -> [UInt32] {
        let descriptor = open("/proc/\(processID)/status", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        let count = read(descriptor, &buffer, buffer.count)
        guard count > 0 else { return [] }
        return Self.groups(inStatus: String(decoding: buffer.prefix(count), as: UTF8.self))
    }

    static func groups(inStatus text: String) -> [UInt32] {
        for line in text.split(separator: "\n") where line.hasPrefix("Groups:") {
            return line.dropFirst("Groups:".count).split(whereSeparator: \.isWhitespace).compactMap { UInt32($0) }
        }
        return []
    }
}
