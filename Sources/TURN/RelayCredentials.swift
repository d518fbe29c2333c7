import Digests
import Wire

/// Time-limited credentials that need no table (draft-uberti-behave-turn-rest): the user name says until when it is
/// good and for whom, the password is a keyed digest of it.
public struct RelayCredentials: Sendable {
    /// What a client is given.
    public struct Issued: Sendable, Equatable {
        /// `expiry:user`, the expiry in seconds since the Unix epoch.
        public var username: String
        /// Base64 of HMAC-SHA1.
        public var password: String

        /// Creates the value.
        public init(username: String, password: String) {
            self.username = username
            self.password = password
        }
    }

    private let secret: [UInt8]

    /// Creates an issuer.
    ///
    /// - Parameter secret: At least 20 random bytes.
    public init(secret: [UInt8]) { self.secret = secret }

    /// Credentials for `user` that are good until `expiry`, in seconds since the Unix epoch.
    public func issue(user: String, expiry: Int64) -> Issued {
        let username = "\(expiry):\(user)"
        return Issued(username: username, password: password(of: username))
    }

    /// The password that belongs to `username`, whatever it says.
    func password(of username: String) -> String {
        Base64.encode(Digest.hmacSHA1(key: secret, Array(username.utf8)))
    }

    /// The key of the long-term credential (RFC 8489 §9.2.2).
    public static func key(username: String, realm: String, password: String) -> [UInt8] {
        Digest.md5(Array("\(username):\(realm):\(password)".utf8))
    }

    /// What `username` says; `nil` when it does not begin with a time.
    static func parse(_ username: String) -> (expiry: Int64, user: String)? {
        let parts = username.utf8.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
        guard let digits = parts.first, (1...12).contains(digits.count),
            digits.allSatisfy({ (0x30...0x39).contains($0) }),
            let expiry = Int64(String(decoding: digits, as: UTF8.self))
        else { return nil }
        return (expiry, parts.count > 1 ? String(decoding: parts[1], as: UTF8.self) : "")
    }
}

extension RelayCredentials {
    /// An issuer with a secret of its own.
    public init(using random: inout some RandomNumberGenerator) { self.init(secret: random.bytes(32)) }

    /// What stands for `user` in user names, which travel readable: the name itself may be a key to something.
    public func pseudonym(of user: String) -> String {
        Digest.hmacSHA1(key: secret, Array("user:\(user)".utf8)).prefix(8).hexadecimal
    }
}
