import Media
import Wire

/// A camera's converted sound track, and the codec process that makes it while somebody listens.
///
///     idle ──listener──▶ starting ──ready──▶ running ──last listener gone, 5 s──▶ idle
///                          ▲   └────died, hung, talked nonsense────┴──▶ pausing
///                          └──────────────────────pause over──────────────┘
///
/// The track is part of the stream all the time; what the process's death costs is its sound. Nothing it says is
/// trusted: lengths, rate and timestamps are bounded here. Without I/O and clock; confined to its shard's loop.
struct SoundWorker {
    /// What is converted into what.
    let conversion: AudioConversion
    /// The camera's track.
    let sourceTrack: Int
    /// The converted one.
    let track: Int

    private(set) var phase = Phase.idle
    /// Processes that ended without being asked to.
    private(set) var failures = 0
    /// Why the last one did; empty while none did.
    private(set) var lastFailure = ""
    /// Frames that were made, over all processes.
    private(set) var frames: UInt64 = 0
    private var decoder = ConversionDecoder()
    private var backoff = Backoff()
    private var startedAt = Instant.zero
    private var neededAt: Instant?
    /// Frames that went in since something came back, and when that was.
    private var unanswered = 0
    private var answeredAt = Instant.zero
    private var allowance = FrameAllowance()
    private var lastTimestamp: Int64?
    private var gapPending = false

    enum Phase: Equatable {
        /// Nobody listens.
        case idle
        /// Process of this number was asked for and has not opened its codecs yet.
        case starting(UInt64)
        /// It converts.
        case running(UInt64)
        /// It failed; another is started after this, if somebody still listens.
        case pausing(until: Instant)
    }

    /// What the shell is to do with the process of a number.
    enum Order: Equatable {
        case start(UInt64)
        case write(UInt64, [UInt8])
        case stop(UInt64)
    }

    init(_ conversion: AudioConversion, sourceTrack: Int, track: Int) {
        self.conversion = conversion
        self.sourceTrack = sourceTrack
        self.track = track
    }

    /// The process that is up or coming up.
    var process: UInt64? {
        switch phase {
        case .starting(let number), .running(let number): number
        case .idle, .pausing: nil
        }
    }

    // MARK: Inputs

    /// Somebody listens, now.
    ///
    /// - Parameter number: For a new process; consumed when one is started.
    mutating func need(number: inout UInt64, at now: Instant, into orders: inout [Order]) {
        neededAt = now
        switch phase {
        case .pausing(let until) where now >= until: break
        case .idle: break
        case .pausing, .starting, .running: return
        }
        decoder = ConversionDecoder()
        allowance = FrameAllowance()
        startedAt = now
        unanswered = 0
        answeredAt = now
        gapPending = true
        phase = .starting(number)
        var begin: [UInt8] = []
        ConversionMessage.begin(conversion).append(to: &begin)
        orders.append(.start(number))
        orders.append(.write(number, begin))
        number += 1
    }

    /// Ends what nobody listens to any more, and what does not answer.
    ///
    /// - Returns: Why the process was given up, when it was.
    mutating func watch(
        using random: inout any RandomNumberGenerator,
        at now: Instant,
        into orders: inout [Order]
    ) -> String? {
        if let neededAt, now - neededAt < Self.linger {
            guard let process, isHanging(at: now) else { return nil }
            orders.append(.stop(process))
            return fail("it does not answer", using: &random, at: now)
        }
        if let process { orders.append(.stop(process)) }
        if case .pausing(let until) = phase, now < until { return nil }
        phase = .idle
        return nil
    }

    /// A packet of the stream; those of other tracks are ignored.
    mutating func feed(_ packet: StreamPacket, at now: Instant, into bytes: inout [UInt8]) {
        guard packet.track == sourceTrack, process != nil else { return }
        unanswered += 1
        ConversionMessage.frame(
            ConversionFrame(timestamp: packet.timestamp, followsGap: packet.followsGap, payload: packet.payload)
        ).append(to: &bytes)
    }

    /// What the process wrote.
    ///
    /// - Returns: Packets for the stream, and why the process was given up, when it was.
    mutating func receive(
        _ bytes: [UInt8],
        from number: UInt64,
        using random: inout any RandomNumberGenerator,
        at now: Instant,
        into orders: inout [Order]
    ) -> (packets: [StreamPacket], failure: String?) {
        guard number == process else { return ([], nil) }
        var packets: [StreamPacket] = []
        decoder.push(bytes)
        do throws(ConversionProtocolError) {
            while let message = try decoder.next() {
                guard let failure = take(message, number, at: now, into: &packets) else { continue }
                orders.append(.stop(number))
                return (packets, fail(failure, using: &random, at: now))
            }
        } catch {
            orders.append(.stop(number))
            return (packets, fail("it does not keep to its protocol", using: &random, at: now))
        }
        return (packets, nil)
    }

