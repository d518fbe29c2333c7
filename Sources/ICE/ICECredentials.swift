import Digests
import Wire

/// The short-term credential of one side (RFC 8445 §5.3).
public struct ICECredentials: Hashable, Sendable {
    /// The username fragment, 4 to 256 ice-chars.
    public var ufrag: String
    /// The password, 22 to 256 ice-chars.
    public var pwd: String

    /// Credentials received in signalling; `nil` when they are not well formed (RFC 8839 §5.4).
    public init?(ufrag: String, pwd: String) {
        guard (4...256).contains(ufrag.utf8.count), (22...256).contains(pwd.utf8.count),
            ufrag.utf8.allSatisfy(isICEChar), pwd.utf8.allSatisfy(isICEChar)
        else { return nil }
        self.ufrag = ufrag
        self.pwd = pwd
    }

    /// Fresh credentials of our own: 60 bits of ufrag, which also names the session, 142 bits of password.
    public init(using random: inout some RandomNumberGenerator) {
        ufrag = random.word(10)
        pwd = random.word(24)
    }
}

private func isICEChar(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2B, 0x2F: true
    default: false
    }
}
