import COpenSSL

/// Encryption and authentication of one direction of RTP or RTCP: one OpenSSL context whose key is set once and whose
/// IV is set per packet, so that no packet allocates.
///
/// Confined to its owner; the owners are the two classes of this target.
final class SRTPCipher {
    private let profile: SRTPProfile
    private let context: OpaquePointer
    private var authenticator = signalbox_hmac_sha1_key()
    /// The session salt as two words of a 16-byte block, so that an IV is two exclusive ors.
    private let salt: (high: UInt64, low: UInt64)

    init(_ profile: SRTPProfile, _ keys: SRTPKeys, encrypts: Bool) throws(SRTPError) {
        guard let context = EVP_CIPHER_CTX_new() else { throw .library }
        self.profile = profile
        self.context = context
        let padded = keys.salt + [UInt8](repeating: 0, count: max(0, 16 - keys.salt.count))
        let words = [padded[0..<8], padded[8..<16]].map { $0.reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
        salt = (words[0], words[1])
        let cipher = profile == .aeadAES128GCM ? EVP_aes_128_gcm() : EVP_aes_128_ctr()
        guard EVP_CipherInit_ex(context, cipher, nil, keys.cipherKey, nil, encrypts ? 1 : 0) == 1 else {
            throw .library
        }
        if !keys.authenticationKey.isEmpty {
            signalbox_hmac_sha1_prepare(&authenticator, keys.authenticationKey, keys.authenticationKey.count)
        }
    }

    deinit {
        EVP_CIPHER_CTX_free(context)
        withUnsafeMutableBytes(of: &authenticator) { OPENSSL_cleanse($0.baseAddress, $0.count) }
    }

    /// Sets the IV for a packet: its SSRC and its 48-bit index, which is ROC and sequence number or SRTCP's index.
    ///
    /// GCM (RFC 7714 §8.1, §9.1) has the SSRC at byte 2 and the index at byte 6 of 12, counter mode (RFC 3711 §4.1.1)
    /// the SSRC at byte 4 and the index at byte 8 of 16.
    @inline(__always) private func start(ssrc: UInt32, index: UInt64) -> Bool {
        var high: UInt64
        var low: UInt64
        switch profile {
        case .aeadAES128GCM:
            high = UInt64(ssrc) << 16 | index >> 32
            low = index << 32
        case .aes128CMHMACSHA1_80:
            high = UInt64(ssrc)
            low = index << 16
        }
        high = (high ^ salt.high).bigEndian
        low = (low ^ salt.low).bigEndian
        var block = (high, low)
        return withUnsafeBytes(of: &block) {
            EVP_CipherInit_ex(context, nil, nil, nil, $0.bindMemory(to: UInt8.self).baseAddress, -1) == 1
        }
    }

    /// Adds data that is authenticated and not encrypted (GCM).
    @inline(__always) private func authenticate(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        var written: Int32 = 0
        return EVP_CipherUpdate(context, nil, &written, bytes, Int32(truncatingIfNeeded: count)) == 1
    }

    /// Encrypts or decrypts in place.
    @inline(__always) private func transform(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int) -> Bool {
        guard count > 0 else { return true }
        var written: Int32 = 0
        return EVP_CipherUpdate(context, bytes, &written, bytes, Int32(truncatingIfNeeded: count)) == 1
            && Int(written) == count
    }

    /// Encrypts `bytes` from `clear` to `count` and writes the GCM tag behind them.
    ///
    /// - Parameters:
    ///   - bytes: Has room for the tag after `count`.
    ///   - clear: Bytes at the front that stay readable.
    ///   - trailer: SRTCP's index word, authenticated after the front.
    func seal(
        _ bytes: UnsafeMutablePointer<UInt8>,
        clear: Int,
        count: Int,
        ssrc: UInt32,
        index: UInt64,
        trailer: UInt32? = nil
    ) -> Bool {
        guard start(ssrc: ssrc, index: index) else { return false }
        guard profile == .aeadAES128GCM else { return transform(bytes + clear, count - clear) }
        var written: Int32 = 0
        return authenticate(bytes, clear) && authenticate(trailer) && transform(bytes + clear, count - clear)
            && EVP_CipherFinal_ex(context, bytes + count, &written) == 1
            && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, bytes + count) == 1
    }

    /// Reverses ``seal(_:clear:count:ssrc:index:trailer:)``; with GCM also verifies the tag behind `count`.
    func open(
        _ bytes: UnsafeMutablePointer<UInt8>,
        clear: Int,
        count: Int,
        ssrc: UInt32,
        index: UInt64,
        trailer: UInt32? = nil
    ) throws(SRTPError) {
        guard start(ssrc: ssrc, index: index) else { throw .library }
        guard profile == .aeadAES128GCM else {
            guard transform(bytes + clear, count - clear) else { throw .library }
            return
        }
        var written: Int32 = 0
        guard authenticate(bytes, clear), authenticate(trailer),
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 16, bytes + count) == 1,
            transform(bytes + clear, count - clear)
        else { throw .library }
        guard EVP_CipherFinal_ex(context, bytes + count, &written) == 1 else { throw .authentication }
    }

    @inline(__always) private func authenticate(_ trailer: UInt32?) -> Bool {
        guard var word = trailer?.bigEndian else { return true }
        return withUnsafeBytes(of: &word) { word in
            word.bindMemory(to: UInt8.self).baseAddress.map { authenticate($0, 4) } ?? false
        }
    }

    /// Writes the first 10 bytes of the HMAC-SHA1 of `count` bytes and, when given, of the ROC to `tag`.
    func writeTag(
        _ bytes: UnsafePointer<UInt8>,
        count: Int,
        rollOverCounter: UInt32?,
        to tag: UnsafeMutablePointer<UInt8>
    ) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { code in
            guard let start = code.baseAddress else { return }
            signalbox_hmac_sha1(
                &authenticator,
                bytes,
                count,
                rollOverCounter == nil ? 0 : 1,
                rollOverCounter ?? 0,
                start
            )
            tag.update(from: start, count: 10)
        }
    }

    /// Whether `tag` holds the 10 bytes that ``writeTag(_:count:rollOverCounter:to:)`` would write; constant time.
    func verifyTag(
        _ bytes: UnsafePointer<UInt8>,
        count: Int,
        rollOverCounter: UInt32?,
        against tag: UnsafePointer<UInt8>
    ) -> Bool {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 10) { expected in
            guard let start = expected.baseAddress else { return false }
            writeTag(bytes, count: count, rollOverCounter: rollOverCounter, to: start)
            return CRYPTO_memcmp(start, tag, 10) == 0
        }
    }
}
