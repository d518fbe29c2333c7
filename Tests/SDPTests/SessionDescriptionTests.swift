import SDP
import TestSupport
import Testing

@Suite struct SessionDescriptionTests {
    @Test func `the example of RFC 8866 §5 is read`() throws {
        let description = try SessionDescription(parsing: rfc8866Example)
        #expect(description.origin == "jdoe 3724394400 3724394405 IN IP4 198.51.100.1")
        #expect(description.name == "Call to John Smith")
        #expect(description.connection == "IN IP4 198.51.100.1")
        #expect(description.media.map(\.kind) == ["audio", "audio", "video"])
        #expect(description.media.map(\.port) == [49170, 49180, 51372])
        #expect(description.media[2].connection == "IN IP6 2001:db8::2")
        #expect(
            description.media[2].rtpMaps() == [RTPMap(payloadType: 99, encodingName: "h263-1998", clockRate: 90_000)]
        )
    }

    @Test func `a browser's offer keeps every attribute and prints in the order of RFC 8866`() throws {
        let offer = try SessionDescription(parsing: browserOffer)
        #expect(offer.attribute("group") == "BUNDLE 0 1")
        #expect(offer.has("extmap-allow-mixed"))
        let video = offer.media[0]
        #expect(video.payloadTypes == [96, 97, 102])
        #expect(video.direction == .recvonly)
        #expect(video.attribute("mid") == "0")
        #expect(video.has("rtcp-mux"))
        #expect(video.attributes(named: "extmap").count == 2)
        #expect(video.rtpMaps().map(\.encodingName) == ["VP8", "rtx", "H264"])
        #expect(video.rtcpFeedback(102) == ["goog-remb", "nack", "nack pli"])
        #expect(video.formatParameters(97) == ["apt": "96"])
        #expect(video.formatParameters(102)["profile-level-id"] == "42e01f")
        #expect(offer.media[1].rtpMaps().first?.channels == 2)

        let text = offer.text
        #expect(text.hasPrefix("v=0\r\no=- 46 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"))
        #expect(try SessionDescription(parsing: text) == offer)
    }

    @Test(arguments: ["\n", "\r\n", "\r", "\n\n"])
    func `any line ending will do`(ending: String) throws {
        let text = ["v=0", "m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000"].joined(separator: ending)
        let description = try SessionDescription(parsing: text)
        #expect(description.media.first?.rtpMaps().first?.encodingName == "H264")
    }

    @Test(arguments: [
        "c=IN", "c=IN IN IP4 1.2.3.4", "o=", "o=- -1 0x12 IN IPV4", "s=again", "t=now-", "b=XX:9", "z", "=", "m", "a=",
        "a=:", "garbage without an equals sign", "x=\u{1B}[2J",
    ])
    func `a broken line costs nothing but itself`(line: String) throws {
        let description = try SessionDescription(
            parsing: "v=0\r\n\(line)\r\nm=video 0 RTP/AVP 96\r\n\(line)\r\na=control:trackID=1"
        )
        #expect(description.media.count == 1)
        #expect(description.media[0].attribute("control") == "trackID=1")
    }

    @Test func `an unknown kind of media with fields missing is kept as it is`() throws {
        let description = try SessionDescription(parsing: "v=0\nm=metadata\nm=video 70000/2 RTP/AVP\n")
        #expect(description.media.map(\.kind) == ["metadata", "video"])
        #expect(description.media[0].formats.isEmpty)
        #expect(description.media[1].port == 0)
    }

    @Test func `size, lines, sections and NUL are limited`() {
        let section = "m=video 0 RTP/AVP 96\n"
        #expect(throws: SDPError.tooLarge(bytes: 65_537)) {
            try SessionDescription(parsing: String(repeating: "a", count: 65_537))
        }
        #expect(throws: SDPError.tooManyLines) {
            try SessionDescription(parsing: "v=0\n" + String(repeating: "a=x\n", count: 3_000))
        }
        #expect(throws: SDPError.tooManyMedia) {
            try SessionDescription(parsing: "v=0\n" + String(repeating: section, count: 65))
        }
        #expect(throws: SDPError.containsNUL) { try SessionDescription(parsing: "v=0\nm=vi\0deo\n") }
        #expect(throws: SDPError.notSDP) { try SessionDescription(parsing: "<html></html>") }
        #expect(throws: Never.self) { try SessionDescription(parsing: "v=0\n" + section + "\0\0") }
    }

    @Test func `a value cannot start a line of its own`() {
        let description = SessionDescription(
            name: "x\r\nm=video 9 RTP/AVP 96",
            attributes: [SDPAttribute("tool", "a\nb\u{0}c")]
        )
        #expect(description.text.contains("s=xm=video 9 RTP/AVP 96\r\n"))
        #expect(description.text.contains("a=tool:abc\r\n"))
    }

    @Test func `what was printed is read back the same, whatever the bytes`() throws {
        let tried = sweep([Array(rfc8866Example.utf8), Array(browserOffer.utf8)], mutations: 2_000) { bytes in
            let first = try SessionDescription(parsing: String(decoding: bytes, as: UTF8.self))
            let second = try SessionDescription(parsing: first.text)
            let third = try SessionDescription(parsing: second.text)
            #expect(second == third)
            #expect(second.media.count == first.media.count)
            for media in first.media {
                _ = media.rtpMaps()
                _ = media.direction
                for type in media.payloadTypes { _ = (media.formatParameters(type), media.rtcpFeedback(type)) }
            }
        }
        #expect(tried > 4_000)
    }
}

