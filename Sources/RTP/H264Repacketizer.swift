import Media
import Wire

/// Turns a camera's H.264 payloads (RFC 6184) into payloads that every browser takes, packet by packet.
///
/// Single NAL units, STAP-A and FU-A come in and go out. Fragments are cut anew so that they fit
/// ``StreamPacket/maximumPayload``: all of a NAL unit's fragments but the last have that size, which lets the sender
/// hand them to the kernel as one. Parameter sets, delimiters, SEI and filler are withheld; SPS and PPS go out as a
/// STAP-A directly before every IDR picture with its timestamp.
public struct H264Repacketizer: Sendable {
    /// The parameter sets in force at the last keyframe, or those of the SDP before it.
    public private(set) var parameterSets: H264ParameterSets?
    /// Counters of what passed.
    public internal(set) var statistics = Statistics()

    /// What a repacketiser has counted.
    public struct Statistics: Equatable, Sendable {
        /// Pictures begun.
        public var frames: UInt64 = 0
        /// Random access points begun.
        public var keyframes: UInt64 = 0
        /// NAL units dropped because they were broken, too large, of a type nobody can play, or came before any
        /// parameter set.
        public var droppedUnits: UInt64 = 0
        /// When the last random access point began.
        public var lastKeyframe: Instant?
        /// Pictures of the last complete group of pictures.
        public var gopLength: Int?
        /// Time from the last keyframe but one to the last one.
        public var gopDuration: Duration?
        /// Whether viewers join at recovery points because IDR pictures never come.
        public var usesRecoveryPoints = false
        /// Whether B-frames were announced or seen.
        public var reordersPictures = false
        /// Whether the camera's marker bits can be believed.
        public var trustsMarkers = true
    }

    /// The next packet's ``StreamPacket/sequence``.
    public private(set) var nextSequence: UInt64

    private let track: Int
    var unit = UnitInProgress()
    /// The camera puts start codes inside NAL units: fragments must be put together before they can be cut.
    var hasInnerStartCodes = false

    private var sets: H264ParameterSetStore
    private var order = H264OrderObserver()
    private var markers = MarkerTrust()
    private var held: StreamPacket?
    private var gapPending: Bool
    private var picture: Picture?
    private var recoveryPoint: Int64?
    private var firstArrival: Instant?
    private var keyframeBegan: (timestamp: Int64, frames: UInt64)?

    /// The fragmented NAL unit that is passing.
    struct UnitInProgress {
        /// What is being done with the fragments that come.
        enum State {
            /// No fragmented unit is under way; fragments without a start are dropped.
            case none
            /// Fragments go out as they come.
            case streaming
            /// Fragments are collected, because the unit has to be seen whole.
            case assembling
        }

        var state = State.none
        var header: UInt8 = 0
        /// Relay time of its first fragment.
        var timestamp: Int64 = 0
        var length = 0
        /// The payload being filled, or the whole unit while assembling.
        var bytes: [UInt8] = []
        /// Whether a fragment of it went out.
        var isBegun = false
    }

    /// The picture whose slices are passing.
    private struct Picture {
        var timestamp: Int64
        var isKeyframe: Bool
        /// It was closed by a marker.
        var isEnded = false
        /// The marker was on one of its slices.
        var isEndedOnSlice = false
        /// At least one slice went out.
        var hasSlices = false
    }

    /// What the packet being processed brings to everything made from it.
    struct Context {
        var timestamp: Int64
        var arrival: Instant
    }

    /// Creates a repacketiser.
    ///
    /// - Parameters:
    ///   - parameterSets: Those of the SDP.
    ///   - firstSequence: Where ``StreamPacket/sequence`` goes on.
    ///   - followsGap: Whether the first packet follows a gap, as after a camera's restart.
    public init(
        track: Int,
        parameterSets: H264ParameterSets? = nil,
        firstSequence: UInt64 = 0,
        followsGap: Bool = false
    ) {
        self.track = track
        self.parameterSets = parameterSets
        sets = H264ParameterSetStore(parameterSets)
        nextSequence = firstSequence
        gapPending = followsGap
    }

