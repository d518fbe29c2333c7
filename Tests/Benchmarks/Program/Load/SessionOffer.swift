import CBench
import ICE
import SDP
import Wire

/// The offer of one viewer: one video m-line with the H.264 profiles that browsers list.
struct SessionOffer {
    let text: String

    init(_ credentials: ICECredentials, fingerprint: String, candidate: cbench_address) {
        var lines = [
            "v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0", "a=msid-semantic: WMS",
            "m=video 9 UDP/TLS/RTP/SAVPF 103 109 115 117", "c=IN IP4 0.0.0.0", "a=rtcp:9 IN IP4 0.0.0.0",
            "a=ice-ufrag:\(credentials.ufrag)", "a=ice-pwd:\(credentials.pwd)", "a=fingerprint:\(fingerprint)",
            "a=setup:actpass", "a=mid:0", "a=recvonly", "a=rtcp-mux",
            "a=candidate:1 1 udp 2122260223 \(IPAddress(v4: candidate.ip)) \(candidate.port) typ host",
            "a=end-of-candidates",
        ]
        for (payloadType, profile) in [(103, "42001f"), (109, "42e01f"), (115, "4d001f"), (117, "64001f")] {
            lines += [
                "a=rtpmap:\(payloadType) H264/90000", "a=rtcp-fb:\(payloadType) ccm fir",
                "a=rtcp-fb:\(payloadType) nack", "a=rtcp-fb:\(payloadType) nack pli",
                "a=fmtp:\(payloadType) level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=\(profile)",
            ]
        }
        text = lines.joined(separator: "\r\n") + "\r\n"
    }
}

/// What the server answered.
struct SessionAnswer {
    let credentials: ICECredentials
    /// UDP host candidates that an IPv4 socket reaches.
    let candidates: [TransportAddress]
    /// Whether the server begins the DTLS handshake.
    let serverIsActive: Bool

    init(_ text: String) throws {
        let description = try SessionDescription(parsing: text)
        guard let media = description.media.first else { throw BenchError("the answer has no m-line") }
        func value(_ name: String) -> String? { media.attribute(name) ?? description.attribute(name) }
        guard let ufrag = value("ice-ufrag"), let pwd = value("ice-pwd"),
            let credentials = ICECredentials(ufrag: ufrag, pwd: pwd)
        else { throw BenchError("the answer has no ICE credentials") }
        self.credentials = credentials
        serverIsActive = value("setup") == "active"
        let lines = media.attributes(named: "candidate") + description.attributes(named: "candidate")
        candidates = lines.compactMap { try? Candidate(parsing: $0) }
            .filter { $0.transport == .udp && !$0.address.ip.isIPv6 }.map(\.address)
        guard !candidates.isEmpty else { throw BenchError("the answer has no UDP candidate for IPv4") }
    }
}
