import Relay
import Wire

/// The lines that every screen has: health above, what happens and what can be done below.
extension ConsoleModel {
    func drawHeader(_ y: Int, on canvas: inout Canvas) {
        let width = canvas.bounds.width
        canvas.fill(Rect(0, y, width, 1), .header)
        var x = canvas.text(" signalbox ", 0, y, .brand)
        guard let shown else {
            canvas.text("  waiting for the relay", x, y, .header)
            return
        }
        let clock = " " + Format.clock(shown.wallClock, utcOffset: configuration.utcOffset) + " "
        let right = width - clock.count
        canvas.text(clock, right, y, .header)
        x = canvas.text(" \(fitted(shown.node.name, 20)) ", x, y, .header)
        x = drawBadges(x, y, shown, on: &canvas)
        let live = shown.cameras.count { $0.state == .live || $0.state == .starting }
        let webrtc = shown.viewers.count { $0.delivery == .webrtc }
        // Most important first; what does not fit is left out whole.
        var groups: [[Span]] = [
            [Span("cams ", .headerDim), Span("\(live)/\(shown.cameras.count)", .header)],
            [Span("in ", .headerDim), Span(Format.right(Format.bitrate(shown.node.bitrateIn), 5), .header)],
            [Span("out ", .headerDim), Span(Format.right(Format.bitrate(shown.node.bitrateOut), 5), .header)],
            [Span("view ", .headerDim), Span("\(shown.viewers.count)", .header)],
            [Span("cpu ", .headerDim), Span(shown.node.cpu.map { Format.fixed($0, 0) + "%" } ?? "-", .header)],
            [Span("mem ", .headerDim), Span(Format.bytes(shown.node.residentBytes.map(Double.init)), .header)],
            [Span("W+H ", .headerDim), Span("\(webrtc)+\(shown.viewers.count - webrtc)", .header)],
            [Span("loop p99 ", .headerDim), Span(loopDelay(shown.node.loopDelay), .header)],
            [Span("up ", .headerDim), Span(Format.calmAge(shown.node.uptime), .header)],
            [Span("fd ", .headerDim), Span(shown.node.descriptors.map { "\($0)" } ?? "-", .header)],
            [Span("v", .headerDim), Span(shown.node.version, .headerDim)],
        ]
        if let unsent = shown.node.media?.unsent, unsent > 0 {
            groups.insert([Span(" unsent \(Format.count(unsent)) ", .badgeWarning)], at: 1)
        }
        for group in groups {
            guard x + group.width + 2 <= right else { break }
            x = canvas.spans([Span("  ", .header)] + group, x, y)
        }
    }

    private func loopDelay(_ milliseconds: Double?) -> String {
        guard let milliseconds else { return "-" }
        return milliseconds < 10 ? Format.fixed(milliseconds, 1) + "ms" : Format.milliseconds(milliseconds) + "ms"
    }

    /// How many cameras, viewers and streams are in trouble.
    ///
    /// - Returns: The column after them.
    func drawBadges(_ x: Int, _ y: Int, _ shown: Snapshot, on canvas: inout Canvas) -> Int {
        let all = shown.cameras.map(\.severity) + shown.viewers.map(\.severity) + shown.hls.map(\.severity)
        let critical = all.count { $0 == .critical }
        let warning = all.count { $0 == .warning }
        let unknown = all.count { $0 == .unknown }
        var x = x
        if critical > 0 { x = canvas.text(" X \(critical) ", x, y, .badgeCritical) + 1 }
        if warning > 0 { x = canvas.text(" ! \(warning) ", x, y, .badgeWarning) + 1 }
        if unknown > 0 { x = canvas.text(" ? \(unknown) ", x, y, .badgeInfo) + 1 }
        if critical + warning + unknown == 0 { x = canvas.text(" OK ", x, y, .badgeOK) + 1 }
        return x - 1
    }