    /// Processes one RTP packet.
    ///
    /// - Parameters:
    ///   - packet: In order, as ``RTPReceiver`` gives it.
    ///   - timestamp: Its time on the relay's timeline.
    ///   - packets: Receives the packets that are ready.
    ///   - notices: Receives what was learned.
    public mutating func receive(
        _ packet: ReceivedPacket,
        timestamp: Int64,
        into packets: inout [StreamPacket],
        notices: inout [IngestNotice]
    ) {
        if firstArrival == nil { firstArrival = packet.arrival }
        if packet.followsGap { loseRemainder() }
        if packet.startsSource { order = H264OrderObserver() }
        let context = Context(timestamp: timestamp, arrival: packet.arrival)
        let sequenceBefore = nextSequence
        process(packet.payload, context, into: &packets, notices: &notices)
        if packet.marker { endPicture(context, since: sequenceBefore, &packets) }
    }

    /// When ``handleTimeout(at:into:)`` has work: a payload is held back because its marker is not known yet.
    public var nextDeadline: Instant? { held.map { $0.arrival + holdTime } }

    /// Lets go of a payload that was held back; what follows it will belong to another picture.
    public mutating func handleTimeout(at now: Instant, into packets: inout [StreamPacket]) {
        guard let deadline = nextDeadline, deadline <= now else { return }
        releaseHeld(marker: true, into: &packets)
    }
}

// Pictures and packets.
extension H264Repacketizer {
    /// Announces a slice that is about to go out.
    ///
    /// - Parameter data: What follows the header byte, as far as it is there yet.
    /// - Returns: Whether it may go out: not before parameter sets are known.
    mutating func beginSlice(
        header: UInt8,
        data: ArraySlice<UInt8>,
        _ context: Context,
        into packets: inout [StreamPacket],
        notices: inout [IngestNotice]
    ) -> Bool {
        // A first_mb_in_slice of 0 is one set bit.
        let isFirstOfPicture = data.first.map { $0 & 0x80 != 0 } ?? true
        guard sets.areComplete else {
            statistics.droppedUnits &+= 1
            return false
        }
        if picture?.timestamp != context.timestamp {
            if let ended = picture, ended.hasSlices { markers.pictureEnded(withMarker: ended.isEndedOnSlice) }
            let isIDR = H264NALUnitType(header: header) == .idrSlice
            if isIDR { statistics.usesRecoveryPoints = false }
            let isKeyframe = isIDR || joinsHere(context, &notices)
            if isKeyframe { sets.select(for: data) }
            beginPicture(isKeyframe: isKeyframe, context, &packets, &notices)
        } else if picture?.isEnded == true, !isFirstOfPicture {
            markers.sawPrematureMarker()
            picture?.isEnded = false
        } else if H264NALUnitType(header: header) == .idrSlice, picture?.isKeyframe == false {
            // Another picture with the timestamp of the one before it.
            sets.select(for: data)
            beginPicture(isKeyframe: true, context, &packets, &notices)
        }
        statistics.trustsMarkers = markers.areTrusted
        picture?.hasSlices = true
        return true
    }

    private mutating func beginPicture(
        isKeyframe: Bool,
        _ context: Context,
        _ packets: inout [StreamPacket],
        _ notices: inout [IngestNotice]
    ) {
        picture = Picture(timestamp: context.timestamp, isKeyframe: isKeyframe)
        if order.observe(context.timestamp) { reportReordering(observed: true, &notices) }
        if isKeyframe { beginKeyframe(context, &packets, &notices) }
        statistics.frames &+= 1
    }

    private mutating func beginKeyframe(
        _ context: Context,
        _ packets: inout [StreamPacket],
        _ notices: inout [IngestNotice]
    ) {
        if let current = sets.current, current != parameterSets {
            let isNews = parameterSets.map { !current.differsOnlyInNumbers(from: $0) } ?? true
            parameterSets = current
            if isNews { notices.append(.parameterSetsChanged(current)) }
        }
        if parameterSets?.parsed.mayReorder == true { reportReordering(observed: false, &notices) }
        if let last = statistics.lastKeyframe, let began = keyframeBegan {
            statistics.gopLength = Int(clamping: statistics.frames - began.frames)
            statistics.gopDuration = context.arrival - last
        }
        keyframeBegan = (context.timestamp, statistics.frames)
        statistics.lastKeyframe = context.arrival
        statistics.keyframes &+= 1
        var isFirst = true
        for payload in sets.payloads {
            emit(payload, startsKeyframe: isFirst, isDroppable: false, context, into: &packets)
            isFirst = false
        }
    }

