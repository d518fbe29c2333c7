import COpenSSL

/// What is left of a DTLS session when its SRTP keys are exported: a few hundred bytes in place of an `SSL` object of
/// 50 KB for as long as somebody watches.
///
/// A media session has nothing more to say by DTLS than its Finished once more, when the client did not get it, and
/// close_notify. Both are single records of epoch 1 under the AEAD suites that ``DTLSContext`` allows (RFC 6347 §4.1,
/// RFC 5288, RFC 7905), made here with the keys of the handshake. Confined to its owner.
final class EstablishedSession {
    /// What an authentic datagram of the client means.
    enum Message {
        /// Nothing that concerns us, such as application data, or forged.
        case none
        /// The client repeats its Finished, so ours was lost.
        case finished
        /// The client ends the session.
        case closeNotify
    }

    /// One direction's key and the fixed part of its nonces (RFC 5246 §6.3).
    private struct WriteState {
        var key: [UInt8]
        var iv: [UInt8]
    }

    private let suite: Suite
    private var client: WriteState
    private var server: WriteState
    private var nextSequence: UInt64 = 0
    private let changeCipherSpec: [UInt8]
    private var finished: [UInt8] = []

    /// Takes over from an `SSL` object whose handshake is done; it may be freed afterwards.
    ///
    /// - Parameter lastFlight: Our last flight, as it left.
    /// - Returns: `nil` when the library does not give the keys, or the flight is not one.
    init?(_ ssl: OpaquePointer, lastFlight: [[UInt8]]) {
        let records = lastFlight.flatMap { Record.split($0[...]) }
        guard let suite = Suite(ssl), let block = suite.keyBlock(ssl),
            let change = records.last(where: { $0.type == changeCipherSpecType && $0.epoch == 0 }),
            let last = records.last(where: { $0.type == handshakeType && $0.epoch == 1 })
        else { return nil }
        self.suite = suite
        let (key, iv) = (suite.keyLength, suite.fixedNonceLength)
        client = WriteState(key: Array(block[..<key]), iv: Array(block[2 * key..<2 * key + iv]))
        server = WriteState(key: Array(block[key..<2 * key]), iv: Array(block[(2 * key + iv)...]))
        changeCipherSpec = change.header + change.body
        guard let plaintext = suite.open(last, key: server.key, iv: server.iv) else { return nil }
        finished = plaintext
        nextSequence = last.sequence + 1
    }

    deinit {
        for bytes in [\WriteState.key, \.iv] {
            client[keyPath: bytes].withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) }
            server[keyPath: bytes].withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) }
        }
    }

    /// Reads a datagram. Records that are not authentic are ignored.
    func receive(_ datagram: ArraySlice<UInt8>) -> Message {
        var message = Message.none
        for record in Record.split(datagram) where record.epoch == 1 {
            guard record.type == handshakeType || record.type == alertType,
                let plaintext = suite.open(record, key: client.key, iv: client.iv)
            else { continue }
            if record.type == handshakeType {
                message = .finished
            } else if plaintext.count == 2, plaintext[1] == 0 || plaintext[0] == fatalLevel {
                // A fatal alert ends a session like close_notify does (RFC 5246 §7.2).
                return .closeNotify
            }
        }
        return message
    }

    /// Our last flight with a fresh record number (RFC 6347 §4.2.4); the plaintext record's number is the caller's.
    func repeatedFlight() -> [UInt8] { changeCipherSpec + sealed(handshakeType, finished) }

    /// The alert that ends the session.
    func closeNotify() -> [UInt8] { sealed(alertType, [1, 0]) }

    /// A record of epoch 1; empty when the library refuses.
    private func sealed(_ type: UInt8, _ plaintext: [UInt8]) -> [UInt8] {
        let record = suite.seal(type, plaintext, sequence: nextSequence, key: server.key, iv: server.iv) ?? []
        nextSequence += 1
        return record
    }
}

