/// The numbered screens.
enum Screen: Int, CaseIterable, Sendable {
    case overview = 1, cameras, peers, pairs, hls, graphs, events

    var title: String {
        switch self {
        case .overview: "Overview"
        case .cameras: "Cameras"
        case .peers: "Peers"
        case .pairs: "ICE"
        case .hls: "HLS"
        case .graphs: "Graphs"
        case .events: "Events"
        }
    }

    /// The table whose cursor the keyboard moves.
    var pane: Pane {
        switch self {
        case .overview, .cameras, .graphs: .cameras
        case .peers: .viewers
        case .pairs: .pairs
        case .hls: .hls
        case .events: .events
        }
    }
}

/// A list with a cursor.
enum Pane: Int, CaseIterable, Sendable {
    case cameras, viewers, pairs, hls, events
    /// The viewers of the camera being looked at.
    case cameraViewers
    /// The candidate pairs of the viewer being looked at.
    case viewerPairs
    /// WebRTC sessions that have ended.
    case ended
    /// All their candidate pairs.
    case endedPairs
    /// The candidate pairs of the ended session being looked at.
    case attemptPairs

    /// The panes of the overview, in the order of Tab.
    static let overview: [Pane] = [.cameras, .viewers, .pairs, .hls, .events]

    /// The screen that shows this list whole.
    var screen: Screen {
        switch self {
        case .cameras: .cameras
        case .viewers, .cameraViewers, .ended: .peers
        case .pairs, .viewerPairs, .endedPairs, .attemptPairs: .pairs
        case .hls: .hls
        case .events: .events
        }
    }
}

/// Where the operator is.
enum Place: Equatable, Sendable {
    case screen(Screen)
    case camera(String)
    case viewer(String)
    /// An ended WebRTC session, by its id.
    case attempt(UInt64)
}

/// In which order a table is shown.
enum SortOrder: String, Sendable {
    case severity, name, rate, viewers, loss, roundTrip, latency, age, newest, path, score

    var title: String {
        switch self {
        case .severity: "worst first"
        case .roundTrip: "round trip"
        case .newest: "newest first"
        case .score: "lowest score first"
        default: rawValue
        }
    }

    /// The orders `o` walks through.
    static func choices(_ pane: Pane) -> [SortOrder] {
        switch pane {
        case .cameras: [.severity, .name, .rate, .loss, .viewers]
        case .viewers, .cameraViewers: [.severity, .score, .name, .rate, .loss, .roundTrip, .age]
        case .pairs, .viewerPairs, .endedPairs, .attemptPairs: [.severity, .path, .roundTrip]
        case .ended: [.newest, .severity, .name]
        case .hls: [.severity, .name, .latency, .viewers]
        case .events: [.newest, .severity]
        }
    }
}

/// Cursor, filter and order of one list. The cursor holds an identity, never a row number.
struct TableState: Sendable {
    /// The object under the cursor.
    var selected: String?
    /// Where the cursor was, for the moment its object goes away.
    var lastIndex = 0
    /// What is shown, in this order: positions in the snapshot's array.
    var rows: [Int] = []
    /// The identities of ``rows``.
    var order: [String] = []
    /// How many there would be without the filter.
    var total = 0
    /// The filter as it was typed.
    var filter = Filter()
    /// The filter in force: ``filter``, or the last one without a mistake.
    var applied = Filter()
    var sort: SortOrder

    init(_ pane: Pane) { sort = SortOrder.choices(pane).first ?? .severity }

    /// Position of the cursor in ``rows``.
    var index: Int? { selected.flatMap { order.firstIndex(of: $0) } }

    /// Moves the cursor by `distance` rows.
    mutating func move(_ distance: Int) {
        guard !order.isEmpty else { return }
        let from = index ?? min(lastIndex, order.count - 1)
        select((from &+ distance).clamped(to: 0...order.count - 1))
    }

    mutating func select(_ index: Int) {
        guard order.indices.contains(index) else { return }
        selected = order[index]
        lastIndex = index
    }

    /// Takes over a new order of rows, keeping the cursor on its object or, if that is gone, where it was.
    ///
    /// - Parameter followsFirst: Whether a cursor on the first row stays on the first row, whatever object that becomes.
    mutating func update(rows: [Int], order: [String], total: Int, followsFirst: Bool = false) {
        self.rows = rows
        self.order = order
        self.total = total
        guard !order.isEmpty else { return }
        if let index, !followsFirst || lastIndex > 0 {
            lastIndex = index
        } else {
            select(min(lastIndex, order.count - 1))
        }
    }
}
