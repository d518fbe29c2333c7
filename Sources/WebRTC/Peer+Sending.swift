import ICE
import Media
import RTP
import Wire

extension Peer {
    /// Sends live packets; call once per batch of the stream.
    ///
    /// Each packet is copied once, into `output`, and encrypted there. Video that arrives while a replayed cache is
    /// still being paced out queues behind it; audio never waits. Before the first random access point, video is
    /// skipped.
    public func send(_ packets: Span<StreamPacket>, at now: Instant, into output: inout DatagramQueue) {
        guard case .ready(let media) = phase, !media.isSuspended else { return }
        releaseBurst(at: now, into: &output)
        var byteCount = 0
        var datagramCount = 0
        // Taken out for the batch: the compiler guards every access to a class's storage that goes on over calls.
        var tracks: [OutgoingTrack] = []
        swap(&tracks, &self.tracks)
        var history = TransportHistory()
        swap(&history, &self.history)
        let hold = lipSync.hold
        // By index: a loop variable would be a copy, which counts a reference to the payload up and down.
        for position in packets.indices {
            let track = packets[position].track
            guard track >= 0, track < trackIndex.count, trackIndex[track] >= 0 else { continue }
            let index = trackIndex[track]
            guard admit(packets[position], &tracks[index], at: now) else { continue }
            let count = tracks[index].send(
                packets[position],
                with: media.sender,
                on: media.path,
                at: now,
                history: &history,
                into: &output
            )
            guard count > 0 else { continue }
            byteCount += count
            datagramCount += 1
        }
        swap(&tracks, &self.tracks)
        swap(&history, &self.history)
        if lipSync.hold != hold { holdPictures() }
        count(byteCount, datagramCount, at: now)
        reportIfDue(media, at: now, into: &output)
    }

    /// Lets pictures wait for sound.
    private func holdPictures() {
        for index in tracks.indices where tracks[index].negotiated.kind == .video {
            tracks[index].playoutDelay.goal = lipSync.hold
        }
    }

    /// Sends live packets; call once per batch of the stream.
    public func send(_ packets: [StreamPacket], at now: Instant, into output: inout DatagramQueue) {
        send(packets.span, at: now, into: &output)
    }

    /// Whether packets wait here for their time to leave, which live ones may bring forward in ``nextDeadline``.
    public var hasQueue: Bool { burst.nextTick != nil }

    /// Whether a live packet goes out now. Video that has to wait is queued here.
    private func admit(_ packet: StreamPacket, _ track: inout OutgoingTrack, at now: Instant) -> Bool {
        // The cache may already have held it.
        if let last = track.lastStreamSequence, packet.sequence <= last { return false }
        guard track.negotiated.kind == .video else {
            track.lastStreamSequence = packet.sequence
            if !hasSoundBegun { hasSoundBegun = maySoundBegin(with: packet, track, at: now) }
            if hasSoundBegun, hasVideo { lipSync.noteSound(track.age(of: packet, at: now), at: now) }
            return hasSoundBegun
        }
        if hasSoundBegun, packet.isMarker { lipSync.notePicture(track.age(of: packet, at: now)) }
        let isWanted = isWanted(packet)
        if awaitsKeyframe {
            guard packet.startsKeyframe else { return false }
            awaitsKeyframe = false
        }
        track.lastStreamSequence = packet.sequence
        guard isWanted else {
            counters.leftOut &+= 1
            if packet.followsGap { track.followsGap = true }
            return false
        }
        if burst.isEmpty, !isPacing { return true }
        guard !burst.append(packet, at: now) else { return false }
        dropToKeyframe(at: now)
        if packet.startsKeyframe { awaitsKeyframe = !burst.append(packet, at: now) }
        return false
    }

    /// Sound beside a picture begins when the client plays, and with what has just been made. What came before its player
    /// runs, or late out of a converter that has just started, would wait in its buffer and keep sound behind the
    /// picture for many seconds.
    private func maySoundBegin(with packet: StreamPacket, _ track: OutgoingTrack, at now: Instant) -> Bool {
        guard hasVideo, let connected = ladder.dtlsConnected else { return true }
        let waited = now - connected
        return waited >= soundPatience || waited >= soundHold && track.age(of: packet, at: now) <= freshSound
    }