/// One record of a datagram (RFC 6347 §4.1).
private struct Record {
    var header: [UInt8]
    var body: [UInt8]

    var type: UInt8 { header[0] }
    var epoch: UInt16 { UInt16(header[3]) << 8 | UInt16(header[4]) }
    var sequence: UInt64 { header[5..<11].reduce(0) { $0 << 8 | UInt64($1) } }

    /// The whole records of a datagram, in order.
    static func split(_ datagram: ArraySlice<UInt8>) -> [Record] {
        var records: [Record] = []
        var rest = datagram
        while rest.count >= headerLength {
            let header = Array(rest.prefix(headerLength))
            let length = Int(header[11]) << 8 | Int(header[12])
            rest = rest.dropFirst(headerLength)
            guard rest.count >= length else { break }
            records.append(Record(header: header, body: Array(rest.prefix(length))))
            rest = rest.dropFirst(length)
        }
        return records
    }
}

/// The AEAD of the negotiated cipher suite.
private enum Suite {
    case aes128GCM
    case aes256GCM
    case chaCha20Poly1305

    init?(_ ssl: OpaquePointer) {
        switch SSL_CIPHER_get_cipher_nid(SSL_get_current_cipher(ssl)) {
        case NID_aes_128_gcm: self = .aes128GCM
        case NID_aes_256_gcm: self = .aes256GCM
        case NID_chacha20_poly1305: self = .chaCha20Poly1305
        default: return nil
        }
    }

    var keyLength: Int { self == .aes128GCM ? 16 : 32 }

    /// Bytes of a nonce that come from the key block.
    var fixedNonceLength: Int { self == .chaCha20Poly1305 ? 12 : 4 }

    /// Bytes of a nonce that every record carries.
    private var explicitNonceLength: Int { self == .chaCha20Poly1305 ? 0 : 8 }

    private var cipher: OpaquePointer? {
        switch self {
        case .aes128GCM: EVP_aes_128_gcm()
        case .aes256GCM: EVP_aes_256_gcm()
        case .chaCha20Poly1305: EVP_chacha20_poly1305()
        }
    }

