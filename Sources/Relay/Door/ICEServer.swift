/// A STUN or TURN server as a client is told of it (RFC 7064, RFC 7065; the field names are those of WebRTC's API).
public struct ICEServer: Codable, Sendable, Equatable {
    /// Such as `turn:203.0.113.10:8189?transport=udp`.
    public var urls: [String]
    /// For TURN.
    public var username: String?
    /// The password that goes with it.
    public var credential: String?

    /// Creates the value.
    public init(urls: [String], username: String? = nil, credential: String? = nil) {
        self.urls = urls
        self.username = username
        self.credential = credential
    }
}
