import DTLS
import ICE
import Media
import SDP
import TestSupport
import Testing
import WebRTC
import Wire

@Suite struct NegotiationTests {
    private func peer(_ offer: String, _ tracks: [TrackFormat], seed: UInt64 = 1) throws -> Peer {
        var random = SeededGenerator(seed: seed)
        let configuration = try Browser.configuration()
        return try Peer(offer: offer, tracks: tracks, configuration: configuration, at: .zero, using: &random)
    }

    private func refusal(_ offer: String, _ tracks: [TrackFormat] = [Formats.h264]) -> NegotiationError? {
        do {
            _ = try peer(offer, tracks)
            return nil
        } catch {
            return error as? NegotiationError
        }
    }

    /// The answer with what differs from run to run replaced.
    private func golden(_ peer: Peer) throws -> String {
        let fingerprint = try #require(Browser.context).fingerprint.description
        return peer.answer.replacing(fingerprint, with: "FINGERPRINT").replacing("\r\n", with: "\n")
    }

    @Test func `the answer to Chromium, H.264 and G.711`() throws {
        #expect(try golden(peer(Offers.chrome(), [Formats.h264, Formats.pcma])) == Golden.chrome)
    }

    @Test func `sound the camera lacks is agreed to as inactive, because aiortc takes no rejected m-line`() throws {
        let answer = try SessionDescription(parsing: peer(Offers.chrome(), [Formats.h264]).answer)
        let audio = try #require(answer.media.first { $0.kind == "audio" })
        #expect(audio.port == 9 && audio.direction == .inactive && audio.rtpMaps().count == 1)
        for name in ["ice-ufrag", "ice-pwd", "fingerprint", "setup", "rtcp-mux"] { #expect(audio.has(name)) }
        #expect(answer.attribute("group") == "BUNDLE 0 1")
    }

    @Test func `the answer to Firefox, H.264 and Opus`() throws {
        #expect(try golden(peer(Offers.firefox(), [Formats.opus, Formats.h264])) == Golden.firefox)
    }

    @Test func `an extension id that means two things is used for neither`() throws {
        let twice = Offers.chrome().replacing(
            "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
            with: "a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid"
        )
        let answer = try peer(twice, [Formats.h264, Formats.pcma]).answer
        #expect(AnswerRules.broken(answer, answering: twice) == [])
        #expect(!answer.contains("a=extmap:3 ") && answer.contains("a=extmap:12 "))
    }

    @Test(arguments: [
        ("0 8 13", "0 08 13"), ("a=rtpmap:8 PCMA", "a=rtpmap:08 PCMA"), ("a=fmtp:109 level", "a=fmtp:0109 level"),
        ("a=rtpmap:114 rtx", "a=rtpmap:0114 rtx"), ("a=fmtp:114 apt=109", "a=fmtp:0114 apt=0109"),
        ("a=rtcp-fb:109 nack pli", "a=rtcp-fb:0109 nack pli"),
    ])
    func `a number with a zero before it is that number`(plain: String, padded: String) throws {
        let offer = Offers.chrome().replacing(plain, with: padded)
        #expect(offer != Offers.chrome())
        let peer = try peer(offer, [Formats.h264, Formats.pcma])
        #expect(AnswerRules.broken(peer.answer, answering: offer) == [])
        #expect(try golden(peer) == Golden.chrome)
    }

    @Test(arguments: [
        (UInt8(0x42), UInt8(0xC0), "109"), (0x42, 0x00, "103"), (0x4D, 0x00, "115"), (0x64, 0x00, "109"),
        (0x4D, 0x40, "115"),
    ])
    func `the payload type follows the camera's profile`(profile: UInt8, flags: UInt8, expected: String) throws {
        let format = Formats.h264(profile: profile, flags: flags)
        #expect(format.h264 != nil)
        let answer = try SessionDescription(parsing: peer(Offers.chrome(), [format]).answer)
        #expect(answer.media[1].formats.first == expected)
    }

    @Test func `High is preferred for High where it is offered, and any mode 1 is better than nothing`() throws {
        let safari = Offers.chrome().replacing("profile-level-id=4d001f", with: "profile-level-id=640c1f")
        let high = try SessionDescription(parsing: peer(safari, [Formats.h264(profile: 0x64, flags: 0)]).answer)
        #expect(high.media[1].formats == ["115"])
        let odd = Offers.chrome().replacing("42e01f", with: "58a01f").replacing("42001f", with: "58a01f")
        let any = try SessionDescription(parsing: peer(odd, [Formats.h264(profile: 0x42, flags: 0xC0)]).answer)
        #expect(any.media[1].formats.first == "103")
    }

    @Test func `AAC is left out and the reason can be shown`() throws {
        let peer = try peer(Offers.chrome(), [Formats.h264, Formats.aac])
        let answer = try SessionDescription(parsing: peer.answer)
        #expect(answer.media[0].direction == .inactive)
        #expect(
            peer.audioUnavailableReason
                == "The camera sends AAC sound, which browsers do not take by WebRTC."
        )
    }

    @Test func `a camera without sound and a browser without H.264 are told apart`() throws {
        #expect(try peer(Offers.chrome(), [Formats.h264]).audioUnavailableReason == "The camera sends no sound.")
        let offline = Offers.firefox().replacing("H264", with: "VP9")
        let error = try #require(refusal(offline))
        #expect(error == .noCommonVideoCodec(offered: ["VP8", "VP9"], camera: .h264))
        #expect(error.httpStatus == 406)
        #expect(error.problem == "The camera sends H264; the browser offers VP8, VP9.")
        #expect(error.remedy == "Play this camera by HLS in this browser.")
        let mode0 = Offers.chrome().replacing("packetization-mode=1", with: "packetization-mode=0")
        #expect(refusal(mode0)?.remedy == "Offer H264 with packetization-mode=1.")
    }

