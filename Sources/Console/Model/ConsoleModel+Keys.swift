import Relay
import Wire

extension ConsoleModel {
    /// More command keys than this within ``burstWindow`` were not typed by a person.
    static let burstLimit = 3
    /// Terminals without bracketed paste deliver pasted text as a burst of keys.
    static let burstWindow = Duration.milliseconds(30)

    /// Takes a key.
    ///
    /// - Returns: What the shell has to do, in order.
    public mutating func handle(_ key: Key, at now: Instant) -> [ConsoleEffect] {
        tick(at: now)
        defer { lastKeyAt = now }
        if key == .paste {
            say("pasted text is ignored here", .warning)
            return []
        }
        if let overlay { return handle(key, in: overlay) }
        guard let command = ConsoleCommand.command(for: key) else { return [] }
        if case .character = key, command.group != .move, isBurst() {
            say("that looked like pasted text: ignored", .warning)
            return []
        }
        return perform(command.id)
    }

    private mutating func isBurst() -> Bool {
        burst.removeAll { now - $0 > ConsoleModel.burstWindow }
        burst.append(now)
        return burst.count > ConsoleModel.burstLimit
    }

    mutating func perform(_ id: ConsoleCommand.ID) -> [ConsoleEffect] {
        switch availability(of: id) {
        case .enabled: break
        case .absent: return [.beep]
        case .disabled(let reason):
            say(reason, .warning)
            return [.beep]
        }
        switch id {
        case .go(let screen): go(to: .screen(screen), replacing: true)
        case .nextPane: cyclePane(1)
        case .previousPane: cyclePane(-1)
        case .move(let distance): withTable(pane) { $0.move(distance) }
        case .page(let direction): withTable(pane) { [size] in $0.move(direction * max(1, size.rows - 10)) }
        case .first: withTable(pane) { $0.move(-1_000_000) }
        case .last: withTable(pane) { $0.move(1_000_000) }
        case .open: if let target { go(to: target, replacing: false) }
        case .back: back()
        case .filter: overlay = .filter(before: table(pane).filter)
        case .clearFilter: setFilter("")
        case .sort: nextSort()
        case .nextProblem: nextProblem()
        case .ended:
            showsEnded.toggle()
            arrange(resort: true)
        case .why: overlay = .why
        case .pause: togglePause()
        case .theme:
            themeIndex = (themeIndex + 1) % configuration.themes.count
            let remark = configuration.themes.count > 1 ? "" : ", the only one found"
            say("theme: \(theme.name)\(remark)", .info, for: .seconds(3))
        case .help: overlay = .help(scroll: 0)
        case .copy: return copy()
        case .redraw: return [.redraw]
        case .metric: nextMetric()
        case .zoomIn: zoom(-1)
        case .zoomOut: zoom(1)
        case .restart, .kill, .start, .keyframe: return cameraCommand(id)
        case .switchDelivery, .automatic, .drop: return viewerCommand(id)
        case .suspend: return [.suspend]
        case .quit: return quit()
        }
        return []
    }

    // MARK: Moving about

    private mutating func go(to place: Place, replacing: Bool) {
        if replacing {
            places = [place]
        } else if place != self.place {
            // A chain of details never needs to be long: camera, viewer, and back.
            if places.count >= 6 { places.remove(at: 1) }
            places.append(place)
        }
        switch place {
        case .camera:
            tables[.cameraViewers] = TableState(.cameraViewers)
        case .viewer:
            tables[.viewerPairs] = TableState(.viewerPairs)
        case .attempt(let id):
            openedAttempt = attempts.first { $0.id == id }
            tables[.attemptPairs] = TableState(.attemptPairs)
        case .screen: break
        }
        arrange(resort: true)
    }

    private mutating func back() {
        if !table(pane).filter.isEmpty {
            setFilter("")
        } else if places.count > 1 {
            places.removeLast()
            arrange()
        } else if pane == .ended || pane == .endedPairs {
            showsEnded = false
            arrange()
        } else {
            go(to: .screen(.overview), replacing: true)
        }
    }

    private mutating func cyclePane(_ step: Int) {
        switch place {
        case .screen(.overview):
            let panes = Pane.overview
            let position = panes.firstIndex(of: focus) ?? 0
            focus = panes[(position + step + panes.count) % panes.count]
        default:
            let count = Screen.allCases.count
            let next = (screen.rawValue - 1 + step + count) % count + 1
            go(to: .screen(Screen(rawValue: next) ?? .overview), replacing: true)
        }
    }

    private mutating func nextProblem() {
        guard let shown else { return }
        let state = table(pane)
        let start = (state.index ?? -1) + 1
        let positions = (0..<state.rows.count).map { (start + $0) % max(1, state.rows.count) }
        guard let found = positions.first(where: { severity(pane, state.rows[$0], shown) >= .unknown }) else {
            say("no problem in this list", .ok, for: .seconds(3))
            return
        }
        withTable(pane) { $0.select(found) }
    }

    private func severity(_ pane: Pane, _ row: Int, _ shown: Snapshot) -> Severity {
        switch pane {
        case .cameras: shown.cameras[row].severity
        case .viewers, .cameraViewers: shown.viewers[row].severity
        case .pairs, .viewerPairs, .endedPairs, .attemptPairs: pairSeverity(pane, pairs(pane)[row])
        case .ended: attempts[row].verdict.severity
        case .hls: shown.hls[row].severity
        case .events: eventLog[row].endedAt == nil ? eventLog[row].severity : .ok
        }
    }

    // MARK: Looking

    mutating func setFilter(_ text: String) {
        let filter = Filter(text)
        let isSound = filter.mistake(in: pane.vocabulary) == nil
        withTable(pane) { state in
            state.filter = filter
            if isSound { state.applied = filter }
        }
        arrange(resort: true)
    }

    private mutating func nextSort() {
        let choices = SortOrder.choices(pane)
        withTable(pane) { state in
            let position = choices.firstIndex(of: state.sort) ?? 0
            state.sort = choices[(position + 1) % choices.count]
        }
        say("sorted: \(table(pane).sort.title)", .info, for: .seconds(3))
        arrange(resort: true)
    }

    private mutating func togglePause() {
        if pausedAt == nil {
            pausedAt = shown?.wallClock ?? 0
        } else {
            pausedAt = nil
        }
    }

    private mutating func nextMetric() {
        let all = SeriesKey.CameraMetric.allCases
        let position = all.firstIndex(of: graphMetric) ?? 0
        graphMetric = all[(position + 1) % all.count]
        say("graphs: \(graphMetric.rawValue)", .info, for: .seconds(3))
    }

    private mutating func zoom(_ step: Int) {
        let windows = [60, 120, 300, 600, HistoryRequest.secondsLimit]
        let position = windows.firstIndex(of: graphWindow) ?? 2
        graphWindow = windows[(position + step).clamped(to: 0...windows.count - 1)]
        say("graphs: \(graphWindow / 60) min", .info, for: .seconds(3))
    }

    private mutating func copy() -> [ConsoleEffect] {
        let text: String?
        switch pane {
        case _ where place == .screen(.overview): text = shown?.node.pageURL
        default: text = subjectAttempt?.viewer ?? subjectViewer?.id ?? subjectCamera?.id ?? shown?.node.pageURL
        }
        guard let text else { return [.beep] }
        say("copied: \(text)", .info, for: .seconds(3))
        return [.copy(text)]
    }

    private mutating func quit() -> [ConsoleEffect] {
        if case .attached = configuration.mode { return [.quit(.detach)] }
        overlay = .quit(openedAt: now)
        return []
    }
}
