extension BrowserOffers {
    /// Firefox 153 on Debian 12 without its H.264 plug-in, as `Tests/Browser/capture_offers.py` prints it; what differs
    /// from run to run is fixed.
    static let firefoxWithoutH264 = """
        v=0
        o=mozilla...THIS_IS_SDPARTA-99.0 4611731400430051336 0 IN IP4 0.0.0.0
        s=-
        t=0 0
        a=sendrecv
        a=fingerprint:sha-256 AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB
        a=group:BUNDLE 0 1
        a=ice-options:trickle
        a=msid-semantic:WMS *
        m=video 9 UDP/TLS/RTP/SAVPF 120 124 121 125 99 100 123 122 119
        c=IN IP4 0.0.0.0
        a=candidate:0 1 UDP 2122187007 00000001-1b2c-4d5e-8f90-112233445566.local 49924 typ host
        a=candidate:1 1 UDP 2122252543 00000002-1b2c-4d5e-8f90-112233445566.local 36637 typ host
        a=candidate:2 1 TCP 2105458943 00000001-1b2c-4d5e-8f90-112233445566.local 9 typ host tcptype active
        a=candidate:3 1 TCP 2105524479 00000002-1b2c-4d5e-8f90-112233445566.local 9 typ host tcptype active
        a=candidate:0 2 UDP 2122187006 00000001-1b2c-4d5e-8f90-112233445566.local 56638 typ host
        a=candidate:1 2 UDP 2122252542 00000002-1b2c-4d5e-8f90-112233445566.local 58596 typ host
        a=candidate:2 2 TCP 2105458942 00000001-1b2c-4d5e-8f90-112233445566.local 9 typ host tcptype active
        a=candidate:3 2 TCP 2105524478 00000002-1b2c-4d5e-8f90-112233445566.local 9 typ host tcptype active
        a=recvonly
        a=end-of-candidates
        a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:4 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
        a=extmap:5 urn:ietf:params:rtp-hdrext:toffset
        a=extmap:6/recvonly http://www.webrtc.org/experiments/rtp-hdrext/playout-delay
        a=extmap:7 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=extmap-allow-mixed
        a=fmtp:120 max-fs=12288;max-fr=60
        a=fmtp:124 apt=120
        a=fmtp:121 max-fs=12288;max-fr=60
        a=fmtp:125 apt=121
        a=fmtp:100 apt=99
        a=fmtp:119 apt=122
        a=ice-pwd:asd88fgpdd777uzjYhagZg4T
        a=ice-ufrag:x9Qf
        a=mid:0
        a=rtcp:56638 IN IP4 00000001-1b2c-4d5e-8f90-112233445566.local
        a=rtcp-fb:120 nack
        a=rtcp-fb:120 nack pli
        a=rtcp-fb:120 ccm fir
        a=rtcp-fb:120 goog-remb
        a=rtcp-fb:120 transport-cc
        a=rtcp-fb:121 nack
        a=rtcp-fb:121 nack pli
        a=rtcp-fb:121 ccm fir
        a=rtcp-fb:121 goog-remb
        a=rtcp-fb:121 transport-cc
        a=rtcp-fb:99 nack
        a=rtcp-fb:99 nack pli
        a=rtcp-fb:99 ccm fir
        a=rtcp-fb:99 goog-remb
        a=rtcp-fb:99 transport-cc
        a=rtcp-fb:123 nack
        a=rtcp-fb:123 nack pli
        a=rtcp-fb:123 ccm fir
        a=rtcp-fb:123 goog-remb
        a=rtcp-fb:123 transport-cc
        a=rtcp-fb:122 nack
        a=rtcp-fb:122 nack pli
        a=rtcp-fb:122 ccm fir
        a=rtcp-fb:122 goog-remb
        a=rtcp-fb:122 transport-cc
        a=rtcp-mux
        a=rtcp-rsize
        a=rtpmap:120 VP8/90000
        a=rtpmap:124 rtx/90000
        a=rtpmap:121 VP9/90000
        a=rtpmap:125 rtx/90000
        a=rtpmap:99 AV1/90000
        a=rtpmap:100 rtx/90000
        a=rtpmap:123 ulpfec/90000
        a=rtpmap:122 red/90000
        a=rtpmap:119 rtx/90000
        a=setup:actpass
        a=ssrc:93038851 cname:{0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9}
        m=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 8 101
        c=IN IP4 0.0.0.0
        a=candidate:0 1 UDP 2122187007 00000001-1b2c-4d5e-8f90-112233445566.local 39255 typ host
        a=candidate:1 1 UDP 2122252543 00000002-1b2c-4d5e-8f90-112233445566.local 33099 typ host
        a=candidate:2 1 TCP 2105458943 00000001-1b2c-4d5e-8f90-112233445566.local 9 typ host tcptype active
        a=candidate:3 1 TCP 2105524479 00000002-1b2c-4d5e-8f90-112233445566.local 9 typ host tcptype active
        a=candidate:0 2 UDP 2122187006 00000001-1b2c-4d5e-8f90-112233445566.local 51378 typ host
        a=candidate:1 2 UDP 2122252542 00000002-1b2c-4d5e-8f90-112233445566.local 42458 typ host
        a=candidate:2 2 TCP 2105458942 00000001-1b2c-4d5e-8f90-112233445566.local 9 typ host tcptype active
        a=candidate:3 2 TCP 2105524478 00000002-1b2c-4d5e-8f90-112233445566.local 9 typ host tcptype active
        a=recvonly
        a=end-of-candidates
        a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
        a=extmap:2/recvonly urn:ietf:params:rtp-hdrext:csrc-audio-level
        a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:7 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=extmap-allow-mixed
        a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1
        a=fmtp:101 0-15
        a=ice-pwd:asd88fgpdd777uzjYhagZg4T
        a=ice-ufrag:x9Qf
        a=mid:1
        a=rtcp:51378 IN IP4 00000001-1b2c-4d5e-8f90-112233445566.local
        a=rtcp-fb:109 transport-cc
        a=rtcp-fb:9 transport-cc
        a=rtcp-fb:0 transport-cc
        a=rtcp-fb:8 transport-cc
        a=rtcp-mux
        a=rtpmap:109 opus/48000/2
        a=rtpmap:9 G722/8000/1
        a=rtpmap:0 PCMU/8000
        a=rtpmap:8 PCMA/8000
        a=rtpmap:101 telephone-event/8000
        a=setup:actpass
        a=ssrc:2788567451 cname:{0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9}

        """

