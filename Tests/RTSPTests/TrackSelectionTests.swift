import Media
import RTSP
import SDP
import TestSupport
import Testing

@Suite struct TrackSelectionTests {
    private func select(_ media: String, session: String = "") throws -> TrackSelection {
        let description = try SessionDescription(parsing: "v=0\n\(session)\n\(media)")
        return TrackSelection(
            description,
            base: ControlBase(description, requested: try RTSPURL(parsing: "rtsp://cam/x/"))
        )
    }

    @Test func `an ordinary camera gives one video and one audio track`() throws {
        let selection = try select(
            """
            m=video 0 RTP/AVP 96
            a=rtpmap:96 H264/90000
            a=fmtp:96 packetization-mode=1;sprop-parameter-sets=\(sprop)
            a=control:trackID=1
            m=audio 0 RTP/AVP 97
            a=rtpmap:97 MPEG4-GENERIC/16000/1
            a=fmtp:97 streamtype=5;mode=AAC-hbr;config=1408;SizeLength=13;IndexLength=3;IndexDeltaLength=3
            a=control:trackID=2
            m=application 0 RTP/AVP 107
            a=rtpmap:107 vnd.onvif.metadata/90000
            a=control:trackID=3
            """
        )
        #expect(selection.tracks.map(\.index) == [0, 1])
        #expect(selection.tracks.map(\.control) == ["rtsp://cam/x/trackID=1", "rtsp://cam/x/trackID=2"])
        #expect(selection.ignored == ["application vnd.onvif.metadata"])
        let video = selection.tracks[0]
        #expect(video.format.codec == .h264)
        #expect(video.payloadType == 96)
        #expect(video.format.h264?.parsed.profileIDC == 66)
        #expect(video.format.h264?.pps.count == 1)
        let audio = selection.tracks[1]
        #expect(audio.format.codec == .aac)
        #expect(audio.format.clockRate == 16_000)
        #expect(audio.format.aac?.sampleRate == 16_000)
        #expect(audio.aacPacking == AACPacking(mode: "AAC-hbr"))
    }

    @Test func `H264 is preferred, and without it the first video that has a name`() throws {
        let mjpeg = "m=video 0 RTP/AVP 26\na=control:a"
        let h265 = "m=video 0 RTP/AVP 98\na=rtpmap:98 H265/90000\na=control:b"
        let h264 = "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=control:c"
        #expect(try select([mjpeg, h265, h264].joined(separator: "\n")).tracks.map(\.format.codec) == [.h264])
        let other = try select([mjpeg, h265].joined(separator: "\n"))
        #expect(other.tracks.map(\.format.codec) == [.mjpeg])
        #expect(other.ignored == ["video H265"])
    }

    @Test(arguments: [
        (0, Codec.pcmu, 8_000, 1), (8, .pcma, 8_000, 1), (9, .g722, 8_000, 1), (10, .l16, 44_100, 2),
        (11, .l16, 44_100, 1),
    ])
    func `static payload types need no map`(type: Int, codec: Codec, clockRate: Int, channels: Int) throws {
        let format = try #require(try select("m=audio 0 RTP/AVP \(type)").tracks.first?.format)
        #expect(format.codec == codec)
        #expect(format.clockRate == clockRate)
        #expect(format.channels == channels)
    }

    @Test(arguments: [
        ("opus/16000/1", Codec.opus, 48_000, 2), ("G722/16000", .g722, 8_000, 1), ("L16/16000", .l16, 16_000, 1),
        ("PCMA/8000", .pcma, 8_000, 1), ("mpeg4-generic/48000/2", .aac, 48_000, 2), ("PCMU/16000", .pcmu, 16_000, 1),
    ])
    func `an audio map is corrected where cameras are wrong`(map: String, codec: Codec, rate: Int, channels: Int) throws
    {
        let format = try #require(try select("m=audio 0 RTP/AVP 97\na=rtpmap:97 \(map)").tracks.first?.format)
        #expect(format.codec == codec)
        #expect(format.clockRate == rate)
        #expect(format.channels == channels)
    }

    @Test func `the video clock is 90 kHz whatever the map says`() throws {
        for map in ["H264/0", "H264/2147483648", "H264/-1", "H264/25", "h264", "H264/90000 "] {
            #expect(try select("m=video 0 RTP/AVP 96\na=rtpmap:96 \(map)").tracks.first?.format.clockRate == 90_000)
        }
    }

    @Test(arguments: ["L16/0", "L16/-8000", "L16/2147483648", "mpeg4-generic/0", "G726-32/8000", "MP4A-LATM/48000"])
    func `audio without a usable clock or name is left out and the rest kept`(map: String) throws {
        let selection = try select(
            "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\nm=audio 0 RTP/AVP 97\na=rtpmap:97 \(map)"
        )
        #expect(selection.tracks.map(\.format.codec) == [.h264])
        #expect(selection.ignored.count == 1)
    }