    /// Both sides' keys and nonces: client key, server key, client IV, server IV (RFC 5246 §6.3).
    func keyBlock(_ ssl: OpaquePointer) -> [UInt8]? {
        var secret = [UInt8](repeating: 0, count: 48)
        defer { secret.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) } }
        guard SSL_SESSION_get_master_key(SSL_get_session(ssl), &secret, secret.count) == secret.count,
            let digest = SSL_CIPHER_get_handshake_digest(SSL_get_current_cipher(ssl)),
            let context = EVP_PKEY_CTX_new_id(NID_tls1_prf, nil)
        else { return nil }
        defer { EVP_PKEY_CTX_free(context) }
        var seed = Array("key expansion".utf8)
        for random in [SSL_get_server_random, SSL_get_client_random] {
            var bytes = [UInt8](repeating: 0, count: 32)
            guard random(ssl, &bytes, bytes.count) == bytes.count else { return nil }
            seed += bytes
        }
        var block = [UInt8](repeating: 0, count: 2 * (keyLength + fixedNonceLength))
        var count = block.count
        guard EVP_PKEY_derive_init(context) == 1, EVP_PKEY_CTX_set_tls1_prf_md(context, digest) == 1,
            EVP_PKEY_CTX_set1_tls1_prf_secret(context, secret, Int32(secret.count)) == 1,
            EVP_PKEY_CTX_add1_tls1_prf_seed(context, seed, Int32(seed.count)) == 1,
            EVP_PKEY_derive(context, &block, &count) == 1, count == block.count
        else { return nil }
        return block
    }

    /// Epoch and sequence number, type, version and plaintext length: what a record authenticates besides its text.
    private func additionalData(_ header: [UInt8], length: Int) -> [UInt8] {
        Array(header[3..<11]) + header[0..<3] + [
            UInt8(truncatingIfNeeded: length >> 8), UInt8(truncatingIfNeeded: length),
        ]
    }

    /// RFC 5288 §3: fixed and explicit part; RFC 7905 §2: the record's number exclusive-or the IV.
    private func nonce(iv: [UInt8], explicit: ArraySlice<UInt8>, number: ArraySlice<UInt8>) -> [UInt8] {
        guard self == .chaCha20Poly1305 else { return iv + explicit }
        return zip(iv, [0, 0, 0, 0] + number).map { $0 ^ $1 }
    }

    /// The record's plaintext, or `nil` when it is not authentic.
    func open(_ record: Record, key: [UInt8], iv: [UInt8]) -> [UInt8]? {
        let length = record.body.count - explicitNonceLength - tagLength
        guard length > 0, let context = EVP_CIPHER_CTX_new() else { return nil }
        defer { EVP_CIPHER_CTX_free(context) }
        let explicit = record.body.prefix(explicitNonceLength)
        let nonce = nonce(iv: iv, explicit: explicit, number: record.header[3..<11])
        var text = Array(record.body[explicitNonceLength..<explicitNonceLength + length])
        var tag = Array(record.body.suffix(tagLength))
        let data = additionalData(record.header, length: length)
        var written: Int32 = 0
        let isAuthentic =
            EVP_DecryptInit_ex(context, cipher, nil, key, nonce) == 1
            && EVP_DecryptUpdate(context, nil, &written, data, Int32(data.count)) == 1
            && text.withUnsafeMutableBufferPointer {
                EVP_DecryptUpdate(context, $0.baseAddress, &written, $0.baseAddress, Int32(length))
            } == 1
            && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(tagLength), &tag) == 1
            && EVP_DecryptFinal_ex(context, nil, &written) == 1
        ERR_clear_error()
        return isAuthentic ? text : nil
    }

    /// A whole record of epoch 1 with `plaintext` inside.
    func seal(_ type: UInt8, _ plaintext: [UInt8], sequence: UInt64, key: [UInt8], iv: [UInt8]) -> [UInt8]? {
        guard let context = EVP_CIPHER_CTX_new() else { return nil }
        defer { EVP_CIPHER_CTX_free(context) }
        let length = explicitNonceLength + plaintext.count + tagLength
        var header: [UInt8] = [type, 0xFE, 0xFD, 0, 1]
        header += stride(from: 40, through: 0, by: -8).map { UInt8(truncatingIfNeeded: sequence >> UInt64($0)) }
        header += [UInt8(truncatingIfNeeded: length >> 8), UInt8(truncatingIfNeeded: length)]
        let explicit = header[3..<11].prefix(explicitNonceLength)
        let nonce = nonce(iv: iv, explicit: explicit, number: header[3..<11])
        let data = additionalData(header, length: plaintext.count)
        var text = plaintext
        var tag = [UInt8](repeating: 0, count: tagLength)
        var written: Int32 = 0
        let isSealed =
            EVP_EncryptInit_ex(context, cipher, nil, key, nonce) == 1
            && EVP_EncryptUpdate(context, nil, &written, data, Int32(data.count)) == 1
            && text.withUnsafeMutableBufferPointer {
                EVP_EncryptUpdate(context, $0.baseAddress, &written, $0.baseAddress, Int32(plaintext.count))
            } == 1
            && EVP_EncryptFinal_ex(context, nil, &written) == 1
            && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(tagLength), &tag) == 1
        ERR_clear_error()
        return isSealed ? header + explicit + text + tag : nil
    }
}

private let headerLength = 13
private let tagLength = 16
// Content types (RFC 5246 §6.2.1) and the level of an alert that ends everything.
private let changeCipherSpecType: UInt8 = 20
private let alertType: UInt8 = 21
private let handshakeType: UInt8 = 22
private let fatalLevel: UInt8 = 2
