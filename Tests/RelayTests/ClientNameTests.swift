import Testing

@testable import Relay

/// What clients call themselves, cut to what fits a column.
struct ClientNameTests {
    @Test(arguments: [
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
            "Chrome 141"
        ),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/141.0.0.0 Safari/537.36", "Chrome 141"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge 140"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/120.0 Safari/537.36 OPR/106.0", "Opera 106"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0", "Firefox 153"),
        ("Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 Version/18.1 Mobile/15E148 Safari/604.1", "Safari 18"),
        ("AppleCoreMedia/1.0.0.22B83 (iPhone; U; CPU OS 18_1)", "AVPlayer 1"),
        ("Lavf/61.7.100", "ffmpeg 61"), ("curl/8.5.0", "curl"), ("GStreamer souphttpsrc 1.22", "GStreamer"),
        ("", "unknown"), ("/", "unknown"), (" x", "unknown"), ("Chrome/", "Chrome"),
        ("Chrome/123456789", "Chrome 1234"),
        ("averyveryverylongprogramname/1", "averyveryverylon"),
    ])
    func `a client has a short name`(agent: String, name: String) {
        #expect(ClientName.short(agent) == name)
    }
}
