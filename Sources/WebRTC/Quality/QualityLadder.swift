import Wire

/// Decides what a viewer gets of a stream: less when the way to it does not carry all, more again when it does.
///
///            loss > 10 % · estimate < 0.85 × rate for 2 s · in 10 s 3 keyframe requests, or 3 times behind
///     full ─────────▶ reduced ─────────▶ keyframes ─────────▶ hls
///          ◀─────────         ◀─────────           (back with a new session)
///            15 s clean, then a probe that got through
///
/// Every try that fails doubles the time to the next. Knows nothing of packets: it is told what was measured.
struct QualityLadder {
    /// What was measured.
    struct Conditions {
        /// Bits per second the way carries.
        var estimate: Double?
        /// Share of packets lost over the last two seconds, 0 to 1.
        var loss: Double?
        /// What the stream needs.
        var rates: StreamRates
        /// Rungs below full that may be used, in any order.
        var available: Set<QualityRung>
        /// Whether the way can be probed with padding; if not, a step up is its own probe.
        var mayProbe: Bool
    }

    /// What is to be done.
    enum Action: Equatable {
        /// The rung has changed; ``QualityLadder/state`` says to what and why.
        case step
        /// Send padding until this many bits per second leave, and report with ``QualityLadder/probed(_:at:)``.
        case probe(Double)
    }

    private(set) var state: QualityState
    /// The estimate has been too low since.
    private var lowSince: Instant?
    private var cleanSince: Instant
    private var keyframeRequests: [Instant] = []
    /// When what waited for it had to be dropped.
    private var overflows: [Instant] = []
    /// The latest step up and what it left, until it has proved itself.
    private var steppedUpAt: Instant?
    private var isProbing = false

    /// Begins where an `earlier` session of the same viewer stood: a connection made anew carries no more than the one
    /// before. Only HLS is left for a try with everything, which has to prove itself as every step up does.
    init(continuing earlier: QualityState? = nil, at now: Instant) {
        state = earlier ?? QualityState(rung: .full, since: now, reason: "", hold: Self.shortestHold)
        state.since = now
        cleanSince = now
        if state.rung == .hls {
            state.rung = .full
            state.reason = ""
        }
        if earlier != nil, state.rung == .full { steppedUpAt = now }
    }

    /// The client asked for a keyframe.
    mutating func keyframeRequested(at now: Instant) {
        // Browsers repeat themselves until the keyframe is there; that is one request.
        if let last = keyframeRequests.last, now - last < Self.requestSpacing { return }
        keyframeRequests.removeAll { now - $0 > Self.requestWindow }
        keyframeRequests.append(now)
    }

    /// What waited for the viewer was dropped, because it did not take it.
    mutating func fellBehind(at now: Instant) {
        overflows.removeAll { now - $0 > Self.requestWindow }
        overflows.append(now)
    }

    /// Looks at the conditions; call a few times a second while media flows.
    mutating func assess(_ conditions: Conditions, at now: Instant) -> Action? {
        // Back from HLS leads only a new session.
        guard state.rung > .hls else { return nil }
        let needed = conditions.rates.needed(at: state.rung)
        let isLow = conditions.estimate.map { $0 < Self.shortage * needed } ?? false
        if !isLow {
            lowSince = nil
        } else if lowSince == nil {
            lowSince = now
        }
        keyframeRequests.removeAll { now - $0 > Self.requestWindow }
        overflows.removeAll { now - $0 > Self.requestWindow }
        let isClean =
            !isLow && (conditions.loss ?? 0) < Self.cleanLoss && keyframeRequests.count < Self.requestLimit
            && overflows.isEmpty
        if !isClean { cleanSince = now }
        // What is measured right after a step, or while padding is sent, speaks of what was sent before.
        guard now - state.since >= Self.settling, !isProbing else { return nil }
        if let reason = reasonToStepDown(conditions, needed, at: now), stepDown(conditions, reason, at: now) {
            return .step
        }
        forgiveIfProved(at: now)
        return climb(conditions, at: now)
    }

    /// The probe is over: `rate` bits per second arrived while it ran.
    mutating func probed(_ rate: Double, _ conditions: Conditions, at now: Instant) -> Action? {
        guard isProbing else { return nil }
        isProbing = false
        guard let target = rungAbove(conditions) else { return nil }
        let needed = conditions.rates.needed(at: target)
        guard rate >= needed else {
            failTry(at: now)
            return nil
        }
        let reason = "a probe got \(megabits(rate)) Mbit/s through, \(megabits(needed)) are needed"
        stepUp(to: target, reason, at: now)
        return .step
    }

