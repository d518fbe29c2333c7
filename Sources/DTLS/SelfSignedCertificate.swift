import COpenSSL
import Wire

/// Makes self-signed ECDSA P-256 certificates, for DTLS and for the first start of the HTTPS listener.
public enum SelfSignedCertificate {
    /// A certificate and its key.
    public struct PEM: Sendable {
        /// The certificate, PEM.
        public var certificatePEM: String
        /// The unencrypted private key (PKCS #8), PEM.
        public var privateKeyPEM: Secret
    }

    /// Makes a certificate that is valid from yesterday, so that a client with a slow clock accepts it too.
    ///
    /// Takes its randomness and today's date from OpenSSL: certificates are made at start, not by protocol cores.
    ///
    /// - Parameters:
    ///   - commonName: The subject's CN, 1 to 64 bytes.
    ///   - subjectAltNames: DNS names and IP addresses.
    ///   - days: How long it stays valid.
    /// - Throws: ``CertificateError``.
    public static func make(
        commonName: String,
        subjectAltNames: [String] = [],
        days: Int = 365
    ) throws(CertificateError) -> PEM {
        guard (1...64).contains(commonName.utf8.count) else { throw .invalidName(commonName) }
        guard let key = signalbox_generate_p256_key() else { throw .openSSL(pendingOpenSSLError()) }
        defer { EVP_PKEY_free(key) }
        guard let certificate = X509_new() else { throw .openSSL(pendingOpenSSLError()) }
        defer { X509_free(certificate) }

        guard X509_set_version(certificate, 2) == 1, setRandomSerial(certificate),
            X509_gmtime_adj(X509_getm_notBefore(certificate), -86_400) != nil,
            X509_time_adj_ex(X509_getm_notAfter(certificate), Int32(clamping: days), 0, nil) != nil,
            X509_set_pubkey(certificate, key) == 1,
            let subject = X509_get_subject_name(certificate),
            X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, commonName, -1, -1, 0) == 1,
            X509_set_issuer_name(certificate, subject) == 1
        else { throw .openSSL(pendingOpenSSLError()) }

        try add(NID_basic_constraints, "critical,CA:FALSE", to: certificate)
        try add(NID_key_usage, "critical,digitalSignature", to: certificate)
        try add(NID_ext_key_usage, "serverAuth,clientAuth", to: certificate)
        if !subjectAltNames.isEmpty {
            var entries: [String] = []
            for name in subjectAltNames { entries.append(try generalName(name)) }
            try add(NID_subject_alt_name, entries.joined(separator: ","), to: certificate)
        }
        guard X509_sign(certificate, key, EVP_sha256()) > 0 else { throw .openSSL(pendingOpenSSLError()) }
        return PEM(
            certificatePEM: try pemText { PEM_write_bio_X509($0, certificate) },
            privateKeyPEM: Secret(try pemText { PEM_write_bio_PrivateKey($0, key, nil, nil, 0, nil, nil) })
        )
    }

    /// Firefox refuses two certificates of one issuer name with the same serial number, so it is random.
    private static func setRandomSerial(_ certificate: OpaquePointer) -> Bool {
        guard let number = BN_new() else { return false }
        defer { BN_free(number) }
        return BN_rand(number, 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1
            && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nil
    }

    /// OpenSSL's configuration syntax separates with commas, so names are checked before they go into it.
    private static func generalName(_ name: String) throws(CertificateError) -> String {
        if let ip = IPAddress(name) { return "IP:\(ip)" }
        let isName = name.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x2A: true
            default: false
            }
        }
        guard isName, (1...253).contains(name.utf8.count) else { throw .invalidName(name) }
        return "DNS:\(name)"
    }

    private static func add(_ nid: Int32, _ value: String, to certificate: OpaquePointer) throws(CertificateError) {
        guard let ext = X509V3_EXT_conf_nid(nil, nil, nid, value) else { throw .openSSL(pendingOpenSSLError()) }
        defer { X509_EXTENSION_free(ext) }
        guard X509_add_ext(certificate, ext, -1) == 1 else { throw .openSSL(pendingOpenSSLError()) }
    }

    private static func pemText(_ write: (OpaquePointer) -> Int32) throws(CertificateError) -> String {
        guard let bio = BIO_new(BIO_s_mem()) else { throw .openSSL(pendingOpenSSLError()) }
        defer { BIO_free(bio) }
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        let count = write(bio) == 1 ? BIO_read(bio, &buffer, Int32(buffer.count)) : -1
        guard count > 0 else { throw .openSSL(pendingOpenSSLError()) }
        return String(decoding: buffer.prefix(Int(count)), as: UTF8.self)
    }
}

/// Why a certificate could not be made or read.
public enum CertificateError: Error, Equatable, Sendable {
    /// A name that does not belong into a certificate.
    case invalidName(String)
    /// The PEM text holds no certificate.
    case noCertificate
    /// The PEM text holds no private key that fits the certificate.
    case noMatchingKey
    /// OpenSSL refused, with its reason.
    case openSSL(String)
}

/// OpenSSL's oldest queued error in words; empties the thread's queue.
func pendingOpenSSLError() -> String {
    let code = ERR_get_error()
    ERR_clear_error()
    guard code != 0 else { return "unknown OpenSSL error" }
    if let reason = ERR_reason_error_string(code) { return String(cString: reason) }
    return "OpenSSL error \(String(code, radix: 16))"
}
