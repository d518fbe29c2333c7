import Wire

/// What the gateway needs of the relay on behalf of viewers. All methods may be called from any thread.
public protocol ViewerService: RelayService {
    /// Admits a viewer, or refuses it with a reason.
    func join(_ request: JoinRequest) async throws(ViewerRefusal) -> JoinedViewer
    /// Negotiates WebRTC for a viewer; a second offer of the same viewer replaces its peer.
    ///
    /// - Returns: The SDP answer.
    func offer(_ sdp: String, viewer: String) async throws(ViewerRefusal) -> String
    /// A trickled remote candidate (the value after `candidate:` or the whole attribute). Unknown viewers are ignored.
    func candidate(_ candidate: String, viewer: String) async
    /// Restarts ICE with the client's new credentials; media goes on meanwhile.
    ///
    /// - Returns: Our new credentials and candidates as an SDP fragment (RFC 8840 §9).
    func restartICE(ufrag: String, pwd: String, viewer: String) async throws(ViewerRefusal) -> String
    /// STUN and TURN servers for a client, with credentials that are good for a day. Empty where there are none.
    ///
    /// - Parameters:
    ///   - user: Whom allocations are counted for: a viewer, or an address that is none yet.
    ///   - host: The name or address under which the client reached us.
    ///   - tlsPort: The port of the HTTPS listener as the client reached it, where TURN over TLS is served.
    func iceServers(for user: String, host: String, tlsPort: UInt16?) -> [ICEServer]
    /// What the page says of itself. Unknown viewers are ignored.
    func report(_ report: ViewerReport, viewer: String) async
    /// The viewer's control channel closed; media, if it flows, goes on until it ends by itself.
    func controlClosed(viewer: String, channel: UInt64) async
    /// The viewer ends its session (WHEP DELETE, `bye` from the page).
    func leave(viewer: String, reason: String) async
    /// The viewer's peer ends but the viewer stays (the page has moved to HLS).
    func closePeer(viewer: String) async
    /// Serves one HLS request. `reply` is called once, from any thread, at once or when the part is there.
    ///
    /// - Returns: Takes the request back when its client has gone; `reply` is then not called any more.
    @discardableResult
    func hls(_ request: HLSRequest, reply: @escaping @Sendable (HLSResponse) -> Void) -> @Sendable () -> Void
}

/// Somebody wants to watch.
public struct JoinRequest: Sendable {
    /// The camera's name as in the URL.
    public var camera: String
    /// How the viewer can be told something.
    public var control: ControlChannel
    /// Its address.
    public var remote: IPAddress
    /// The `User-Agent` header, bounded by the gateway to 256 bytes.
    public var userAgent: String
    /// The identity it had before its signalling connection broke.
    public var resume: String?

    /// Creates a request.
    public init(camera: String, control: ControlChannel, remote: IPAddress, userAgent: String, resume: String? = nil) {
        self.camera = camera
        self.control = control
        self.remote = remote
        self.userAgent = userAgent
        self.resume = resume
    }
}

/// A viewer that was admitted.
public struct JoinedViewer: Sendable {
    /// Its identity: an unguessable word, also the key to its session URLs.
    public var id: String
    /// Identifies this control channel; given back with ``ViewerService/controlClosed(viewer:channel:)``.
    public var channel: UInt64
    /// What it may use.
    public var policy: DeliveryPolicy
    /// The camera's state at this moment.
    public var source: SourceInfo
    /// What the relay has to say to it; ends when the viewer ends. Empty for clients without control channel.
    public var messages: AsyncStream<ViewerMessage>

    /// Creates the value.
    public init(
        id: String,
        channel: UInt64,
        policy: DeliveryPolicy,
        source: SourceInfo,
        messages: AsyncStream<ViewerMessage>
    ) {
        self.id = id
        self.channel = channel
        self.policy = policy
        self.source = source
        self.messages = messages
    }
}

/// Why a viewer was not served.
public struct ViewerRefusal: Error, Sendable, Equatable {
    /// What a client should do about it; each maps to one HTTP status.
    public enum Kind: String, Sendable {
        /// No such camera or viewer (404).
        case notFound
        /// The policy forbids this delivery (403).
        case policy
        /// The offer cannot be understood (400).
        case malformed
        /// Nothing in common between offer and stream, such as H.264 missing or B-frames (406).
        case incompatible
        /// The camera has nothing to show yet, or the relay is full; try again (503 with Retry-After).
        case unavailable
        /// Too many sessions are being set up; try again (429 with Retry-After).
        case busy
    }