    /// The same with the plug-in: two more payload types and their retransmissions.
    static let firefox = firefoxWithoutH264.replacing(
        "SAVPF 120 124 121 125 99 100 123 122 119",
        with: "SAVPF 120 124 121 125 126 127 97 98 99 100 123 122 119"
    ).replacing(
        "a=rtpmap:99 AV1/90000",
        with: """
            a=fmtp:126 profile-level-id=42e01f;level-asymmetry-allowed=1;packetization-mode=1
            a=fmtp:97 profile-level-id=42e01f;level-asymmetry-allowed=1
            a=fmtp:127 apt=126
            a=fmtp:98 apt=97
            a=rtcp-fb:126 nack
            a=rtcp-fb:126 nack pli
            a=rtcp-fb:126 ccm fir
            a=rtcp-fb:126 goog-remb
            a=rtcp-fb:126 transport-cc
            a=rtpmap:126 H264/90000
            a=rtpmap:127 rtx/90000
            a=rtpmap:97 H264/90000
            a=rtpmap:98 rtx/90000
            a=rtpmap:99 AV1/90000
            """
    )

    /// Written by hand after what Firefox offers since 126: Baseline besides Constrained Baseline, both with and without
    /// fragmentation, the other order of parameters, and no bundled candidates.
    static let firefoxWithBaseline = firefox.replacing(
        "126 127 97 98 99 100",
        with: "126 127 97 98 105 106 103 104 99 100"
    ).replacing(
        "a=fmtp:127 apt=126",
        with: """
            a=fmtp:105 profile-level-id=42001f;level-asymmetry-allowed=1;packetization-mode=1
            a=fmtp:103 profile-level-id=42001f;level-asymmetry-allowed=1
            a=fmtp:106 apt=105
            a=fmtp:104 apt=103
            a=rtcp-fb:105 nack
            a=rtcp-fb:105 nack pli
            a=rtcp-fb:105 ccm fir
            a=rtcp-fb:105 goog-remb
            a=rtcp-fb:105 transport-cc
            a=rtpmap:105 H264/90000
            a=rtpmap:106 rtx/90000
            a=rtpmap:103 H264/90000
            a=rtpmap:104 rtx/90000
            a=fmtp:127 apt=126
            """
    )
}
