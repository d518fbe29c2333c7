import Relay

extension PairSnapshot {
    /// What the client speaks on its way to us; that it is to our TURN server, its candidate tells.
    var carrier: String { transport.hasPrefix("turn/") ? String(transport.dropFirst(5)) : transport }
}

extension ConsoleModel {
    func stateSpan(_ viewer: ViewerSnapshot) -> Span {
        operationText(index.viewerOperations[viewer.id]) ?? ownStateSpan(viewer)
    }

    /// What it does, whatever is being done to it.
    func ownStateSpan(_ viewer: ViewerSnapshot) -> Span {
        switch viewer.state {
        case .playing where viewer.controlLost != nil: return Span("ctl lost", .warning)
        case .playing where viewer.isInBackground: return Span("hidden", .off)
        case .playing: return Span("playing", viewer.severity >= .warning ? Role(viewer.severity) : .ok)
        case .joining: return Span("joining", .pending)
        case .connecting: return Span("connect", .pending)
        case .switching: return Span("switching", .pending)
        case .waiting: return Span("no media", .warning)
        case .silent: return Span("silent", .critical)
        }
    }

    func pathSpan(_ viewer: ViewerSnapshot) -> Span {
        Span(viewer.path ?? "-", viewer.delivery == .webrtc ? .webrtc : .hls)
    }

    var viewerColumns: [Column<ViewerSnapshot>] {
        let viewers = shown?.viewers ?? []
        return [
            Column("VIEWER", 7, priority: 0, left: true) { Span(Wording.viewer($0.id), .strong) },
            Column(
                "CAMERA",
                12,
                priority: 1,
                left: true,
                growth: growth(for: viewers.lazy.map(\.camera), beyond: 12, atMost: 14),
                keepsEnd: true
            ) { Span($0.camera) },
            // What is being done to a viewer takes more words than what it does.
            Column("STATE", 9, priority: 0, left: true, growth: index.viewerOperations.isEmpty ? 0 : 14) {
                stateSpan($0)
            },
            Column("PATH", 9, priority: 2, left: true, growth: 2) { pathSpan($0) },
            Column("RTT", 4, priority: 3) {
                Span(
                    Format.milliseconds($0.roundTrip),
                    ($0.roundTrip ?? 0) >= ViewerSnapshot.slowRoundTrip ? .warning : .text
                )
            },
            Column("SCORE", 5, priority: 4) { scoreSpan($0.score) },
            Column("LOSS", 4, priority: 4) { Span(Format.percent($0.loss), ($0.loss ?? 0) >= 2 ? .warning : .text) },
            Column("RATE", 5, priority: 5) { Span(Format.bitrate($0.bitrate), .graphOut) },
            Column("BEHIND", 6, priority: 8) { Span($0.behindLive.map { Format.fixed($0, 1) + "s" } ?? "-") },
            Column("NACK", 5, priority: 10) { Span(Format.count($0.nacks), .dim) },
            Column("PLI", 4, priority: 11) { Span(Format.count($0.plis), .dim) },
            Column("FREEZE", 6, priority: 12) { viewer in
                let freezes = viewer.report?.freezes
                return Span(freezes.map { Format.count($0) } ?? "-", (freezes ?? 0) > 0 ? .warning : .dim)
            },
            Column("UP", 5, priority: 7) { Span(Format.calmAge($0.age), .dim) },
            Column(
                "CLIENT",
                11,
                priority: 6,
                left: true,
                growth: growth(for: viewers.lazy.map(\.client), beyond: 11, atMost: 9)
            ) {
                Span($0.client.isEmpty ? "-" : $0.client, .dim)
            },
            Column("CAUSE", 14, priority: 14, left: true) { Span($0.score?.cause?.rawValue ?? "-", .dim) },
            Column(
                "ADDRESS",
                15,
                priority: 15,
                left: true,
                growth: growth(for: viewers.lazy.map(\.remote), beyond: 15, atMost: 24)
            ) { Span($0.remote, .dim) },
            Column("WHY", 36, priority: 13, left: true, growth: 100) { Span($0.why, Role($0.severity)) },
        ]
    }

    /// A score with the colour of its trouble.
    func scoreSpan(_ score: ViewerScore?) -> Span {
        guard let score else { return Span("-", .dim) }
        return Span("\(score.value)", score.value < 50 ? .critical : score.value < 80 ? .warning : .text)
    }

