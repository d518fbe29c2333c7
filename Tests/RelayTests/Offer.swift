/// An offer as Chromium makes it for receiving video, cut to what counts.
enum Offer {
    static let password = "asd88fgpdd777uzjYhagZg4T"

    static func chrome(
        fingerprint: String = "sha-256 " + Array(repeating: "AB", count: 32).joined(separator: ":")
    ) -> String {
        [
            "v=0", "o=- 4611731400430051336 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0",
            "m=video 9 UDP/TLS/RTP/SAVPF 107", "c=IN IP4 0.0.0.0", "a=ice-ufrag:x9Qf", "a=ice-pwd:\(password)",
            "a=ice-options:trickle", "a=fingerprint:\(fingerprint)", "a=setup:actpass", "a=mid:0", "a=recvonly",
            "a=rtcp-mux", "a=rtcp-rsize", "a=rtpmap:107 H264/90000", "a=rtcp-fb:107 nack", "a=rtcp-fb:107 nack pli",
            "a=fmtp:107 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        ].joined(separator: "\r\n") + "\r\n"
    }
}
