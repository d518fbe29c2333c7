import Wire

/// A place in a media playlist: a part of a segment, or the whole segment.
public struct HLSPosition: Hashable, Sendable {
    /// Media sequence number.
    public var mediaSequenceNumber: Int
    /// Part index in the segment; `nil` for the complete segment.
    public var part: Int?

    /// Creates a position.
    public init(mediaSequenceNumber: Int, part: Int?) {
        self.mediaSequenceNumber = mediaSequenceNumber
        self.part = part
    }
}

/// What to answer to a playlist request.
public enum PlaylistResult: Equatable, Sendable {
    /// The playlist; the same array for everybody who asks for the same version.
    case ready([UInt8])
    /// Not yet: ask again after an append that changed the playlist, and answer 503 after
    /// ``HLSMuxer/blockingTimeout``.
    case wait(HLSPosition)
    /// Answer 400 with this reason.
    case badRequest(String)
}

/// The bytes of a segment, part or initialization segment.
public struct HLSResource: Equatable, Sendable {
    /// To be sent one after the other; shared with the muxer and everybody else who fetches them.
    public var chunks: [[UInt8]]

    /// All bytes' number.
    public var byteCount: Int { chunks.reduce(0) { $0 + $1.count } }

    /// Creates a resource.
    public init(chunks: [[UInt8]]) { self.chunks = chunks }
}

/// What to answer to a resource request.
public enum ResourceResult: Equatable, Sendable {
    /// The resource; it never changes under this name.
    case ready(HLSResource)
    /// The part announced by the preload hint: ask again after the next change, 503 after
    /// ``HLSMuxer/blockingTimeout``.
    case wait(HLSPosition)
    /// There is no such resource, or no longer: answer 404.
    case gone
}

extension HLSMuxer {
    /// Relative URI of the media playlist in the multivariant playlist.
    public static let mediaPlaylistName = "media.m3u8"

    /// How long a request may be held: three target durations.
    public var blockingTimeout: Duration { .seconds(3 * (segmenter?.plan.targetDuration ?? 2)) }

    /// Answers a media playlist request (RFC 8216bis §6.2.5.2).
    ///
    /// The first request publishes, if enough was gathered. Asking again for the same version costs a look-up.
    public mutating func playlist(_ query: PlaylistQuery, at now: Instant) -> PlaylistResult {
        if segmenter == nil, publishOnRequest(at: now) == false {
            let first = max(configuration.firstMediaSequenceNumber, 0)
            return .wait(HLSPosition(mediaSequenceNumber: first, part: 0))
        }
        guard let segmenter else { return .badRequest("no playlist") }
        let window = segmenter.window
        let open = window.openSequenceNumber
        // Slow cameras have no parts to show before the first segment is complete.
        if window.complete.isEmpty, window.openPartCount == 0 || segmenter.plan.partTarget == nil {
            return .wait(HLSPosition(mediaSequenceNumber: open, part: nil))
        }
        if let number = query.mediaSequenceNumber {
            if number > open + 1 { return .badRequest("_HLS_msn is more than two segments ahead") }
            if let position = missing(number, part: query.part, in: segmenter) {
                if (position.part ?? 0) > advancePartLimit(segmenter) + (number == open ? window.openPartCount : 0) {
                    return .badRequest("_HLS_part is too far ahead")
                }
                return .wait(position)
            }
        }
        return .ready(rendered.playlist(of: segmenter, prefix: prefix, isDelta: query.skip))
    }

    /// The multivariant playlist; its only media playlist URI carries `viewerQuery` (what follows `?`).
    ///
    /// - Parameter viewerQuery: Percent-encoded by the caller; characters that do not belong in a query are left out.
    /// - Returns: `nil` while too little is known; ask again after the next append, as for a blocked request.
    public mutating func multivariantPlaylist(viewerQuery: String, at now: Instant) -> [UInt8]? {
        guard segmenter != nil || publishOnRequest(at: now), let segmenter else { return nil }
        return renderMultivariantPlaylist(of: segmenter, viewerQuery: viewerQuery)
    }

    /// Looks a resource up by the last path component of its URI.
    public func resource(named name: String) -> ResourceResult {
        guard let segmenter, let resource = ResourceName(name, prefix: prefix) else { return .gone }
        let window = segmenter.window
        switch resource {
        case .initSegment(let index):
            return window.initSegments[index].map { .ready(HLSResource(chunks: [$0])) } ?? .gone
        case .segment(let number):
            guard let segment = window.segment(number), segment.publishedAt != nil else { return .gone }
            return .ready(HLSResource(chunks: segment.parts.map(\.bytes)))
        case .part(let number, let index):
            guard segmenter.plan.partTarget != nil else { return .gone }
            if let segment = window.segment(number), segment.parts.indices.contains(index) {
                return .ready(HLSResource(chunks: [segment.parts[index].bytes]))
            }
            guard number == window.openSequenceNumber, index == window.openPartCount else { return .gone }
            return .wait(HLSPosition(mediaSequenceNumber: number, part: index))
        }
    }

    /// The moments on the relay's clock of which a segment or part shows the pictures; `nil` for other resources.
    public func span(ofResource name: String) -> (start: Instant, end: Instant)? {
        guard let segmenter, let resource = ResourceName(name, prefix: prefix) else { return nil }
        func instant(_ segment: MediaSegment, after ticks: Int64) -> Instant {
            let start = Instant(nanoseconds: (segment.programDateTime - configuration.wallClockAtZero) * 1_000_000)
            return start + .nanoseconds(ticks * 100_000 / 9)
        }
        switch resource {
        case .initSegment: return nil
        case .segment(let number):
            return segmenter.window.segment(number).map { (instant($0, after: 0), instant($0, after: $0.duration)) }
        case .part(let number, let index):
            guard let segment = segmenter.window.segment(number), segment.parts.indices.contains(index) else {
                return nil
            }
            let start = segment.parts[..<index].reduce(0) { $0 + $1.duration }
            return (instant(segment, after: start), instant(segment, after: start + segment.parts[index].duration))
        }
    }

    private mutating func publishOnRequest(at now: Instant) -> Bool {
        publish(at: now)
        return segmenter != nil
    }

    /// The first position a request needs that is not there, or `nil` when all is.
    private func missing(_ number: Int, part: Int?, in segmenter: Segmenter) -> HLSPosition? {
        let window = segmenter.window
        let open = window.openSequenceNumber
        guard let part, segmenter.plan.partTarget != nil else {
            return number < open ? nil : HLSPosition(mediaSequenceNumber: number, part: nil)
        }
        if number < open {
            // A part beyond the segment's end is the first one of the next segment.
            let count = window.segment(number)?.parts.count ?? .max
            guard part >= count, number + 1 == open, window.openPartCount == 0 else { return nil }
            return HLSPosition(mediaSequenceNumber: open, part: 0)
        }
        if number == open, part < window.openPartCount { return nil }
        return HLSPosition(mediaSequenceNumber: number, part: part)
    }

    /// Parts a request may be ahead (RFC 8216bis §6.2.5.2): three seconds' worth.
    private func advancePartLimit(_ segmenter: Segmenter) -> Int {
        guard let target = segmenter.plan.partTarget, target > 0, target < ticksPerSecond else { return 3 }
        return Int((3 * ticksPerSecond + target - 1) / target)
    }
}
