import Media
import SDP
import Wire

/// Which of a stream's tracks go out on which m-line, and how.
struct Negotiation: Sendable {
    /// A track that was agreed on.
    struct Track: Sendable {
        /// Index of the m-line.
        var section: Int
        /// Index of the stream's track, ``StreamPacket/track``.
        var streamTrack: Int
        var kind: TrackKind
        var codec: Codec
        var payloadType: UInt8
        /// The name, rate and channels of the answer's `rtpmap`.
        var map: RTPMap
        var formatParameters: String?
        var clockRate: Int
        var supportsNack: Bool
        var feedback: [String]
        /// The payload type of retransmissions (RFC 4588), when the offer has one for ``payloadType``.
        var rtxPayloadType: UInt8?
        /// `a=extmap` id of the MID extension, when the offer has a usable one.
        var midExtension: UInt8?
        /// The same for transport-wide sequence numbers, when feedback on them is offered too.
        var transportExtension: UInt8?
        /// The same for the playout delay.
        var playoutDelayExtension: UInt8?
        var mid: String?
    }

    var tracks: [Track] = []
    /// Why the camera's sound is not part of the session.
    var audioUnavailableReason: String?
}

extension Negotiation {
    init(_ offer: OfferedSession, streamTracks: [TrackFormat]) throws(NegotiationError) {
        guard !streamTracks.isEmpty else { throw .streamNotReady }
        let video = try Self.video(offer, streamTracks)
        if let video { tracks.append(video) }
        addAudio(offer, streamTracks)
        guard !tracks.isEmpty else {
            throw .nothingToSend(audioUnavailableReason ?? "the browser asks for other media than the camera has.")
        }
        tracks.sort { $0.section < $1.section }
    }

    private static func video(_ offer: OfferedSession, _ streamTracks: [TrackFormat]) throws(NegotiationError) -> Track?
    {
        guard let streamTrack = streamTracks.firstIndex(where: { $0.codec.kind == .video || $0.codec == .other })
        else { return nil }
        guard let section = offer.sections.firstIndex(where: { $0.isUsable && $0.media.kind == "video" }) else {
            return nil
        }
        // The first video track that can go, which need not be the first one.
        guard let carried = streamTracks.firstIndex(where: { $0.codec == .h264 }) else {
            guard streamTracks[streamTrack].codec.kind == .video else { return nil }
            throw .unsupportedVideo(camera: streamTracks[streamTrack].encodingName)
        }
        let media = offer.sections[section].media
        let stream = streamTracks[carried].h264.map {
            H264Profile(profileIDC: $0.parsed.profileIDC, constraintFlags: $0.parsed.constraintFlags)
        }
        typealias Offered = (map: RTPMap, level: String?, profile: H264Profile)
        let offered = media.payloadFormats().compactMap { format -> Offered? in
            guard let map = format.map, map.encodingName.equalsIgnoringASCIICase("H264"), map.clockRate == 90_000,
                format.parameters["packetization-mode"] == "1"
            else { return nil }
            let level = format.parameters["profile-level-id"]
            return (map, level, H264Profile(profileLevelID: level))
        }
        let preferences = (stream ?? .constrainedBaseline).acceptable
        let best = preferences.lazy.compactMap { wanted in offered.first { $0.profile == wanted } }.first
        guard let (map, text, _) = best ?? offered.first else {
            throw .noCommonVideoCodec(offered: offer.offeredVideoCodecs, camera: .h264)
        }
        let level = text.flatMap { [UInt8](hexadecimal: $0).map(\.hexadecimal) }
        return Track(
            section,
            of: offer,
            streamTrack: carried,
            format: streamTracks[carried],
            map: map,
            parameters: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=\(level ?? "42e01f")"
        )
    }

