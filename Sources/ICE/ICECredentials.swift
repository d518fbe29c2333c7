import Digests
import Wire

/// The short-term credential of one side (RFC 8445 §5.3).
public struct ICECredentials: Hashable, Sendable {
    /// The username fragment, 4 to 256 ice-chars.
    public var ufrag: String
    /// The password, 22 to 256 ice-chars.
    public var pwd: String

    /// Whether `text` can be a username fragment (RFC 8839 §5.4).
    public static func isUfrag(_ text: String) -> Bool { isWord(text, of: 4...256) }

    /// Whether `text` can be a password (RFC 8839 §5.4).
    public static func isPassword(_ text: String) -> Bool { isWord(text, of: 22...256) }

    private static func isWord(_ text: String, of lengths: ClosedRange<Int>) -> Bool {
        lengths.contains(text.utf8.count) && text.utf8.allSatisfy(isICEChar)
    }

    /// Credentials received in signalling; `nil` when they are not well formed (RFC 8839 §5.4).
    public init?(ufrag: String, pwd: String) {
        guard Self.isUfrag(ufrag), Self.isPassword(pwd) else { return nil }
        self.ufrag = ufrag
        self.pwd = pwd
    }

    /// Fresh credentials of our own: 60 bits of ufrag, which also names the session, 142 bits of password.
    public init(using random: inout some RandomNumberGenerator) {
        ufrag = random.word(10)
        pwd = random.word(24)
    }
}

/// `ice-char` (RFC 8839 §5.4): letters, digits, `+` and `/`. Some agents add `-` and `_`.
private func isICEChar(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2B, 0x2F, 0x2D, 0x5F: true
    default: false
    }
}
