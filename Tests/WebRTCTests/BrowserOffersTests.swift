import Media
import SDP
import TestSupport
import Testing
import WebRTC
import Wire

/// Offers as the browsers make them, whole.
enum BrowserOffers {
    /// By name; line ends are LF here.
    static let all: [(name: String, text: String)] = [
        ("Chromium", chromium), ("Firefox", firefox), ("Firefox with Baseline", firefoxWithBaseline),
        ("Safari", safari), ("Safari with H.265 first", safariWithH265First),
    ]
}

@Suite struct BrowserOffersTests {
    private static let sound: [TrackFormat] = [Formats.opus, Formats.pcma, Formats.aac]

    private func peer(_ offer: String, _ tracks: [TrackFormat]) throws -> Peer {
        var random = SeededGenerator(seed: 1)
        return try Peer(
            offer: offer,
            tracks: tracks,
            configuration: try Browser.configuration(),
            at: .zero,
            using: &random
        )
    }

    /// What the offer could look like on the wire without meaning anything else.
    private static func spellings(_ offer: String) -> [String] {
        let lines = offer.split(separator: "\n").map(String.init)
        let later = lines.lastIndex { $0.hasPrefix("m=") } ?? 0
        return [
            offer, lines.joined(separator: "\r\n") + "\r\n", lines.joined(separator: "\n\n"),
            lines.joined(separator: "\r\n\r\n") + "\r\n\r\n\r\n",
            // Firefox has been seen to leave setup out of later m-lines.
            lines.enumerated().filter { $0 < later || $1 != "a=setup:actpass" }.map(\.element).joined(separator: "\n"),
        ]
    }

    @Test(arguments: BrowserOffers.all.map(\.name))
    func `every answer to a browser keeps every rule, whatever the camera sends`(browser: String) throws {
        let offer = try #require(BrowserOffers.all.first { $0.name == browser }).text
        let pictures: [TrackFormat] = [
            Formats.h264, Formats.h264(profile: 0x42, flags: 0xC0), Formats.h264(profile: 0x4D, flags: 0),
            Formats.h264(profile: 0x64, flags: 0),
        ]
        for spelling in Self.spellings(offer) {
            for picture in pictures {
                for tracks in [[picture]] + Self.sound.flatMap({ [[picture, $0], [$0, picture]] }) {
                    let answer = try peer(spelling, tracks).answer
                    #expect(AnswerRules.broken(answer, answering: spelling) == [])
                }
            }
            for sound in Self.sound.prefix(2) {
                let answer = try peer(spelling, [sound]).answer
                #expect(AnswerRules.broken(answer, answering: spelling) == [])
            }
        }
    }

    @Test(arguments: [
        ("Chromium", UInt8(0x42), UInt8(0xC0), "108"), ("Chromium", 0x4D, 0, "116"), ("Firefox", 0x42, 0xC0, "126"),
        ("Firefox", 0x64, 0, "126"), ("Firefox with Baseline", 0x42, 0xC0, "126"),
        ("Firefox with Baseline", 0x42, 0, "105"), ("Firefox with Baseline", 0x4D, 0, "126"),
        ("Firefox with Baseline", 0x64, 0, "126"), ("Safari", 0x42, 0xC0, "98"), ("Safari", 0x64, 0, "96"),
        ("Safari", 0x64, 0x0C, "96"), ("Safari", 0x4D, 0, "98"), ("Safari with H.265 first", 0x42, 0xC0, "98"),
        ("Safari with H.265 first", 0x64, 0, "96"), ("Safari with H.265 first", 0x64, 0x0C, "96"),
    ])
    func `the picture goes under the payload type that fits`(
        browser: String,
        profile: UInt8,
        flags: UInt8,
        expected: String
    ) throws {
        let offer = try #require(BrowserOffers.all.first { $0.name == browser }).text
        let tracks = [Formats.h264(profile: profile, flags: flags), Formats.opus]
        let answer = try SessionDescription(parsing: peer(offer, tracks).answer)
        #expect(answer.media.map(\.kind) == ["video", "audio"])
        #expect(answer.media[0].formats.first == expected)
        #expect(answer.media.allSatisfy { $0.direction == .sendonly })
        #expect(answer.attribute("group") == "BUNDLE 0 1")
    }

    @Test func `Firefox without its plug-in is told what it lacks`() throws {
        do {
            _ = try peer(BrowserOffers.firefoxWithoutH264, [Formats.h264, Formats.opus])
            Issue.record("H.264 was answered")
        } catch let error as NegotiationError {
            #expect(error == .noCommonVideoCodec(offered: ["VP8", "VP9", "AV1"], camera: .h264))
            #expect(error.remedy == "Play this camera by HLS in this browser.")
        }
        // Sound alone can go.
        let answer = try peer(BrowserOffers.firefoxWithoutH264, [Formats.opus]).answer
        #expect(AnswerRules.broken(answer, answering: BrowserOffers.firefoxWithoutH264) == [])
    }

