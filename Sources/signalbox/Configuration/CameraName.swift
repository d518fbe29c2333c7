/// The rule for camera names (they are URL paths).
enum CameraName {
    /// Parts that mean something else in a URL.
    private static let reserved: Set<Substring> = [
        "whep", "ws", "index.m3u8", "media.m3u8", "snapshot.jpg", "api", "metrics", "healthz", "preflight",
        "firewall", "-",
    ]

    /// What is wrong with `name`, or `nil`.
    static func problem(with name: String) -> String? {
        guard !name.isEmpty else { return "is empty" }
        guard name.utf8.count <= 128 else { return "is longer than 128 bytes" }
        let segments = name.split(separator: "/", omittingEmptySubsequences: false)
        for segment in segments {
            if segment.isEmpty { return "has an empty part" }
            if segment == "." || segment == ".." { return "has a part `\(segment)`" }
            let allowed = segment.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || byte == 0x2E || byte == 0x5F || byte == 0x2D
            }
            if !allowed { return "has characters that are not allowed in a name" }
        }
        if let word = segments.first(where: { reserved.contains($0) }) { return "uses the reserved word `\(word)`" }
        return nil
    }

    /// What to do about ``problem(with:)``.
    static func remedy(for name: String) -> String {
        name.split(separator: "/").contains(where: reserved.contains)
            ? "Choose another word for that part" : "Use letters, digits, `.`, `_`, `-`, and `/` between parts"
    }
}
