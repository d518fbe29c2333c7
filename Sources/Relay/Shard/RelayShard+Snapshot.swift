import HLS
import ICE
import Media
import RTP
import RTSP
import WebRTC
import Wire

extension RelayShard {
    /// Everything there is to see of this shard; ``ShardSnapshot/merged(_:)`` brings it together with the others'.
    ///
    /// - Parameter loopDelay: How late its loop runs its timers (99th percentile), in milliseconds.
    public func snapshot(at now: Instant, loopDelay: Double? = nil) -> ShardSnapshot {
        var result = ShardSnapshot()
        result.loopDelay = loopDelay
        for camera in cameras.values.sorted(by: { $0.name < $1.name }) {
            let shown = snapshot(of: camera, at: now)
            result.cameras.append(shown)
            result.bitrateIn += shown.bitrate ?? 0
            if let stream = snapshot(ofHLS: camera, at: now) { result.hls.append(stream) }
        }
        for viewer in viewers.values.sorted(by: { ($0.joinedAt, $0.id) < ($1.joinedAt, $1.id) }) {
            let status = viewer.peer?.status
            viewer.meter(peerBytes: status?.bytesSent ?? 0, at: now)
            let shown = snapshot(of: viewer, status, at: now)
            result.viewers.append(shown)
            result.bitrateOut += shown.bitrate ?? 0
            if let status { result.pairs += pairs(of: viewer, status, at: now) }
        }
        result.operations = operations.map { $0.snapshot(at: now, clock: configuration.clock) }
        return result
    }

    // MARK: - Cameras

    private func snapshot(of camera: Camera, at now: Instant) -> CameraSnapshot {
        var shown = CameraSnapshot(
            id: camera.name,
            generation: camera.generation,
            state: camera.state,
            source: camera.configuration.source.description
        )
        shown.reason = camera.reason
        shown.remedy = camera.remedy
        shown.stateAge = (now - camera.stateSince).inSeconds
        shown.transport = camera.transport?.rawValue
        shown.tags = camera.configuration.tags
        shown.delivery = policy(for: camera.stream)
        shown.cachedFrames = camera.stream.cache.frameCount
        shown.cachedBytes = camera.stream.cache.byteCount
        shown.uptime = camera.liveSince.map { (now - $0).inSeconds }
        shown.reconnects = camera.reconnects
        shown.lastError = camera.lastError
        shown.nextRetry = camera.retryAt.map { max(0, ($0 - now).inSeconds) }
        shown.notes = camera.stream.facts.notes(at: now)
        shown.sound = camera.sound.map { SoundSnapshot($0, at: now) }

        if camera.ingests.isEmpty {
            shown.tracks = camera.stream.tracks.prefix(camera.tracks.count).map { snapshot(of: $0, nil) }
        } else {
            let counters = camera.ingests.map { $0.counters(at: now) }
            shown.tracks = zip(camera.stream.tracks, counters).map { snapshot(of: $0, $1) }
            shown.bitrate = counters.reduce(0) { $0 + $1.bitrate }
            let video = zip(camera.stream.tracks, counters).first { $0.0.codec.kind == .video }?.1
            shown.fps = video?.framesPerSecond
            shown.jitter = video.map { $0.jitter * 1000 }
            shown.keyframeAge = video?.lastKeyframe.map { (now - $0).inSeconds }
            shown.gopFrames = video?.gopLength
            shown.gopSeconds = video?.gopDuration?.inSeconds
            shown.loss = loss(camera)
        }
        let health = CameraHealth(of: shown, isFailing: camera.isFailing)
        shown.severity = health.severity
        shown.reason = health.reason
        shown.remedy = health.remedy
        return shown
    }

    /// Percent of the video track's packets lost over the last ten seconds; `nil` before two samples.
    private func loss(_ camera: Camera) -> Double? {
        guard let first = camera.lossWindow.first, let last = camera.lossWindow.last, last.at > first.at else {
            return nil
        }
        let received = last.packets &- first.packets
        let lost = last.lost &- first.lost
        guard received &+ lost > 0 else { return nil }
        return 100 * Double(lost) / Double(received &+ lost)
    }

    private func snapshot(of format: TrackFormat, _ counters: IngestCounters?) -> TrackSnapshot {
        var shown = TrackSnapshot(
            kind: format.codec.kind ?? .video,
            codec: format.codec,
            clockRate: format.clockRate,
            channels: format.channels
        )
        if let parsed = format.h264?.parsed {
            shown.width = parsed.width
            shown.height = parsed.height
            shown.profile = profileName(parsed.profileIDC)
        }
        if let counters {
            shown.bitrate = counters.bitrate
            shown.packets = counters.packets
            shown.lost = counters.lost
            shown.jitter = counters.jitter * 1000
        }
        return shown
    }

