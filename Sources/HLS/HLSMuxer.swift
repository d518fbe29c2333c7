import Media
import Wire

/// LL-HLS for one stream (RFC 8216bis): H.264 with at most one AAC or Opus track, muxed into fMP4 parts in memory.
///
/// Feed it access units, from a keyframe's cached group of pictures or live, and serve its playlists and resources.
///
///     gathering ──first request, or 2 s of live media──▶ published
///
/// While gathering nothing is fixed; at publication part target and target duration are chosen and stay for the
/// muxer's life. It survives camera restarts: the media sequence continues after a discontinuity, and there is never an
/// EXT-X-ENDLIST. A value without clock or I/O, confined to its owner.
public struct HLSMuxer: Sendable {
    /// What it was made with.
    public let configuration: HLSConfiguration
    /// ``HLSConfiguration/prefix`` as it is used in resource names.
    public let prefix: String

    private var tracks: TrackSelection
    private var parameterSets: ParameterSetTracker
    private var gathered = GatheredUnits()
    var segmenter: Segmenter?
    var rendered = RenderedPlaylists()
    private let createdAt: Instant

    /// Creates a muxer for the first H.264 and the first AAC or Opus track.
    ///
    /// - Throws: ``HLSFailure/noPlayableVideo`` when no track is H.264.
    public init(tracks: [TrackFormat], configuration: HLSConfiguration, at now: Instant) throws(HLSFailure) {
        guard let selection = TrackSelection(tracks) else { throw .noPlayableVideo }
        self.configuration = configuration
        self.tracks = selection
        parameterSets = ParameterSetTracker(selection.parameterSets)
        createdAt = now
        let letters = configuration.prefix.utf8.filter { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D: true
            default: false
            }
        }
        prefix = letters.isEmpty ? "hls" : String(decoding: letters.prefix(32), as: UTF8.self)
    }

    /// Takes an access unit; units of tracks that are not played are ignored.
    ///
    /// Audio and video may come interleaved in any way; units of one track come in decode order.
    /// - Returns: Whether the playlist changed, so that blocked requests have to be tried again.
    @discardableResult
    public mutating func append(_ unit: AccessUnit, at now: Instant) -> Bool {
        let before = publishedParts
        if unit.track == tracks.video {
            parameterSets.observe(unit.units)
            var frame = unit
            frame.units = unit.units.filter(belongsInSample)
            guard frame.units.contains(where: isSlice) else { return false }
            take(frame, at: now)
        } else if unit.track == tracks.audio, !unit.units.isEmpty {
            take(unit, at: now)
        }
        return noteChange(since: before)
    }

    /// The source is gone or starts anew: publishes what is held back. The next keyframe follows a discontinuity.
    ///
    /// - Returns: Whether the playlist changed.
    @discardableResult
    public mutating func interrupt(at now: Instant) -> Bool {
        let before = publishedParts
        segmenter?.interrupt(at: now)
        return noteChange(since: before)
    }

    /// The source has other tracks than before, as after a camera restart. Unchanged formats change nothing.
    ///
    /// - Returns: Whether the playlist changed.
    /// - Throws: ``HLSFailure/noPlayableVideo``; the muxer then goes on with the tracks it had.
    @discardableResult
    public mutating func update(tracks formats: [TrackFormat], at now: Instant) throws(HLSFailure) -> Bool {
        guard let selection = TrackSelection(formats) else { throw .noPlayableVideo }
        let before = publishedParts
        if selection != tracks { gathered = GatheredUnits() }
        if selection.audioFormat != tracks.audioFormat { segmenter?.replaceAudio(selection.audioFormat, at: now) }
        tracks = selection
        if let sets = selection.parameterSets { parameterSets.observe([sets.sps] + sets.pps) }
        return noteChange(since: before)
    }

    /// The stream's track that is played as sound; `nil` without one.
    public var audioTrack: Int? { tracks.audio }

    /// Parts published so far; a playlist is the same as long as this is.
    public var publishedParts: UInt64 { segmenter?.measurements.publishedParts ?? 0 }

    /// Whether parts of segments are on offer.
    public var isLowLatency: Bool { segmenter?.plan.partTarget != nil }

    /// Longest segment; `nil` before anything is published.
    public var targetDuration: Duration? { segmenter.map { .seconds($0.plan.targetDuration) } }

    /// Parameter sets that could not be read.
    var rejectedParameterSets: Int { parameterSets.rejected }

    // MARK: Gathering

    private mutating func take(_ unit: AccessUnit, at now: Instant) {
        guard segmenter == nil else {
            feed(unit, at: now)
            return
        }
        gathered.append(unit, isVideo: unit.track == tracks.video)
        let isLive = unit.arrival >= createdAt && gathered.duration >= gatheringDuration
        if isLive || gathered.isFull { publish(at: now) }
    }

    /// Publishes if enough is known; a request calls this.
    mutating func publish(at now: Instant) {
        guard segmenter == nil, let sets = parameterSets.current else { return }
        guard let summary = gathered.summary(reorderFrames: sets.parsed.maximumReorderFrames ?? 0) else { return }
        var intervals = summary.frameIntervals
        if let known = configuration.frameInterval?.ticks, known > 0, intervals.count < 12 {
            intervals += [Int64](repeating: known, count: 12)
        } else if intervals.count < 5, gathered.duration < gatheringDuration {
            return
        }
        let known = configuration.keyframeInterval?.ticks
        let plan = PublicationPlan(
            frameIntervals: intervals,
            keyframeInterval: known.map { max($0, summary.keyframeInterval ?? 0) } ?? summary.keyframeInterval,
            timeSinceKeyframe: summary.timeSinceKeyframe,
            configuration: configuration
        )
        guard let plan else { return }
        var audio = tracks.audioFormat
        // Without a single frame, a track that we cannot fill with silence would keep players from starting.
        if let format = audio, !gathered.hasAudio, !AudioQueue(format: format).canBeSilent { audio = nil }
        segmenter = Segmenter(
            plan: plan,
            configuration: configuration,
            parameterSets: sets,
            reorderDepth: summary.reorderDepth,
            audio: audio,
            withLeadIn: summary.keyframeSpan < configuration.minimumSegmentDuration.ticks
                && gathered.duration < plan.longestSegment,
            startedAt: createdAt
        )
        let backlog = gathered.take()
        for unit in backlog { feed(unit, at: now) }
        segmenter?.finishBacklog(at: now)
        rendered = RenderedPlaylists()
    }

    private mutating func feed(_ unit: AccessUnit, at now: Instant) {
        if unit.track == tracks.video {
            guard let sets = parameterSets.current else { return }
            segmenter?.appendVideo(unit, newest: sets, at: now)
        } else if let payload = unit.units.first {
            segmenter?.appendAudio(payload, timestamp: unit.timestamp)
        }
    }

    private mutating func noteChange(since before: UInt64) -> Bool {
        guard publishedParts != before else { return false }
        rendered = RenderedPlaylists()
        return true
    }

    private func belongsInSample(_ unit: [UInt8]) -> Bool {
        guard let header = unit.first else { return false }
        return switch H264NALUnitType(header: header) {
        case .sps, .pps, .accessUnitDelimiter, .filler: false
        default: true
        }
    }

    private func isSlice(_ unit: [UInt8]) -> Bool {
        unit.first.map { (1...5).contains($0 & 0x1F) } ?? false
    }
}

/// Live media gathered before publication when nobody asks for a playlist, in 1/90000 s.
private let gatheringDuration = 2 * ticksPerSecond

/// The tracks of a stream that HLS carries.
private struct TrackSelection: Equatable, Sendable {
    var video: Int
    var parameterSets: H264ParameterSets?
    var audio: Int?
    var audioFormat: FMP4Writer.Audio?

    init?(_ tracks: [TrackFormat]) {
        guard let video = tracks.firstIndex(where: { $0.codec == .h264 }) else { return nil }
        self.video = video
        parameterSets = tracks[video].h264
        for (index, track) in tracks.enumerated() where audio == nil {
            if track.codec == .aac, let configuration = track.aac, track.clockRate > 0 {
                audio = index
                audioFormat = .aac(configuration, clockRate: track.clockRate)
            } else if track.codec == .opus, (1...2).contains(track.channels) {
                audio = index
                audioFormat = .opus(channels: track.channels)
            }
        }
    }
}
