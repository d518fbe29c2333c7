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

    /// The id the offer gives it in `media`; `nil` when it is not offered or does not fit the one-byte form.
    func identifier(in media: MediaDescription) -> UInt8? {
        let words = media.attributes(named: "extmap").lazy.map { $0.blankSeparatedWords }
            .first { $0.count >= 2 && $0[1] == rawValue }
        // "3/recvonly" carries a direction; one-byte headers have ids 1 to 14 (RFC 8285 §4.2).
        return words?.first.flatMap { word in
            (word.splitOnce(at: 0x2F)?.head ?? word).decimal(upTo: 14).flatMap { $0 > 0 ? UInt8($0) : nil }
        }
    }

    /// Pictures are shown at once, or at most 400 ms late: two 12-bit numbers in steps of 10 ms.
    static let playoutDelayRange: UInt64 = 0 << 12 | 40
}
