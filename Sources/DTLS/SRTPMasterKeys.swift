import RTP

/// SRTP master keys exported from a DTLS session (RFC 5764 §4.2).
///
/// A value of this type is the proof that the handshake finished and that the peer's certificate has the fingerprint
/// from signalling: only ``DTLSSession`` can make one, and only then.
public struct SRTPMasterKeys: Sendable {
    /// The negotiated profile.
    public let profile: SRTPProfile
    /// Protects what the DTLS client sends.
    public let clientKey: [UInt8]
    /// The client's salt.
    public let clientSalt: [UInt8]
    /// Protects what the DTLS server, here always the relay, sends.
    public let serverKey: [UInt8]
    /// The server's salt.
    public let serverSalt: [UInt8]

    init?(profile: SRTPProfile, exported: [UInt8]) {
        let (key, salt) = (profile.keyLength, profile.saltLength)
        guard exported.count == profile.keyingMaterialLength else { return nil }
        self.profile = profile
        clientKey = Array(exported[..<key])
        serverKey = Array(exported[key..<2 * key])
        clientSalt = Array(exported[(2 * key)..<(2 * key + salt)])
        serverSalt = Array(exported[(2 * key + salt)...])
    }
}
