import Relay

extension ConsoleModel {
    /// From here on publication is slow enough to be seen by viewers.
    static let slowLatency = 150.0
    /// From here on something is wrong.
    static let badLatency = 1000.0

    func latencyRole(_ milliseconds: Double?) -> Role {
        guard let milliseconds else { return .dim }
        return milliseconds >= ConsoleModel.badLatency
            ? .critical
            : milliseconds >= ConsoleModel.slowLatency ? .warning : .text
    }

    var streamColumns: [Column<HLSSnapshot>] {
        [
            Column(
                "CAMERA",
                min(longestCameraName, 13),
                priority: 0,
                left: true,
                growth: max(0, longestCameraName - 13),
                keepsEnd: true
            ) { Span($0.id, .strong) },
            Column("MODE", 5, priority: 6, left: true) { Span($0.isLowLatency ? "LL" : "plain", .dim) },
            Column("MED", 4, priority: 1) {
                Span(Format.milliseconds($0.latencyMedian), latencyRole($0.latencyMedian))
            },
            Column("MAX", 4, priority: 1) {
                Span(Format.milliseconds($0.latencyMaximum), latencyRole($0.latencyMaximum))
            },
            Column("PART", 5, priority: 7) { Span($0.partTarget.map { Format.fixed($0, 2) } ?? "-", .dim) },
            Column("SEG", 5, priority: 5) { Span($0.segments.last.map { Format.fixed($0.duration, 2) } ?? "-") },
            Column("TGT", 4, priority: 9) { Span($0.targetDuration.map { Format.fixed($0, 1) } ?? "-", .dim) },
            Column("AGE", 4, priority: 4) { Span(Format.calmAge($0.lastPartAge)) },
            Column("MSN", 6, priority: 8) { Span($0.segments.last.map { "\($0.msn)" } ?? "-", .dim) },
            Column("BLK", 3, priority: 10) { Span("\($0.blocked)", .dim) },
            Column("VIEW", 4, priority: 2) { Span("\($0.viewers)", $0.viewers == 0 ? .dim : .text) },
            Column("REQ/s", 5, priority: 11) { Span(Format.plain($0.requestRate), .dim) },
            Column("OUT", 5, priority: 3) { Span(Format.bitrate($0.bitrateOut), .graphOut) },
            Column("HELD", 5, priority: 12) { Span(Format.bytes(Double($0.bytesHeld)), .dim) },
            Column("LATENCY 200 s", 20, priority: 13, left: true) { stream in
                let series = history[.hlsLatency(stream.id)] ?? .awaited
                return Span(
                    sparkline(series, width: 20, secondsPerCell: 10, glyphs: configuration.glyphs),
                    .graphLatency
                )
            },
            Column("WHY", 24, priority: 14, left: true, growth: 60) { Span($0.why, Role($0.severity)) },
        ]
    }

    func streamTable(isActive: Bool = true) -> Table<HLSSnapshot> {
        let state = table(.hls)
        return Table(
            columns: streamColumns,
            mark: { Span(Wording.mark($0.severity), Role($0.severity)) },
            count: state.rows.count,
            row: { position in
                shown.flatMap { $0.hls.indices.contains(state.rows[position]) ? $0.hls[state.rows[position]] : nil }
            },
            selected: state.index,
            selection: isActive ? .active : .resting,
            isStale: isStale,
            emptyText: emptyText(state, "nobody has asked for HLS")
        )
    }

    /// What an event is about.
    func subject(of event: EventSnapshot) -> String { event.viewer.map(Wording.viewer) ?? event.camera ?? "relay" }

    func eventRole(_ event: EventSnapshot) -> Role { event.severity <= .info ? .text : Role(event.severity) }

    /// - Parameter isCompact: What it is about and the text share a column.
    func eventTable(isCompact: Bool, isActive: Bool = true) -> Table<EventSnapshot> {
        let state = table(.events)
        let time = Column<EventSnapshot>("TIME", 8, priority: 0, left: true) { event in
            Span(Format.clock(event.at, utcOffset: configuration.utcOffset), .dim)
        }
        let columns: [Column<EventSnapshot>] =
            isCompact
            ? [
                time,
                Column("EVENT", 10, priority: 0, left: true, growth: 200) { event in
                    Span("\(subject(of: event)) \(event.text)", eventRole(event))
                },
            ]
            : [
                time,
                Column(
                    "WHAT",
                    12,
                    priority: 1,
                    left: true,
                    growth: growth(for: eventLog.lazy.map(subject(of:)), beyond: 12, atMost: 28),
                    keepsEnd: true
                ) { Span(subject(of: $0), .strong) },
                Column("LASTED", 7, priority: 2, left: false) { event in
                    guard let end = event.endedAt else { return Span("OPEN", Role(event.severity)) }
                    guard end > event.at else { return Span("-", .dim) }
                    return Span(Format.calmAge(Double(end &- event.at) / 1000), .dim)
                },
                Column("EVENT", 20, priority: 0, left: true, growth: 300) { Span($0.text, eventRole($0)) },
            ]
        return Table(
            columns: columns,
            mark: { Span(Wording.mark($0.severity), Role($0.severity)) },
            count: state.rows.count,
            row: { position in eventLog.indices.contains(state.rows[position]) ? eventLog[state.rows[position]] : nil },
            selected: state.index,
            selection: isActive ? .active : .resting,
            emptyText: emptyText(state, "nothing has happened yet")
        )
    }
}