@Suite struct MediaDescriptionTests {
    @Test(arguments: [
        ("96 H264/90000 ", RTPMap(payloadType: 96, encodingName: "H264", clockRate: 90_000)),
        ("97 opus/48000/2", RTPMap(payloadType: 97, encodingName: "opus", clockRate: 48_000, channels: 2)),
        ("96 H264/0", RTPMap(payloadType: 96, encodingName: "H264", clockRate: 0)),
        ("96 H264/-90000", RTPMap(payloadType: 96, encodingName: "H264", clockRate: 0)),
        ("96 H264/2147483648", RTPMap(payloadType: 96, encodingName: "H264", clockRate: 0)),
        ("96 H264", RTPMap(payloadType: 96, encodingName: "H264", clockRate: 0)),
        ("0 PCMU/8000/0", RTPMap(payloadType: 0, encodingName: "PCMU", clockRate: 8_000)),
    ])
    func `an rtpmap line is read`(line: String, expected: RTPMap) {
        let media = MediaDescription(
            kind: "video",
            proto: "RTP/AVP",
            formats: ["96"],
            attributes: [SDPAttribute("rtpmap", line)]
        )
        #expect(media.rtpMaps() == [expected])
    }

    @Test(arguments: ["200 H264/90000", "-1 H264/90000", "+96 H264/90000", "96", "96 ", "96 /90000", ""])
    func `an rtpmap line without payload type or name is skipped`(line: String) {
        let media = MediaDescription(
            kind: "video",
            proto: "RTP/AVP",
            formats: [],
            attributes: [SDPAttribute("rtpmap", line)]
        )
        #expect(media.rtpMaps().isEmpty)
    }

