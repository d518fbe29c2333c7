import Media
import SDP
import Wire

extension TrackSelection {
    /// Most entries in ``ignored``.
    private static let maximumIgnored = 16

    /// Chooses one video and one audio section of a camera's description.
    ///
    /// H.264 is preferred over other video that we can name; audio is the first we can name. Back channels (sections the
    /// camera marks `sendonly`) are left out, unless every section is marked so: some cameras confuse the directions.
    public init(_ description: SessionDescription, base: ControlBase) {
        let sections = description.media.filter { $0.kind == "video" || $0.kind == "audio" }
        let isBackChannel = { (media: MediaDescription) in
            (media.statedDirection ?? description.statedDirection) == .sendonly
        }
        let directionsAreUsable = !sections.allSatisfy(isBackChannel)

        var video: RTSPTrack?
        var audio: RTSPTrack?
        var names: [(index: Int, name: String)] = []
        var chosen: [TrackKind: Int] = [:]
        for (index, media) in description.media.enumerated() {
            names.append((index, Self.name(of: media)))
            guard media.kind == "video" || media.kind == "audio", !(directionsAreUsable && isBackChannel(media)),
                let track = RTSPTrack(media, in: description, base: base)
            else { continue }
            switch track.format.codec.kind {
            case .video where video == nil || (video?.format.codec != .h264 && track.format.codec == .h264):
                video = track
                chosen[.video] = index
            case .audio where audio == nil:
                audio = track
                chosen[.audio] = index
            default: continue
            }
        }
        tracks = [video, audio].compactMap(\.self)
        for index in tracks.indices { tracks[index].index = index }
        ignored = Array(
            names.filter { entry in !chosen.values.contains(entry.index) }.map(\.name).prefix(Self.maximumIgnored)
        )
    }

    private static func name(of media: MediaDescription) -> String {
        let encoding = media.rtpMaps().first?.encodingName ?? media.formats.first ?? ""
        return printable("\(media.kind) \(encoding)".trimmingBlanks, limit: 60)
    }
}

extension RTSPTrack {
    /// The first format of a section that we can name, or `nil`.
    init?(_ media: MediaDescription, in description: SessionDescription, base: ControlBase) {
        guard let control = base.resolve(media.attribute("control")) else { return nil }
        for payloadType in media.payloadTypes {
            guard let map = encoding(payloadType, media) else { continue }
            let parameters = formatParameters(payloadType, media)
            guard let format = TrackFormat(map, kind: media.kind, parameters: parameters, description: description)
            else {
                continue
            }
            self.init(
                index: 0,
                format: format,
                payloadType: payloadType,
                control: control,
                alternateControl: base.resolveAdvertised(media.attribute("control")),
                aacPacking: format.codec == .aac ? AACPacking(parameters) : nil,
                parameters: parameters
            )
            return
        }
        return nil
    }
}

extension TrackFormat {
    /// The format an `rtpmap` and its parameters describe; `nil` when we have no name for it.
    fileprivate init?(_ map: RTPMap, kind: String, parameters: [String: String], description: SessionDescription) {
        guard let codec = codecNames[map.encodingName.lowercased()], codec.kind?.rawValue == kind else { return nil }
        self.init(codec: codec, encodingName: map.encodingName, clockRate: map.clockRate, channels: map.channels)
        switch codec {
        case .h264:
            h264 = h264ParameterSets(parameters, description)
        case .aac:
            guard AACPacking(parameters) != nil else { return nil }
            if let config = parameters["config"].flatMap({ [UInt8](hexadecimal: $0) }) {
                aac = try? AACConfiguration(parsing: config)
            }
            if clockRate == 0, let aac { clockRate = aac.sampleRate }
        case .opus:
            // RFC 7587 §4.1: always, whatever cameras write.
            (clockRate, channels) = (48_000, 2)
        case .g722, .pcma, .pcmu:
            // RFC 3551 §4.5.2: G.722 says 8000 although it samples at 16000.
            if clockRate == 0 || codec == .g722 { clockRate = 8_000 }
        case .h265, .av1, .vp8, .vp9, .mjpeg, .l16, .other:
            break
        }
        if codec.kind == .video { (clockRate, channels) = (90_000, 1) }
        // 192 kHz is the highest rate any of these codecs has.
        guard clockRate == 90_000 || (1...192_000).contains(clockRate), (1...8).contains(channels) else { return nil }
    }
}

extension AACPacking {
    /// The packing in `fmtp` parameters; `nil` for modes that carry no AAC, or fields that cannot be.
    fileprivate init?(_ parameters: [String: String]) {
        let mode = parameters["mode"] ?? "AAC-hbr"
        switch mode.lowercased() {
        case "aac-hbr", "": self.init(mode: mode)
        case "aac-lbr": self.init(mode: mode, sizeLength: 6, indexLength: 2, indexDeltaLength: 2)
        default: return nil
        }
        if let bits = parameters["sizelength"]?.decimal(upTo: 32) { sizeLength = bits }
        if let bits = parameters["indexlength"]?.decimal(upTo: 32) { indexLength = bits }
        if let bits = parameters["indexdeltalength"]?.decimal(upTo: 32) { indexDeltaLength = bits }
    }
}

