import WebRTC

/// Through what a viewer can be told something.
public enum ControlChannel: String, Codable, Sendable {
    /// Our page: WebSocket signalling, can be switched.
    case page
    /// A bare WHEP client: can be dropped, not switched.
    case whep
    /// A bare HLS player: can be dropped, not switched.
    case hls
}

/// What a viewer is doing.
public enum ViewerState: String, Codable, Sendable, CaseIterable {
    /// Joined, nothing flows yet.
    case joining
    /// WebRTC: connectivity checks or DTLS under way. HLS: waiting for the first segment request.
    case connecting
    /// Media flows.
    case playing
    /// Connected, but the camera delivers nothing.
    case waiting
    /// Told to change delivery; not there yet.
    case switching
    /// Nothing heard from it for a while; ends soon.
    case silent
}

/// One viewer, whatever the delivery.
public struct ViewerSnapshot: Codable, Sendable, Identifiable {
    /// Identity; survives a switch and a signalling reconnect.
    public var id: String
    /// Increases with every switch, so that a command hits what the operator saw.
    public var generation: UInt64
    /// The camera watched.
    public var camera: String
    /// The delivery in use, or being set up.
    public var delivery: Delivery
    /// What the operator or a policy asked for.
    public var requested: DeliveryPolicy
    /// What it is doing.
    public var state: ViewerState
    /// How bad that is.
    public var severity: Severity
    /// Why, with the rule and its value; empty when all is well.
    public var why: String
    /// What the operator can do about it; empty when nothing is wrong.
    public var hint: String
    /// How it can be told something.
    public var control: ControlChannel
    /// Seconds since its page's signalling connection closed without a goodbye; `nil` while there is one, and for
    /// viewers that never have one.
    public var controlLost: Double?
    /// Seconds since anything came from it on its WebRTC path; `nil` without one.
    public var heardAge: Double?
    /// Its IP address as seen by the relay.
    public var remote: String
    /// Short browser or program name, such as `Chrome 141`.
    public var client: String
    /// Seconds since it joined.
    public var age: Double
    /// Bits per second sent to it, media payload and headers.
    public var bitrate: Double?
    /// Bytes sent to it.
    public var bytes: UInt64
    /// Path in use: `host/udp`, `prflx/udp`, `hls/https`; `nil` before one is.
    public var path: String?
    /// Round trip in milliseconds, from RTCP or ICE.
    public var roundTrip: Double?
    /// Packets lost on the way to it in percent, from its receiver reports.
    public var loss: Double?
    /// Jitter it reports, in milliseconds.
    public var jitter: Double?
    /// Packets it asked for again, each as often as it did.
    public var nacks: UInt64
    /// Keyframes asked for.
    public var plis: UInt64
    /// Packets retransmitted.
    public var retransmitted: UInt64
    /// Bytes in them.
    public var retransmittedBytes: UInt64 = 0
    /// What it gets of the stream by WebRTC, and why; `nil` without a WebRTC session.
    public var quality: QualitySnapshot?
    /// Why HLS is its place for now, when the relay moved it there because its way does not carry WebRTC.
    public var refuge: RefugeSnapshot?
    /// Packets that wait to be sent to it, paced; `nil` without a WebRTC session.
    public var queuedPackets: Int?
    /// Bytes in them.
    public var queuedBytes = 0
    /// Packets that waited and were dropped up to the next keyframe, because it did not keep up.
    public var queueDropped: UInt64 = 0
    /// What its page reported last; `nil` for clients without a page.
    public var report: ViewerReport?
    /// Seconds since then.
    public var reportAge: Double?
    /// How well it is served; `nil` where there is nothing to judge yet.
    public var score: ViewerScore?
    /// Seconds behind live: reported by the page, otherwise derived from what it requests; `nil` when unknown.
    public var behindLive: Double?
    /// ICE state in words; `nil` for HLS.
    public var ice: String?
    /// DTLS state in words; `nil` for HLS.
    public var dtls: String?
    /// SRTP profile; `nil` until negotiated.
    public var srtp: String?
    /// Handshake steps with milliseconds after the offer: `offer`, `answer`, `first check`, `nominated`, `DTLS begun`,
    /// `DTLS`, `first RTP`, `first RR`, `first decoded frame`; or after HLS began for HLS: `playlist`, `first part`,
    /// `first decoded frame`. In the order in which they were reached.
    public var ladder: [LadderStep]
    /// WebRTC sessions it has begun, the present one included.
    public var attempts: Int
    /// What is wrong with its WebRTC session, or with the last one it had; `nil` when nothing is known to be.
    public var verdict: Verdict?
    /// What is missing for it, such as `no sound for WebRTC viewers: …`.
    public var notes: [String]

    /// Milliseconds from which on a round trip is worth a warning.
    public static let slowRoundTrip = 300.0

    /// Its page says that its tab is in the background, and can still say when it is not.
    public var isInBackground: Bool { report?.isHidden == true && controlLost == nil }

    /// Where it stands on the quality ladder, while it gets less than everything.
    public var thinned: QualitySnapshot? {
        quality.flatMap { QualityRung(rawValue: $0.rung) == .full ? nil : $0 }
    }