    /// The profiles cameras use (ITU-T H.264 Annex A).
    private func profileName(_ profileIDC: UInt8) -> String {
        switch profileIDC {
        case 66: "Baseline"
        case 77: "Main"
        case 88: "Extended"
        case 100: "High"
        case 110: "High 10"
        case 122: "High 4:2:2"
        case 244: "High 4:4:4"
        default: "profile \(profileIDC)"
        }
    }

    // MARK: - Viewers

    private func snapshot(
        of viewer: Viewer,
        _ status: PeerStatus?,
        at now: Instant
    ) -> ViewerSnapshot {
        var shown = ViewerSnapshot(
            id: viewer.id,
            generation: viewer.generation,
            camera: viewer.stream.name,
            delivery: viewer.delivery,
            control: viewer.control
        )
        shown.requested = effectivePolicy(of: viewer)
        shown.remote = viewer.remote.description
        shown.client = viewer.client
        shown.age = (now - viewer.joinedAt).inSeconds
        let fetchesSegments =
            viewer.delivery == .hls && (viewer.control == .hls || viewer.hlsPace?.isLowLatency == false)
        let rate = fetchesSegments ? viewer.sentInSegments.rate(at: now) : viewer.sent.rate(at: now)
        shown.bitrate = rate.map { $0 * 8 }
        shown.bytes = viewer.bytesOfEarlierPeers + (status?.bytesSent ?? 0) + viewer.hlsBytes
        shown.report = viewer.report
        shown.reportAge = viewer.reportedAt.map { (now - $0).inSeconds }
        shown.behindLive = behindLive(viewer, at: now)
        shown.controlLost = viewer.controlLost(at: now)?.inSeconds
        shown.heardAge = status?.lastHeard.map { (now - $0).inSeconds }
        if let status {
            show(status, of: viewer, in: &shown)
            show(status.quality, status, of: viewer, in: &shown, at: now)
        }
        shown.state = state(of: viewer, status, at: now)
        shown.ladder = ladder(of: viewer, status)
        shown.attempts = viewer.attempts
        shown.verdict = verdict(of: viewer, status, at: now)
        if let refuge = viewer.refuge, let returnAt = refuge.returnAt {
            shown.refuge = .init(reason: refuge.reason, remaining: max(0, (returnAt - now).inSeconds))
        }
        if viewer.delivery == .hls {
            shown.path = viewer.lastHLSRequestAt == nil ? nil : "hls/\(viewer.hlsScheme)"
            shown.notes = [viewer.stream.facts.silence(for: .hls, at: now)].compactMap { $0 }
        } else {
            let hasSound = viewer.stream.tracks.contains { $0.codec.kind == .audio }
            let silence = status?.audioUnavailableReason ?? viewer.stream.facts.silence(for: .webrtc, at: now)
            shown.notes = hasSound ? [silence].compactMap { $0 } : []
        }
        return shown
    }

    private func show(_ status: PeerStatus, of viewer: Viewer, in shown: inout ViewerSnapshot) {
        shown.ice = status.isSuspended ? "suspended" : status.ice.rawValue
        shown.dtls = status.dtls.text
        shown.srtp = status.srtpProfile?.name
        shown.roundTrip = status.roundTripTime?.inMilliseconds
        shown.nacks = status.packetsAskedFor
        shown.plis = status.pliCount + status.firCount
        shown.retransmitted = status.tracks.reduce(0) { $0 + $1.retransmittedPackets }
        let video = status.tracks.first { $0.kind == .video } ?? status.tracks.first
        shown.loss = status.lossPercent
        shown.queuedPackets = status.queuedPackets
        shown.queuedBytes = status.queuedBytes
        shown.jitter = video?.jitter?.inMilliseconds
        if viewer.delivery == .webrtc { shown.path = status.path }
    }

    private func show(
        _ quality: QualityState,
        _ status: PeerStatus,
        of viewer: Viewer,
        in shown: inout ViewerSnapshot,
        at now: Instant
    ) {
        shown.retransmittedBytes = status.tracks.reduce(0) { $0 + $1.retransmittedBytes }
        shown.queueDropped = status.packetsDropped
        shown.quality = ViewerSnapshot.QualitySnapshot(
            rung: quality.rung.rawValue,
            reason: quality.reason,
            age: (now - quality.since).inSeconds,
            estimate: status.estimate,
            needed: viewer.stream.rates(at: now)?.full,
            leftOut: status.packetsLeftOut,
            hold: quality.hold.inSeconds
        )
    }

