import COpenSSL
import DTLS
import Wire

/// A DTLS client made of plain OpenSSL, playing the browser.
final class DTLSClient {
    struct Options {
        var usesRSA = false
        var rsaBits: Int32 = 2_048
        /// Pads the ClientHello beyond one datagram, as post-quantum key shares do.
        var largeHello = false
        var profiles = "SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80"
        /// The suites it offers; empty for the library's own list.
        var suites = ""
        /// Retransmits after 2 ms instead of after a second of real time.
        var eagerTimer = false
        /// Largest datagram it sends.
        var mtu = 1_200
    }

    let fingerprint: String
    private(set) var isConnected = false
    private(set) var isClosed = false
    private let context: OpaquePointer
    private let ssl: OpaquePointer
    private let input: OpaquePointer
    private let output: OpaquePointer
    private let mtu: Int

    init?(_ options: Options = .init()) {
        guard let context = SSL_CTX_new(DTLS_client_method()), let key = DTLSClient.makeKey(options),
            let certificate = DTLSClient.makeCertificate(key)
        else { return nil }
        self.context = context
        mtu = options.mtu
        SSL_CTX_use_certificate(context, certificate)
        SSL_CTX_use_PrivateKey(context, key)
        if !options.suites.isEmpty { SSL_CTX_set_cipher_list(context, options.suites) }
        if !options.profiles.isEmpty { SSL_CTX_set_tlsext_use_srtp(context, options.profiles) }
        SSL_CTX_set_cert_verify_callback(context, { _, _ in 1 }, nil)
        signalbox_set_dtls_options(context)
        var digest = [UInt8](repeating: 0, count: 64)
        var count: UInt32 = 0
        X509_digest(certificate, EVP_sha256(), &digest, &count)
        fingerprint = "sha-256 " + digest.prefix(32).map { [$0].hexadecimal.uppercased() }.joined(separator: ":")
        X509_free(certificate)
        EVP_PKEY_free(key)
        guard let ssl = SSL_new(context), let input = BIO_new(BIO_s_mem()), let output = BIO_new(BIO_s_mem()) else {
            return nil
        }
        (self.ssl, self.input, self.output) = (ssl, input, output)
        BIO_ctrl(input, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, nil)
        BIO_ctrl(output, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, nil)
        SSL_set_bio(ssl, input, output)
        SSL_ctrl(ssl, SSL_CTRL_SET_MTU, options.mtu, nil)
        if options.largeHello {
            var protocols: [UInt8] = []
            for index in 0..<80 { protocols += [15] + Array("padding-\(1_000_000 + index)".utf8) }
            SSL_set_alpn_protos(ssl, protocols, UInt32(protocols.count))
        }
        if options.eagerTimer { useEagerTimer() }
        SSL_set_connect_state(ssl)
    }

    deinit {
        SSL_free(ssl)
        SSL_CTX_free(context)
    }

    /// From the next flight on, the timer is short. OpenSSL calls it expired from 15 ms before its end on.
    func useEagerTimer() { DTLS_set_timer_cb(ssl) { _, _ in 17_000 } }

    /// The first flight.
    func start() -> [[UInt8]] { pump() }

    func receive(_ datagram: [UInt8]) -> [[UInt8]] {
        BIO_write(input, datagram, Int32(datagram.count))
        return pump()
    }

    /// Sends the last flight again.
    func timeout() -> [[UInt8]] {
        for _ in 0..<1_000_000 {
            if SSL_ctrl(ssl, DTLS_CTRL_HANDLE_TIMEOUT, 0, nil) != 0 { break }
        }
        return pump()
    }

    func close() -> [[UInt8]] {
        SSL_shutdown(ssl)
        return drain()
    }

    func export(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let label = "EXTRACTOR-dtls_srtp"
        SSL_export_keying_material(ssl, &bytes, count, label, label.utf8.count, nil, 0, 0)
        return bytes
    }

    private func pump() -> [[UInt8]] {
        ERR_clear_error()
        if !isConnected { isConnected = SSL_do_handshake(ssl) == 1 }
        if isConnected {
            var buffer = [UInt8](repeating: 0, count: 2_048)
            SSL_read(ssl, &buffer, Int32(buffer.count))
            isClosed = SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN != 0
        }
        ERR_clear_error()
        return drain()
    }

    /// Splits what OpenSSL wrote at record borders.
    private func drain() -> [[UInt8]] {
        var bytes = [UInt8](repeating: 0, count: 16_384)
        let count = Int(max(0, BIO_read(output, &bytes, 16_384)))
        var datagrams: [[UInt8]] = []
        var offset = 0
        while offset + 13 <= count {
            let length = 13 + Int(bytes[offset + 11]) << 8 + Int(bytes[offset + 12])
            let record = bytes[offset..<min(offset + length, count)]
            if let last = datagrams.last, last.count + record.count <= mtu {
                datagrams[datagrams.count - 1] += record
            } else {
                datagrams.append(Array(record))
            }
            offset += length
        }
        return datagrams
    }

    private static func makeKey(_ options: Options) -> OpaquePointer? {
        guard options.usesRSA else { return signalbox_generate_p256_key() }
        guard let generator = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, nil) else { return nil }
        defer { EVP_PKEY_CTX_free(generator) }
        var key: OpaquePointer?
        EVP_PKEY_keygen_init(generator)
        EVP_PKEY_CTX_set_rsa_keygen_bits(generator, options.rsaBits)
        EVP_PKEY_generate(generator, &key)
        return key
    }

    private static func makeCertificate(_ key: OpaquePointer) -> OpaquePointer? {
        guard let certificate = X509_new() else { return nil }
        X509_set_version(certificate, 2)
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1)
        X509_gmtime_adj(X509_getm_notBefore(certificate), 0)
        X509_gmtime_adj(X509_getm_notAfter(certificate), 86_400)
        X509_set_pubkey(certificate, key)
        let name = X509_get_subject_name(certificate)
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, "WebRTC", -1, -1, 0)
        X509_set_issuer_name(certificate, name)
        X509_sign(certificate, key, EVP_sha256())
        return certificate
    }
}