    /// Sends the stream's cached packets, from the last random access point on, paced, each picture with the time it
    /// leaves at. So to the viewer's clock they are pictures of the present that come at a high rate: it shows them at
    /// once, delays nothing, and keeps its sound in step. Cached audio is left out: sound starts live.
    ///
    /// Nothing leaves before the next ``handleTimeout(at:into:events:)`` or ``send(_:at:into:)``; ``nextDeadline`` is
    /// `now`. Also the answer to ``PeerEvent/keyframeWanted``.
    public func replay(_ cached: [StreamPacket], at now: Instant) {
        guard case .ready(let media) = phase, !media.isSuspended,
            let index = tracks.firstIndex(where: { $0.negotiated.kind == .video })
        else { return }
        let track = tracks[index].negotiated
        var packets = BurstQueue.group(of: track.streamTrack, in: cached)
        guard let first = packets.first, let last = packets.last else { return }
        replaySpan = last.arrival - first.arrival
        packets.removeAll { !quality.state.rung.includes($0) }
        burst.start(packets, rate: BurstQueue.rate(for: packets), at: now)
        tracks[index].lastStreamSequence = last.sequence
        awaitsKeyframe = false
    }

    func releaseBurst(at now: Instant, into output: inout DatagramQueue) {
        guard burst.nextTick.map({ now >= $0 }) == true, case .ready(let media) = phase, !media.isSuspended else {
            return
        }
        var byteCount = 0
        var datagramCount = 0
        while let packet = burst.next(at: now) {
            let index = trackIndex[packet.track]
            let count = tracks[index].send(
                packet,
                with: media.sender,
                on: media.path,
                at: now,
                leavesNow: true,
                history: &history,
                into: &output
            )
            guard count > 0 else { continue }
            byteCount += count
            datagramCount += 1
        }
        count(byteCount, datagramCount, at: now)
        reportIfDue(media, at: now, into: &output)
    }

    private func count(_ byteCount: Int, _ datagramCount: Int, at now: Instant) {
        guard datagramCount > 0 else { return }
        counters.datagramsSent &+= UInt64(datagramCount)
        counters.bytesSent &+= UInt64(byteCount)
        ice.countSent(byteCount)
        if ladder.firstRTP == nil { ladder.firstRTP = now }
    }

    /// Sender reports ride on media instead of on timers of their own: every second at the start, so that sound and
    /// picture find each other, later every five.
    private func reportIfDue(_ media: Media, at now: Instant, into output: inout DatagramQueue) {
        for index in tracks.indices where tracks[index].isReportDue(at: now) {
            let isStart = ladder.firstRTP.map { now - $0 < .seconds(5) } ?? true
            tracks[index].nextReport = now + (isStart ? .seconds(1) : .seconds(5))
            sendRTCP(tracks[index].senderReport(configuration, at: now), nil, media, into: &output)
        }
    }

    func sendRTCP(_ report: [UInt8], _ extra: RTCPPacket?, _ media: Media, into output: inout DatagramQueue) {
        var compound = report
        extra?.append(to: &compound)
        let packet = media.sender.protectRTCP(compound)
        if !packet.isEmpty { transmit(packet, on: media.path, into: &output) }
    }

    func transmit(_ bytes: [UInt8], on path: FiveTuple, into output: inout DatagramQueue) {
        output.append(bytes, to: path)
        counters.datagramsSent &+= 1
        counters.bytesSent &+= UInt64(bytes.count)
        if !STUNMessage.isSTUN(bytes[...]) { ice.countSent(bytes.count, on: path) }
    }
}

/// A browser's player takes about this long to run.
private let soundHold = Duration.milliseconds(300)
private let freshSound = Duration.milliseconds(150)
/// Sound that is always late, as of a camera with a strange clock, is better than none.
private let soundPatience = Duration.seconds(2)
