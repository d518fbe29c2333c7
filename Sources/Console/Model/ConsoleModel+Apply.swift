import Relay
import Wire

extension ConsoleModel {
    /// Most events that are remembered.
    static let eventLimit = 600

    /// Takes over what the relay looks like now; `nil` when there is nothing to be seen of it.
    public mutating func apply(_ snapshot: Snapshot?, at now: Instant) {
        tick(at: now)
        guard let snapshot else { return }
        if freshness.sampledAt != snapshot.sampledAt {
            if let old = shown, old.node.processID != snapshot.node.processID {
                flash = Flash(text: "the relay was restarted", role: .warning, until: now + .seconds(10))
                history = [:]
                eventLog = []
                attempts = []
                attemptPairs = []
                attemptsByPair = [:]
            }
            freshness.sampledAt = snapshot.sampledAt
            freshness.advancedAt = now
        }
        guard pausedAt == nil else { return }
        mergeEvents(snapshot.events)
        endEvents(missingFrom: snapshot)
        shown = calmed(snapshot)
        index = SnapshotIndex(snapshot)
        leaveVanishedPlaces()
        arrange()
    }

    /// Takes over the answer to ``wantedHistory``.
    public mutating func apply(_ reply: HistoryReply, to request: HistoryRequest, at now: Instant) {
        tick(at: now)
        guard pausedAt == nil, let wallClock = shown?.wallClock else { return }
        let endSecond = wallClock / 1000
        if history.count > ConsoleModel.historyLimit {
            let wanted = Set(request.series)
            history = history.filter { wanted.contains($0.key) }
        }
        for (key, values) in zip(request.series, reply.values) {
            history[key] = Series(values: Array(values.suffix(HistoryRequest.secondsLimit)), endSecond: endSecond)
        }
        // An answer that leaves series out is an answer all the same.
        for key in request.series where history[key] == nil { history[key] = Series() }
    }

    /// Takes over older events.
    public mutating func apply(_ events: [EventSnapshot], at now: Instant) {
        tick(at: now)
        mergeEvents(events)
        arrange()
    }

    /// Takes over the answer to ``wantedAttempts``.
    public mutating func apply(_ attempts: [AttemptSnapshot], at now: Instant) {
        tick(at: now)
        guard pausedAt == nil else { return }
        self.attempts = attempts
        attemptPairs = attempts.flatMap(\.pairs)
        attemptsByPair = [:]
        for (position, attempt) in attempts.enumerated() {
            for pair in attempt.pairs { attemptsByPair[pair.id] = position }
        }
        arrange()
    }

    /// The ended WebRTC sessions that the screen shows; ask for them every two seconds. `nil` when it shows none.
    public var wantedAttempts: AttemptsRequest? {
        switch place {
        case .screen(.peers), .screen(.pairs): showsEnded && pausedAt == nil ? AttemptsRequest(limit: 200) : nil
        case .screen, .camera, .viewer, .attempt: nil
        }
    }

    /// Takes over the relay's immediate answer to a command.
    public mutating func apply(_ reply: CommandReply, to id: String, at now: Instant) {
        tick(at: now)
        guard let position = requests.firstIndex(where: { $0.id == id }) else { return }
        switch reply {
        case .accepted: requests[position].state = .accepted
        case .refused(let reason):
            requests[position].state = .refused(reason)
            say("\(requests[position].text): refused, \(reason)", .critical, for: .seconds(12))
        }
    }

    /// Series that are remembered, so that going back to a screen shows its graphs at once.
    static let historyLimit = 1_024

    /// The screen needs series that were never asked for: ask at once, not with the next second.
    public var lacksHistory: Bool { wantedHistory?.series.contains { history[$0] == nil } ?? false }

