/// What the columns of the lists mean, for help and for the manual.
public enum ColumnGlossary {
    /// A column's title and its meaning.
    public typealias Entry = (title: String, meaning: String)

    /// Cameras.
    public static let cameras: [Entry] = [
        ("CAMERA", "its name, which is also its address on the page"),
        ("STATE", "what it does; in capitals what is wrong with it; for a while what an action led to"),
        ("CODEC", "of its pictures"),
        ("SIZE", "of its pictures"),
        ("FPS", "pictures a second that arrive"),
        ("RATE", "bits per second that arrive"),
        ("LOSS", "percent of its packets lost on the way to the relay, over 10 s"),
        ("JIT", "jitter of its packets, ms"),
        ("KEY", "time since its last keyframe"),
        ("UP", "time since it is live"),
        ("RC", "times the connection was made again after having been live"),
        ("VIEW", "viewers by WebRTC + by HLS"),
        ("LAST 160 s", "rate, 10 s a cell"),
        ("WHY", "reason of its state"),
    ]

    /// Viewers.
    public static let viewers: [Entry] = [
        ("VIEWER", "beginning of its id"),
        ("CAMERA", "what it watches"),
        (
            "STATE",
            "what it does; hidden: tab in background; ctl lost: no control connection"
        ),
        ("PATH", "kind of address and transport media go to, or HLS; relay is TURN"),
        ("RTT", "round trip, ms"),
        ("SCORE", "0 sees nothing, 100 nothing to wish for, - nothing to judge by"),
        ("LOSS", "percent of the packets lost on the way to it"),
        ("RATE", "bits per second sent to it"),
        ("BEHIND", "seconds behind live"),
        ("NACK", "packets it asked for again"),
        ("PLI", "keyframes it asked for"),
        ("FREEZE", "times its picture stood still"),
        ("UP", "time since it joined"),
        ("CLIENT", "browser or program"),
        ("CAUSE", "whose fault most of what is missing from SCORE is"),
        ("ADDRESS", "its address as the relay sees it"),
        ("WHY", "what is wrong"),
    ]

    /// ICE candidate pairs.
    public static let pairs: [Entry] = [
        ("N", "* where the client nominated the pair"),
        ("VIEWER", "beginning of its viewer's id"),
        ("CAMERA", "what the viewer watches"),
        ("STATE", "of the relay's own checks; waiting: nothing has come yet; hidden: a name only its network knows"),
        ("LOCAL", "the relay's candidate"),
        ("REMOTE", "the client's candidate: host its own address, srflx or prflx as seen from outside, relay by TURN"),
        ("TP", "transport to the relay; with a candidate of its TURN server (198.19. or 2001:2:0:c613:) to that"),
        ("RTT", "round trip of the relay's checks, ms"),
        ("RECV", "checks received from the client"),
        ("ANSWD", "of these, the ones answered"),
        ("ANS/SENT", "answers to the relay's checks / checks sent"),
        ("OUT", "bytes sent on the pair"),
        ("IN", "bytes received on the pair"),
        ("LAST", "time since anything came on it"),
    ]

    /// HLS streams.
    public static let streams: [Entry] = [
        ("CAMERA", "whose stream it is"),
        ("MODE", "LL low latency, or plain"),
        ("MED", "arrival of a part's first picture to its publication, median of a minute, ms"),
        ("MAX", "the same, worst of a minute"),
        ("PART", "target length of a part, s"),
        ("SEG", "length of the newest segment, s"),
        ("TGT", "target length of a segment, s"),
        ("AGE", "time since the newest part"),
        ("MSN", "number of the newest segment"),
        ("BLK", "requests that wait for a part"),
        ("VIEW", "viewers by HLS"),
        ("REQ/s", "requests per second"),
        ("OUT", "bits per second served"),
        ("HELD", "bytes of media held"),
        ("LATENCY 200 s", "latency, 10 s a cell"),
        ("WHY", "what is wrong"),
    ]

    /// Events.
    public static let events: [Entry] = [
        ("TIME", "when it happened"),
        ("WHAT", "camera or viewer"),
        ("LASTED", "how long it was so; OPEN while it is"),
        ("EVENT", "what happened"),
    ]

    /// WebRTC sessions that have ended.
    public static let ended: [Entry] = [
        ("ENDED", "when"),
        ("VIEWER", "beginning of its id"),
        ("CAMERA", "what it wanted to watch"),
        ("LASTED", "from its offer to its end"),
        ("REACHED", "last step of its start that it got to"),
        ("CHK", "pairs that a check came on / pairs in all"),
        ("TIMES", "how often it went the same way in a row"),
        ("CLIENT", "browser or program"),
        ("ADDRESS", "its address as signalling saw it"),
        ("VERDICT", "why it ended"),
    ]
}

extension ConsoleModel {
    /// What the columns of the list in focus mean.
    var columnGlossary: [ColumnGlossary.Entry] {
        switch pane {
        case .cameras: ColumnGlossary.cameras
        case .viewers, .cameraViewers: ColumnGlossary.viewers
        case .pairs, .viewerPairs, .attemptPairs, .endedPairs: ColumnGlossary.pairs
        case .hls: ColumnGlossary.streams
        case .events: ColumnGlossary.events
        case .ended: ColumnGlossary.ended
        }
    }
}
