import Media

/// Turns a camera's audio payloads into packets of one codec frame each, with timestamps by sample count.
struct AudioIngest: Sendable {
    private(set) var nextSequence: UInt64
    private let track: Int
    private let format: TrackFormat
    private var clock: AudioClock
    private var aac: AACDepacketizer
    private var frames: [[UInt8]] = []
    private var gapPending: Bool

    /// - Parameter after: The timestamps continue at or above this.
    init(
        track: Int,
        format: TrackFormat,
        aacParameters: AACPayloadParameters,
        firstSequence: UInt64,
        after: Int64?,
        followsGap: Bool
    ) {
        self.track = track
        self.format = format
        nextSequence = firstSequence
        clock = AudioClock(clockRate: format.clockRate, after: after)
        aac = AACDepacketizer(parameters: aacParameters)
        gapPending = followsGap
    }

    /// Frames dropped because they were broken.
    var dropped: UInt64 { aac.dropped }

    mutating func receive(_ packet: ReceivedPacket, timestamp: Int64, into packets: inout [StreamPacket]) {
        guard !packet.payload.isEmpty else { return }
        if packet.followsGap { gapPending = true }
        switch format.codec {
        case .aac:
            var frames: [[UInt8]] = []
            swap(&frames, &self.frames)
            frames.removeAll(keepingCapacity: true)
            aac.receive(packet.payload, marker: packet.marker, followsGap: packet.followsGap, into: &frames)
            var candidate = timestamp
            for frame in frames {
                emit(frame, candidate: candidate, duration: aacDuration, packet, into: &packets)
                candidate += Int64(aacDuration)
            }
            swap(&frames, &self.frames)
        case .opus:
            let duration = AudioPayload.duration(of: .opus, packet.payload, channels: format.channels)
            guard duration > 0, packet.payload.count <= StreamPacket.maximumPayload else { return }
            emit(Array(packet.payload), candidate: timestamp, duration: duration, packet, into: &packets)
        default:
            receiveSamples(packet, timestamp: timestamp, into: &packets)
        }
    }

    /// Uncompressed audio and G.711: may be cut at any sample.
    private mutating func receiveSamples(
        _ packet: ReceivedPacket,
        timestamp: Int64,
        into packets: inout [StreamPacket]
    ) {
        guard let size = AudioPayload.sampleSize(of: format.codec, channels: format.channels) else { return }
        var candidate = timestamp
        var rest = packet.payload
        let pieces = (rest.count + StreamPacket.maximumPayload - 1) / StreamPacket.maximumPayload
        // Equal pieces, rounded up to whole samples; the maximum is a multiple of every sample size in use.
        let piece = min(StreamPacket.maximumPayload, (rest.count / pieces + size) / size * size)
        while rest.count >= size {
            let part = rest.prefix(piece)
            let duration = AudioPayload.duration(of: format.codec, part, channels: format.channels)
            emit(Array(part), candidate: candidate, duration: duration, packet, into: &packets)
            candidate += Int64(duration)
            rest = rest.dropFirst(piece)
        }
    }

    private var aacDuration: Int {
        guard let configuration = format.aac else { return 1_024 }
        return configuration.samplesPerFrame * format.clockRate / configuration.sampleRate
    }

    private mutating func emit(
        _ payload: [UInt8],
        candidate: Int64,
        duration: Int,
        _ packet: ReceivedPacket,
        into packets: inout [StreamPacket]
    ) {
        guard let stamp = clock.stamp(candidate: candidate, duration: duration, resynchronise: gapPending) else {
            gapPending = true
            return
        }
        packets.append(
            StreamPacket(
                track: track,
                sequence: nextSequence,
                timestamp: stamp,
                arrival: packet.arrival,
                isMarker: true,
                followsGap: gapPending,
                payload: payload
            )
        )
        nextSequence &+= 1
        gapPending = false
    }
}
