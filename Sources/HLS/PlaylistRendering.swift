import Media

/// The media playlist's text, rendered once per version.
struct RenderedPlaylists: Sendable {
    private var full: [UInt8]?
    private var delta: [UInt8]?

    mutating func playlist(of segmenter: Segmenter, prefix: String, isDelta: Bool) -> [UInt8] {
        if let text = isDelta ? delta : full { return text }
        let text = renderMediaPlaylist(of: segmenter, prefix: prefix, isDelta: isDelta)
        if isDelta { delta = text } else { full = text }
        return text
    }
}

private func renderMediaPlaylist(of segmenter: Segmenter, prefix: String, isDelta: Bool) -> [UInt8] {
    let plan = segmenter.plan
    let window = segmenter.window
    // 6 target durations is the least RFC 8216bis allows.
    let skipUntil = 6 * Int64(plan.targetDuration) * ticksPerSecond
    let skipped = isDelta ? skippedSegments(window, boundary: skipUntil) : 0
    var text = PlaylistText()
    text.line("#EXTM3U")
    text.line("#EXT-X-VERSION:9")
    text.line("#EXT-X-TARGETDURATION:\(plan.targetDuration)")
    var control = "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,"
    if let target = plan.partTarget { control += "PART-HOLD-BACK=\(seconds(3 * target))," }
    control +=
        "HOLD-BACK=\(seconds(3 * Int64(plan.targetDuration) * ticksPerSecond)),CAN-SKIP-UNTIL=\(seconds(skipUntil))"
    text.line(control)
    if let target = plan.partTarget { text.line("#EXT-X-PART-INF:PART-TARGET=\(seconds(target))") }
    text.line("#EXT-X-MEDIA-SEQUENCE:\(window.mediaSequence)")
    text.line("#EXT-X-DISCONTINUITY-SEQUENCE:\(window.discontinuitySequence)")
    let openIsVisible = plan.partTarget != nil && window.openPartCount > 0
    let open = openIsVisible ? window.open : nil
    if window.complete.allSatisfy(\.isIndependent), open?.isIndependent ?? true {
        text.line("#EXT-X-INDEPENDENT-SEGMENTS")
    }
    if skipped > 0 { text.line("#EXT-X-SKIP:SKIPPED-SEGMENTS=\(skipped)") }

    // Whoever gets a delta update has the map of the segment before.
    var initIndex = skipped > 0 ? window.complete[skipped - 1].initIndex : nil
    let firstWithParts = plan.partTarget == nil ? .max : firstSegmentWithParts(window, plan: plan)
    for (index, segment) in window.complete.enumerated().dropFirst(skipped) {
        text.start(of: segment, initIndex: &initIndex, prefix: prefix)
        if index >= firstWithParts { text.parts(of: segment, prefix: prefix) }
        text.line("#EXTINF:\(seconds(segment.duration)),")
        text.line(ResourceName.segment(segment.sequenceNumber).text(prefix: prefix))
    }
    if let open {
        text.start(of: open, initIndex: &initIndex, prefix: prefix)
        text.parts(of: open, prefix: prefix)
    }
    if plan.partTarget != nil {
        let hint = ResourceName.part(segment: window.openSequenceNumber, part: window.openPartCount)
        text.line("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"\(hint.text(prefix: prefix))\"")
    }
    return text.bytes
}

/// Complete segments that end before the skip boundary.
private func skippedSegments(_ window: SegmentWindow, boundary: Int64) -> Int {
    var distance = window.open?.duration ?? 0
    var count = window.complete.count
    for segment in window.complete.reversed() {
        if distance >= boundary { return count }
        distance += segment.duration
        count -= 1
    }
    return 0
}

/// Parts are listed for the open segment and the last two complete ones, and further back, up to three target
/// durations, for the last keyframe: players that join need one.
private func firstSegmentWithParts(_ window: SegmentWindow, plan: PublicationPlan) -> Int {
    let count = window.complete.count
    var first = max(count - 2, 0)
    var hasKeyframe =
        window.open?.containsKeyframe ?? false || window.complete[first...].contains(where: \.containsKeyframe)
    var distance = (window.open?.duration ?? 0) + window.complete[first...].reduce(0) { $0 + $1.duration }
    while !hasKeyframe, first > 0, distance < 3 * Int64(plan.targetDuration) * ticksPerSecond {
        first -= 1
        distance += window.complete[first].duration
        hasKeyframe = window.complete[first].containsKeyframe
    }
    return first
}