    @Test func `H.265 is refused with what the operator can do`() throws {
        let error = try #require(refusal(Offers.chrome(), [Formats.h265]))
        #expect(error == .unsupportedVideo(camera: "H265"))
        #expect(error.remedy == "Play this camera by HLS, or set the camera to H.264.")
        #expect(refusal(Offers.chrome(), []) == .streamNotReady)
        #expect(refusal(Offers.chrome(), [])?.httpStatus == 503)
        #expect(refusal(Offers.chrome(), [Formats.aac])?.httpStatus == 406)
    }

    @Test func `offers that miss a part are refused by its name`() throws {
        func without(_ prefix: String) -> String {
            Offers.chrome().split(separator: "\r\n").filter { !$0.hasPrefix(prefix) }.joined(separator: "\r\n")
        }
        #expect(refusal(without("a=ice-pwd")) == .missing("ice-ufrag and ice-pwd"))
        #expect(refusal(without("a=fingerprint")) == .missing("fingerprint with sha-256, sha-384 or sha-512"))
        #expect(refusal(without("a=rtcp-mux")) == .missing("rtcp-mux"))
        #expect(refusal(without("m=")) == .missing("m-line"))
        #expect(refusal(Offers.chrome() + "m=audio 9\r\n") == .missing("m-line"))
        #expect(refusal(Offers.chrome().replacing("9 UDP", with: "9 U\u{4}DP")) == .missing("m-line"))
        #expect(refusal(Offers.chrome() + "m=audio 9 UDP/TLS/RTP/SAVPF\r\n") == .missing("m-line"))
        #expect(refusal(Offers.chrome().replacing("a=recvonly", with: "a=sendonly")) == .nothingToReceive)
        #expect(refusal(Offers.chrome().replacing("UDP/TLS/RTP/SAVPF", with: "RTP/AVP"))?.httpStatus == 406)
        #expect(refusal(Offers.chrome().replacing("actpass", with: "passive"))?.httpStatus == 406)
        #expect(refusal("hello") == .malformed(.notSDP))
        #expect(refusal("hello")?.problem == "The offer is not usable SDP: it has neither a v= nor an m= line.")
        #expect(refusal(String(repeating: "a=x\r\n", count: 20_000))?.httpStatus == 413)
        #expect(
            refusal("v=0\r\n" + String(repeating: "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n", count: 500))?.httpStatus == 413
        )
    }

    @Test func `without BUNDLE only the picture is sent`() throws {
        let offer = Offers.chrome().replacing("a=group:BUNDLE 0 1\r\n", with: "")
        let peer = try peer(offer, [Formats.h264, Formats.pcma])
        let answer = try SessionDescription(parsing: peer.answer)
        #expect(answer.attribute("group") == nil)
        #expect(answer.media.map(\.port) == [0, 9])
        #expect(peer.audioUnavailableReason == "The browser does not bundle sound with the picture.")
    }

    @Test func `a second video m-line is rejected`() throws {
        let extra = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\na=recvonly\r\na=rtcp-mux\r\n"
        let answer = try SessionDescription(parsing: peer(Offers.chrome() + extra, [Formats.h264]).answer)
        #expect(answer.media.map(\.port) == [9, 9, 0])
        #expect(answer.media[2].attribute("mid") == "2")
    }

    @Test func `two peers share nothing that could be confused`() throws {
        let one = try peer(Offers.chrome(), [Formats.h264], seed: 1)
        let two = try peer(Offers.chrome(), [Formats.h264], seed: 2)
        #expect(one.localUfrag != two.localUfrag)
        #expect(one.localUfrag.utf8.count >= 8)
        let answers = try [one, two].map { try SessionDescription(parsing: $0.answer).media[1] }
        #expect(answers[0].attribute("ice-pwd") != answers[1].attribute("ice-pwd"))
        #expect(answers[0].attribute("ssrc") != answers[1].attribute("ssrc"))
        #expect(answers.allSatisfy { ($0.attribute("ice-pwd") ?? "").utf8.count >= 22 })
    }

    @Test(arguments: UInt64(1)...3)
    func `no corruption of an offer traps, and no answer offers what was not offered`(seed: UInt64) throws {
        let samples = [Offers.chrome(), Offers.firefox()].map { Array($0.utf8) }
        let tracks = [Formats.h264(profile: 0x4D, flags: 0), Formats.pcma]
        sweep(samples, mutations: 100, seed: seed) { bytes in
            // Prefixes are many; every 29th is enough.
            guard bytes.count % 29 == 0 || samples.contains(where: { abs($0.count - bytes.count) < 5 }) else { return }
            let offer = String(decoding: bytes, as: UTF8.self)
            let answer = try SessionDescription(parsing: peer(offer, tracks).answer)
            let offered = try SessionDescription(parsing: offer)
            #expect(answer.media.count == offered.media.count)
            for (mine, theirs) in zip(answer.media, offered.media) where mine.port != 0 {
                #expect(Set(mine.payloadTypes).isSubset(of: theirs.payloadTypes))
            }
        }
    }
}
