import Wire

/// Turns new viewers away, with the reason, before those that are watching notice.
///
/// Closes when the loop has been late for two seconds, and at once when the machine had no room for what is sent. Opens
/// again only after ten calm seconds, so that it does not flutter: the loop nearly in time, and nothing dropped in the
/// last two.
struct AdmissionControl {
    /// Why nobody is taken in at the moment; `nil` while there is room.
    private(set) var refusal: String?
    private var lateSince: Instant?
    private var calmSince: Instant?
    private var lastOverflow: Instant?

    /// Seconds after which a client that was turned away may try again.
    static let retryAfter = 15

    /// Takes what was measured; call a few times a second.
    ///
    /// - Parameters:
    ///   - lateness: How late the loop's timers typically are.
    ///   - overflowed: Datagrams dropped since the last call because there was no room to send them.
    mutating func note(lateness: Duration?, overflowed: Int, at now: Instant) {
        if overflowed > 0 { lastOverflow = now }
        let isLate = lateness.map { $0 > Self.late } ?? false
        if !isLate {
            lateSince = nil
        } else if lateSince == nil {
            lateSince = now
        }
        let isCalm = (lateness.map { $0 < Self.calm } ?? true) && lastOverflow.map { now - $0 > Self.memory } ?? true
        if !isCalm {
            calmSince = nil
        } else if calmSince == nil {
            calmSince = now
        }
        if let lateSince, now - lateSince >= Self.patience, let lateness {
            let milliseconds = Int(lateness.inMilliseconds)
            refusal = "the relay is overloaded: its timers are \(milliseconds) ms late (limit \(Self.lateText))"
        } else if overflowed > 0 {
            refusal = "the relay is overloaded: the network takes less than is sent, \(overflowed) packets dropped"
        } else if let calmSince, now - calmSince >= Self.recovery {
            refusal = nil
        }
    }

    /// Far above what an event loop with work to spare shows, and below what viewers see.
    private static let late = Duration.milliseconds(50)
    private static let lateText = "50 ms"
    private static let calm = Duration.milliseconds(20)
    private static let patience = Duration.seconds(2)
    private static let memory = Duration.seconds(2)
    private static let recovery = Duration.seconds(10)
}
