import Media

/// What a camera is doing.
public enum CameraState: String, Codable, Sendable, CaseIterable {
    /// On demand, and nobody watches.
    case idle
    /// Killed by an operator; stays so until started.
    case stopped
    /// Opening the TCP connection.
    case connecting
    /// Speaking RTSP: OPTIONS to PLAY.
    case negotiating
    /// Playing, but no keyframe has come yet.
    case starting
    /// Media flows and decodes.
    case live
    /// The connection stands, but no video arrives.
    case stalled
    /// The last attempt failed; another follows by itself.
    case retrying
    /// Not retried soon because retrying does harm or cannot help (wrong password, nothing playable).
    case held
}

/// One camera and its stream.
public struct CameraSnapshot: Codable, Sendable, Identifiable {
    /// The camera's name.
    public var id: String
    /// Increases with every restart, kill or start, so that a command hits what the operator saw.
    public var generation: UInt64
    /// What it is doing.
    public var state: CameraState
    /// Why it is in that state, in one sentence; empty when it is simply live.
    public var reason: String
    /// What the operator can do about it; empty when nothing is wrong.
    public var remedy: String
    /// How bad that is (also weighs loss and missing keyframes).
    public var severity: Severity
    /// Seconds in this state.
    public var stateAge: Double
    /// Source address without credentials.
    public var source: String
    /// `tcp`, `udp`; `nil` before PLAY.
    public var transport: String?
    /// Tags from the configuration.
    public var tags: [String]
    /// The delivery policy in force for this camera.
    public var delivery: DeliveryPolicy
    /// The tracks it offers that we carry.
    public var tracks: [TrackSnapshot]
    /// Video frames per second, measured.
    public var fps: Double?
    /// Received bits per second, all tracks.
    public var bitrate: Double?
    /// Packets lost in the last 10 s, in percent (video).
    public var loss: Double?
    /// Interarrival jitter in milliseconds (video).
    public var jitter: Double?
    /// Seconds since the last keyframe began to arrive.
    public var keyframeAge: Double?
    /// Length of the last complete GOP, in frames.
    public var gopFrames: Int?
    /// Length of the last complete GOP, in seconds.
    public var gopSeconds: Double?
    /// Frames and bytes in the GOP cache.
    public var cachedFrames: Int
    /// Bytes in the GOP cache.
    public var cachedBytes: Int
    /// Seconds since media last began to flow; `nil` when it does not.
    public var uptime: Double?
    /// Connections lost or given up since the relay started.
    public var reconnects: Int
    /// The last error, kept after recovery; empty when there was none.
    public var lastError: String
    /// Seconds until the next attempt; `nil` when none is planned.
    public var nextRetry: Double?
    /// Viewers by WebRTC.
    public var webrtcViewers: Int
    /// Viewers by HLS.
    public var hlsViewers: Int
    /// Why sound or picture does not reach a delivery, such as `no sound for WebRTC viewers: …`.
    public var notes: [String]
    /// The converted sound track; `nil` when every delivery carries the camera's own, or none can.
    public var sound: SoundSnapshot?

    /// Creates a camera snapshot that shows nothing but its name and state.
    public init(id: String, generation: UInt64, state: CameraState, source: String) {
        self.id = id
        self.generation = generation
        self.state = state
        self.source = source
        reason = ""
        remedy = ""
        severity = .ok
        stateAge = 0
        tags = []
        delivery = .auto
        tracks = []
        cachedFrames = 0
        cachedBytes = 0
        reconnects = 0
        lastError = ""
        webrtcViewers = 0
        hlsViewers = 0
        notes = []
    }

    /// The video track.
    public var video: TrackSnapshot? { tracks.first { $0.kind == .video } }
    /// The audio track.
    public var audio: TrackSnapshot? { tracks.first { $0.kind == .audio } }
    /// All viewers.
    public var viewers: Int { webrtcViewers + hlsViewers }
}

/// One track of a camera.
public struct TrackSnapshot: Codable, Sendable {
    /// Video or audio.
    public var kind: TrackKind
    /// The codec.
    public var codec: Codec
    /// `Baseline`, `Main`, `High` …; `nil` when unknown or not applicable.
    public var profile: String?
    /// Picture size.
    public var width: Int?
    /// Picture size.
    public var height: Int?
    /// Clock in Hz.
    public var clockRate: Int
    /// Audio channels.
    public var channels: Int
    /// Received bits per second.
    public var bitrate: Double?
    /// Packets received since the camera came up.
    public var packets: UInt64
    /// Packets lost since the camera came up.
    public var lost: UInt64
    /// Interarrival jitter in milliseconds.
    public var jitter: Double?

    /// Creates a track snapshot.
    public init(kind: TrackKind, codec: Codec, clockRate: Int, channels: Int) {
        self.kind = kind
        self.codec = codec
        self.clockRate = clockRate
        self.channels = channels
        packets = 0
        lost = 0
    }
}
