import Relay

/// What a cell means. Themes give every role its looks; screens know nothing of colours.
public enum Role: UInt8, CaseIterable, Sendable {
    case text, dim, strong, title, border, borderFocus
    case header, headerDim, brand, tab, tabActive, key, keyText, keyOff, tableHeader, filter, link
    case dialog, dialogTitle, danger, input
    case ok, info, warning, critical, unknown, pending, off
    case badgeOK, badgeWarning, badgeCritical, badgeInfo
    case graphIn, graphOut, graphLatency, graphLoss, graphFrames, axis, threshold
    case webrtc, hls

    /// The name in theme files.
    public var name: String {
        switch self {
        case .text: "text"
        case .dim: "dim"
        case .strong: "strong"
        case .title: "title"
        case .border: "border"
        case .borderFocus: "border.focus"
        case .header: "header"
        case .headerDim: "header.dim"
        case .brand: "brand"
        case .tab: "tab"
        case .tabActive: "tab.active"
        case .key: "key"
        case .keyText: "key.text"
        case .keyOff: "key.off"
        case .tableHeader: "table.header"
        case .filter: "filter"
        case .link: "link"
        case .dialog: "dialog"
        case .dialogTitle: "dialog.title"
        case .danger: "dialog.danger"
        case .input: "input"
        case .ok: "status.ok"
        case .info: "status.info"
        case .warning: "status.warning"
        case .critical: "status.critical"
        case .unknown: "status.unknown"
        case .pending: "status.pending"
        case .off: "status.off"
        case .badgeOK: "badge.ok"
        case .badgeWarning: "badge.warning"
        case .badgeCritical: "badge.critical"
        case .badgeInfo: "badge.info"
        case .graphIn: "graph.in"
        case .graphOut: "graph.out"
        case .graphLatency: "graph.latency"
        case .graphLoss: "graph.loss"
        case .graphFrames: "graph.frames"
        case .axis: "graph.axis"
        case .threshold: "graph.threshold"
        case .webrtc: "delivery.webrtc"
        case .hls: "delivery.hls"
        }
    }

    /// The role whose looks are used when a theme does not name this one; `nil` for `text`, which every theme must name.
    public var fallback: Role? {
        switch self {
        case .text: nil
        case .dim, .strong, .title, .header, .dialog, .ok, .graphIn: .text
        case .border, .tab, .headerDim, .keyOff, .unknown, .off, .axis, .info: .dim
        case .borderFocus, .tabActive, .key, .tableHeader, .dialogTitle, .link, .pending: .title
        case .brand: .tabActive
        case .keyText: .dim
        case .filter, .input: .key
        case .warning, .hls: .strong
        case .critical: .strong
        case .danger, .badgeCritical: .critical
        case .badgeOK: .ok
        case .badgeWarning: .warning
        case .badgeInfo: .info
        case .graphOut, .graphLatency, .graphFrames: .graphIn
        case .graphLoss, .threshold: .warning
        case .webrtc: .text
        }
    }

    /// One letter that stands for the role in a ``CellGrid/stylePlane``.
    public var letter: Character {
        let letters: [Character] = Array("tdsTbBhHNaAkyYcflgGDiOIWCU~xowqe1234567vV")
        let index = Int(rawValue)
        return index < letters.count ? letters[index] : "z"
    }

    /// The role that shows a severity.
    init(_ severity: Severity) {
        switch severity {
        case .ok: self = .ok
        case .info: self = .info
        case .unknown: self = .unknown
        case .warning: self = .warning
        case .critical: self = .critical
        }
    }
}
