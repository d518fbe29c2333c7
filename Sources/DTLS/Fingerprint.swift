import COpenSSL
import Wire

/// A certificate fingerprint as signalled in SDP (`a=fingerprint`, RFC 8122 §5).
public struct Fingerprint: Hashable, Sendable, CustomStringConvertible {
    /// The hash functions that are believed; MD5, MD2 and SHA-1 are not.
    public enum HashFunction: String, Hashable, Sendable {
        case sha256 = "sha-256"
        case sha384 = "sha-384"
        case sha512 = "sha-512"

        /// Digest length in bytes.
        public var byteCount: Int {
            switch self {
            case .sha256: 32
            case .sha384: 48
            case .sha512: 64
            }
        }

        fileprivate var digest: OpaquePointer? {
            switch self {
            case .sha256: EVP_sha256()
            case .sha384: EVP_sha384()
            case .sha512: EVP_sha512()
            }
        }
    }

    /// The hash function.
    public let hashFunction: HashFunction
    /// The digest of the certificate's DER form.
    public let digest: [UInt8]

    /// Parses the attribute's value, `sha-256 AB:CD:…`; `nil` when malformed or with a function that is not believed.
    public init?(_ attribute: some StringProtocol) {
        guard attribute.utf8.count <= 256 else { return nil }
        let parts = String(attribute).utf8.split(separator: 0x20)
        guard parts.count == 2, let name = String(parts[0]),
            let hashFunction = HashFunction(rawValue: name.lowercased())
        else { return nil }
        var digest: [UInt8] = []
        for group in parts[1].split(separator: 0x3A, omittingEmptySubsequences: false) {
            guard group.count == 2, let text = String(group), let byte = [UInt8](hexadecimal: text)?.first else {
                return nil
            }
            digest.append(byte)
        }
        guard digest.count == hashFunction.byteCount else { return nil }
        self.hashFunction = hashFunction
        self.digest = digest
    }

    init?(of certificate: OpaquePointer, _ hashFunction: HashFunction) {
        var bytes = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        guard X509_digest(certificate, hashFunction.digest, &bytes, &count) == 1 else { return nil }
        self.hashFunction = hashFunction
        digest = Array(bytes.prefix(Int(count)))
    }

    /// The attribute's value: `sha-256 AB:CD:…`.
    public var description: String {
        "\(hashFunction.rawValue) " + digest.map { [$0].hexadecimal.uppercased() }.joined(separator: ":")
    }
}
