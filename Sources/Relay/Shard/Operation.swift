import Wire

/// A command on its way to an observed result.
struct Operation {
    /// What is being done, with what it needs to recognise its result.
    enum Kind {
        /// Camera up again: live in an attempt newer than `attempt`.
        case bringUp(camera: String, afterAttempt: UInt64, viewers: Set<String>)
        /// Camera stopped.
        case takeDown(camera: String, viewers: Int)
        /// The page shows frames by the other delivery; `from` is what was asked for before.
        case move(viewer: String, to: DeliveryPolicy, from: DeliveryPolicy)
        /// The viewer is gone.
        case drop(viewer: String)
        /// Over as soon as it began.
        case done
    }

    let command: Command
    let kind: Kind
    let startedAt: Instant
    let limit: Duration
    private(set) var stages: [OperationSnapshot.Stage] = []
    private(set) var waitingFor: String
    private(set) var outcome = OperationSnapshot.Outcome.running
    private(set) var result = ""
    private(set) var endedAt: Instant?

    init(command: Command, kind: Kind, waitingFor: String, at now: Instant, limit: Duration) {
        self.command = command
        self.kind = kind
        self.waitingFor = waitingFor
        startedAt = now
        self.limit = limit
    }

    var isRunning: Bool { outcome == .running }

    /// Records that a stage was reached, once, and what is awaited next.
    mutating func reach(_ stage: String, thenAwait next: String, at now: Instant) {
        guard isRunning, !stages.contains(where: { $0.name == stage }) else { return }
        stages.append(.init(name: stage, after: (now - startedAt).inSeconds))
        waitingFor = next
    }

    mutating func end(_ outcome: OperationSnapshot.Outcome, _ result: String, at now: Instant) {
        guard isRunning else { return }
        self.outcome = outcome
        self.result = result
        waitingFor = ""
        endedAt = now
    }

    /// Seconds since it began, or that it took.
    func elapsed(at now: Instant) -> Double { ((endedAt ?? now) - startedAt).inSeconds }

    func snapshot(at now: Instant, clock: RelayClock) -> OperationSnapshot {
        OperationSnapshot(
            id: command.id,
            verb: command.action.verb,
            camera: command.action.camera,
            viewer: command.action.viewer,
            author: command.author,
            startedAt: clock.wallMilliseconds(at: startedAt),
            elapsed: elapsed(at: now),
            limit: limit.inSeconds,
            stages: stages,
            waitingFor: waitingFor,
            outcome: outcome,
            result: result
        )
    }

    /// How long ended operations stay visible and their ids stay known.
    static let visibleAfterEnd: Duration = .seconds(15)
}