    /// Where a WebRTC viewer stands on the quality ladder.
    public struct QualitySnapshot: Codable, Sendable, Equatable {
        /// `full`, `reduced` (droppable pictures left out), `keyframes` or `hls`.
        public var rung: String
        /// The rung in words.
        public var text: String { QualityRung(rawValue: rung)?.text ?? rung }
        /// What brought it there, with the numbers; empty at the start.
        public var reason: String
        /// Seconds it has been there.
        public var age: Double
        /// Bits per second the way to it carries; `nil` before its feedback has told.
        public var estimate: Double?
        /// Bits per second the whole stream needs, averaged over ten seconds.
        public var needed: Double?
        /// Packets of video left out so far.
        public var leftOut: UInt64
        /// Seconds below full quality before more is tried.
        public var hold: Double

        /// Creates the value.
        public init(
            rung: String,
            reason: String,
            age: Double,
            estimate: Double? = nil,
            needed: Double? = nil,
            leftOut: UInt64 = 0,
            hold: Double = 0
        ) {
            self.rung = rung
            self.reason = reason
            self.age = age
            self.estimate = estimate
            self.needed = needed
            self.leftOut = leftOut
            self.hold = hold
        }
    }

    /// A viewer that was moved to HLS because its way did not carry WebRTC.
    public struct RefugeSnapshot: Codable, Sendable, Equatable {
        /// What the ladder found, with the numbers.
        public var reason: String
        /// Seconds until WebRTC is tried again.
        public var remaining: Double

        /// Creates the value.
        public init(reason: String, remaining: Double) {
            self.reason = reason
            self.remaining = remaining
        }
    }

    /// A step of the ladder.
    public struct LadderStep: Codable, Sendable, Equatable {
        /// The step's name.
        public var name: String
        /// Milliseconds after the first step, or after HLS began.
        public var after: Double

        /// Creates a step.
        public init(name: String, after: Double) {
            self.name = name
            self.after = after
        }

        /// What everything else is for, named as the last step of every ladder.
        public static let firstDecodedFrame = "first decoded frame"
    }

    /// Creates a viewer snapshot that shows nothing but who it is.
    public init(id: String, generation: UInt64, camera: String, delivery: Delivery, control: ControlChannel) {
        self.id = id
        self.generation = generation
        self.camera = camera
        self.delivery = delivery
        self.control = control
        requested = .auto
        state = .joining
        severity = .ok
        why = ""
        hint = ""
        remote = ""
        client = ""
        age = 0
        bytes = 0
        nacks = 0
        plis = 0
        retransmitted = 0
        ladder = []
        attempts = 0
        notes = []
    }
}

/// What a page says of itself every 2 s (design: `mode` and `stats`).
public struct ViewerReport: Codable, Sendable, Equatable {
    /// What it plays; `nil` when nothing.
    public var playing: Delivery?
    /// Why it plays that, in its own words (bounded, control characters removed).
    public var reason: String?
    /// Frames shown per second.
    public var fps: Double?
    /// Frames decoded since playback began.
    public var framesDecoded: UInt64?
    /// Frames dropped since playback began.
    public var framesDropped: UInt64?
    /// Freezes since playback began.
    public var freezes: UInt64?
    /// Seconds frozen since playback began.
    public var freezeSeconds: Double?
    /// Jitter buffer or media buffer, in milliseconds.
    public var bufferMilliseconds: Double?
    /// Seconds behind live.
    public var behindLive: Double?
    /// Milliseconds from click to first frame.
    public var firstFrameMilliseconds: Double?
    /// Picture size shown.
    public var width: Int?
    /// Picture size shown.
    public var height: Int?
    /// The page is in the background, where browsers show fewer frames or none.
    public var isHidden: Bool?
    /// Milliseconds a frame takes to decode, over the last interval.
    public var decodeMilliseconds: Double?
    /// Seconds of the last interval in which the picture stood still, as a share from 0 to 1.
    public var freezeShare: Double?
    /// Share of the last interval's frames that were decoded and not shown, from 0 to 1.
    public var dropShare: Double?
    /// What the page knows of its WebRTC session, whichever delivery it shows; `nil` without one.
    public var peer: PeerReport?

    /// Creates an empty report.
    public init() {}
}

/// A page's own view of its WebRTC session.
public struct PeerReport: Codable, Sendable, Equatable {
    /// Milliseconds from its offer to the first frame decoded.
    public var firstFrameMilliseconds: Double?
    /// RTP packets of video received.
    public var packetsReceived: UInt64?
    /// RTP packets of video missing.
    public var packetsLost: UInt64?
    /// Frames decoded.
    public var framesDecoded: UInt64?
    /// Interarrival jitter in milliseconds.
    public var jitterMilliseconds: Double?
    /// Round trip of its own checks in milliseconds.
    public var roundTripMilliseconds: Double?
    /// Error code of its last failed STUN or TURN server, such as 401 or 701.
    public var serverError: Int?
    /// The TURN credentials it was given were too old by then.
    public var areCredentialsExpired: Bool?