/// The encoding of a payload type: what the section maps it to, the static assignment (RFC 3551 §6), or a guess.
private func encoding(_ payloadType: UInt8, _ media: MediaDescription) -> RTPMap? {
    let maps = media.rtpMaps()
    if let map = maps.first(where: { $0.payloadType == payloadType }) { return map }
    if let map = staticEncodings.first(where: { $0.payloadType == payloadType }) { return map }
    // One format and one map that disagree about the number mean each other.
    if media.payloadTypes.count == 1, maps.count == 1 { return maps.first }
    guard maps.isEmpty, payloadType >= 96 else { return nil }
    let parameters = formatParameters(payloadType, media)
    let guess: String? =
        if media.kind == "video" {
            parameters["sprop-vps"] != nil ? "H265" : "H264"
        } else {
            parameters["config"] != nil ? "MPEG4-GENERIC" : nil
        }
    return guess.map { RTPMap(payloadType: payloadType, encodingName: $0, clockRate: 0) }
}

/// The parameters of a payload type; those of another one when the section has a single format.
private func formatParameters(_ payloadType: UInt8, _ media: MediaDescription) -> [String: String] {
    let own = media.formatParameters(payloadType)
    guard own.isEmpty, media.payloadTypes.count == 1 else { return own }
    for line in media.attributes(named: "fmtp") {
        guard let other = line.blankSeparatedWords.first?.decimal(upTo: 127) else { continue }
        let parameters = media.formatParameters(UInt8(truncatingIfNeeded: other))
        if !parameters.isEmpty { return parameters }
    }
    return own
}

/// The parameter sets in `sprop-parameter-sets` (RFC 6184 §8.1), wherever in the description the camera put them.
private func h264ParameterSets(
    _ parameters: [String: String],
    _ description: SessionDescription
) -> H264ParameterSets? {
    var candidates = [parameters["sprop-parameter-sets"]].compactMap(\.self)
    if candidates.isEmpty {
        for media in description.media {
            for type in media.payloadTypes {
                if let value = formatParameters(type, media)["sprop-parameter-sets"] { candidates.append(value) }
            }
        }
    }
    for candidate in candidates {
        var sps: [UInt8]?
        var pps: [[UInt8]] = []
        for field in candidate.utf8.split(separator: 0x2C).prefix(maximumParameterSets) {
            let unit = withoutStartCode(Base64.decode(String(decoding: field, as: UTF8.self).trimmingBlanks))
            guard let header = unit.first, unit.count <= maximumParameterSetBytes else { continue }
            switch header & 0x1F {
            case 7 where sps == nil: sps = unit
            case 8: pps.append(unit)
            default: continue
            }
        }
        if let sps, !pps.isEmpty, let sets = try? H264ParameterSets(sps: sps, pps: pps) { return sets }
    }
    return nil
}

/// The NAL unit without an Annex B start code in front and zero bytes at the end.
private func withoutStartCode(_ bytes: [UInt8]) -> [UInt8] {
    var unit = bytes[...]
    let zeros = unit.prefix { $0 == 0 }.count
    if zeros >= 2, unit.dropFirst(zeros).first == 1 { unit = unit.dropFirst(zeros + 1) }
    while unit.last == 0 { unit = unit.dropLast() }
    return Array(unit)
}

/// More parameter sets than any camera sends.
private let maximumParameterSets = 32

/// An SPS with every optional part is a few hundred bytes.
private let maximumParameterSetBytes = 4_096

/// Encoding names, lower-cased.
private let codecNames: [String: Codec] = [
    "h264": .h264, "h265": .h265, "hevc": .h265, "av1": .av1, "vp8": .vp8, "vp9": .vp9, "jpeg": .mjpeg,
    "mpeg4-generic": .aac, "opus": .opus, "pcmu": .pcmu, "pcma": .pcma, "g722": .g722, "l16": .l16,
]

/// The static payload types we can name (RFC 3551 §6).
private let staticEncodings = [
    RTPMap(payloadType: 0, encodingName: "PCMU", clockRate: 8_000),
    RTPMap(payloadType: 8, encodingName: "PCMA", clockRate: 8_000),
    RTPMap(payloadType: 9, encodingName: "G722", clockRate: 8_000),
    RTPMap(payloadType: 10, encodingName: "L16", clockRate: 44_100, channels: 2),
    RTPMap(payloadType: 11, encodingName: "L16", clockRate: 44_100),
    RTPMap(payloadType: 26, encodingName: "JPEG", clockRate: 90_000),
]
