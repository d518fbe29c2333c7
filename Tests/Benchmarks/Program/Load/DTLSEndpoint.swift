import COpenSSL
import RTP
import Wire

/// What all viewers of a load client share: one certificate.
final class DTLSIdentity {
    /// For `a=fingerprint`.
    let fingerprint: String
    fileprivate let context: OpaquePointer

    init() throws(BenchError) {
        guard let context = SSL_CTX_new(DTLS_method()), let key = signalbox_generate_p256_key(),
            let certificate = X509_new()
        else { throw BenchError("OpenSSL gives no DTLS context") }
        self.context = context
        X509_set_version(certificate, 2)
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1)
        X509_gmtime_adj(X509_getm_notBefore(certificate), -86_400)
        X509_gmtime_adj(X509_getm_notAfter(certificate), 86_400)
        X509_set_pubkey(certificate, key)
        let name = X509_get_subject_name(certificate)
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, "signalbox-bench", -1, -1, 0)
        X509_set_issuer_name(certificate, name)
        X509_sign(certificate, key, EVP_sha256())
        SSL_CTX_use_certificate(context, certificate)
        SSL_CTX_use_PrivateKey(context, key)
        SSL_CTX_set_tlsext_use_srtp(context, "SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80")
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        SSL_CTX_set_cert_verify_callback(context, { _, _ in 1 }, nil)
        signalbox_set_dtls_options(context)
        var digest = [UInt8](repeating: 0, count: 64)
        X509_digest(certificate, EVP_sha256(), &digest, nil)
        fingerprint = "sha-256 " + digest.prefix(32).map { [$0].hexadecimal.uppercased() }.joined(separator: ":")
        X509_free(certificate)
        EVP_PKEY_free(key)
    }

    deinit { SSL_CTX_free(context) }
}

/// One DTLS session of the load client, in either role.
final class DTLSEndpoint {
    private let ssl: OpaquePointer
    private let input: OpaquePointer
    private let output: OpaquePointer
    private let isClient: Bool
    private(set) var isConnected = false

    init(_ identity: DTLSIdentity, isClient: Bool) throws(BenchError) {
        guard let ssl = SSL_new(identity.context), let input = BIO_new(BIO_s_mem()),
            let output = BIO_new(BIO_s_mem())
        else { throw BenchError("OpenSSL gives no DTLS session") }
        (self.ssl, self.input, self.output, self.isClient) = (ssl, input, output, isClient)
        BIO_ctrl(input, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, nil)
        BIO_ctrl(output, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, nil)
        SSL_set_bio(ssl, input, output)
        SSL_ctrl(ssl, SSL_CTRL_SET_MTU, 1_200, nil)
        if isClient { SSL_set_connect_state(ssl) } else { SSL_set_accept_state(ssl) }
    }

    deinit { SSL_free(ssl) }

    /// The first flight of a client; nothing from a server.
    func start() -> [[UInt8]] { pump() }

    func receive(_ datagram: UnsafeRawBufferPointer) -> [[UInt8]] {
        BIO_write(input, datagram.baseAddress, Int32(datagram.count))
        return pump()
    }

    /// Sends the last flight again if it is time.
    func retransmit() -> [[UInt8]] {
        SSL_ctrl(ssl, DTLS_CTRL_HANDLE_TIMEOUT, 0, nil)
        return pump()
    }

    /// close_notify.
    func close() -> [[UInt8]] {
        SSL_shutdown(ssl)
        return drain()
    }

    /// Removes the protection of what the server sends, and protects what we send.
    func makeSRTP() throws -> (receiver: SRTPReceiver, sender: SRTPSender) {
        guard let selected = SSL_get_selected_srtp_profile(ssl)?.pointee,
            let profile = SRTPProfile(rawValue: UInt16(truncatingIfNeeded: selected.id))
        else { throw BenchError("no SRTP profile was agreed on") }
        var bytes = [UInt8](repeating: 0, count: profile.keyingMaterialLength)
        let label = "EXTRACTOR-dtls_srtp"
        SSL_export_keying_material(ssl, &bytes, bytes.count, label, label.utf8.count, nil, 0, 0)
        let (key, salt) = (profile.keyLength, profile.saltLength)
        let client = (Array(bytes[..<key]), Array(bytes[(2 * key)..<(2 * key + salt)]))
        let server = (Array(bytes[key..<(2 * key)]), Array(bytes[(2 * key + salt)...]))
        let (theirs, ours) = isClient ? (server, client) : (client, server)
        return (
            try SRTPReceiver(profile: profile, masterKey: theirs.0, masterSalt: theirs.1),
            try SRTPSender(profile: profile, masterKey: ours.0, masterSalt: ours.1)
        )
    }

    private func pump() -> [[UInt8]] {
        ERR_clear_error()
        if !isConnected { isConnected = SSL_do_handshake(ssl) == 1 }
        if isConnected {
            var buffer = [UInt8](repeating: 0, count: 2_048)
            SSL_read(ssl, &buffer, Int32(buffer.count))
        }
        ERR_clear_error()
        return drain()
    }

    /// What OpenSSL wrote, one datagram for each record.
    private func drain() -> [[UInt8]] {
        var bytes = [UInt8](repeating: 0, count: 16_384)
        let count = Int(max(0, BIO_read(output, &bytes, Int32(bytes.count))))
        var datagrams: [[UInt8]] = []
        var offset = 0
        while offset + 13 <= count {
            let end = min(offset + 13 + Int(bytes[offset + 11]) << 8 + Int(bytes[offset + 12]), count)
            datagrams.append(Array(bytes[offset..<end]))
            offset = end
        }
        return datagrams
    }
}