    func viewerTable(_ pane: Pane, isActive: Bool = true) -> Table<ViewerSnapshot> {
        let state = table(pane)
        var columns = viewerColumns
        if pane == .cameraViewers { columns.removeAll { $0.title == "CAMERA" } }
        return Table(
            columns: columns,
            mark: { mark($0.severity, index.viewerOperations[$0.id]) },
            count: state.rows.count,
            row: { position in
                shown.flatMap {
                    $0.viewers.indices.contains(state.rows[position]) ? $0.viewers[state.rows[position]] : nil
                }
            },
            selected: state.index,
            selection: isActive ? .active : .resting,
            isStale: isStale,
            emptyText: emptyText(state, pane == .cameraViewers ? "nobody watches this camera" : "nobody is watching")
        )
    }

    /// In as many letters as the column has.
    private func pairState(_ pair: PairSnapshot) -> String {
        switch pair.state {
        case "closed by client": "shut/client"
        case "closed by relay": "shut/relay"
        default: pair.state
        }
    }

    func pairRole(_ pair: PairSnapshot) -> Role {
        if pair.isNominated { return .ok }
        return switch pair.state {
        case "succeeded": .text
        case "in-progress": .pending
        case "failed": .critical
        default: .dim
        }
    }

    var pairColumns: [Column<PairSnapshot>] {
        [
            Column("N", 1, priority: 0, left: true) { Span($0.isNominated ? "*" : " ", .ok) },
            Column("VIEWER", 7, priority: 1, left: true) { Span(Wording.viewer($0.viewer), .strong) },
            Column("CAMERA", 12, priority: 9, left: true, growth: 8, keepsEnd: true) { Span($0.camera) },
            Column("STATE", 11, priority: 3, left: true) { Span(pairState($0), pairRole($0)) },
            Column("LOCAL", 22, priority: 6, left: true, growth: 14, keepsEnd: true) { Span($0.local, .dim) },
            Column("REMOTE", 24, priority: 0, left: true, growth: 16, keepsEnd: true) { Span($0.remote) },
            Column("TP", 3, priority: 8, left: true) { Span($0.carrier, .dim) },
            Column("RTT", 4, priority: 2) { Span(Format.milliseconds($0.roundTrip)) },
            Column("RECV", 5, priority: 5) {
                Span(Format.count($0.checksReceived), $0.checksReceived == 0 ? .warning : .text)
            },
            Column("ANSWD", 5, priority: 12) { Span(Format.count($0.checksAnswered), .dim) },
            Column("ANS/SENT", 9, priority: 7) { pair in
                Span("\(Format.count(pair.answersReceived))/\(Format.count(pair.checksSent))")
            },
            Column("OUT", 5, priority: 10) { Span(Format.bytes(Double($0.bytesSent)), .dim) },
            Column("IN", 5, priority: 11) { Span(Format.bytes(Double($0.bytesReceived)), .dim) },
            Column("LAST", 5, priority: 6) { Span(Format.calmAge($0.lastActivity), .dim) },
        ]
    }

    private func emptyPairs(_ pane: Pane) -> String {
        switch pane {
        case .endedPairs: "no WebRTC session has ended in the last hour"
        case .viewerPairs: "this viewer has no candidate pairs"
        case .attemptPairs: "no candidate pairs: neither side named an address the other could use"
        default: "no candidate pairs: nobody watches by WebRTC"
        }
    }

    func pairTable(_ pane: Pane, isActive: Bool = true) -> Table<PairSnapshot> {
        let state = table(pane)
        let pairs = pairs(pane)
        var columns = pairColumns
        if pane == .viewerPairs || pane == .attemptPairs {
            columns.removeAll { $0.title == "VIEWER" || $0.title == "CAMERA" }
        }
        return Table(
            columns: columns,
            mark: { pair in
                let severity = pairSeverity(pane, pair)
                return Span(Wording.mark(severity), Role(severity))
            },
            count: state.rows.count,
            row: { position in pairs.indices.contains(state.rows[position]) ? pairs[state.rows[position]] : nil },
            selected: state.index,
            selection: isActive ? .active : .resting,
            isStale: isStale && pane != .attemptPairs,
            emptyText: emptyText(state, emptyPairs(pane))
        )
    }
}
