import COpenSSL
import DTLS
import Testing
import Wire

@Suite struct CertificateTests {
    @Test func `a certificate has the names asked for and fits its key`() throws {
        let pem = try SelfSignedCertificate.make(
            commonName: "relay.example",
            subjectAltNames: ["relay.example", "*.cams.example", "192.0.2.1", "2001:db8::1"],
            days: 90
        )
        #expect(pem.certificatePEM.hasPrefix("-----BEGIN CERTIFICATE-----"))
        #expect("\(pem)".contains("PRIVATE") == false)
        let context = try DTLSContext(certificatePEM: pem.certificatePEM, privateKeyPEM: pem.privateKeyPEM)
        #expect(context.fingerprint.hashFunction == .sha256)
        #expect(Fingerprint(context.fingerprint.description) == context.fingerprint)
        let bio = BIO_new(BIO_s_mem())
        BIO_write(bio, pem.certificatePEM, Int32(pem.certificatePEM.utf8.count))
        let certificate = PEM_read_bio_X509(bio, nil, nil, nil)
        defer {
            X509_free(certificate)
            BIO_free(bio)
        }
        #expect(X509_check_host(certificate, "a.cams.example", 0, 0, nil) == 1)
        #expect(X509_check_host(certificate, "evil.example", 0, 0, nil) == 0)
        #expect(X509_check_ip_asc(certificate, "2001:db8::1", 0) == 1)
    }

    @Test func `two certificates never share a serial number or a fingerprint`() throws {
        let prints = try (0..<4).map { _ in try DTLSContext.selfSigned().fingerprint }
        #expect(Set(prints).count == 4)
    }

    @Test func `names cannot smuggle configuration into a certificate`() {
        for name in ["a,IP:10.0.0.1", "a\nb", "", "dirName:x", String(repeating: "a", count: 300)] {
            #expect(throws: CertificateError.invalidName(name)) {
                try SelfSignedCertificate.make(commonName: "x", subjectAltNames: [name])
            }
        }
    }

    @Test func `a key that does not fit is refused`() throws {
        let one = try SelfSignedCertificate.make(commonName: "one")
        let two = try SelfSignedCertificate.make(commonName: "two")
        #expect(throws: CertificateError.noMatchingKey) {
            try DTLSContext(certificatePEM: one.certificatePEM, privateKeyPEM: two.privateKeyPEM)
        }
        #expect(throws: CertificateError.noCertificate) {
            try DTLSContext(certificatePEM: "garbage", privateKeyPEM: one.privateKeyPEM)
        }
    }

    @Test(arguments: [
        "", "sha-256", "sha-256 AB", "sha-1 " + Array(repeating: "AB", count: 20).joined(separator: ":"),
        "sha-256 " + Array(repeating: "AB", count: 31).joined(separator: ":"),
        "sha-256 " + Array(repeating: "AG", count: 32).joined(separator: ":"),
        "sha-256 " + Array(repeating: "A", count: 32).joined(separator: ":"),
    ])
    func `malformed or weak fingerprints are refused`(_ text: String) {
        #expect(Fingerprint(text) == nil)
    }
}