    private mutating func addAudio(_ offer: OfferedSession, _ streamTracks: [TrackFormat]) {
        guard let first = streamTracks.first(where: { $0.codec.kind == .audio }) else {
            audioUnavailableReason = "The camera sends no sound."
            return
        }
        guard let section = offer.sections.firstIndex(where: { $0.isUsable && $0.media.kind == "audio" }) else {
            let isApart = offer.sections.contains { $0.isApart && $0.media.kind == "audio" }
            audioUnavailableReason =
                isApart
                ? "The browser does not bundle sound with the picture." : "The browser did not ask for sound."
            return
        }
        let offered = offer.sections[section].media.payloadFormats()
        for (streamTrack, format) in streamTracks.enumerated() {
            guard let map = Self.audioMap(format, offered) else { continue }
            let isOpus = format.codec == .opus
            let stereo = format.channels == 2 ? ";stereo=1;sprop-stereo=1" : ""
            tracks.append(
                Track(
                    section,
                    of: offer,
                    streamTrack: streamTrack,
                    format: format,
                    map: map,
                    parameters: isOpus ? "minptime=10;useinbandfec=1\(stereo)" : nil
                )
            )
            return
        }
        let name = first.codec == .other ? first.encodingName : first.codec.rawValue
        audioUnavailableReason =
            switch first.codec {
            case .opus, .pcmu, .pcma: "The browser does not take \(name) sound."
            default: "The camera sends \(name) sound, which browsers do not take by WebRTC."
            }
    }

    private static func audioMap(_ format: TrackFormat, _ formats: [PayloadFormat]) -> RTPMap? {
        func offered(_ name: String, _ clockRate: Int, _ channels: Int) -> RTPMap? {
            formats.lazy.compactMap(\.map).first {
                $0.encodingName.equalsIgnoringASCIICase(name) && $0.clockRate == clockRate && $0.channels == channels
            }
        }
        func lists(_ payloadType: UInt8) -> Bool { formats.contains { $0.payloadType == payloadType } }
        switch format.codec {
        case .opus where format.clockRate == 48_000:
            return offered("opus", 48_000, 2)
        case .pcmu where format.clockRate == 8_000 && format.channels == 1:
            // Static payload types need no rtpmap (RFC 3551 §6).
            return offered("PCMU", 8_000, 1)
                ?? (lists(0)
                    ? RTPMap(payloadType: 0, encodingName: "PCMU", clockRate: 8_000) : nil)
        case .pcma where format.clockRate == 8_000 && format.channels == 1:
            return offered("PCMA", 8_000, 1)
                ?? (lists(8)
                    ? RTPMap(payloadType: 8, encodingName: "PCMA", clockRate: 8_000) : nil)
        default:
            return nil
        }
    }
}

extension Negotiation.Track {
    fileprivate init(
        _ index: Int,
        of offer: OfferedSession,
        streamTrack: Int,
        format: TrackFormat,
        map: RTPMap,
        parameters: String?
    ) {
        let section = offer.sections[index]
        let media = section.media
        func identifier(of header: HeaderExtension) -> UInt8? { header.identifier(in: media, of: offer) }
        let offered = media.rtcpFeedback(map.payloadType)
        let transport = offered.contains("transport-cc") ? identifier(of: .transportSequence) : nil
        var feedback = ["nack", "nack pli", "ccm fir"].filter { offered.contains($0) }
        // The receiver's own estimate only where it does not tell us what ours is made from.
        if transport != nil {
            feedback.append("transport-cc")
        } else if offered.contains("goog-remb") {
            feedback.append("goog-remb")
        }
        self.init(
            section: index,
            streamTrack: streamTrack,
            kind: format.codec.kind ?? .video,
            codec: format.codec,
            payloadType: map.payloadType,
            map: map,
            formatParameters: parameters,
            clockRate: format.clockRate,
            supportsNack: offered.contains("nack"),
            feedback: feedback,
            rtxPayloadType: offered.contains("nack") ? Self.rtx(of: map, in: media) : nil,
            // The one-byte header takes 16 bytes.
            midExtension: (section.mid?.utf8.count ?? 99) <= 16 ? identifier(of: .mid) : nil,
            transportExtension: transport,
            playoutDelayExtension: format.codec.kind == .video ? identifier(of: .playoutDelay) : nil,
            mid: section.mid
        )
    }

    /// The payload type whose `apt` is that of `main`; it has the same clock (RFC 4588 §8.1).
    private static func rtx(of main: RTPMap, in media: MediaDescription) -> UInt8? {
        media.payloadFormats().first { format in
            format.map?.encodingName.equalsIgnoringASCIICase("rtx") == true
                && format.map?.clockRate == main.clockRate
                && format.parameters["apt"]?.decimal(upTo: 127) == Int(main.payloadType)
        }?.payloadType
    }
}
