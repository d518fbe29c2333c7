import Wire

/// Maps a camera's RTP timestamps onto the relay's timeline: ticks of the track's clock since `Instant.zero`.
///
/// The first packet is anchored to its arrival. From then on the camera's own spacing is kept, because it is better
/// than the network's; small, slow corrections follow the drift between both clocks. The output never steps back
/// unless the camera's timestamps do, as they do with B-frames.
public struct TrackTimeline: Sendable {
    /// RTP clock in Hz.
    public let clockRate: Int
    /// How often the timeline had to be anchored anew because the camera's timestamps jumped.
    public private(set) var reanchored: UInt64 = 0

    private var unwrapper = TimestampUnwrapper()
    private var anchor: Anchor?
    /// Where the output must not fall below after a new anchor.
    private var highest: Int64?
    private var frameInterval: Int64
    private var lateSince: Instant?
    private var belowHighest = 0
    private var drift = DriftWindow()
    /// What is still to be slewed, in ticks; positive moves the output later.
    private var correction = 0.0
    private var senderClock = SenderClock()
    private var isAligned = false
    /// Until the tracks have been in step once, nobody has watched long enough to mind a faster slew.
    private var isSettling = true

    private struct Anchor {
        /// Output less input.
        var offset: Double
        var input: Int64
        var output: Int64
        var arrival: Instant
    }

    /// Creates a timeline that has seen nothing.
    ///
    /// - Parameter after: The output continues above this, when a camera was restarted.
    public init(clockRate: Int, after: Int64? = nil) {
        self.clockRate = max(1, clockRate)
        frameInterval = max(1, Int64(self.clockRate / 30))
        highest = after
    }

    /// The last value that was given out, or that the timeline was told to continue after.
    public var last: Int64? { highest }

    /// The source restarted: the next timestamp has nothing to do with the earlier ones.
    public mutating func restartSource() {
        anchor = nil
        unwrapper = TimestampUnwrapper()
        senderClock = SenderClock()
        isAligned = false
        isSettling = true
    }

    /// Maps the timestamp of a packet that arrived at `arrival`. All packets of one picture get the same value.
    public mutating func map(_ timestamp: UInt32, arrival: Instant) -> Int64 {
        let input = unwrapper.unwrap(timestamp)
        guard let known = anchor else { return anchor(input, at: arrival) }
        if input == known.input { return known.output }
        let now = ticks(arrival)
        let step = input - known.input
        let candidate = input &+ nearest(known.offset)
        let limit = Int64(clockRate) * maximumDeviationSeconds
        belowHighest = candidate <= highest ?? .min ? belowHighest + 1 : 0
        // B-frames step back by less than a second and at most 16 in a row; more is a clock that was set back.
        if step < -Int64(clockRate) || belowHighest > maximumReorder { return reanchor(input, at: arrival) }
        if candidate - now > limit { return reanchor(input, at: arrival) }
        if candidate - now < -limit {
            // A picture that comes late because the connection stalled keeps its time; a clock that jumped does not.
            let continues = abs(step) <= Int64(clockRate)
            let since = lateSince ?? arrival
            lateSince = since
            if !continues || arrival - since > patienceWithLateness { return reanchor(input, at: arrival) }
        } else {
            lateSince = nil
        }
        return advance(known, input: input, step: step, at: arrival)
    }

    private func ticks(_ instant: Instant) -> Int64 {
        // Split, so that 90 kHz and nanoseconds do not overflow 64 bits.
        let rate = Int64(clockRate)
        let (seconds, rest) = instant.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        return seconds &* rate &+ rest * rate / 1_000_000_000
    }

    private mutating func anchor(_ input: Int64, at arrival: Instant) -> Int64 {
        var output = ticks(arrival)
        if let highest, output <= highest {
            // Far ahead of the time of arrival, which a backlog sent at once brings about, pictures crowd together until
            // real time has caught up; the rest is slewed away.
            output = highest + (highest - output > Int64(clockRate) ? 1 : frameInterval)
        }
        anchor = Anchor(offset: Double(output - input), input: input, output: output, arrival: arrival)
        highest = output
        lateSince = nil
        belowHighest = 0
        correction = 0
        drift = DriftWindow()
        return output
    }

    private mutating func reanchor(_ input: Int64, at arrival: Instant) -> Int64 {
        reanchored &+= 1
        senderClock = SenderClock()
        isAligned = false
        isSettling = true
        return anchor(input, at: arrival)
    }

    private mutating func advance(_ known: Anchor, input: Int64, step: Int64, at arrival: Instant) -> Int64 {
        var offset = known.offset
        if step > 0 {
            if step <= Int64(clockRate) { frameInterval = step }
            let isLarge = abs(correction) > largeError * Double(clockRate)
            let most = Double(step) * (isLarge || isAligned && isSettling ? fastSlew : slowSlew)
            let slew = min(max(correction, -most), most)
            offset += slew
            correction -= slew
        }
        let output = input &+ nearest(offset)
        if !isAligned, let error = drift.observe(ticks(arrival) - output, at: arrival) {
            correction = abs(error) > Int64(Double(clockRate) * deadBand) ? Double(error) : 0
        }
        anchor = Anchor(offset: offset, input: input, output: output, arrival: arrival)
        highest = max(highest ?? output, output)
        return output
    }
}

