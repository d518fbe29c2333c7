/// A WebRTC session that has ended, whether it ever showed a picture or not: one offer and what became of it.
///
/// Remembered for an hour beside the snapshot; asked for with ``AttemptsRequest``.
public struct AttemptSnapshot: Codable, Sendable, Identifiable {
    /// Increases from one ended session to the next.
    public var id: UInt64
    /// The viewer; `-` for a client that was not let in.
    public var viewer: String
    /// 1 for the viewer's first offer; 0 when it did not get so far as to make one.
    public var number: Int
    /// How many attempts before it ended the same way in a row; they are not kept one by one.
    public var repeats: Int
    /// The camera it wanted.
    public var camera: String
    /// Short browser or program name.
    public var client: String
    /// Its IP address as signalling saw it.
    public var remote: String
    /// How it could be told something.
    public var control: ControlChannel
    /// When the offer came, in milliseconds since the Unix epoch.
    public var startedAt: Int64
    /// When it ended, likewise.
    public var endedAt: Int64
    /// Seconds between the two.
    public var duration: Double
    /// How it ended, in one sentence.
    public var end: String
    /// Why it ended as it did.
    public var verdict: Verdict
    /// Path media took: `prflx/udp`; `nil` when there was none.
    public var path: String?
    /// ICE state in words; `nil` when the offer was refused.
    public var ice: String?
    /// DTLS state in words; `nil` when the offer was refused.
    public var dtls: String?
    /// SRTP profile; `nil` when none was negotiated.
    public var srtp: String?
    /// Round trip in milliseconds, as last measured.
    public var roundTrip: Double?
    /// Percent lost, as last reported.
    public var loss: Double?
    /// Bytes sent.
    public var bytes: UInt64
    /// Handshake steps with milliseconds after the offer.
    public var ladder: [ViewerSnapshot.LadderStep]
    /// All candidate pairs as they were at the end.
    public var pairs: [PairSnapshot]

    /// Creates a session that shows nothing but whose it was, when, and why it ended.
    public init(
        viewer: String,
        number: Int,
        camera: String,
        control: ControlChannel,
        startedAt: Int64,
        endedAt: Int64,
        verdict: Verdict
    ) {
        id = 0
        self.viewer = viewer
        self.number = number
        repeats = 0
        self.camera = camera
        client = ""
        remote = ""
        self.control = control
        self.startedAt = startedAt
        self.endedAt = endedAt
        duration = Double(endedAt &- startedAt) / 1000
        end = ""
        self.verdict = verdict
        bytes = 0
        ladder = []
        pairs = []
    }

    /// Whether media reached the client.
    public var hadMedia: Bool { ladder.contains { $0.name == "first RR" || $0.name == "first decoded frame" } }
}

/// Asks for WebRTC sessions that have ended in the last hour.
public struct AttemptsRequest: Codable, Sendable, Equatable {
    /// Only those of this viewer.
    public var viewer: String?
    /// At most this many, newest first (1…``limit``).
    public var limit: Int

    /// Most sessions in one answer.
    public static let limit = 500

    /// Creates a request.
    public init(viewer: String? = nil, limit: Int = AttemptsRequest.limit) {
        self.viewer = viewer
        self.limit = limit
    }
}
