import COpenSSL

/// Message digests and keyed digests over byte arrays (OpenSSL's libcrypto).
public enum Digest {
    /// MD5 (RFC 1321): 16 bytes. Only for protocols that demand it.
    public static func md5(_ message: [UInt8]) -> [UInt8] { digest(message, EVP_md5()) }

    /// SHA-1: 20 bytes. Only for protocols that demand it.
    public static func sha1(_ message: [UInt8]) -> [UInt8] { digest(message, EVP_sha1()) }

    /// SHA-256: 32 bytes.
    public static func sha256(_ message: [UInt8]) -> [UInt8] { digest(message, EVP_sha256()) }

    /// HMAC-SHA1 (RFC 2104): 20 bytes.
    public static func hmacSHA1(key: [UInt8], _ message: [UInt8]) -> [UInt8] { hmac(key, message, EVP_sha1()) }

    /// HMAC-SHA256 (RFC 2104): 32 bytes.
    public static func hmacSHA256(key: [UInt8], _ message: [UInt8]) -> [UInt8] { hmac(key, message, EVP_sha256()) }

    private static func digest(_ message: [UInt8], _ algorithm: OpaquePointer?) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        let ok = EVP_Digest(message, message.count, &result, &count, algorithm, nil)
        precondition(ok == 1, "libcrypto lacks a digest that every build of it has")
        return Array(result.prefix(Int(count)))
    }

    private static func hmac(_ key: [UInt8], _ message: [UInt8], _ algorithm: OpaquePointer?) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        let done = HMAC(algorithm, key, Int32(key.count), message, message.count, &result, &count)
        precondition(done != nil, "libcrypto lacks a digest that every build of it has")
        return Array(result.prefix(Int(count)))
    }
}

/// Whether two byte strings are equal, in time that depends on their lengths only.
public func constantTimeEquals(_ lhs: some Collection<UInt8>, _ rhs: some Collection<UInt8>) -> Bool {
    guard lhs.count == rhs.count else { return false }
    return zip(lhs, rhs).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
}

extension RandomNumberGenerator {
    /// `count` random bytes.
    public mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) }
    }

    /// A random word of `count` letters and digits (RFC 8445 `ice-char` without `+` and `/`).
    public mutating func word(_ count: Int) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
        return String(
            decoding: (0..<count).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &self)] },
            as: UTF8.self
        )
    }
}