    /// The process ended, or could not be started.
    ///
    /// - Returns: The reason, when it was news.
    mutating func ended(
        _ number: UInt64,
        _ reason: String,
        using random: inout any RandomNumberGenerator,
        at now: Instant
    ) -> String? {
        number == process ? fail(reason, using: &random, at: now) : nil
    }

    // MARK: -

    /// - Returns: Why the process must go.
    private mutating func take(
        _ message: ConversionMessage,
        _ number: UInt64,
        at now: Instant,
        into packets: inout [StreamPacket]
    ) -> String? {
        switch message {
        case .begin: return "it does not keep to its protocol"
        case .failed(let reason): return reason.isEmpty ? "it gave up" : String(printable: reason)
        case .ready:
            phase = .running(number)
            answeredAt = now
            return nil
        case .frame(let frame):
            guard phase == .running(number) else { return "it does not keep to its protocol" }
            guard allowance.take(at: now) else { return "it floods the relay" }
            unanswered = 0
            answeredAt = now
            if now - startedAt > Self.healthyAfter { backoff.reset() }
            guard isPlausible(frame, at: now) else {
                gapPending = true
                return nil
            }
            lastTimestamp = frame.timestamp
            frames += 1
            packets.append(
                StreamPacket(
                    track: track,
                    sequence: 0,
                    timestamp: frame.timestamp,
                    arrival: now,
                    isMarker: true,
                    followsGap: frame.followsGap || gapPending,
                    payload: frame.payload
                )
            )
            gapPending = false
            return nil
        }
    }

    private func isHanging(at now: Instant) -> Bool {
        guard now - answeredAt > Self.patience else { return false }
        if case .starting = phase { return true }
        return unanswered > Self.mostUnanswered
    }

    /// Frames go forward, belong to the present, and fit a packet.
    private func isPlausible(_ frame: ConversionFrame, at now: Instant) -> Bool {
        let present = now.nanoseconds / 1_000_000 * Int64(conversion.result.clockRate) / 1_000
        let (distance, overflow) = frame.timestamp.subtractingReportingOverflow(present)
        return !overflow && abs(distance.clamped) <= Int64(conversion.result.clockRate) * Self.longestDistance
            && frame.timestamp > lastTimestamp ?? .min
            && !frame.payload.isEmpty && frame.payload.count <= StreamPacket.maximumPayload
    }

    private mutating func fail(
        _ reason: String,
        using random: inout any RandomNumberGenerator,
        at now: Instant
    ) -> String {
        failures += 1
        lastFailure = reason
        phase = .pausing(until: now + backoff.next(wasLive: now - startedAt > Self.healthyAfter, using: &random))
        return reason
    }

    /// A process goes on this long without listeners, in case one comes back.
    static let linger: Duration = .seconds(5)
    /// A process that was fed and says nothing for this long hangs.
    static let patience: Duration = .seconds(5)
    /// A process that cannot decode what it gets says so after fewer frames than this.
    private static let mostUnanswered = 150
    /// A process that lived this long failed for once, not for good.
    private static let healthyAfter: Duration = .seconds(30)
    /// Seconds between a frame's time and now; a camera's own may be 3 s off.
    private static let longestDistance: Int64 = 10
}

/// How many frames a process may hand over: five times what sound needs, with a second's worth at once.
private struct FrameAllowance {
    private var credit = limit
    private var refilledAt: Instant?

    mutating func take(at now: Instant) -> Bool {
        if let refilledAt {
            credit = min(Self.limit, credit + max(0, (now - refilledAt).inSeconds) * Self.perSecond)
        }
        refilledAt = now
        credit -= 1
        return credit >= 0
    }

    private static let limit = 500.0
    private static let perSecond = 250.0
}

extension Int64 {
    /// The value, or its neighbour where it has no opposite.
    fileprivate var clamped: Int64 { self == .min ? .min + 1 : self }
}

extension String {
    /// The printable part of what a process said of itself.
    fileprivate init(printable text: String) {
        self = String(String.UnicodeScalarView(text.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }))
    }
}
