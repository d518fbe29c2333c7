/// The one way to change something.
public struct Command: Codable, Sendable {
    /// What is asked for.
    public enum Action: Codable, Sendable, Equatable {
        /// Close the camera's connection and open it again; its viewers stay.
        case restart(camera: String)
        /// Stop pulling the camera until it is started; its viewers stay.
        case kill(camera: String)
        /// Pull it again after a kill, or at once when it waits or is held.
        case start(camera: String)
        /// Move a viewer that is watching; `auto` gives the choice back to its page.
        case switchViewer(String, to: DeliveryPolicy)
        /// End a viewer's session.
        case drop(viewer: String)
        /// Ask for a keyframe, or say why that is not possible.
        case keyframe(camera: String)

        /// The camera named, if any.
        public var camera: String? {
            switch self {
            case .restart(let camera), .kill(let camera), .start(let camera), .keyframe(let camera): camera
            case .switchViewer, .drop: nil
            }
        }

        /// The viewer named, if any.
        public var viewer: String? {
            switch self {
            case .switchViewer(let viewer, _), .drop(let viewer): viewer
            case .restart, .kill, .start, .keyframe: nil
            }
        }

        /// The verb as the operator knows it.
        public var verb: String {
            switch self {
            case .restart: "restart"
            case .kill: "kill"
            case .start: "start"
            case .switchViewer(_, .hls): "switch to HLS"
            case .switchViewer(_, .webrtc): "switch to WebRTC"
            case .switchViewer(_, .auto): "give back the choice"
            case .drop: "drop"
            case .keyframe: "keyframe"
            }
        }
    }

    /// Chosen by whoever asks; the same id twice is the same command and is carried out once.
    public var id: String
    /// What is asked for.
    public var action: Action
    /// Who asks: `console`, `ana@pts/3`, `ctl`.
    public var author: String
    /// Why, in the author's words; may be empty.
    public var reason: String
    /// The generation of the camera or viewer when the author decided; refused when it has moved on.
    public var generation: UInt64?

    /// Creates a command.
    public init(id: String, action: Action, author: String, reason: String = "", generation: UInt64? = nil) {
        self.id = id
        self.action = action
        self.author = author
        self.reason = reason
        self.generation = generation
    }
}

/// The immediate answer to a command. What became of it is read from ``Snapshot/operations`` under its id.
public enum CommandReply: Codable, Sendable, Equatable {
    /// It is being carried out, or was already.
    case accepted
    /// It is not carried out, for this reason.
    case refused(String)
}

/// The relay's window and door, as the console, `ctl`, the API and the tests see it.
///
/// In the relay's own process this is the relay; in an attached console it is the control socket's client.
public protocol RelayService: Sendable {
    /// The latest snapshot; `nil` before there is one (or before the control socket has delivered one).
    func snapshot() -> Snapshot?
    /// Values of some series.
    func history(_ request: HistoryRequest) async -> HistoryReply
    /// Older events.
    func events(_ request: EventsRequest) async -> [EventSnapshot]
    /// WebRTC sessions that ended in the last hour, newest first.
    func attempts(_ request: AttemptsRequest) async -> [AttemptSnapshot]
    /// Asks for a change.
    func submit(_ command: Command) async -> CommandReply
}
