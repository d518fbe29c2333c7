import CBench

/// Readiness of descriptors, in one thread.
final class Poller {
    /// Called with `CBENCH_READABLE` and `CBENCH_WRITABLE` bits.
    typealias Handler = (_ ready: UInt32) -> Void

    private let descriptor: Int32
    private var handlers: [Int32: Handler] = [:]
    private var ready = [UInt32](repeating: 0, count: 128)
    private var descriptors = [Int32](repeating: 0, count: 128)

    init() throws { descriptor = try BenchError.check(cbench_poll_open(), "epoll") }

    deinit { cbench_close(descriptor) }

    /// Watches `fd`; a later call changes the interest and the handler.
    func watch(_ fd: Int32, _ interest: UInt32, _ handler: @escaping Handler) {
        cbench_poll_set(descriptor, fd, interest, handlers[fd] == nil ? 1 : 0)
        handlers[fd] = handler
    }

    /// Stops watching `fd` and closes it.
    func close(_ fd: Int32) {
        guard handlers.removeValue(forKey: fd) != nil else { return }
        cbench_poll_remove(descriptor, fd)
        cbench_close(fd)
    }

    /// Stops watching `fd`, which stays open.
    func forget(_ fd: Int32) {
        if handlers.removeValue(forKey: fd) != nil { cbench_poll_remove(descriptor, fd) }
    }

    /// Waits for at most `milliseconds` and handles what is ready.
    func run(forAtMost milliseconds: Int32) {
        let count = cbench_poll_wait(descriptor, &descriptors, &ready, Int32(descriptors.count), milliseconds)
        for index in 0..<Int(max(0, count)) {
            // A handler may have closed another descriptor of this batch.
            handlers[descriptors[index]]?(ready[index])
        }
    }
}
