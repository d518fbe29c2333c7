import Relay

/// Ended sessions, and what is found out about them.
extension RelayFixture {
    static func blocked(seconds: String) -> Verdict {
        Verdict(
            .udpBlocked,
            .warning,
            .clientNetwork,
            "UDP and TCP 8189 blocked from the client",
            evidence: [
                "0 checks received in \(seconds) s", "advertised: udp 198.51.100.4:8189, tcp 198.51.100.4:8189",
                "the client named 0 addresses and 1 hidden behind a name", "its signalling comes from 203.0.113.6",
                "the page reaches us by HTTPS",
            ],
            remedy: "Let the client's network reach UDP and TCP 8189; until then it watches by HLS."
        )
    }

    /// An hour's ended sessions: blocked, stalled, refused, and one that simply left.
    static func attempts(_ request: AttemptsRequest) -> [AttemptSnapshot] {
        let stalled = Verdict(
            .dtlsStalled,
            .warning,
            .clientNetwork,
            "DTLS stalled after ClientHello",
            evidence: ["ClientHello 30.0 s ago, no Finished", "1410 bytes received, 9640 sent on its pair"],
            remedy: "Look for loss or a low MTU on the way to the client: our certificate needs packets of 1200 bytes."
        )
        let stories: [(verdict: Verdict, reached: Int, duration: Double, repeats: Int, ago: Int64)] = [
            (blocked(seconds: "7.0"), 2, 7, 12, 9),
            (Verdict(.clientLeft, .ok, nil, "client left after 312.4 s, while media flowed"), 8, 312.4, 0, 40),
            (stalled, 5, 30.1, 0, 75),
            (
                Verdict(
                    .refused,
                    .warning,
                    .clientDevice,
                    "offer refused: The camera sends H264; the browser offers VP8, VP9.",
                    remedy: "Play this camera by HLS in this browser."
                ), 1, 0, 3, 610
            ),
        ]
        let steps: [(String, Double)] = [
            ("offer", 0), ("answer", 2), ("first check", 31), ("nominated", 48), ("DTLS begun", 52), ("DTLS", 96),
            ("first RTP", 98), ("first RR", 160),
        ]
        return stories.enumerated().map { number, story in
            let viewer = "v8\(number)xk2"
            let pairs = story.verdict.rule == .refused ? [] : self.endedPairs(viewer, number, story.reached)
            var attempt = AttemptSnapshot(
                viewer: viewer,
                number: story.repeats + 1,
                camera: name(number + 2),
                control: number == 2 ? .whep : .page,
                startedAt: wallClock - story.ago * 1000 - Int64(story.duration * 1000),
                endedAt: wallClock - story.ago * 1000,
                verdict: story.verdict
            )
            attempt.id = UInt64(90 - number)
            attempt.repeats = story.repeats
            attempt.client = clients[number % clients.count]
            attempt.remote = "203.0.113.\(number + 6)"
            attempt.end = ["the page closed it: WebRTC did not connect in time", "the page was closed"][number % 2]
            attempt.ladder = steps.prefix(story.reached).map { .init(name: $0.0, after: $0.1) }
            attempt.pairs = pairs
            guard story.verdict.rule != .refused else { return attempt }
            attempt.ice = story.reached > 3 ? "connected" : "checking"
            attempt.dtls = story.reached > 5 ? "connected" : "new"
            guard story.reached > 3 else { return attempt }
            attempt.path = "prflx/udp"
            attempt.roundTrip = 34
            guard story.reached > 6 else { return attempt }
            attempt.srtp = "AEAD_AES_128_GCM"
            attempt.loss = 0.4
            attempt.bytes = 151_000_000
            return attempt
        }
    }

    private static func endedPairs(_ viewer: String, _ number: Int, _ reached: Int) -> [PairSnapshot] {
        ["prflx 203.0.113.\(number + 6):50312", "host 4f1ce2aa.local:61002"].enumerated().map { index, remote in
            var pair = PairSnapshot(
                id: "\(viewer)#1/\(index)",
                viewer: viewer,
                camera: name(number + 2),
                local: "host 198.51.100.4:8189",
                remote: remote,
                transport: "udp",
                state: index == 1 ? "hidden" : reached > 3 ? "succeeded" : "waiting"
            )
            guard index == 0, reached > 3 else { return pair }
            (pair.isNominated, pair.isSelected, pair.roundTrip, pair.lastActivity) = (true, true, 34, 0.4)
            (pair.checksReceived, pair.checksAnswered, pair.checksSent, pair.answersReceived) = (14, 14, 9, 9)
            (pair.bytesSent, pair.bytesReceived) = (9_640, 1_410)
            return pair
        }
    }
}
