import Digests
import TestSupport
import Testing
import Wire

/// Digests against the vectors of their specifications.
struct DigestTests {
    static let million = [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000)

    @Test(arguments: [
        ("", "d41d8cd98f00b204e9800998ecf8427e"), ("a", "0cc175b9c0f1b6a831c399e269772661"),
        ("abc", "900150983cd24fb0d6963f7d28e17f72"), ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
        ("abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"),
        (
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
            "d174ab98d277d9f5a5611c2c9f419d9f"
        ),
        (
            "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
            "57edf4a22be3c955ac49da2e2107b67a"
        ),
    ])
    func `MD5 agrees with RFC 1321 §A5`(message: String, digest: String) {
        #expect(Digest.md5(Array(message.utf8)).hexadecimal == digest)
    }

    @Test(arguments: [
        ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"), ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1"
        ),
    ])
    func `SHA-1 agrees with RFC 3174 §7-3`(message: String, digest: String) {
        #expect(Digest.sha1(Array(message.utf8)).hexadecimal == digest)
    }

    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func `SHA-256 agrees with RFC 6234 §8-5`(message: String, digest: String) {
        #expect(Digest.sha256(Array(message.utf8)).hexadecimal == digest)
    }

    @Test func `a million bytes are digested like three`() {
        #expect(Digest.sha1(Self.million).hexadecimal == "34aa973cd4c4daa4f61eeb2bdbad27316534016f")
        #expect(
            Digest.sha256(Self.million).hexadecimal
                == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        )
    }
}

/// Keyed digests against the vectors of their specifications.
struct HMACTests {
    struct Vector: Sendable {
        var key: [UInt8]
        var message: [UInt8]
        var digest: String
    }

    private static func repeated(_ byte: UInt8, _ count: Int) -> [UInt8] { [UInt8](repeating: byte, count: count) }

    static let rfc2202 = [
        Vector(
            key: repeated(0x0B, 20),
            message: Array("Hi There".utf8),
            digest: "b617318655057264e28bc0b6fb378c8ef146be00"
        ),
        Vector(
            key: Array("Jefe".utf8),
            message: Array("what do ya want for nothing?".utf8),
            digest: "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
        ),
        Vector(
            key: repeated(0xAA, 20),
            message: repeated(0xDD, 50),
            digest: "125d7342b9ac11cd91a39af48aa17b4f63f175d3"
        ),
        Vector(key: Array(1...25), message: repeated(0xCD, 50), digest: "4c9007f4026250c6bc8414f9bf50c86c2d7235da"),
        Vector(
            key: repeated(0x0C, 20),
            message: Array("Test With Truncation".utf8),
            digest: "4c1a03424b55e07fe7f27be1d58bb9324a9a5a04"
        ),
        Vector(
            key: repeated(0xAA, 80),
            message: Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            digest: "aa4ae5e15272d00e95705637ce8a3b55ed402112"
        ),
        Vector(
            key: repeated(0xAA, 80),
            message: Array("Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data".utf8),
            digest: "e8e99d0f45237d786d6bbaa7965c7808bbff1a91"
        ),
    ]

    static let rfc4231 = [
        Vector(
            key: repeated(0x0B, 20),
            message: Array("Hi There".utf8),
            digest: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        Vector(
            key: Array("Jefe".utf8),
            message: Array("what do ya want for nothing?".utf8),
            digest: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        Vector(
            key: repeated(0xAA, 20),
            message: repeated(0xDD, 50),
            digest: "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        ),
        Vector(
            key: repeated(0xAA, 131),
            message: Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            digest: "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
    ]

    @Test(arguments: rfc2202)
    func `HMAC-SHA1 agrees with RFC 2202 §3`(vector: Vector) {
        #expect(Digest.hmacSHA1(key: vector.key, vector.message).hexadecimal == vector.digest)
    }

    @Test(arguments: rfc4231)
    func `HMAC-SHA256 agrees with RFC 4231 §4`(vector: Vector) {
        #expect(Digest.hmacSHA256(key: vector.key, vector.message).hexadecimal == vector.digest)
    }

    @Test func `an empty key and an empty message are no special case`() {
        #expect(Digest.hmacSHA1(key: [], []).hexadecimal == "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d")
        #expect(
            Digest.hmacSHA256(key: [], []).hexadecimal
                == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"
        )
    }
}

/// Comparing and inventing words.
struct WordTests {
    @Test func `byte strings are equal only when every byte is`() {
        #expect(constantTimeEquals([1, 2, 3], [1, 2, 3][...]))
        #expect(!constantTimeEquals([1, 2, 3], [1, 2, 4]))
        #expect(!constantTimeEquals([1, 2, 3], [0, 2, 3]))
        #expect(!constantTimeEquals([1, 2, 3], [1, 2]))
        #expect(constantTimeEquals([UInt8](), [UInt8]()))
    }

    @Test func `a word has the length asked for, of letters and digits, and comes from the generator given`() {
        var random = SeededGenerator(seed: 1)
        var same = SeededGenerator(seed: 1)
        let word = random.word(400)
        #expect(word.utf8.count == 400)
        #expect(word.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) })
        #expect(Set(word).count > 50)
        #expect(same.word(400) == word)
        #expect(random.word(400) != word)
        #expect(random.word(0).isEmpty)
    }

    @Test func `random bytes have the number asked for`() {
        var random = SeededGenerator(seed: 2)
        let bytes = random.bytes(4_096)
        #expect(bytes.count == 4_096)
        #expect(Set(bytes).count > 250)
    }
}