    /// The series that the screen needs; ask for it once a second. `nil` when it needs none.
    public var wantedHistory: HistoryRequest? {
        guard let shown, pausedAt == nil else { return nil }
        var series: [SeriesKey] = []
        switch place {
        case .screen(.overview):
            series += [.node(.bitrateIn), .node(.bitrateOut)]
            series += visible(.cameras).map { .camera($0, .bitrate) } + visible(.hls).map { .hlsLatency($0) }
        case .screen(.cameras): series += visible(.cameras).map { .camera($0, .bitrate) }
        case .screen(.peers), .screen(.pairs):
            if let viewer = subjectViewer?.id {
                series += [.viewer(viewer, .bitrate), .viewer(viewer, .roundTrip), .viewer(viewer, .loss)]
            }
        case .screen(.hls): series += visible(.hls).map { .hlsLatency($0) }
        case .screen(.graphs):
            series += [.node(.bitrateIn), .node(.bitrateOut)]
            series += visible(.cameras).map { .camera($0, graphMetric) }
        case .screen(.events): break
        case .camera(let id):
            series += SeriesKey.CameraMetric.allCases.map { .camera(id, $0) } + [.hlsLatency(id)]
        case .viewer(let id): series += SeriesKey.ViewerMetric.allCases.map { .viewer(id, $0) }
        case .attempt: break
        }
        guard !series.isEmpty, shown.sampledAt.nanoseconds >= 0 else { return nil }
        return HistoryRequest(series: Array(series.prefix(HistoryRequest.seriesLimit)), seconds: graphWindow)
    }

    /// Events older than those seen, wanted once for the event screen.
    public var wantedEvents: EventsRequest? {
        guard case .screen(.events) = place, !askedOlderEvents, let newest = eventLog.first else { return nil }
        // Older events that last come with the snapshot; ids have no gaps, so the first gap is where to ask from.
        let run = zip(eventLog, 0...).prefix { event, step in newest.id &- event.id == UInt64(step) }
        return run.last.map { EventsRequest(before: $0.0.id, limit: ConsoleModel.eventLimit - Snapshot.eventLimit) }
    }

    /// ``wantedEvents`` is being asked for.
    public mutating func askedForEvents() { askedOlderEvents = true }

    /// Identities around the cursor of a list, at most a screenful.
    private func visible(_ pane: Pane) -> [String] {
        let state = table(pane)
        let height = max(12, size.rows)
        let top = Table<Int>.firstRow(selected: state.index, count: state.order.count, height: height)
        return Array(state.order.dropFirst(top).prefix(height))
    }

    private mutating func mergeEvents(_ events: [EventSnapshot]) {
        guard !events.isEmpty else { return }
        // The usual case: a few new events in front of, or changes within, what is known.
        var known = Dictionary(uniqueKeysWithValues: eventLog.enumerated().map { ($0.element.id, $0.offset) })
        var fresh: [EventSnapshot] = []
        for event in events {
            if let position = known[event.id] {
                if position < eventLog.count { eventLog[position] = event }
            } else {
                known[event.id] = Int.max
                fresh.append(event)
            }
        }
        guard !fresh.isEmpty else { return }
        eventLog.append(contentsOf: fresh)
        eventLog.sort { $0.id > $1.id }
        if eventLog.count > ConsoleModel.eventLimit { eventLog.removeLast(eventLog.count - ConsoleModel.eventLimit) }
    }

    /// A snapshot holds every event that lasts, so one that is not there has ended since the last look.
    private mutating func endEvents(missingFrom snapshot: Snapshot) {
        guard eventLog.contains(where: { $0.endedAt == nil }) else { return }
        let lasting = Set(snapshot.events.lazy.filter { $0.endedAt == nil }.map(\.id))
        for position in eventLog.indices
        where eventLog[position].endedAt == nil && !lasting.contains(eventLog[position].id) {
            eventLog[position].endedAt = snapshot.wallClock
        }
    }

    /// A detail of something that is gone shows nothing: go back to the list.
    private mutating func leaveVanishedPlaces() {
        while places.count > 1 {
            switch place {
            case .camera(let id) where index.cameras[id] == nil:
                say("\(id) is no longer configured", .warning)
            case .viewer(let id) where index.viewers[id] == nil:
                say("\(id) has left", .info)
            default: return
            }
            places.removeLast()
        }
    }

    mutating func say(_ text: String, _ role: Role, for duration: Duration = .seconds(6)) {
        flash = Flash(text: text, role: role, until: now + duration)
    }
}
