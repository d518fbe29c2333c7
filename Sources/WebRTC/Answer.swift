import DTLS
import ICE
import Media
import SDP

/// What our side of the session description needs besides the negotiation.
struct AnswerParameters {
    var credentials: ICECredentials
    var candidates: [Candidate]
    var fingerprint: Fingerprint
    var sessionID: UInt64
    var cname: String
    /// Stream id for `a=msid`, one for sound and picture, so that browsers play them in step.
    var streamID: String
    /// Sources by index of ``Negotiation/tracks``.
    var sources: [TrackSources]
}

/// The synchronisation sources of one outgoing track.
struct TrackSources {
    /// The media's.
    var media: UInt32
    /// The retransmissions', where they have one of their own (RFC 4588).
    var rtx: UInt32?
}

extension SessionDescription {
    /// The answer (RFC 9429 §5.3.1): every m-line of the offer in its order, all but the negotiated ones rejected.
    init(answering offer: OfferedSession, _ negotiation: Negotiation, _ parameters: AnswerParameters) {
        var attributes: [SDPAttribute] = []
        let mids = offer.sections.enumerated().compactMap { index, section in
            let isUsed = section.isBundled && negotiation.tracks.contains { $0.section == index }
            return isUsed || Self.unusedCodec(section) != nil ? section.mid : nil
        }
        if offer.offersBundle, !mids.isEmpty {
            attributes.append(SDPAttribute("group", (["BUNDLE"] + mids).joined(separator: " ")))
        }
        attributes.append(SDPAttribute("msid-semantic", "WMS \(parameters.streamID)"))
        attributes.append(SDPAttribute("ice-options", "trickle"))
        self.init(
            // RFC 9429 §5.2.1: the id fits in 63 bits, the address says nothing.
            origin: "- \(parameters.sessionID & 0x7FFF_FFFF_FFFF_FFFF) 1 IN IP4 127.0.0.1",
            attributes: attributes,
            media: offer.sections.enumerated().map { index, section in
                guard let track = negotiation.tracks.firstIndex(where: { $0.section == index }) else {
                    return Self.unusedCodec(section).map { Self.inactive(section, $0, parameters) }
                        ?? Self.rejected(section)
                }
                return Self.accepted(section, negotiation.tracks[track], parameters.sources[track], parameters)
            }
        )
    }

    private static func rejected(_ section: OfferedSession.Section) -> MediaDescription {
        MediaDescription(
            kind: section.media.kind,
            port: 0,
            proto: section.media.proto,
            // A rejected m-line needs a format all the same; its own first one is right (RFC 3264 §6).
            formats: section.media.formats.isEmpty ? ["0"] : [section.media.formats[0]],
            connection: "IN IP4 0.0.0.0",
            attributes: section.mid.map { [SDPAttribute("mid", $0)] } ?? []
        )
    }

    /// Sound that was asked for and that the camera lacks, or has in a form that cannot go: agreed to and left unused.
    /// Rejecting the m-line would be as right (RFC 3264 §6), but aiortc takes no answer with a rejected one.
    private static func inactive(
        _ section: OfferedSession.Section,
        _ map: RTPMap,
        _ parameters: AnswerParameters
    ) -> MediaDescription {
        let channels = map.channels > 1 ? "/\(map.channels)" : ""
        return MediaDescription(
            kind: section.media.kind,
            proto: section.media.proto,
            formats: [String(map.payloadType)],
            connection: "IN IP4 0.0.0.0",
            attributes: (section.mid.map { [SDPAttribute("mid", $0)] } ?? []) + [
                SDPAttribute("inactive"), SDPAttribute("rtcp-mux"), SDPAttribute("setup", "passive"),
                SDPAttribute("ice-ufrag", parameters.credentials.ufrag),
                SDPAttribute("ice-pwd", parameters.credentials.pwd),
                SDPAttribute("fingerprint", parameters.fingerprint.description),
                SDPAttribute("rtpmap", "\(map.payloadType) \(map.encodingName)/\(map.clockRate)\(channels)"),
            ]
        )
    }

    /// The codec under which an unused audio m-line is agreed to; `nil` where rejecting is the only way.
    private static func unusedCodec(_ section: OfferedSession.Section) -> RTPMap? {
        guard section.media.kind == "audio", section.isBundled, OfferedSession.hasOurTransport(section.media) else {
            return nil
        }
        let offered = section.media.payloadTypes
        return section.media.rtpMaps().first { $0.clockRate > 0 && offered.contains($0.payloadType) }
    }

    private static func accepted(
        _ section: OfferedSession.Section,
        _ track: Negotiation.Track,
        _ sources: TrackSources,
        _ parameters: AnswerParameters
    ) -> MediaDescription {
        var attributes: [SDPAttribute] = []
        func add(_ name: String, _ value: String? = nil) { attributes.append(SDPAttribute(name, value)) }
        if let mid = section.mid { add("mid", mid) }
        add("sendonly")
        add("rtcp-mux")
        if section.media.has("rtcp-rsize") { add("rtcp-rsize") }
        add("setup", "passive")
        add("ice-ufrag", parameters.credentials.ufrag)
        add("ice-pwd", parameters.credentials.pwd)
        add("fingerprint", parameters.fingerprint.description)
        if let id = track.midExtension { add("extmap", "\(id) \(HeaderExtension.mid.rawValue)") }
        if let id = track.transportExtension { add("extmap", "\(id) \(HeaderExtension.transportSequence.rawValue)") }
        if let id = track.playoutDelayExtension { add("extmap", "\(id) \(HeaderExtension.playoutDelay.rawValue)") }
        let channels = track.map.channels > 1 ? "/\(track.map.channels)" : ""
        add("rtpmap", "\(track.payloadType) \(track.map.encodingName)/\(track.map.clockRate)\(channels)")
        if let text = track.formatParameters { add("fmtp", "\(track.payloadType) \(text)") }
        for feedback in track.feedback { add("rtcp-fb", "\(track.payloadType) \(feedback)") }
        if let rtx = track.rtxPayloadType {
            add("rtpmap", "\(rtx) rtx/\(track.map.clockRate)")
            add("fmtp", "\(rtx) apt=\(track.payloadType)")
        }
        // Both parts, or Firefox complains of a missing track id.
        add("msid", "\(parameters.streamID) \(parameters.streamID)-\(track.kind.rawValue)")
        if let rtx = sources.rtx { add("ssrc-group", "FID \(sources.media) \(rtx)") }
        add("ssrc", "\(sources.media) cname:\(parameters.cname)")
        if let rtx = sources.rtx { add("ssrc", "\(rtx) cname:\(parameters.cname)") }
        for candidate in parameters.candidates {
            let text = candidate.attribute
            add("candidate", String(text.dropFirst("candidate:".count)))
        }
        add("end-of-candidates")
        return MediaDescription(
            kind: section.media.kind,
            proto: section.media.proto,
            formats: [track.payloadType, track.rtxPayloadType].compactMap { $0.map(String.init) },
            connection: "IN IP4 0.0.0.0",
            attributes: attributes
        )
    }
}
