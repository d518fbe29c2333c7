/// Short names for clients, from what they call themselves.
enum ClientName {
    /// `Chrome 141`, `Firefox 153`, `Safari 18`, `Lavf 59`; the first word where nothing is recognised.
    static func short(_ userAgent: String) -> String {
        // Order matters: Edge and Opera also say Chrome, and Chrome also says Safari.
        let known = [
            ("Edg/", "Edge"), ("OPR/", "Opera"), ("HeadlessChrome/", "Chrome"), ("Chrome/", "Chrome"),
            ("Firefox/", "Firefox"), ("Version/", "Safari"), ("Lavf/", "ffmpeg"), ("AppleCoreMedia/", "AVPlayer"),
        ]
        for (mark, name) in known {
            guard let start = userAgent.firstRange(of: mark) else { continue }
            let version = userAgent[start.upperBound...].prefix { $0.isASCII && $0.isNumber }
            return version.isEmpty ? name : "\(name) \(version.prefix(4))"
        }
        let word = userAgent.prefix { $0 != " " && $0 != "/" }
        return word.isEmpty ? "unknown" : String(word.prefix(16))
    }
}
