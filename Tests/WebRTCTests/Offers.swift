import Media

/// Offers as browsers make them for two recvonly transceivers.
enum Offers {
    static let fingerprint = "sha-256 " + Array(repeating: "AB", count: 32).joined(separator: ":")

    /// Chromium: audio and video, every codec it has, candidates hidden behind a name.
    static func chrome(ufrag: String = "x9Qf", fingerprint: String = fingerprint, audio: Bool = true) -> String {
        let transport = [
            "a=ice-ufrag:\(ufrag)", "a=ice-pwd:asd88fgpdd777uzjYhagZg4T", "a=ice-options:trickle",
            "a=fingerprint:\(fingerprint)", "a=setup:actpass",
        ]
        let extensions = [
            "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
            "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
        ]
        let pictures = extensions + ["a=extmap:12 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"]
        var lines = [
            "v=0", "o=- 4611731400430051336 2 IN IP4 127.0.0.1", "s=-", "t=0 0",
            audio ? "a=group:BUNDLE 0 1" : "a=group:BUNDLE 1", "a=extmap-allow-mixed", "a=msid-semantic: WMS",
        ]
        if audio {
            lines += [
                "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126", "c=IN IP4 0.0.0.0", "a=rtcp:9 IN IP4 0.0.0.0",
            ]
            lines += ["a=candidate:1 1 udp 2113937151 4f1ce2aa-1b2c-4d5e-8f90-112233445566.local 61002 typ host"]
            lines += transport + ["a=mid:0"] + extensions
            lines += [
                "a=recvonly", "a=rtcp-mux", "a=rtcp-rsize", "a=rtpmap:111 opus/48000/2", "a=rtcp-fb:111 transport-cc",
            ]
            lines += ["a=fmtp:111 minptime=10;useinbandfec=1", "a=rtpmap:63 red/48000/2", "a=fmtp:63 111/111"]
            lines += ["a=rtpmap:9 G722/8000", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000", "a=rtpmap:13 CN/8000"]
            lines += ["a=rtpmap:110 telephone-event/48000", "a=rtpmap:126 telephone-event/8000"]
        }
        lines += ["m=video 9 UDP/TLS/RTP/SAVPF 96 97 103 104 107 108 109 114 115 116 39 40", "c=IN IP4 0.0.0.0"]
        lines += ["a=rtcp:9 IN IP4 0.0.0.0"] + transport + ["a=mid:1"] + pictures
        lines += ["a=recvonly", "a=rtcp-mux", "a=rtcp-rsize", "a=rtpmap:96 VP8/90000"]
        lines += ["a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96"]
        let h264: [(Int, String, Int)] = [
            (103, "42001f", 1), (107, "42e01f", 0), (109, "42e01f", 1), (115, "4d001f", 1), (39, "f4001f", 1),
        ]
        for (payloadType, profile, mode) in h264 {
            lines += ["a=rtpmap:\(payloadType) H264/90000"]
            lines += ["goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"].map {
                "a=rtcp-fb:\(payloadType) \($0)"
            }
            lines += [
                "a=fmtp:\(payloadType) level-asymmetry-allowed=1;packetization-mode=\(mode);profile-level-id=\(profile)"
            ]
        }
        lines += ["a=rtpmap:104 rtx/90000", "a=fmtp:104 apt=103", "a=rtpmap:114 rtx/90000", "a=fmtp:114 apt=109"]
        return lines.joined(separator: "\r\n") + "\r\n"
    }

    /// The same from a client that knows neither RFC 4588 nor transport-wide feedback, nor a playout delay.
    static func plain(fingerprint: String = fingerprint) -> String {
        chrome(fingerprint: fingerprint).split(separator: "\r\n")
            .filter { line in !["rtx", "apt=", "transport-", "playout-delay"].contains { line.contains($0) } }
            .map { $0 + "\r\n" }.joined()
    }

    /// Firefox: credentials and fingerprint at session level, wildcard feedback, video first, a data channel.
    static func firefox(ufrag: String = "4a799b2e") -> String {
        [
            "v=0", "o=mozilla...THIS_IS_SDPARTA-99.0 5555 0 IN IP4 0.0.0.0", "s=-", "t=0 0",
            "a=fingerprint:\(fingerprint)", "a=group:BUNDLE 0 1 2", "a=ice-options:trickle", "a=msid-semantic:WMS *",
            "m=video 9 UDP/TLS/RTP/SAVPF 120 126 97", "c=IN IP4 0.0.0.0", "a=recvonly",
            "a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid", "a=extmap:5 urn:ietf:params:rtp-hdrext:toffset",
            "a=fmtp:126 profile-level-id=42e01f;level-asymmetry-allowed=1;packetization-mode=1",
            "a=fmtp:97 profile-level-id=42e01f;level-asymmetry-allowed=1", "a=fmtp:120 max-fs=12288;max-fr=60",
            "a=ice-pwd:e4cc12a910f106a0a744719425510e17", "a=ice-ufrag:\(ufrag)", "a=mid:0", "a=rtcp-fb:120 nack",
            "a=rtcp-fb:126 nack", "a=rtcp-fb:126 nack pli", "a=rtcp-fb:126 ccm fir", "a=rtcp-fb:* transport-cc",
            "a=rtcp-mux", "a=rtpmap:120 VP8/90000", "a=rtpmap:126 H264/90000", "a=rtpmap:97 H264/90000",
            "a=setup:actpass",
            "m=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 8", "c=IN IP4 0.0.0.0", "a=recvonly",
            "a=extmap:3/recvonly urn:ietf:params:rtp-hdrext:sdes:mid",
            "a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1",
            "a=ice-pwd:e4cc12a910f106a0a744719425510e17", "a=ice-ufrag:\(ufrag)", "a=mid:1", "a=rtcp-mux",
            "a=rtpmap:109 opus/48000/2", "a=rtpmap:9 G722/8000/1", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000",
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 0.0.0.0", "a=sendrecv",
            "a=ice-pwd:e4cc12a910f106a0a744719425510e17", "a=ice-ufrag:\(ufrag)", "a=mid:2", "a=setup:actpass",
            "a=sctp-port:5000",
        ].joined(separator: "\n") + "\n"
    }
}

enum Formats {
    static let h264 = TrackFormat(codec: .h264, clockRate: 90_000)
    static let h265 = TrackFormat(codec: .h265, clockRate: 90_000)
    static let opus = TrackFormat(codec: .opus, encodingName: "opus", clockRate: 48_000, channels: 2)
    static let pcma = TrackFormat(codec: .pcma, clockRate: 8_000)
    static let aac = TrackFormat(codec: .aac, encodingName: "MPEG4-GENERIC", clockRate: 16_000)

    /// 640×360, without VUI; the profile bytes can be chosen.
    static func h264(profile: UInt8, flags: UInt8) -> TrackFormat {
        let high: [UInt8] = [0x67, profile, flags, 0x1E, 0xAC, 0xD9, 0x40, 0xA0, 0x2F, 0xF9, 0x61, 0x00]
        let base: [UInt8] = [0x67, profile, flags, 0x1E, 0x95, 0xA8, 0x28, 0x0B, 0xFE, 0x58, 0x40]
        var format = h264
        format.h264 = try? H264ParameterSets(sps: profile == 0x64 ? high : base, pps: [[0x68, 0xCE, 0x3C, 0x80]])
        return format
    }
}
