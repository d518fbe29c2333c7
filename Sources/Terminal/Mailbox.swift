import Glibc
import Relay
import Synchronization

/// Answers of the relay on their way to the console's thread.
final class Mailbox: Sendable {
    enum Message: Sendable {
        case reply(CommandReply, to: String)
        case history(HistoryReply, to: HistoryRequest)
        case events([EventSnapshot])
        case attempts([AttemptSnapshot])
    }

    private let messages = Mutex<[Message]>([])
    private let ends: (read: Int32, write: Int32)

    /// Most answers that wait; the console asks for little at a time.
    private static let limit = 64

    init?() {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return nil }
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        self.ends = (ends[0], ends[1])
    }

    // The last task that may still answer keeps the pipe open, so its descriptors cannot be somebody else's by then.
    deinit {
        close(ends.read)
        close(ends.write)
    }

    /// Becomes readable when there is mail.
    var descriptor: Int32 { ends.read }

    func put(_ message: Message) {
        messages.withLock { if $0.count < Mailbox.limit { $0.append(message) } }
        var byte: UInt8 = 1
        _ = write(ends.write, &byte, 1)
    }

    func take() -> [Message] {
        drainDescriptor(ends.read)
        return messages.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
    }
}

/// Reads everything from a non-blocking pipe.
@discardableResult
func drainDescriptor(_ descriptor: Int32) -> [UInt8] {
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        guard count > 0 else { return all }
        all += buffer.prefix(count)
    }
}