    /// Whether a picture that is no IDR picture serves as join point: it has a recovery point, and no IDR came for
    /// 10 seconds.
    private mutating func joinsHere(_ context: Context, _ notices: inout [IngestNotice]) -> Bool {
        guard recoveryPoint == context.timestamp, lacksIDR(at: context.arrival) else { return false }
        recoveryPoint = nil
        if !statistics.usesRecoveryPoints {
            statistics.usesRecoveryPoints = true
            notices.append(.recoveryPointsUsed)
        }
        return true
    }

    private func lacksIDR(at now: Instant) -> Bool {
        if statistics.usesRecoveryPoints { return true }
        return (statistics.lastKeyframe ?? firstArrival).map { now - $0 >= recoveryPointPatience } ?? false
    }

    private mutating func reportReordering(observed: Bool, _ notices: inout [IngestNotice]) {
        guard order.mayReport(observed: observed) else { return }
        statistics.reordersPictures = true
        notices.append(.pictureReorderingDetected(observed: observed))
    }

    /// The camera's marker bit came with a packet.
    ///
    /// - Parameter sequence: Where the packet's own output begins.
    private mutating func endPicture(_ context: Context, since sequence: UInt64, _ packets: inout [StreamPacket]) {
        if unit.state == .streaming { finishFragments(context, into: &packets) }
        guard picture?.timestamp == context.timestamp else { return }
        if nextSequence != sequence {
            // The marker is on a slice.
            picture?.isEnded = true
            picture?.isEndedOnSlice = true
            if held == nil {
                packets[packets.count - 1].isMarker = true
            } else if markers.areTrusted {
                releaseHeld(marker: true, into: &packets)
            }
        } else if markers.areTrusted, held?.timestamp == context.timestamp {
            // Filler or SEI closes the picture; what was held is its last payload.
            picture?.isEnded = true
            releaseHeld(marker: true, into: &packets)
        }
    }

    /// Gives a payload its sequence number and sends it off, or holds it until its marker is known.
    mutating func emit(
        _ payload: [UInt8],
        startsKeyframe: Bool = false,
        isDroppable: Bool,
        _ context: Context,
        into packets: inout [StreamPacket]
    ) {
        let packet = StreamPacket(
            track: track,
            sequence: nextSequence,
            timestamp: context.timestamp,
            arrival: context.arrival,
            isMarker: false,
            startsKeyframe: startsKeyframe,
            isKeyframe: picture?.isKeyframe ?? false,
            isDroppable: isDroppable,
            followsGap: gapPending,
            payload: payload
        )
        nextSequence &+= 1
        gapPending = false
        if let last = held { releaseHeld(marker: last.timestamp != context.timestamp, into: &packets) }
        if markers.holdsBack { held = packet } else { packets.append(packet) }
    }

    private mutating func releaseHeld(marker: Bool, into packets: inout [StreamPacket]) {
        guard var packet = held else { return }
        held = nil
        if marker { packet.isMarker = true }
        packets.append(packet)
    }

    /// Drops what is left of a broken unit; its beginning may already be out.
    mutating func loseRemainder() {
        gapPending = true
        unit = UnitInProgress()
    }

    /// Notes a parameter set; it takes effect at the next keyframe.
    mutating func store(parameterSet unit: ArraySlice<UInt8>) {
        if !sets.store(unit) { statistics.droppedUnits &+= 1 }
    }

    /// Notes a recovery point SEI for the picture that follows it.
    mutating func noteSEI(_ unit: ArraySlice<UInt8>, _ context: Context) {
        guard lacksIDR(at: context.arrival) else { return }
        if H264RecoveryPoint.isPresent(in: unit) { recoveryPoint = context.timestamp }
    }
}

/// How long a payload waits for a successor that shows whether it was its picture's last.
private let holdTime: Duration = .milliseconds(200)
/// Cameras with intra refresh send no IDR pictures at all.
private let recoveryPointPatience: Duration = .seconds(10)
