/// Answers as they have to be, with the seed 1.
enum Golden {
    static let chrome = """
        v=0
        o=- 628415843182498395 1 IN IP4 127.0.0.1
        s=-
        t=0 0
        a=group:BUNDLE 0 1
        a=msid-semantic:WMS gate-north
        a=ice-options:trickle
        m=audio 9 UDP/TLS/RTP/SAVPF 8
        c=IN IP4 0.0.0.0
        a=mid:0
        a=sendonly
        a=rtcp-mux
        a=rtcp-rsize
        a=setup:passive
        a=ice-ufrag:ju8bbv2gRx
        a=ice-pwd:ZlcgbKoyq2EFeHRCfsC9lkYb
        a=fingerprint:FINGERPRINT
        a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
        a=rtpmap:8 PCMA/8000
        a=msid:gate-north gate-north-audio
        a=ssrc:659680431 cname:signalbox
        a=candidate:u0 1 udp 2130706431 192.0.2.1 8189 typ host
        a=candidate:u1 1 udp 2130706175 2001:db8::1 8189 typ host
        a=candidate:t0 1 tcp 2124414975 192.0.2.1 8189 typ host tcptype passive
        a=end-of-candidates
        m=video 9 UDP/TLS/RTP/SAVPF 109 114
        c=IN IP4 0.0.0.0
        a=mid:1
        a=sendonly
        a=rtcp-mux
        a=rtcp-rsize
        a=setup:passive
        a=ice-ufrag:ju8bbv2gRx
        a=ice-pwd:ZlcgbKoyq2EFeHRCfsC9lkYb
        a=fingerprint:FINGERPRINT
        a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
        a=extmap:12 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay
        a=rtpmap:109 H264/90000
        a=fmtp:109 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
        a=rtcp-fb:109 nack
        a=rtcp-fb:109 nack pli
        a=rtcp-fb:109 ccm fir
        a=rtcp-fb:109 transport-cc
        a=rtpmap:114 rtx/90000
        a=fmtp:114 apt=109
        a=msid:gate-north gate-north-video
        a=ssrc-group:FID 2597157551 3368457420
        a=ssrc:2597157551 cname:signalbox
        a=ssrc:3368457420 cname:signalbox
        a=candidate:u0 1 udp 2130706431 192.0.2.1 8189 typ host
        a=candidate:u1 1 udp 2130706175 2001:db8::1 8189 typ host
        a=candidate:t0 1 tcp 2124414975 192.0.2.1 8189 typ host tcptype passive
        a=end-of-candidates

        """

    static let firefox = """
        v=0
        o=- 1261203858117736319 1 IN IP4 127.0.0.1
        s=-
        t=0 0
        a=group:BUNDLE 0 1
        a=msid-semantic:WMS gate-north
        a=ice-options:trickle
        m=video 9 UDP/TLS/RTP/SAVPF 126
        c=IN IP4 0.0.0.0
        a=mid:0
        a=sendonly
        a=rtcp-mux
        a=setup:passive
        a=ice-ufrag:ju8bbv2gRx
        a=ice-pwd:ZlcgbKoyq2EFeHRCfsC9lkYb
        a=fingerprint:FINGERPRINT
        a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid
        a=rtpmap:126 H264/90000
        a=fmtp:126 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
        a=rtcp-fb:126 nack
        a=rtcp-fb:126 nack pli
        a=rtcp-fb:126 ccm fir
        a=msid:gate-north gate-north-video
        a=ssrc:659680431 cname:signalbox
        a=candidate:u0 1 udp 2130706431 192.0.2.1 8189 typ host
        a=candidate:u1 1 udp 2130706175 2001:db8::1 8189 typ host
        a=candidate:t0 1 tcp 2124414975 192.0.2.1 8189 typ host tcptype passive
        a=end-of-candidates
        m=audio 9 UDP/TLS/RTP/SAVPF 109
        c=IN IP4 0.0.0.0
        a=mid:1
        a=sendonly
        a=rtcp-mux
        a=setup:passive
        a=ice-ufrag:ju8bbv2gRx
        a=ice-pwd:ZlcgbKoyq2EFeHRCfsC9lkYb
        a=fingerprint:FINGERPRINT
        a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid
        a=rtpmap:109 opus/48000/2
        a=fmtp:109 minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1
        a=msid:gate-north gate-north-audio
        a=ssrc:2597157551 cname:signalbox
        a=candidate:u0 1 udp 2130706431 192.0.2.1 8189 typ host
        a=candidate:u1 1 udp 2130706175 2001:db8::1 8189 typ host
        a=candidate:t0 1 tcp 2124414975 192.0.2.1 8189 typ host tcptype passive
        a=end-of-candidates
        m=application 0 UDP/DTLS/SCTP webrtc-datachannel
        c=IN IP4 0.0.0.0
        a=mid:2

        """
}
