import COpenSSL
import Wire

/// What all DTLS sessions of a process share: certificate, key, cipher suites, SRTP profiles.
///
/// `@unchecked Sendable`: the `SSL_CTX` is configured in `init`, never changed afterwards, and OpenSSL allows `SSL_new`
/// on one context from any thread.
public final class DTLSContext: @unchecked Sendable {
    /// What goes into `a=fingerprint`.
    public let fingerprint: Fingerprint
    let context: OpaquePointer

    /// A context with a fresh self-signed certificate: made at start, so that it changes with every restart.
    public static func selfSigned() throws(CertificateError) -> DTLSContext {
        let pem = try SelfSignedCertificate.make(commonName: "Signalbox", days: 30)
        return try DTLSContext(certificatePEM: pem.certificatePEM, privateKeyPEM: pem.privateKeyPEM)
    }

    /// A context for a given certificate and key.
    public init(certificatePEM: String, privateKeyPEM: Secret) throws(CertificateError) {
        guard let certificate = readPEM(certificatePEM, { PEM_read_bio_X509($0, nil, nil, nil) }) else {
            throw .noCertificate
        }
        defer { X509_free(certificate) }
        guard let key = readPEM(privateKeyPEM.reveal(), { PEM_read_bio_PrivateKey($0, nil, nil, nil) }) else {
            throw .noMatchingKey
        }
        defer { EVP_PKEY_free(key) }
        guard let fingerprint = Fingerprint(of: certificate, .sha256) else { throw .openSSL(pendingOpenSSLError()) }
        // From here on `deinit` cleans up, whatever is thrown.
        guard let context = SSL_CTX_new(DTLS_server_method()) else { throw .openSSL(pendingOpenSSLError()) }
        self.context = context
        self.fingerprint = fingerprint
        guard SSL_CTX_use_certificate(context, certificate) == 1, SSL_CTX_use_PrivateKey(context, key) == 1,
            SSL_CTX_check_private_key(context) == 1
        else {
            ERR_clear_error()
            throw .noMatchingKey
        }
        try configure()
    }

    private func configure() throws(CertificateError) {
        signalbox_set_dtls_options(context)
        // OpenSSL's maximum is DTLS 1.2; 1.0 has no AEAD suites and no browser needs it.
        guard SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(DTLS1_2_VERSION), nil) == 1,
            SSL_CTX_set_cipher_list(context, cipherSuites) == 1,
            // Returns 0 when it worked.
            SSL_CTX_set_tlsext_use_srtp(context, srtpProfiles) == 0
        else { throw .openSSL(pendingOpenSSLError()) }
        SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_CERT_LIST, HandshakeRecords.maximumMessage, nil)
        SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, Int(SSL_SESS_CACHE_OFF), nil)
        // Certificates in WebRTC are self-signed: what counts is the fingerprint, compared after the handshake.
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
        SSL_CTX_set_cert_verify_callback(context, { _, _ in 1 }, nil)
    }

    deinit { SSL_CTX_free(context) }
}

private func readPEM(_ text: String, _ read: (OpaquePointer) -> OpaquePointer?) -> OpaquePointer? {
    var text = text
    return text.withUTF8 { bytes in
        guard let bio = BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count)) else { return nil }
        defer {
            BIO_free(bio)
            ERR_clear_error()
        }
        return read(bio)
    }
}

/// Every browser has the first; the certificate is always ECDSA.
private let cipherSuites =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384"
/// OpenSSL's server chooses by its own order. GCM is the cheaper one wherever there is AES in hardware.
private let srtpProfiles = "SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80"