    func drawTabs(_ y: Int, on canvas: inout Canvas) {
        let width = canvas.bounds.width
        let right = width - 1 - drawFreshness(y, on: &canvas)
        var x = 1
        if case .screen(let current) = place {
            let names = Screen.allCases.map { "\($0.rawValue) \($0.title)" }
            let isWide = names.reduce(0) { $0 + $1.count + 2 } + 2 < right
            for (screen, name) in zip(Screen.allCases, names) {
                let text = isWide ? " \(name) " : screen == current ? " \(name) " : " \(screen.rawValue) "
                x = canvas.text(text, x, y, screen == current ? .tabActive : .tab, width: right - x)
            }
        } else {
            for (position, place) in places.enumerated() {
                let name =
                    switch place {
                    case .screen(let screen): "\(screen.rawValue) \(screen.title)"
                    case .camera(let id): id
                    case .viewer(let id): Wording.viewer(id)
                    case .attempt: openedAttempt.map { "\(Wording.viewer($0.viewer)) ended" } ?? "ended"
                    }
                if position > 0 { x = canvas.text("›", x, y, .dim, width: right - x) }
                x = canvas.text(" \(name) ", x, y, position == places.count - 1 ? .tabActive : .tab, width: right - x)
            }
        }
    }

    /// - Returns: Cells taken at the right.
    private func drawFreshness(_ y: Int, on canvas: inout Canvas) -> Int {
        let age = freshness.age(at: now)
        var spans: [Span] = []
        if case .attached(readOnly: true) = configuration.mode {
            spans += [Span(" READ-ONLY ", .badgeInfo), Span(" ")]
        }
        if let pausedAt {
            let since = shown.map { _ in Format.clock(pausedAt, utcOffset: configuration.utcOffset) } ?? ""
            spans.append(Span(" PAUSED \(since) ", .badgeWarning))
        } else if shown == nil {
            spans.append(Span(" no data \(Format.calmAge(age.inSeconds)) ", .badgeWarning))
        } else if age > Freshness.staleAfter {
            spans.append(Span(" STALE \(Format.calmAge(age.inSeconds)) ", .badgeCritical))
        } else {
            spans.append(Span("live", .ok))
        }
        canvas.spans(spans, canvas.bounds.width - 1 - spans.width, y)
        return spans.width
    }

    /// The two newest events that are still going on, or the newest of all.
    func drawTicker(_ y: Int, on canvas: inout Canvas) {
        let open = eventLog.filter { $0.endedAt == nil && $0.severity >= .warning }
        let fits = canvas.bounds.width < 60 ? 1 : 2
        let chosen = open.isEmpty ? Array(eventLog.prefix(1)) : Array(open.prefix(fits))
        let room = (canvas.bounds.width - 2) / max(1, chosen.count)
        // What happened matters more than when.
        let hasClock = room >= 32
        for (position, event) in chosen.enumerated() {
            let x = 1 + position * room
            let clock = Format.clock(event.at, utcOffset: configuration.utcOffset)
            canvas.clipped(to: Rect(x, y, room - 1, 1)) { canvas in
                canvas.spans(
                    [
                        Span(hasClock ? clock + " " : "", .dim),
                        Span(Wording.mark(event.severity) + " ", Role(event.severity)),
                        Span(
                            fitted("\(subject(of: event)) \(event.text)", room - (hasClock ? 12 : 3)),
                            eventRole(event)
                        ),
                    ],
                    x,
                    y
                )
            }
        }
    }

    /// The keys that do something now.
    func drawKeys(_ y: Int, on canvas: inout Canvas) {
        let width = canvas.bounds.width
        let order: [ConsoleCommand.ID] = [
            .help, .quit, .restart, .kill, .start, .switchDelivery, .automatic, .drop, .keyframe, .why, .open, .ended,
            .filter, .pause, .sort, .metric, .nextPane, .zoomOut, .back,
        ]
        var x = 1
        for id in order {
            guard let command = ConsoleCommand.all.first(where: { $0.id == id }), availability(of: id) == .enabled,
                let key = command.keys.first
            else { continue }
            let text = key.label
            guard x + text.count + 1 + command.short.count + 1 <= width else { continue }
            x = canvas.text(text, x, y, .key)
            x = canvas.text(" " + command.short, x, y, .keyText) + 2
        }
    }
}
