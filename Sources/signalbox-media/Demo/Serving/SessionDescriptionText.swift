import Media
import Wire

/// What a demo camera answers to DESCRIBE (RFC 8866, RFC 6184 §8.2, RFC 3640 §4.1).
enum SessionDescriptionText {
    /// The control attribute of track `index`.
    static func control(_ index: Int) -> String { "trackID=\(index)" }

    /// The description's text.
    ///
    /// - Parameters:
    ///   - parameterSets: SPS and PPS, Annex B.
    ///   - aacConfiguration: AudioSpecificConfig when `plan.audio` is AAC.
    static func make(_ plan: CameraPlan, parameterSets: [UInt8], aacConfiguration: [UInt8]?) -> String {
        let units = AnnexB.split(parameterSets[...]).filter { [7, 8].contains(($0.first ?? 0) & 0x1F) }
        let level = units.first.map { $0.dropFirst().prefix(3).hexadecimal } ?? "42c01f"
        var lines = [
            "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=\(plan.name)", "c=IN IP4 0.0.0.0", "t=0 0",
            "a=control:*", "a=range:npt=now-",
            "m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000",
            "a=fmtp:96 packetization-mode=1;profile-level-id=\(level);"
                + "sprop-parameter-sets=\(units.map(base64).joined(separator: ","))",
            "a=framerate:\(plan.video.framesPerSecond)", "a=control:\(control(0))",
        ]
        switch plan.audio {
        case .aac:
            lines += [
                "m=audio 0 RTP/AVP 97", "a=rtpmap:97 MPEG4-GENERIC/48000/2",
                "a=fmtp:97 streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;"
                    + "indexdeltalength=3;config=\((aacConfiguration ?? []).hexadecimal)",
                "a=control:\(control(1))",
            ]
        case .pcmu:
            lines += ["m=audio 0 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=ptime:20", "a=control:\(control(1))"]
        case nil:
            break
        }
        return lines.joined(separator: "\r\n") + "\r\n"
    }

    private static func base64(_ bytes: ArraySlice<UInt8>) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        var rest = bytes
        while !rest.isEmpty {
            let group = rest.prefix(3)
            rest = rest.dropFirst(3)
            let word = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for index in 0..<4 {
                text.append(index <= group.count ? alphabet[word >> (18 - 6 * index) & 0x3F] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
