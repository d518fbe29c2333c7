/// The SRTP protection profiles we speak, in our order of preference; raw values are those of RFC 5764 §4.1.2 and
/// RFC 7714 §14.2.
public enum SRTPProfile: UInt16, CaseIterable, Sendable, Codable {
    /// AEAD_AES_128_GCM (RFC 7714): half the cost of the other one.
    case aeadAES128GCM = 0x0007
    /// SRTP_AES128_CM_HMAC_SHA1_80 (RFC 5764): every endpoint has it.
    // swift-format-ignore: AlwaysUseLowerCamelCase
    case aes128CMHMACSHA1_80 = 0x0001

    /// Bytes of a master key.
    public var keyLength: Int { 16 }

    /// Bytes of a master salt.
    public var saltLength: Int {
        switch self {
        case .aeadAES128GCM: 12
        case .aes128CMHMACSHA1_80: 14
        }
    }

    /// Bytes that protection adds to an RTP packet.
    public var rtpTagLength: Int { tagLength }

    /// Bytes that protection adds to an RTCP packet: the tag and the index word.
    public var rtcpOverhead: Int { tagLength + 4 }

    /// Bytes of the DTLS exporter's output (RFC 5764 §4.2).
    public var keyingMaterialLength: Int { 2 * (keyLength + saltLength) }

    var tagLength: Int {
        switch self {
        case .aeadAES128GCM: 16
        case .aes128CMHMACSHA1_80: 10
        }
    }
}

/// Why protection was refused or removed in vain.
public enum SRTPError: Error, Equatable, Sendable {
    /// Key or salt have the wrong length.
    case keyLength
    /// The library refused the keys.
    case library
    /// The packet is shorter than its parts.
    case truncated
    /// The authentication tag is wrong.
    case authentication
    /// The packet was received before or is older than the replay window.
    case replayed
    /// More sources than one peer may have.
    case tooManySources
}
