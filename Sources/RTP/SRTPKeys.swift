import COpenSSL

/// The session keys of one direction (RFC 3711 §4.3).
struct SRTPKeys: Sendable {
    var cipherKey: [UInt8]
    /// Empty with GCM.
    var authenticationKey: [UInt8]
    var salt: [UInt8]
}

extension SRTPKeys {
    /// What the keys are for; the raw value is the first label of the three.
    enum Usage: UInt8 {
        case rtp = 0
        case rtcp = 3
    }

    init(_ profile: SRTPProfile, _ usage: Usage, masterKey: [UInt8], masterSalt: [UInt8]) throws(SRTPError) {
        guard masterKey.count == profile.keyLength, masterSalt.count == profile.saltLength else { throw .keyLength }
        let label = usage.rawValue
        cipherKey = try Self.derive(label, 16, masterKey, masterSalt)
        authenticationKey =
            profile == .aes128CMHMACSHA1_80 ? try Self.derive(label + 1, 20, masterKey, masterSalt) : []
        salt = try Self.derive(label + 2, profile.saltLength, masterKey, masterSalt)
    }

    /// AES in counter mode over zeros; the start is the salt, padded to 14 bytes (RFC 7714 §11), with the label in the
    /// eighth byte. The key derivation rate is 0.
    static func derive(
        _ label: UInt8,
        _ count: Int,
        _ masterKey: [UInt8],
        _ masterSalt: [UInt8]
    ) throws(SRTPError) -> [UInt8] {
        guard masterKey.count == 16, masterSalt.count <= 14 else { throw .keyLength }
        var start = masterSalt + [UInt8](repeating: 0, count: 16 - masterSalt.count)
        start[7] ^= label
        guard let context = EVP_CIPHER_CTX_new() else { throw .library }
        defer { EVP_CIPHER_CTX_free(context) }
        let zeros = [UInt8](repeating: 0, count: count)
        var output = [UInt8](repeating: 0, count: count)
        var written: Int32 = 0
        guard EVP_EncryptInit_ex(context, EVP_aes_128_ctr(), nil, masterKey, start) == 1,
            EVP_EncryptUpdate(context, &output, &written, zeros, Int32(count)) == 1, Int(written) == count
        else { throw .library }
        return output
    }
}