    /// Creates an empty report.
    public init() {}
}

/// One ICE candidate pair.
public struct PairSnapshot: Codable, Sendable, Identifiable {
    /// Viewer and pair: `v3kd9a/2`.
    public var id: String
    /// The viewer.
    public var viewer: String
    /// The camera it watches.
    public var camera: String
    /// Our candidate: `host 203.0.113.10:8189`.
    public var local: String
    /// The client's: `prflx 198.51.100.7:50312`, or an obfuscated mDNS name.
    public var remote: String
    /// The client's address with our TURN server, which is the ``AllocationSnapshot/id`` of its allocation; `nil` where
    /// the pair does not go through it.
    public var relayed: String?
    /// `udp` or `tcp`; through TURN, how the client reaches us: `turn/udp`, `turn/tcp` or `turn/tls`.
    public var transport: String
    /// `waiting`, `in-progress`, `succeeded`, `failed`; `hidden` for a name that only the client's network resolves.
    public var state: String
    /// The client chose it, or media goes here.
    public var isNominated: Bool
    /// Media goes here.
    public var isSelected: Bool
    /// Round trip of our own checks in milliseconds.
    public var roundTrip: Double?
    /// Checks received from the client.
    public var checksReceived: UInt64
    /// Of these, the ones answered with success.
    public var checksAnswered: UInt64
    /// Checks we sent.
    public var checksSent: UInt64
    /// Answers to them.
    public var answersReceived: UInt64
    /// Bytes sent on this pair.
    public var bytesSent: UInt64
    /// Bytes received on this pair.
    public var bytesReceived: UInt64
    /// Seconds since anything came on it; `nil` when nothing ever did.
    public var lastActivity: Double?

    /// Creates a pair snapshot.
    public init(
        id: String,
        viewer: String,
        camera: String,
        local: String,
        remote: String,
        transport: String,
        state: String
    ) {
        self.id = id
        self.viewer = viewer
        self.camera = camera
        self.local = local
        self.remote = remote
        self.transport = transport
        self.state = state
        isNominated = false
        isSelected = false
        checksReceived = 0
        checksAnswered = 0
        checksSent = 0
        answersReceived = 0
        bytesSent = 0
        bytesReceived = 0
    }
}

/// One camera's HLS stream.
public struct HLSSnapshot: Codable, Sendable, Identifiable {
    /// One media segment in the playlist.
    public struct Segment: Codable, Sendable, Equatable {
        /// Media sequence number.
        public var msn: Int
        /// Seconds of media.
        public var duration: Double
        /// Partial segments in it.
        public var parts: Int
        /// Its size.
        public var bytes: Int
        /// Milliseconds from the arrival of its first frame to its completion; `nil` while open or when it came from
        /// the cache.
        public var latency: Double?
        /// Begins with a keyframe.
        public var isIndependent: Bool

        /// Creates a segment.
        public init(msn: Int, duration: Double, parts: Int, bytes: Int, latency: Double?, isIndependent: Bool) {
            self.msn = msn
            self.duration = duration
            self.parts = parts
            self.bytes = bytes
            self.latency = latency
            self.isIndependent = isIndependent
        }
    }

    /// The camera.
    public var id: String
    /// Low-latency playlist, or a plain one because the frame interval does not fit.
    public var isLowLatency: Bool
    /// PART-TARGET in seconds; `nil` for a plain playlist or before the first part.
    public var partTarget: Double?
    /// TARGETDURATION in seconds.
    public var targetDuration: Double?
    /// The segments in the playlist, oldest first.
    public var segments: [Segment]
    /// Milliseconds from the arrival of a part's (plain playlist: segment's) first frame to its publication: the newest.
    public var latency: Double?
    /// The same, median of the last minute.
    public var latencyMedian: Double?
    /// The same, worst of the last minute.
    public var latencyMaximum: Double?
    /// Seconds since the last part was published.
    public var lastPartAge: Double?
    /// Discontinuities since the stream began.
    public var discontinuities: Int
    /// Viewers by HLS.
    public var viewers: Int
    /// Requests per second.
    public var requestRate: Double
    /// Requests waiting for a part right now.
    public var blocked: Int
    /// Bits per second served.
    public var bitrateOut: Double
    /// Bytes of media held.
    public var bytesHeld: Int
    /// RFC 6381 codecs string.
    public var codecs: String
    /// Why it is not well, in one sentence; empty when it is.
    public var why: String
    /// How bad that is.
    public var severity: Severity

    /// Creates an HLS snapshot that shows nothing but the camera.
    public init(id: String) {
        self.id = id
        isLowLatency = true
        segments = []
        discontinuities = 0
        viewers = 0
        requestRate = 0
        blocked = 0
        bitrateOut = 0
        bytesHeld = 0
        codecs = ""
        why = ""
        severity = .ok
    }
}

extension [ViewerSnapshot.LadderStep] {
    /// How far a start has come: to the first decoded frame, though another step may have come after it.
    public var furthest: ViewerSnapshot.LadderStep? {
        first { $0.name == ViewerSnapshot.LadderStep.firstDecodedFrame } ?? last
    }
}