    private func reasonToStepDown(_ conditions: Conditions, _ needed: Double, at now: Instant) -> String? {
        if let loss = conditions.loss, loss > Self.heavyLoss {
            return "\(percent(loss)) % of packets lost over 2 s (limit \(percent(Self.heavyLoss)) %)"
        }
        if let lowSince, now - lowSince >= Self.lowFor, let estimate = conditions.estimate {
            return "the way carries \(megabits(estimate)) Mbit/s, the stream needs \(megabits(needed))"
        }
        if overflows.count >= Self.requestLimit {
            return "did not take what was sent \(overflows.count) times in 10 s (limit \(Self.requestLimit))"
        }
        // With keyframes only, browsers ask because pictures are far apart.
        if state.rung > .keyframes, keyframeRequests.count >= Self.requestLimit {
            return "\(keyframeRequests.count) keyframes asked for in 10 s (limit \(Self.requestLimit))"
        }
        return nil
    }

    /// Goes to the best rung below that fits; at least one down.
    private mutating func stepDown(_ conditions: Conditions, _ reason: String, at now: Instant) -> Bool {
        let below = QualityRung.allCases.filter { $0 < state.rung && conditions.available.contains($0) }
        let fitting = below.first { rung in
            conditions.estimate.map { conditions.rates.needed(at: rung) <= $0 } ?? true
        }
        // With too little for any of them, keyframes are the least there is before leaving WebRTC.
        guard let target = fitting ?? below.first(where: { $0 <= .keyframes }) else { return false }
        if let steppedUpAt, now - steppedUpAt < Self.proof { state.hold = min(state.hold * 2, Self.longestHold) }
        enter(target, reason, at: now)
        return true
    }

    private mutating func climb(_ conditions: Conditions, at now: Instant) -> Action? {
        guard now - state.since >= state.hold, now - cleanSince >= Self.cleanFor,
            let target = rungAbove(conditions)
        else { return nil }
        if conditions.mayProbe {
            isProbing = true
            return .probe(conditions.rates.needed(at: target) * Self.probeFactor)
        }
        stepUp(to: target, "\(Int(Self.cleanFor.inSeconds)) s without loss", at: now)
        return .step
    }

    private func rungAbove(_ conditions: Conditions) -> QualityRung? {
        QualityRung.allCases.last { $0 > state.rung && ($0 == .full || conditions.available.contains($0)) }
    }

    private mutating func stepUp(to rung: QualityRung, _ reason: String, at now: Instant) {
        enter(rung, reason, at: now)
        steppedUpAt = now
    }

    private mutating func failTry(at now: Instant) {
        state.hold = min(state.hold * 2, Self.longestHold)
        cleanSince = now
    }

    private mutating func enter(_ rung: QualityRung, _ reason: String, at now: Instant) {
        state = QualityState(rung: rung, since: now, reason: reason, hold: state.hold)
        lowSince = nil
        cleanSince = now
        keyframeRequests.removeAll()
        overflows.removeAll()
        steppedUpAt = nil
        isProbing = false
    }

    /// A step up that lasted earns a short wait for the next one.
    private mutating func forgiveIfProved(at now: Instant) {
        guard let last = steppedUpAt, now - last >= Self.proof else { return }
        steppedUpAt = nil
        state.hold = Self.shortestHold
    }

    static let shortestHold = Duration.seconds(15)
    static let longestHold = Duration.seconds(480)
    private static let shortage = 0.85
    private static let lowFor = Duration.seconds(2)
    private static let heavyLoss = 0.1
    private static let cleanLoss = 0.05
    private static let cleanFor = Duration.seconds(15)
    private static let requestSpacing = Duration.seconds(1)
    private static let requestWindow = Duration.seconds(10)
    private static let requestLimit = 3
    private static let probeFactor = 1.2
    private static let settling = Duration.seconds(3)
    /// A step up that is taken back sooner was a failed try.
    private static let proof = Duration.seconds(60)
}

/// Megabits with two digits after the point, without Foundation.
private func megabits(_ rate: Double) -> String {
    guard rate.isFinite else { return "unlimited" }
    let hundredths = Int(min(max(rate / 10_000, 0), 1e9).rounded())
    let rest = hundredths % 100
    return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
}

private func percent(_ share: Double) -> Int { share.isNaN ? 0 : Int((min(max(share, 0), 1) * 100).rounded()) }
