import DTLS
import ICE
import Media
import SDP
import WebRTC
import Wire

/// F19: offers as pages send them; every answer keeps the rules of ``AnswerRules``.
enum Target: FuzzTarget {
    private static let configuration = makeConfiguration()

    private static func makeConfiguration() -> PeerConfiguration? {
        guard let context = try? DTLSContext.selfSigned() else { return nil }
        let address = TransportAddress(IPAddress(v4: 0xC000_0201), port: 8_189)
        return PeerConfiguration(
            udpAddresses: [address],
            tcpAddresses: [address],
            dtls: context,
            cname: "signalbox",
            streamID: "gate-north",
            ntpAtZero: 0
        )
    }

    private static let cameras: [[TrackFormat]] = [
        [TrackFormat(codec: .h264, clockRate: 90_000), TrackFormat(codec: .pcma, clockRate: 8_000)],
        [
            TrackFormat(codec: .opus, encodingName: "opus", clockRate: 48_000, channels: 2),
            TrackFormat(codec: .h264, clockRate: 90_000),
        ],
        [TrackFormat(codec: .h265, clockRate: 90_000), TrackFormat(codec: .pcmu, clockRate: 8_000)],
        [TrackFormat(codec: .h264, clockRate: 90_000), TrackFormat(codec: .aac, clockRate: 16_000)],
    ]

    static func seeds() -> [[UInt8]] {
        let transport = """
            a=ice-ufrag:x9Qf
            a=ice-pwd:asd88fgpdd777uzjYhagZg4T
            a=fingerprint:sha-256 \(Array(repeating: "AB", count: 32).joined(separator: ":"))
            a=setup:actpass

            """
        let session = "v=0\no=- 1 2 IN IP4 127.0.0.1\ns=-\nt=0 0\na=group:BUNDLE 0 1\n"
        let audio = """
            m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8
            c=IN IP4 0.0.0.0
            a=mid:0
            a=extmap:4/recvonly urn:ietf:params:rtp-hdrext:sdes:mid
            a=recvonly
            a=rtcp-mux
            a=rtpmap:111 opus/48000/2
            a=candidate:1 1 udp 2113937151 192.0.2.9 61002 typ host

            """
        let video = """
            m=video 9 UDP/TLS/RTP/SAVPF 96 97 98
            c=IN IP4 0.0.0.0
            a=mid:1
            a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
            a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
            a=recvonly
            a=rtcp-mux
            a=rtcp-rsize
            a=rtpmap:96 H264/90000
            a=rtpmap:97 rtx/90000
            a=fmtp:97 apt=96
            a=rtpmap:98 VP8/90000
            a=fmtp:96 packetization-mode=1;profile-level-id=42e01f
            a=rtcp-fb:96 nack
            a=rtcp-fb:* nack pli
            a=rtcp-fb:96 transport-cc

            """
        let data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\nc=IN IP4 0.0.0.0\na=mid:2\na=sctp-port:5000\n"
        let offers = [
            session + audio + transport + video + transport, session + transport + video + audio + data,
            session + video + transport,
        ]
        var seeds: [[UInt8]] = []
        for camera in UInt8(0)..<4 {
            for offer in offers { seeds.append([camera] + Array(offer.utf8)) }
        }
        return seeds
    }

    static func run(_ input: [UInt8]) {
        guard let configuration, let first = input.first else { return }
        let offer = String(decoding: input.dropFirst(), as: UTF8.self)
        var random = SystemRandomNumberGenerator()
        let tracks = cameras[Int(first) % cameras.count]
        do throws(NegotiationError) {
            let peer = try Peer(offer: offer, tracks: tracks, configuration: configuration, at: .zero, using: &random)
            let broken = AnswerRules.broken(peer.answer, answering: offer)
            demand(broken.isEmpty, "\(broken)\n\(peer.answer)")
        } catch {
            demand((400..<600).contains(error.httpStatus) && !error.problem.isEmpty, "a refusal says why")
            demand(error.problem.utf8.count < 1_000, "a refusal is short")
        }
    }
}
