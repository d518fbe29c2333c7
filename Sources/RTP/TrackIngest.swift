import Media
import Wire

/// Receives one track of a camera: RTP and RTCP in, packets of the stream and notices out.
///
/// Sans-IO. Codecs that no viewer can be served are counted and produce nothing.
public struct TrackIngest: Sendable {
    /// Index of the track in the stream's list of tracks.
    public let track: Int
    /// The format, corrected from the bitstream.
    public private(set) var format: TrackFormat
    /// The sequence number the next packet of the stream gets.
    public var nextSequence: UInt64 { video?.nextSequence ?? audio?.nextSequence ?? silentSequence }
    /// The track's timeline, for alignment and diagnosis.
    public private(set) var timeline: TrackTimeline

    private var receiver: RTPReceiver
    private var video: H264Repacketizer?
    private var audio: AudioIngest?
    private let silentSequence: UInt64
    private var received: [ReceivedPacket] = []
    private var byteRate = RateWindow()
    private var frameRate = RateWindow()
    private var frames: UInt64 = 0
    private var lastPacket: Instant?
    private var lastStamp: Int64?

    /// Creates the receiving side of a track.
    ///
    /// - Parameters:
    ///   - payloadType: As in the SDP; see ``RTPReceiver`` for what is tolerated.
    ///   - aacParameters: From the `fmtp` line of an AAC track.
    ///   - reporterSSRC: Our SSRC in receiver reports.
    ///   - previous: The track before the camera's restart: sequence and timeline go on from there, and the first
    ///     packet follows a gap.
    public init(
        track: Int,
        format: TrackFormat,
        payloadType: UInt8?,
        transport: RTPTransport,
        aacParameters: AACPayloadParameters = AACPayloadParameters(),
        reporterSSRC: UInt32 = 1,
        continuing previous: TrackIngest? = nil
    ) {
        self.track = track
        self.format = format
        receiver = RTPReceiver(
            payloadType: payloadType,
            transport: transport,
            clockRate: format.clockRate,
            reporterSSRC: reporterSSRC
        )
        let goesOn = previous?.format.clockRate == format.clockRate
        timeline = TrackTimeline(clockRate: format.clockRate, after: goesOn ? previous?.timeline.last : nil)
        silentSequence = previous?.nextSequence ?? 0
        switch format.codec {
        case .h264:
            video = H264Repacketizer(
                track: track,
                parameterSets: format.h264,
                firstSequence: silentSequence,
                followsGap: previous != nil
            )
        case .aac, .opus, .pcmu, .pcma, .g722, .l16:
            audio = AudioIngest(
                track: track,
                format: format,
                aacParameters: aacParameters,
                firstSequence: silentSequence,
                after: goesOn ? previous?.lastStamp.map { $0 + 1 } : nil,
                followsGap: previous != nil
            )
        case .h265, .av1, .vp8, .vp9, .mjpeg, .other:
            break
        }
    }

    /// Takes one RTP packet.
    ///
    /// - Parameters:
    ///   - rtp: The packet; payloads that go out are copied from it.
    ///   - packets: Receives the stream's packets that are ready.
    ///   - notices: Receives what was learned.
    public mutating func receive(
        _ rtp: ArraySlice<UInt8>,
        at now: Instant,
        into packets: inout [StreamPacket],
        notices: inout [IngestNotice]
    ) {
        byteRate.add(rtp.count, at: now)
        lastPacket = now
        withScratch { ingest, batch in
            ingest.receiver.receive(rtp, at: now, into: &batch)
            ingest.process(batch, into: &packets, notices: &notices)
        }
    }

    /// Takes one RTCP packet of the camera.
    ///
    /// - Throws: ``RTCPParseError`` when it is none; a camera session goes on regardless.
    public mutating func receiveRTCP(_ rtcp: ArraySlice<UInt8>, at now: Instant) throws(RTCPParseError) {
        for case .senderReport(let report) in try RTCPPacket.parse(rtcp) {
            receiver.received(senderReport: report, at: now)
            if receiver.ssrc == report.ssrc { timeline.received(senderReport: report) }
        }
    }

