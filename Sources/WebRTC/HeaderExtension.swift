import SDP
import Wire

/// The RTP header extensions we send (RFC 8285, one-byte form), by the URI that `a=extmap` names them with.
enum HeaderExtension: String {
    /// Which m-line a packet belongs to (RFC 8843 §15.2).
    case mid = "urn:ietf:params:rtp-hdrext:sdes:mid"
    /// One line of sequence numbers for everything on the transport, which feedback then speaks of.
    case transportSequence = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
    /// How long the receiver may hold pictures back.
    case playoutDelay = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"

    /// The id the offer gives it in an m-line; `nil` when it is not offered, does not fit the one-byte form, or shares
    /// its id with another: an id means one thing on a transport (RFC 8285 §4.3, RFC 8843 §9).
    func identifier(in media: MediaDescription, of offer: OfferedSession) -> UInt8? {
        guard let id = media.headerExtensions.first(where: { $0.uri == rawValue })?.id else { return nil }
        let isClear = offer.sections.allSatisfy { section in
            !section.isUsable || section.media.headerExtensions.allSatisfy { $0.id != id || $0.uri == rawValue }
        }
        return isClear ? id : nil
    }
}

extension MediaDescription {
    /// The extensions offered in the one-byte form.
    fileprivate var headerExtensions: [(id: UInt8, uri: String)] {
        attributes(named: "extmap").compactMap { line in
            let words = line.blankSeparatedWords
            // "3/recvonly" carries a direction; one-byte headers have ids 1 to 14 (RFC 8285 §4.2).
            guard words.count >= 2, let id = (words[0].splitOnce(at: 0x2F)?.head ?? words[0]).decimal(upTo: 14), id > 0
            else { return nil }
            return (UInt8(id), String(words[1]))
        }
    }
}
