import Relay
import Wire

/// Everything the console knows: the relay as it was last seen, and what the operator is looking at.
///
/// A value without clock, files or terminal. Snapshots, answers and keys go in; effects and, from ``render(size:)``,
/// a ``CellGrid`` come out. The same inputs give the same screens.
public struct ConsoleModel: Sendable {
    /// What it was told once.
    public let configuration: ConsoleConfiguration
    /// The time of the last input.
    public internal(set) var now: Instant
    /// The colours to show the grid in.
    public var theme: Theme { configuration.themes[themeIndex % configuration.themes.count] }

    // The relay.
    /// What is shown: the latest snapshot with calmed numbers, or the one frozen by a pause.
    var shown: Snapshot?
    var index = SnapshotIndex()
    var freshness = Freshness()
    /// The wall clock of the frozen snapshot while paused.
    var pausedAt: Int64?
    var history: [SeriesKey: Series] = [:]
    var eventLog: [EventSnapshot] = []
    /// WebRTC sessions that have ended, newest first, and all their candidate pairs.
    var attempts: [AttemptSnapshot] = []
    var attemptPairs: [PairSnapshot] = []
    /// Whose they are: positions in ``attempts`` by the pair's id.
    var attemptsByPair: [String: Int] = [:]
    var numbersTakenAt: Instant?

    // The operator.
    var places: [Place] = [.screen(.overview)]
    var tables: [Pane: TableState]
    var focus = Pane.cameras
    /// Peers and ICE show what has ended instead of what lives.
    var showsEnded = false
    /// The ended session being looked at; it stays while the relay forgets it.
    var openedAttempt: AttemptSnapshot?
    var overlay: Overlay?
    var themeIndex = 0
    var graphWindow = 300
    var graphMetric = SeriesKey.CameraMetric.bitrate
    var lastKeyAt: Instant?
    var burst: [Instant] = []
    var size = Size(columns: 80, rows: 24)

    // What was asked for.
    var requests: [Request] = []
    var commandCount = 0
    var flash: Flash?
    var askedOlderEvents = false

    /// Creates a console that has not seen the relay yet.
    public init(configuration: ConsoleConfiguration, at now: Instant) {
        self.configuration = configuration
        self.now = now
        tables = Dictionary(uniqueKeysWithValues: Pane.allCases.map { ($0, TableState($0)) })
        freshness.startedAt = now
    }

    /// Time passes.
    public mutating func tick(at now: Instant) {
        guard now > self.now else { return }
        self.now = now
        if let flash, flash.until <= now { self.flash = nil }
        for position in requests.indices
        where requests[position].state == .sent && now - requests[position].sentAt > .seconds(1) {
            requests[position].state = .unanswered
        }
        requests.removeAll { now - $0.sentAt > Request.memory }
    }

    /// The terminal has this size now; page keys move by it.
    public mutating func resize(_ size: Size) { self.size = size }

    /// Where the operator is.
    var place: Place { places.last ?? .screen(.overview) }

    /// The numbered screen at the bottom of where the operator is.
    var screen: Screen {
        for case .screen(let screen) in places.reversed() { return screen }
        return .overview
    }

    /// The list that has the keyboard.
    var pane: Pane {
        switch place {
        case .screen(.overview): focus
        case .screen(.peers) where showsEnded: .ended
        case .screen(.pairs) where showsEnded: .endedPairs
        case .screen(let screen): screen.pane
        case .camera: .cameraViewers
        case .viewer: .viewerPairs
        case .attempt: .attemptPairs
        }
    }

    func table(_ pane: Pane) -> TableState { tables[pane] ?? TableState(pane) }

    mutating func withTable(_ pane: Pane, _ body: (inout TableState) -> Void) {
        var state = table(pane)
        body(&state)
        tables[pane] = state
    }
}

/// Where things are in the shown snapshot.
struct SnapshotIndex: Sendable {
    var cameras: [String: Int] = [:]
    var viewers: [String: Int] = [:]
    var hls: [String: Int] = [:]
    /// Operations by what they act on, the newest first.
    var cameraOperations: [String: OperationSnapshot] = [:]
    var viewerOperations: [String: OperationSnapshot] = [:]

    init() {}

    init(_ snapshot: Snapshot) {
        for (index, camera) in snapshot.cameras.enumerated() { cameras[camera.id] = index }
        for (index, viewer) in snapshot.viewers.enumerated() { viewers[viewer.id] = index }
        for (index, stream) in snapshot.hls.enumerated() { hls[stream.id] = index }
        for operation in snapshot.operations.sorted(by: { $0.startedAt < $1.startedAt }) {
            if let viewer = operation.viewer {
                viewerOperations[viewer] = operation
            } else if let camera = operation.camera {
                cameraOperations[camera] = operation
            }
        }
    }
}

/// How old what we see is.
struct Freshness: Sendable {
    /// When the console began to wait for the relay.
    var startedAt = Instant.zero
    /// When the relay's clock was last seen to move.
    var advancedAt: Instant?
    /// What it said then.
    var sampledAt: Instant?

    /// Above this the screen says that it is old.
    static let staleAfter = Duration.seconds(2)
    /// Above this no command is sent: the operator would be acting on the past.
    static let blindAfter = Duration.seconds(5)

    func age(at now: Instant) -> Duration { now - (advancedAt ?? startedAt) }
}

/// A short message in the action line.
struct Flash: Sendable {
    var text: String
    var role: Role
    var until: Instant
}

/// A command this console has given.
struct Request: Sendable {
    enum State: Equatable, Sendable {
        case sent
        /// No answer within a second: nothing is assumed.
        case unanswered
        case accepted
        case refused(String)
    }
    var id: String
    /// `restart gate-north`.
    var text: String
    var state: State
    var sentAt: Instant

    /// How long a request is remembered here; its operation lives in the snapshots.
    static let memory = Duration.seconds(20)
}

/// What lies over the screen.
enum Overlay: Sendable {
    case help(scroll: Int)
    case why
    case filter(before: Filter)
    case confirm(Confirmation)
    case quit(openedAt: Instant)
}

/// A question before something destructive. What it is about was fixed when the key was pressed.
struct Confirmation: Sendable {
    var action: Command.Action
    /// What the question names: a camera or viewer.
    var object: String
    /// ``object`` as it is shown.
    var name: String { action.viewer.map(Wording.viewer) ?? object }
    /// As it was at the key-press; the relay refuses when the object has moved on.
    var generation: UInt64
    var title: String
    var lines: [String]
    /// The name has to be typed instead of pressing `y`.
    var mustType: Bool
    var typed = ""
    var openedAt: Instant

    /// Keys pressed before anyone can have read the question are not answers to it.
    static let deafFor = Duration.milliseconds(250)
    /// From this many viewers on, killing asks for the camera's name.
    static let typingAbove = 10
}