    /// Our receiver report, to be sent every 5 s; `nil` before the first packet.
    public mutating func makeReport(at now: Instant) -> [UInt8]? {
        receiver.ssrc == nil ? nil : receiver.makeReceiverReport(at: now)
    }

    /// When ``handleTimeout(at:into:notices:)`` has work, or `nil`.
    public var nextDeadline: Instant? {
        guard let waiting = receiver.nextDeadline else { return video?.nextDeadline }
        return video?.nextDeadline.map { min($0, waiting) } ?? waiting
    }

    /// Gives up waiting for packets that do not come.
    public mutating func handleTimeout(
        at now: Instant,
        into packets: inout [StreamPacket],
        notices: inout [IngestNotice]
    ) {
        withScratch { ingest, batch in
            ingest.receiver.handleTimeout(at: now, into: &batch)
            ingest.process(batch, into: &packets, notices: &notices)
        }
        let before = packets.count
        video?.handleTimeout(at: now, into: &packets)
        count(packets[before...])
    }

    /// Brings the tracks of one camera in step by their sender reports: the others follow the first audio track,
    /// whose timestamps count samples and cannot be bent. Call after ``receiveRTCP(_:at:)``.
    public static func align(_ tracks: inout [TrackIngest]) {
        guard let reference = tracks.firstIndex(where: { $0.audio != nil && $0.timeline.senderClockOffset != nil }),
            let offset = tracks[reference].timeline.senderClockOffset
        else { return }
        for index in tracks.indices where index != reference { tracks[index].timeline.align(to: offset) }
    }

    /// Everything that is counted.
    public func counters(at now: Instant) -> IngestCounters {
        let counted = receiver.counters
        let pictures = video?.statistics
        return IngestCounters(
            packets: counted.packetsReceived,
            bytes: counted.bytesReceived,
            lost: counted.packetsLost,
            jitter: counted.jitter,
            reordered: counted.reordered,
            late: counted.late,
            malformed: counted.malformed,
            unexpectedPayloadType: counted.unexpectedPayloadType,
            ssrcChanges: counted.ssrcChanges,
            timestampJumps: timeline.reanchored,
            droppedUnits: pictures?.droppedUnits ?? audio?.dropped ?? 0,
            frames: pictures?.frames ?? frames,
            framesPerSecond: frameRate.rate(at: now),
            bitrate: byteRate.rate(at: now) * 8,
            keyframes: pictures?.keyframes ?? 0,
            lastKeyframe: pictures?.lastKeyframe,
            gopLength: pictures?.gopLength,
            gopDuration: pictures?.gopDuration,
            lastPacket: lastPacket,
            usesRecoveryPoints: pictures?.usesRecoveryPoints ?? false,
            reordersPictures: pictures?.reordersPictures ?? false,
            trustsMarkers: pictures?.trustsMarkers ?? true,
            format: format
        )
    }
}

extension TrackIngest {
    /// Lends out the reused list of received packets, so that nothing is allocated per packet.
    private mutating func withScratch(_ body: (inout TrackIngest, inout [ReceivedPacket]) -> Void) {
        var batch: [ReceivedPacket] = []
        swap(&batch, &received)
        body(&self, &batch)
        batch.removeAll(keepingCapacity: true)
        swap(&batch, &received)
    }

    private mutating func process(
        _ batch: [ReceivedPacket],
        into packets: inout [StreamPacket],
        notices: inout [IngestNotice]
    ) {
        for packet in batch {
            if packet.startsSource {
                timeline.restartSource()
                notices.append(.sourceRestarted)
            }
            let timestamp = timeline.map(packet.timestamp, arrival: packet.arrival)
            let before = packets.count
            let noticesBefore = notices.count
            video?.receive(packet, timestamp: timestamp, into: &packets, notices: &notices)
            audio?.receive(packet, timestamp: timestamp, into: &packets)
            if notices.count != noticesBefore, let sets = video?.parameterSets { format.h264 = sets }
            count(packets[before...])
        }
    }

    private mutating func count(_ packets: ArraySlice<StreamPacket>) {
        guard let last = packets.last else { return }
        lastStamp = last.timestamp
        var ended = 0
        for packet in packets where packet.isMarker { ended += 1 }
        frames &+= UInt64(ended)
        frameRate.add(ended, at: last.arrival)
    }
}