    @Test func `format parameters keep their Base64 padding and merge over lines`() {
        let media = MediaDescription(
            kind: "video",
            proto: "RTP/AVP",
            formats: ["96"],
            attributes: [
                SDPAttribute("fmtp", "96"),
                SDPAttribute("fmtp", "96 Packetization-Mode=1; sprop-parameter-sets=Z00AKg==,aO48gA== ;;flag"),
                SDPAttribute("fmtp", "97 packetization-mode=0"),
                SDPAttribute("fmtp", "96 packetization-mode=0;level=3"),
            ]
        )
        #expect(
            media.formatParameters(96) == [
                "packetization-mode": "1", "sprop-parameter-sets": "Z00AKg==,aO48gA==", "flag": "", "level": "3",
            ]
        )
    }

    @Test func `formats are read once each and as many as there are payload types, however many are named`() throws {
        let numbers = (0..<3).flatMap { _ in (0...255).map(String.init) }.joined(separator: " ")
        let maps = (0..<700).map { "a=rtpmap:96 H264/\($0)\r\n" }.joined()
        let description = try SessionDescription(parsing: "v=0\r\nm=video 9 RTP/AVP 96 96 \(numbers)\r\n\(maps)")
        let media = try #require(description.media.first)
        #expect(media.formats.count == MediaDescription.maximumFormats)
        let formats = media.payloadFormats()
        #expect(Set(formats.map(\.payloadType)).count == formats.count)
        #expect(formats.first?.payloadType == 96)
        #expect(formats.first?.map?.clockRate == 0, "the first map counts")
    }

    @Test func `what a section says of its payload types comes in the order of the m-line`() throws {
        let text = "v=0\nm=video 9 RTP/AVP 98 96 97\na=fmtp:96 a=1\na=rtpmap:96 H264/90000\na=rtpmap:98 VP8/90000\n"
        let media = try #require(try SessionDescription(parsing: text).media.first)
        #expect(
            media.payloadFormats() == [
                PayloadFormat(payloadType: 98, map: RTPMap(payloadType: 98, encodingName: "VP8", clockRate: 90_000)),
                PayloadFormat(
                    payloadType: 96,
                    map: RTPMap(payloadType: 96, encodingName: "H264", clockRate: 90_000),
                    parameters: ["a": "1"]
                ),
                PayloadFormat(payloadType: 97),
            ]
        )
    }

    @Test func `feedback for all payload types counts for each`() {
        let media = MediaDescription(
            kind: "video",
            proto: "RTP/AVP",
            formats: ["96"],
            attributes: [SDPAttribute("rtcp-fb", "* nack"), SDPAttribute("rtcp-fb", "96 nack pli")]
        )
        #expect(media.rtcpFeedback(96) == ["nack", "nack pli"])
        #expect(media.rtcpFeedback(97) == ["nack"])
    }

    @Test func `without a direction media flows both ways`() {
        #expect(MediaDescription(kind: "video", proto: "", formats: []).direction == .sendrecv)
        let inactive = MediaDescription(
            kind: "video",
            proto: "",
            formats: [],
            attributes: [SDPAttribute("Inactive"), SDPAttribute("sendonly")]
        )
        #expect(inactive.direction == .inactive)
    }

    @Test(arguments: ["", "+5", "-0", "0x10", "9223372036854775808", "1 ", "٣"])
    func `numbers on the wire are digits and nothing else`(text: String) {
        #expect(text.decimal(upTo: Int.max) == nil)
    }
}

private let rfc8866Example = """
    v=0
    o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1
    s=Call to John Smith
    i=SDP Offer #1
    u=http://www.jdoe.example.com/home.html
    e=Jane Doe <jane@jdoe.example.com>
    p=+1 617 555-6011
    c=IN IP4 198.51.100.1
    t=0 0
    m=audio 49170 RTP/AVP 0
    m=audio 49180 RTP/AVP 0
    m=video 51372 RTP/AVP 99
    c=IN IP6 2001:db8::2
    a=rtpmap:99 h263-1998/90000
    """

private let browserOffer = """
    v=0\r
    o=- 46 2 IN IP4 127.0.0.1\r
    s=-\r
    t=0 0\r
    a=group:BUNDLE 0 1\r
    a=extmap-allow-mixed\r
    a=msid-semantic: WMS\r
    m=video 9 UDP/TLS/RTP/SAVPF 96 97 102\r
    c=IN IP4 0.0.0.0\r
    a=rtcp:9 IN IP4 0.0.0.0\r
    a=ice-ufrag:Ab1+\r
    a=ice-pwd:0123456789abcdefghijkl/+\r
    a=fingerprint:sha-256 00:11:22\r
    a=setup:actpass\r
    a=mid:0\r
    a=extmap:1 urn:ietf:params:rtp-hdrext:toffset\r
    a=extmap:2/recvonly http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r
    a=recvonly\r
    a=rtcp-mux\r
    a=rtcp-rsize\r
    a=rtpmap:96 VP8/90000\r
    a=rtcp-fb:96 nack pli\r
    a=rtpmap:97 rtx/90000\r
    a=fmtp:97 apt=96\r
    a=rtpmap:102 H264/90000\r
    a=rtcp-fb:102 goog-remb\r
    a=rtcp-fb:102 nack\r
    a=rtcp-fb:102 nack pli\r
    a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r
    c=IN IP4 0.0.0.0\r
    a=mid:1\r
    a=recvonly\r
    a=rtpmap:111 opus/48000/2\r
    a=fmtp:111 minptime=10;useinbandfec=1\r

    """