func renderMultivariantPlaylist(of segmenter: Segmenter, viewerQuery: String) -> [UInt8] {
    var text = PlaylistText()
    text.line("#EXTM3U")
    text.line("#EXT-X-VERSION:9")
    let picture = segmenter.parameterSets.parsed
    let codecs = segmenter.codecs.joined(separator: ",")
    let bandwidth = segmenter.bandwidth
    let frameInterval = max(segmenter.plan.frameInterval, 1)
    let milliframes = (ticksPerSecond * 1_000 + frameInterval / 2) / frameInterval
    text.line(
        "#EXT-X-STREAM-INF:BANDWIDTH=\(bandwidth.peak),AVERAGE-BANDWIDTH=\(bandwidth.average),CODECS=\"\(codecs)\""
            + ",RESOLUTION=\(picture.width)x\(picture.height),FRAME-RATE=\(fixed(milliframes, digits: 3))"
    )
    let query = String(decoding: viewerQuery.utf8.filter(isQueryCharacter), as: UTF8.self)
    text.line(query.isEmpty ? HLSMuxer.mediaPlaylistName : "\(HLSMuxer.mediaPlaylistName)?\(query)")
    return text.bytes
}

/// Characters of a query (RFC 3986 §3.4); above all no line ends and quotes.
private func isQueryCharacter(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: "-._~!$&'()*+,;=:@/?%".utf8.contains(byte)
    }
}

extension Segmenter {
    var codecs: [String] { [parameterSets.codecString] + [audio?.format.codecString].compactMap { $0 } }

    /// Bits per second with a fifth added: the peak and the average of recent segments.
    var bandwidth: (peak: Int, average: Int) {
        let measured = measurements.bandwidth
        let opened = window.open.flatMap { $0.duration >= ticksPerSecond / 2 ? HLSMeasurements.bitRate($0) : nil }
        let first = window.complete.first.flatMap(HLSMeasurements.bitRate)
        let fallback = opened ?? first ?? 1_000_000
        let (peak, average) = measured ?? (fallback, fallback)
        return (max(peak, 1) / 5 * 6, max(average, 1) / 5 * 6)
    }
}

/// Lines of a playlist.
private struct PlaylistText {
    private(set) var bytes: [UInt8] = []

    init() { bytes.reserveCapacity(4_096) }

    mutating func line(_ text: String) {
        bytes.append(contentsOf: text.utf8)
        bytes.append(0x0A)
    }

    mutating func start(of segment: MediaSegment, initIndex: inout Int?, prefix: String) {
        if segment.isDiscontinuity { line("#EXT-X-DISCONTINUITY") }
        if initIndex != segment.initIndex {
            line("#EXT-X-MAP:URI=\"\(ResourceName.initSegment(segment.initIndex).text(prefix: prefix))\"")
            initIndex = segment.initIndex
        }
        line("#EXT-X-PROGRAM-DATE-TIME:\(utc(segment.programDateTime))")
    }

    mutating func parts(of segment: MediaSegment, prefix: String) {
        for (index, part) in segment.parts.enumerated() {
            let name = ResourceName.part(segment: segment.sequenceNumber, part: index).text(prefix: prefix)
            let independent = part.isIndependent ? ",INDEPENDENT=YES" : ""
            line("#EXT-X-PART:DURATION=\(seconds(part.duration)),URI=\"\(name)\"\(independent)")
        }
    }
}

/// 1/90000 s as decimal seconds with five digits; rounding keeps the order of durations.
private func seconds(_ ticks: Int64) -> String { fixed((ticks * 10 + 4) / 9, digits: 5) }

private func fixed(_ value: Int64, digits: Int) -> String {
    var scale: Int64 = 1
    for _ in 0..<digits { scale *= 10 }
    let fraction = String(value % scale)
    return "\(value / scale).\(String(repeating: "0", count: digits - fraction.utf8.count))\(fraction)"
}

/// ISO 8601 with milliseconds, in UTC, from milliseconds since 1970.
func utc(_ milliseconds: Int64) -> String {
    let day: Int64 = 86_400_000
    // Years 0 to 9999 is what four digits can say.
    let clamped = min(max(milliseconds, -62_167_219_200_000), 253_402_300_799_999)
    let days = clamped >= 0 ? clamped / day : (clamped - day + 1) / day
    let time = clamped - days * day
    // Civil date from a day number, with years that begin in March so that the leap day comes last.
    let shifted = days + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let dayOfMonth = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    func padded(_ value: Int64, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }
    let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(dayOfMonth, 2))"
    let clock = "\(padded(time / 3_600_000, 2)):\(padded(time / 60_000 % 60, 2)):\(padded(time / 1_000 % 60, 2))"
    return "\(date)T\(clock).\(padded(time % 1_000, 3))Z"
}