    /// What kind of refusal.
    public var kind: Kind
    /// One sentence for a person.
    public var text: String
    /// Seconds after which another try makes sense.
    public var retryAfter: Int?
    /// What helps, in one sentence, where that is not plain from the kind.
    public var remedy: String?

    /// Creates a refusal.
    public init(_ kind: Kind, _ text: String, retryAfter: Int? = nil, remedy: String? = nil) {
        self.kind = kind
        self.text = text
        self.retryAfter = retryAfter
        self.remedy = remedy
    }
}

/// What a page is told about the camera it shows.
public struct SourceInfo: Codable, Sendable, Equatable {
    /// The camera's state.
    public var state: CameraState
    /// Why, in one sentence for people who watch.
    public var reason: String
    /// Video codec, if known.
    public var codec: String?
    /// Audio codec, if any.
    public var audio: String?
    /// GOP length in milliseconds, if known.
    public var gopMilliseconds: Int?
    /// Pictures are reordered (B-frames): WebRTC is not possible.
    public var bframes: Bool
    /// Sentences such as `no sound for WebRTC viewers: …`.
    public var notes: [String]

    /// Creates the value.
    public init(
        state: CameraState,
        reason: String = "",
        codec: String? = nil,
        audio: String? = nil,
        gopMilliseconds: Int? = nil,
        bframes: Bool = false,
        notes: [String] = []
    ) {
        self.state = state
        self.reason = reason
        self.codec = codec
        self.audio = audio
        self.gopMilliseconds = gopMilliseconds
        self.bframes = bframes
        self.notes = notes
    }
}

/// What the relay tells a viewer's page (design §4.4).
public enum ViewerMessage: Sendable, Equatable {
    /// The camera changed.
    case source(SourceInfo)
    /// Change over to this delivery (`auto`: choose yourself again).
    case switchTo(DeliveryPolicy, reason: String)
    /// What it gets of the stream from now on, and why: with keyframes only, pictures are far apart on purpose.
    case quality(rung: String, reason: String)
    /// Relay wall clock in milliseconds since the Unix epoch, and per track kind the RTP timestamp of that moment.
    case clock(wallMilliseconds: Int64, videoRTP: UInt32?, audioRTP: UInt32?)
    /// The session is over; the last message.
    case bye(reason: String, retryAfter: Int?)
}

/// One HTTP request for a playlist, an init segment, a segment or a part.
public struct HLSRequest: Sendable {
    /// The camera.
    public var camera: String
    /// The last path component: `index.m3u8`, `media.m3u8`, `e1_s4.m4s` …
    public var resource: String
    /// `_HLS_msn`, verbatim.
    public var msn: String?
    /// `_HLS_part`, verbatim.
    public var part: String?
    /// `_HLS_skip`, verbatim.
    public var skip: String?
    /// The viewer: from the `viewer` query, or remembered for this connection by the gateway.
    public var viewer: String?
    /// The client's address.
    public var remote: IPAddress
    /// The `User-Agent` header, bounded.
    public var userAgent: String
    /// `https` or `http`, for the viewer's path.
    public var scheme: String
    /// Whether a client without an identity may become a viewer; if not, it is served and not counted.
    public var mayJoin = true

    /// Creates a request.
    public init(
        camera: String,
        resource: String,
        msn: String? = nil,
        part: String? = nil,
        skip: String? = nil,
        viewer: String? = nil,
        remote: IPAddress,
        userAgent: String,
        scheme: String
    ) {
        self.camera = camera
        self.resource = resource
        self.msn = msn
        self.part = part
        self.skip = skip
        self.viewer = viewer
        self.remote = remote
        self.userAgent = userAgent
        self.scheme = scheme
    }
}

/// The answer to an ``HLSRequest``.
public struct HLSResponse: Sendable {
    /// HTTP status: 200, 400, 403, 404, 503.
    public var status: Int
    /// MIME type of `body`.
    public var contentType: String
    /// `Cache-Control` value: parts and segments may be cached, playlists may not.
    public var cacheControl: String
    /// Seconds for `Retry-After`, with 503.
    public var retryAfter: Int?
    /// The bytes, shared between viewers; of a failure, what is wrong, in one sentence.
    public var body: [UInt8]
    /// What helps against a failure, where that is not plain from the status.
    public var remedy: String?
    /// The viewer the request was counted for; the gateway remembers it for the connection.
    public var viewer: String?

    /// Creates a response.
    public init(
        status: Int,
        contentType: String,
        cacheControl: String = "no-cache",
        retryAfter: Int? = nil,
        body: [UInt8],
        viewer: String? = nil
    ) {
        self.status = status
        self.contentType = contentType
        self.cacheControl = cacheControl
        self.retryAfter = retryAfter
        self.body = body
        self.viewer = viewer
    }
}
