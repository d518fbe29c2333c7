/// Something the operator can do. Keys, help and the key line are all made from this list, so they cannot drift apart.
struct ConsoleCommand: Sendable {
    enum ID: Equatable, Sendable {
        case go(Screen)
        case nextPane, previousPane
        case move(Int), page(Int), first, last
        case open, back
        case filter, clearFilter, sort, nextProblem, ended
        case why, pause, theme, help, copy, redraw
        case metric, zoomIn, zoomOut
        case restart, kill, start, keyframe
        case switchDelivery, automatic, drop
        case suspend, quit
    }

    enum Group: String, CaseIterable, Sendable {
        case cameras = "Cameras"
        case viewers = "Viewers"
        case look = "Looking"
        case move = "Moving"
        case console = "Console"
    }

    var id: ID
    var group: Group
    var keys: [Key]
    /// The keys as help shows them.
    var label: String
    /// What it does, for help.
    var title: String
    /// One or two words for the key line; empty keeps it out of there.
    var short: String

    init(_ id: ID, _ group: Group, _ keys: [Key], label: String? = nil, _ title: String, short: String = "") {
        self.id = id
        self.group = group
        self.keys = keys
        self.label = label ?? keys.map(\.label).joined(separator: " ")
        self.title = title
        self.short = short
    }

    /// Everything there is.
    static let all: [ConsoleCommand] = [
        ConsoleCommand(
            .restart,
            .cameras,
            ["r"],
            "restart the camera's connection; its viewers stay",
            short: "restart"
        ),
        ConsoleCommand(
            .kill,
            .cameras,
            ["K"],
            "kill: stop pulling the camera; its viewers stay and wait",
            short: "kill"
        ),
        ConsoleCommand(.start, .cameras, ["S"], "start a killed, held or waiting camera at once", short: "start"),
        ConsoleCommand(.keyframe, .cameras, ["f"], "ask the camera for a keyframe", short: "keyframe"),
        ConsoleCommand(
            .switchDelivery,
            .viewers,
            ["s"],
            "switch the viewer WebRTC ↔ HLS while it watches",
            short: "switch"
        ),
        ConsoleCommand(.automatic, .viewers, ["a"], "give the choice back to the viewer's page", short: "auto"),
        ConsoleCommand(.drop, .viewers, ["D"], "drop the viewer", short: "drop"),
        ConsoleCommand(.why, .look, ["w"], "why is it this colour: rule, value, remedy", short: "why"),
        ConsoleCommand(
            .filter,
            .look,
            ["/"],
            "filter: every word must match; field:text, field>1M, !word",
            short: "filter"
        ),
        ConsoleCommand(.sort, .look, ["o"], "next sort order", short: "sort"),
        ConsoleCommand(.nextProblem, .look, ["!"], "next row with a problem"),
        ConsoleCommand(
            .ended,
            .look,
            ["e"],
            "peers, ICE: WebRTC sessions that ended in the last hour, and back",
            short: "ended"
        ),
        ConsoleCommand(.pause, .look, ["p"], "pause and resume the display", short: "pause"),
        ConsoleCommand(.metric, .look, ["m"], "next metric of the camera graphs", short: "metric"),
        ConsoleCommand(.zoomIn, .look, ["+", "="], label: "+", "graphs show less time"),
        ConsoleCommand(.zoomOut, .look, ["-"], "graphs show more time", short: "zoom"),
        ConsoleCommand(.go(.overview), .move, ["1"], "overview"),
        ConsoleCommand(.go(.cameras), .move, ["2"], "cameras"),
        ConsoleCommand(.go(.peers), .move, ["3"], "peers: all viewers, WebRTC and HLS"),
        ConsoleCommand(.go(.pairs), .move, ["4"], "ICE candidate pairs"),
        ConsoleCommand(.go(.hls), .move, ["5"], "HLS streams and segment latency"),
        ConsoleCommand(.go(.graphs), .move, ["6"], "graphs"),
        ConsoleCommand(.go(.events), .move, ["7"], "events"),
        ConsoleCommand(.open, .move, [.enter, .right, "l"], label: "Enter →", "open the selected row", short: "open"),
        ConsoleCommand(
            .back,
            .move,
            [.escape, .left, "h", .backspace],
            label: "Esc ←",
            "back; first clears the filter",
            short: "back"
        ),
        ConsoleCommand(.nextPane, .move, [.tab], "next pane, next screen", short: "next"),
        ConsoleCommand(.previousPane, .move, [.backTab], "previous pane, previous screen"),
        ConsoleCommand(.move(-1), .move, [.up, "k"], label: "↑ k", "up"),
        ConsoleCommand(.move(1), .move, [.down, "j"], label: "↓ j", "down"),
        ConsoleCommand(.page(-1), .move, [.pageUp, .control("u"), .control("b")], label: "PgUp ^U", "a screenful up"),
        ConsoleCommand(
            .page(1),
            .move,
            [.pageDown, .control("d"), .control("f")],
            label: "PgDn ^D",
            "a screenful down"
        ),
        ConsoleCommand(.first, .move, [.home, "g"], "first row"),
        ConsoleCommand(.last, .move, [.end, "G"], "last row"),
        ConsoleCommand(.help, .console, ["?", .function(1)], "this help", short: "help"),
        ConsoleCommand(.theme, .console, ["T"], "next theme"),
        ConsoleCommand(.copy, .console, ["y"], "copy the page's address, or the selected id"),
        ConsoleCommand(.redraw, .console, [.control("l")], "draw everything again"),
        ConsoleCommand(.suspend, .console, [.control("z")], "suspend (attached consoles only)"),
        ConsoleCommand(
            .quit,
            .console,
            ["q", "Q", .control("c")],
            "quit; beside the relay it asks what becomes of it",
            short: "quit"
        ),
    ]

    /// The command of a key.
    static func command(for key: Key) -> ConsoleCommand? { byKey[key] }

    private static let byKey: [Key: ConsoleCommand] = Dictionary(
        all.flatMap { command in command.keys.map { ($0, command) } },
        uniquingKeysWith: { first, _ in first }
    )
}

extension Key: ExpressibleByUnicodeScalarLiteral {
    /// A printable character.
    public init(unicodeScalarLiteral scalar: Unicode.Scalar) { self = .character(scalar) }
}

/// Whether a command can be used now.
enum Availability: Equatable, Sendable {
    case enabled
    /// It belongs here but cannot be done, for this reason.
    case disabled(String)
    /// It means nothing here.
    case absent
}
