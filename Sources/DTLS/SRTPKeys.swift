/// An SRTP protection profile (RFC 5764 §4.1.2, RFC 7714 §14.2), with its number on the wire.
public enum SRTPProtectionProfile: UInt16, Hashable, Sendable {
    /// SRTP_AES128_CM_HMAC_SHA1_80.
    case aes128CMHMACSHA1Tag80 = 0x0001
    /// SRTP_AEAD_AES_128_GCM.
    case aeadAES128GCM = 0x0007

    /// Master key length in bytes.
    public var keyByteCount: Int { 16 }

    /// Master salt length in bytes.
    public var saltByteCount: Int {
        switch self {
        case .aes128CMHMACSHA1Tag80: 14
        case .aeadAES128GCM: 12
        }
    }
}

/// SRTP master keys exported from a DTLS session (RFC 5764 §4.2).
///
/// A value of this type is the proof that the handshake finished and that the peer's certificate has the fingerprint
/// from signalling: only ``DTLSSession`` can make one, and only then.
public struct SRTPKeys: Sendable {
    /// The negotiated profile.
    public let profile: SRTPProtectionProfile
    /// Protects what the DTLS client sends.
    public let clientKey: [UInt8]
    /// The client's salt.
    public let clientSalt: [UInt8]
    /// Protects what the DTLS server, here always the relay, sends.
    public let serverKey: [UInt8]
    /// The server's salt.
    public let serverSalt: [UInt8]

    init?(profile: SRTPProtectionProfile, exported: [UInt8]) {
        let (key, salt) = (profile.keyByteCount, profile.saltByteCount)
        guard exported.count == Self.exportedByteCount(profile) else { return nil }
        self.profile = profile
        clientKey = Array(exported[..<key])
        serverKey = Array(exported[key..<2 * key])
        clientSalt = Array(exported[(2 * key)..<(2 * key + salt)])
        serverSalt = Array(exported[(2 * key + salt)...])
    }

    static func exportedByteCount(_ profile: SRTPProtectionProfile) -> Int {
        2 * (profile.keyByteCount + profile.saltByteCount)
    }
}