// Alignment of a camera's tracks.
extension TrackTimeline {
    /// Notes a sender report of the track's source.
    public mutating func received(senderReport report: RTCPPacket.SenderReport) {
        senderClock.received(ntp: report.ntp, timestamp: report.timestamp, clockRate: clockRate)
    }

    /// Relay time less the camera's wall clock in nanoseconds, for the moment that the output at this offset shows;
    /// `nil` until a sender report that can be trusted came. Two tracks are in step when both have the same value.
    public var senderClockOffset: Int64? {
        guard let anchor, let report = senderClock.report else { return nil }
        let input =
            anchor.input &+ Int64(Int32(bitPattern: report.timestamp &- UInt32(truncatingIfNeeded: anchor.input)))
        let output = Double(input) + anchor.offset
        return nearest(output / Double(clockRate) * 1e9) &- report.nanoseconds
    }

    /// Slews this track until its ``senderClockOffset`` is `reference`: by at most 50 ms per second the first time, which
    /// tells how much longer one track takes than the other, and 5 ms later.
    ///
    /// Does nothing when the clocks of both tracks obviously have nothing in common.
    public mutating func align(to reference: Int64) {
        guard let own = senderClockOffset else { return }
        let difference = reference &- own
        guard abs(difference) <= maximumDeviationSeconds * 1_000_000_000 else { return }
        if isAligned, abs(difference) < settledError { isSettling = false }
        isAligned = true
        correction = Double(difference) / 1e9 * Double(clockRate)
    }
}

/// The camera's wall clock as its sender reports tell it.
private struct SenderClock: Sendable {
    /// The last report that fitted the one before it.
    private(set) var report: (nanoseconds: Int64, timestamp: UInt32)?
    private var previous: (nanoseconds: Int64, timestamp: UInt32)?

    mutating func received(ntp: UInt64, timestamp: UInt32, clockRate: Int) {
        let seconds = Int64(ntp >> 32)
        let nanoseconds = seconds * 1_000_000_000 + Int64((ntp & 0xFFFF_FFFF) * 1_000_000_000 >> 32)
        defer { previous = (nanoseconds, timestamp) }
        // Zero is what cameras send that have no clock.
        guard seconds != 0 else { return }
        if let previous {
            let wall = Double(nanoseconds - previous.nanoseconds) / 1e9
            let media = Double(Int32(bitPattern: timestamp &- previous.timestamp)) / Double(clockRate)
            // Both clocks must run at the same speed to 1 %, with 20 ms for rounding and for reports in quick sequence.
            guard abs(wall - media) <= 0.02 + 0.01 * abs(media) else {
                report = nil
                return
            }
        }
        report = (nanoseconds, timestamp)
    }
}

/// The smallest delay in a window of time: what is left when the network did not hold a packet up.
private struct DriftWindow: Sendable {
    private var start: Instant?
    private var smallest = Int64.max

    /// Notes how late a packet was, in ticks; returns the smallest value when a window ends.
    mutating func observe(_ delay: Int64, at now: Instant) -> Int64? {
        smallest = min(smallest, delay)
        guard let begun = start else {
            start = now
            return nil
        }
        guard now.nanoseconds &- begun.nanoseconds >= driftWindow else { return nil }
        defer {
            start = now
            smallest = .max
        }
        return smallest
    }
}

/// The nearest integer to a number far smaller than 2⁶³; unlike `rounded()` it needs no mathematics library.
private func nearest(_ value: Double) -> Int64 { Int64(value < 0 ? value - 0.5 : value + 0.5) }

/// Farther from the arrival time than this, a timestamp is not believed.
private let maximumDeviationSeconds: Int64 = 3
/// A backlog after a stall must be worked off in this time, or the camera's clock has stood still.
private let patienceWithLateness: Duration = .seconds(5)
/// `max_num_reorder_frames` is at most 16 (ITU-T H.264 §E.2.1).
private let maximumReorder = 16
/// Nanoseconds after which the smallest delay counts.
private let driftWindow: Int64 = 4_000_000_000
/// Seconds of error that are left alone, because they are jitter rather than drift.
private let deadBand = 0.010
/// Seconds of error above which ``fastSlew`` applies, as after a camera's initial burst.
private let largeError = 0.250
/// Nanoseconds of error at which the tracks of a camera are in step.
private let settledError: Int64 = 10_000_000
/// 5 ms per second: seen by nobody.
private let slowSlew = 0.005
private let fastSlew = 0.05
