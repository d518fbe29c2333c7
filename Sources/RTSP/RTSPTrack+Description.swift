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
        for offered in payloadFormats(media) {
            let parameters = offered.parameters
            guard let map = offered.map,
                let format = TrackFormat(map, kind: media.kind, parameters: parameters, description: description)
            else { continue }
            self.init(
                index: 0,
                format: format,
                payloadType: offered.payloadType,
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

/// The payload types of a camera's section with what it says of them, and where it says nothing, what it must mean.
private func payloadFormats(_ media: MediaDescription) -> [PayloadFormat] {
    var formats = media.payloadFormats()
    let maps = media.rtpMaps()
    // One format whose lines speak of another number: they mean each other.
    if formats.count == 1 {
        if formats[0].map == nil, maps.count == 1, staticEncoding(formats[0].payloadType) == nil {
            formats[0].map = maps[0]
        }
        if formats[0].parameters.isEmpty {
            let others = media.formatParameters().sorted { $0.key < $1.key }
            formats[0].parameters = others.first { !$0.value.isEmpty }?.value ?? [:]
        }
    }
    for index in formats.indices where formats[index].map == nil {
        formats[index].map =
            staticEncoding(formats[index].payloadType)
            ?? (maps.isEmpty ? guessedEncoding(formats[index], kind: media.kind) : nil)
    }
    return formats
}

/// The static assignment of a payload type (RFC 3551 §6).
private func staticEncoding(_ payloadType: UInt8) -> RTPMap? {
    staticEncodings.first { $0.payloadType == payloadType }
}

/// The encoding of a dynamic payload type that the camera does not map.
private func guessedEncoding(_ format: PayloadFormat, kind: String) -> RTPMap? {
    guard format.payloadType >= 96 else { return nil }
    let guess: String? =
        if kind == "video" {
            format.parameters["sprop-vps"] != nil ? "H265" : "H264"
        } else {
            format.parameters["config"] != nil ? "MPEG4-GENERIC" : nil
        }
    return guess.map { RTPMap(payloadType: format.payloadType, encodingName: $0, clockRate: 0) }
}

/// The parameter sets in `sprop-parameter-sets` (RFC 6184 §8.1), wherever in the description the camera put them.
private func h264ParameterSets(
    _ parameters: [String: String],
    _ description: SessionDescription
) -> H264ParameterSets? {
    var candidates = [parameters["sprop-parameter-sets"]].compactMap(\.self)
    if candidates.isEmpty {
        for media in description.media {
            candidates += payloadFormats(media).compactMap { $0.parameters["sprop-parameter-sets"] }
        }
    }
    for candidate in candidates.prefix(maximumParameterSets) {
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
