import NIOCore
import Wire

/// One timer of an event loop that can be set again and again without allocating. Confined to its loop.
final class LoopTimer: NIOScheduledCallbackHandler {
    private let loop: any EventLoop
    private let fire: (_ lateness: Duration) -> Void
    private var callback: NIOScheduledCallback?
    /// When the timer will fire, or `nil` when it is not set.
    private(set) var deadline: Instant?

    /// A timer that calls `fire` on `loop` with how late it is.
    init(on loop: any EventLoop, fire: @escaping (_ lateness: Duration) -> Void) {
        self.loop = loop
        self.fire = fire
    }

    /// Sets the timer, which replaces an earlier setting. A deadline that has passed is as good as one now.
    func set(_ deadline: Instant, at now: Instant) {
        callback?.cancel()
        self.deadline = deadline
        let delay = max(0, deadline.nanoseconds &- now.nanoseconds)
        // Fails only on a loop that is being shut down, where nothing fires any more.
        callback = try? loop.assumeIsolated().scheduleCallback(in: .nanoseconds(delay), handler: self)
    }

    /// The timer will not fire.
    func cancel() {
        callback?.cancel()
        callback = nil
        deadline = nil
    }

    func handleScheduledCallback(eventLoop: some EventLoop) {
        guard let due = deadline else { return }
        callback = nil
        deadline = nil
        fire(max(.zero, MonotonicClock.now() - due))
    }
}