    @Test func `the back channel is left out, unless every direction is wrong`() throws {
        let video = "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
        let talk = "m=audio 0 RTP/AVP 0\na=control:talk\na=sendonly\n"
        let listen = "m=audio 0 RTP/AVP 8\na=control:listen\na=recvonly\n"
        #expect(try select(video + talk + listen).tracks.map(\.format.codec) == [.h264, .pcma])
        #expect(try select(video + "a=sendonly\n" + talk).tracks.map(\.format.codec) == [.h264, .pcmu])
        #expect(try select(video + talk, session: "a=sendonly").tracks.map(\.format.codec) == [.h264, .pcmu])
    }

    @Test func `parameters under another payload type or another section are found`() throws {
        let wrongType = try select(
            "m=video 0 RTP/AVP 97\na=rtpmap:104 H264/90000\na=fmtp:98 sprop-parameter-sets=\(sprop)"
        )
        #expect(wrongType.tracks.first?.payloadType == 97)
        #expect(wrongType.tracks.first?.format.h264 != nil)
        let wrongSection = try select(
            "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\nm=audio 0 RTP/AVP 8\na=fmtp:96 sprop-parameter-sets=\(sprop)"
        )
        #expect(wrongSection.tracks.first?.format.h264 != nil)
    }

    @Test func `without any map video is taken for H264`() throws {
        #expect(try select("m=video 0 RTP/AVP 96").tracks.first?.format.codec == .h264)
        #expect(try select("m=video 0 RTP/AVP 98\na=fmtp:98 sprop-vps=QAEM").tracks.first?.format.codec == .h265)
        #expect(try select("m=audio 0 RTP/AVP 97\na=fmtp:97 config=1408").tracks.first?.format.clockRate == 16_000)
        #expect(try select("m=audio 0 RTP/AVP 97").tracks.isEmpty)
    }

    @Test(arguments: ["", "Z0LAHtkDxWhAAAADAEAAAAwDxYuS", "aMuMsg==", ",,,", "!!!", "Zw==,aA==", "Z0I=,aMuMsg=="])
    func `incomplete parameter sets are left to the stream`(value: String) throws {
        let selection = try select(
            "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 sprop-parameter-sets=\(value)"
        )
        #expect(selection.tracks.count == 1)
        #expect(selection.tracks[0].format.h264 == nil)
    }

    @Test func `start codes in front and zeros behind parameter sets are taken off`() throws {
        // 00 00 00 01 before each, 00 behind.
        let selection = try select(
            "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
                + "a=fmtp:96 sprop-parameter-sets=AAAAAWdCwB7ZA8VoQAAAAwBAAAAMA8WLkgA=,AAAAAWjLjLIA"
        )
        #expect(selection.tracks[0].format.h264?.pps == [[0x68, 0xCB, 0x8C, 0xB2]])
    }

    @Test func `low bit rate AAC and odd field lengths are kept`() throws {
        let map = "m=audio 0 RTP/AVP 97\na=rtpmap:97 mpeg4-generic/8000\na=fmtp:97 "
        #expect(
            try select(map + "mode=AAC-lbr").tracks.first?.aacPacking
                == AACPacking(mode: "AAC-lbr", sizeLength: 6, indexLength: 2, indexDeltaLength: 2)
        )
        #expect(try select(map + "mode=AAC-hbr;sizelength=16;indexlength=0").tracks.first?.aacPacking?.sizeLength == 16)
        #expect(try select(map + "sizelength=99").tracks.first?.aacPacking?.sizeLength == 13)
        #expect(try select(map + "mode=CELP-cbr").tracks.isEmpty)
    }

    @Test func `names from the camera are one printable line`() throws {
        let selection = try select("m=application 0 RTP/AVP 107\na=rtpmap:107 a\u{1B}[2J\u{202E}b/90000")
        #expect(selection.ignored == ["application a·[2J·b"])
    }

    @Test func `no description makes the selection trap`() {
        let sample = """
            v=0
            a=control:*
            m=video 0 RTP/AVP 96 97
            a=rtpmap:96 H264/90000
            a=fmtp:96 sprop-parameter-sets=\(sprop)
            a=control:trackID=1
            m=audio 0 RTP/AVP 97
            a=rtpmap:97 MPEG4-GENERIC/16000/1
            a=fmtp:97 mode=AAC-hbr;config=1408;sizelength=13
            """
        sweep([Array(sample.utf8)], mutations: 3_000) { bytes in
            let description = try SessionDescription(parsing: String(decoding: bytes, as: UTF8.self))
            let base = ControlBase(description, requested: try RTSPURL(parsing: "rtsp://cam/x"))
            let selection = TrackSelection(description, base: base)
            #expect(selection.tracks.count <= 2)
            for track in selection.tracks { #expect(track.control.hasPrefix("rtsp://cam")) }
        }
    }
}

/// A baseline SPS and its PPS.
private let sprop = "Z0LAHtkDxWhAAAADAEAAAAwDxYuS,aMuMsg=="
