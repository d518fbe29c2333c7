/// An offer as Chromium makes it for receiving video, cut to what counts.
enum Offer {
    static let password = "asd88fgpdd777uzjYhagZg4T"

    /// The lines of two addresses: one plain, one behind a name.
    static let candidates = [
        "a=candidate:1 1 udp 2113937151 198.51.100.4 50112 typ host",
        "a=candidate:2 1 udp 2113937150 4f1ce2aa-1b0e-4a52-9a4f-2c4d7c7d9f11.local 50113 typ host",
    ]

    static func chrome(
        fingerprint: String = "sha-256 " + Array(repeating: "AB", count: 32).joined(separator: ":"),
        candidates: [String] = [],
        withSound: Bool = false
    ) -> String {
        let lines = [
            "v=0", "o=- 4611731400430051336 2 IN IP4 127.0.0.1", "s=-", "t=0 0",
            "a=group:BUNDLE 0\(withSound ? " 1" : "")",
            "m=video 9 UDP/TLS/RTP/SAVPF 107", "c=IN IP4 0.0.0.0", "a=ice-ufrag:x9Qf", "a=ice-pwd:\(password)",
            "a=ice-options:trickle", "a=fingerprint:\(fingerprint)", "a=setup:actpass", "a=mid:0", "a=recvonly",
            "a=rtcp-mux", "a=rtcp-rsize", "a=rtpmap:107 H264/90000", "a=rtcp-fb:107 nack", "a=rtcp-fb:107 nack pli",
            "a=fmtp:107 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        ]
        let sound = [
            "m=audio 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0", "a=ice-ufrag:x9Qf", "a=ice-pwd:\(password)",
            "a=fingerprint:\(fingerprint)", "a=setup:actpass", "a=mid:1", "a=recvonly", "a=rtcp-mux",
            "a=rtpmap:111 opus/48000/2",
        ]
        return (lines + candidates + (withSound ? sound : [])).joined(separator: "\r\n") + "\r\n"
    }
}