    /// Changes to an offer that the answer has to bear, with what it may no longer contain.
    private static let twists: [(name: String, from: String, to: String)] = [
        ("an extension id that needs two-byte headers", "a=extmap:9 urn", "a=extmap:200 urn"),
        ("an extension id of 0", "a=extmap:9 urn", "a=extmap:0 urn"),
        ("an extension with a direction", "a=extmap:9 urn", "a=extmap:9/recvonly urn"),
        ("retransmissions with another clock", "rtx/90000", "rtx/45000"),
        ("a payload type above 127", "SAVPF 96", "SAVPF 200 96"),
        ("a codec that is in no format list", "SAVPF 111 63", "SAVPF 63"),
        ("no feedback at all", "a=rtcp-fb", "a=x-rtcp-fb"), ("no reduced-size RTCP", "a=rtcp-rsize", "a=x"),
        ("a long mid", "a=mid:0", "a=mid:a-name-longer-than-sixteen"),
        ("sound that is not bundled", "BUNDLE 0 1", "BUNDLE 0"),
        ("a picture that is not bundled", "BUNDLE 0 1", "BUNDLE 1"),
        ("no bundle", "a=group:BUNDLE 0 1", "a=x"), ("a bundle of strangers", "BUNDLE 0 1", "BUNDLE 7 8"),
        ("the same mid twice", "a=mid:1", "a=mid:0"), ("a mid that is no token", "a=mid:1", "a=mid:ä b"),
        ("an m-line that sends", "a=mid:1", "a=mid:1\na=sendonly"),
        ("an inactive m-line", "a=mid:1", "a=mid:1\na=inactive"),
        ("a rejected m-line", "m=audio 9", "m=audio 0"), ("sound first without rtcp-mux", "a=mid:1", "a=mid:1\na=x"),
        ("a plain RTP m-line", "m=audio 9 UDP/TLS/RTP/SAVPF", "m=audio 9 RTP/AVP"),
        ("rtpmap with another rate", "opus/48000/2", "opus/16000/2"), ("wildcard feedback", "rtcp-fb:96", "rtcp-fb:*"),
        ("a certificate of two hashes", "a=setup:actpass", "a=fingerprint:sha-1 AB:CD\na=setup:actpass"),
    ]

    @Test(arguments: twists.map(\.name), BrowserOffers.all.map(\.name))
    func `an odd offer is refused with a reason or answered by the rules`(twist: String, browser: String) throws {
        let change = try #require(Self.twists.first { $0.name == twist })
        let plain = try #require(BrowserOffers.all.first { $0.name == browser }).text
        let offer = plain.replacing(change.from, with: change.to)
        for tracks in [[Formats.h264, Formats.opus], [Formats.pcma, Formats.h264], [Formats.opus]] {
            do throws(any Error) {
                let answer = try peer(offer, tracks).answer
                #expect(AnswerRules.broken(answer, answering: offer) == [])
            } catch let error as NegotiationError {
                #expect((400..<600).contains(error.httpStatus))
            }
        }
    }

    @Test func `a data channel and a second picture are rejected in their place`() throws {
        let transport = "a=ice-ufrag:x9Qf\na=ice-pwd:asd88fgpdd777uzjYhagZg4T\na=setup:actpass\n"
        let data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\nc=IN IP4 0.0.0.0\na=mid:2\na=sctp-port:5000\n"
        let video = "m=video 9 UDP/TLS/RTP/SAVPF 96\nc=IN IP4 0.0.0.0\na=mid:3\na=recvonly\na=rtcp-mux\n"
        let offer =
            BrowserOffers.chromium.replacing("BUNDLE 0 1", with: "BUNDLE 0 1 2 3") + data + transport + video
            + transport + "a=rtpmap:96 VP8/90000\n"
        let text = try peer(offer, [Formats.h264, Formats.opus]).answer
        #expect(AnswerRules.broken(text, answering: offer) == [])
        let answer = try SessionDescription(parsing: text)
        #expect(answer.media.map { $0.port == 0 } == [false, false, true, true])
        #expect(answer.attribute("group") == "BUNDLE 0 1")
    }

    /// Damage to a right answer, and a word of the rule that has to notice it.
    @Test(arguments: [
        ("a=setup:passive", "a=setup:active", "setup"), ("c=IN IP4 0.0.0.0\r\n", "", "c= line"),
        ("a=msid:gate-north gate-north-video", "a=msid:gate-north", "both parts"),
        ("BUNDLE 0 1", "BUNDLE 0 1 2", "bundled"),
        ("BUNDLE 0 1", "BUNDLE 0", "bundled"), ("a=mid:0", "a=mid:9", "mid as offered"),
        ("extmap:9", "extmap:8", "extension"),
        ("SAVPF 108", "SAVPF 108 200", "127"), ("H264/90000", "H264/48000", "means what it meant"),
        ("\r\n", "\n", "CRLF"),
        ("rtcp-fb:108 nack pli", "rtcp-fb:108 nack sli", "feedback"), ("m=audio 9", "m=video 9", "kind"),
        ("a=msid:gate-north gate-north-audio", "a=msid:yard x", "one stream"), ("a=rtcp-mux\r\n", "", "rtcp-mux"),
        ("a=sendonly", "a=sendrecv", "inactive"), ("cname:signalbox\r\na=cand", "cname:x\r\na=cand", "CNAME"),
    ])
    func `the rules notice what breaks them`(from: String, to: String, word: String) throws {
        let right = try peer(BrowserOffers.chromium, [Formats.h264(profile: 0x42, flags: 0xC0), Formats.opus]).answer
        #expect(AnswerRules.broken(right, answering: BrowserOffers.chromium) == [])
        #expect(right.contains(from), "\(right)")
        var wrong = right.replacing(from, with: to)
        if word == "CNAME", let first = right.firstRange(of: from) {
            wrong = right
            wrong.replaceSubrange(first, with: to)
        }
        let broken = AnswerRules.broken(wrong, answering: BrowserOffers.chromium)
        #expect(broken.contains { $0.contains(word) }, "\(broken)")
    }
}