    private func state(
        of viewer: Viewer,
        _ status: PeerStatus?,
        at now: Instant
    ) -> ViewerState {
        let state = ownState(of: viewer, status, at: now)
        switch state {
        // Nothing can come of it while the camera shows nothing.
        case .joining, .connecting: return viewer.stream.facts.isShown ? state : .waiting
        case .playing: return viewer.stream.facts.state == .live ? state : .waiting
        case .switching, .waiting, .silent: return state
        }
    }

    /// What the viewer itself is doing, whatever its camera does.
    private func ownState(
        of viewer: Viewer,
        _ status: PeerStatus?,
        at now: Instant
    ) -> ViewerState {
        if viewer.switchingTo != nil { return .switching }
        let isFlowing: Bool
        switch viewer.delivery {
        case .webrtc:
            guard let status else {
                if viewer.channel == nil { return .silent }
                return viewer.firstFrameAt == nil ? .joining : .connecting
            }
            if status.isSuspended { return .silent }
            isFlowing = status.isReady
        case .hls:
            guard let last = viewer.lastHLSRequestAt else { return .joining }
            // Who fetches whole segments asks once in a target duration, and again when what it got is played.
            let pause = viewer.hlsPace.map { $0.targetDuration * 3 / 2 } ?? .zero
            // Browsers pause what plays in the background.
            if now - last > max(Self.hlsSilence, pause), !viewer.isInBackground { return .silent }
            isFlowing = viewer.lastHLSMediaAt != nil
        }
        return isFlowing ? .playing : .connecting
    }

    /// An HLS player that asks for nothing this long has stopped.
    private static let hlsSilence: Duration = .seconds(8)

    /// What the page says, while it is fresh; for bare players an estimate from what they fetched.
    private func behindLive(_ viewer: Viewer, at now: Instant) -> Double? {
        if let at = viewer.reportedAt, now - at < .seconds(6), let behind = viewer.report?.behindLive { return behind }
        guard viewer.delivery == .hls, !viewer.isInBackground, let joined = viewer.hlsJoinedBehind,
            let newest = viewer.hlsFetchedBehind
        else {
            return nil
        }
        return max(0, max(joined, newest).inSeconds)
    }

    // MARK: - HLS

    private func snapshot(ofHLS camera: Camera, at now: Instant) -> HLSSnapshot? {
        guard let hls = camera.hls else { return nil }
        let status = hls.muxer.status(at: now)
        var shown = HLSSnapshot(id: camera.name)
        shown.isLowLatency = status.isLowLatency
        shown.partTarget = status.partTarget?.inSeconds
        shown.targetDuration = status.targetDuration?.inSeconds
        shown.segments = status.segments.map { segment in
            HLSSnapshot.Segment(
                msn: segment.mediaSequenceNumber,
                duration: segment.duration.inSeconds,
                parts: segment.parts,
                bytes: segment.byteCount,
                latency: segment.latency?.inMilliseconds,
                isIndependent: segment.isIndependent
            )
        }
        shown.latency = (status.isLowLatency ? status.lastPartLatency : status.lastSegmentLatency)?.inMilliseconds
        shown.latencyMedian =
            (status.isLowLatency ? status.medianPartLatency : status.medianSegmentLatency)?.inMilliseconds
        shown.latencyMaximum =
            (status.isLowLatency ? status.maximumPartLatency : status.maximumSegmentLatency)?.inMilliseconds
        shown.lastPartAge = status.lastPartAge?.inSeconds
        shown.discontinuities = status.discontinuities
        shown.requestRate = hls.requests.rate(at: now) ?? 0
        shown.blocked = pendingHLS.values.lazy.filter { $0.camera === camera }.count
        shown.bitrateOut = (hls.served.rate(at: now) ?? 0) * 8
        shown.bytesHeld = status.byteCount
        shown.codecs = status.codecs.joined(separator: ",")
        if camera.state != .live {
            shown.severity = .warning
            shown.why = "no new media: the camera is \(camera.state.rawValue)"
        } else if let age = shown.lastPartAge, age > 3 * (shown.partTarget ?? shown.targetDuration ?? 2) + 1 {
            shown.severity = .warning
            shown.why = "the last part is \(age.tenths) s old"
        }
        return shown
    }
}
