import Relay

extension ConsoleModel {
    /// The mark in front of an object: a running operation before its severity.
    func mark(_ severity: Severity, _ operation: OperationSnapshot?) -> Span {
        if operation?.outcome == .running { return Span("~", .pending) }
        return Span(Wording.mark(severity), Role(severity))
    }

    /// What an operation says in a row: what it waits for while it runs, the observed result for a while after.
    func operationText(_ operation: OperationSnapshot?) -> Span? {
        guard let operation else { return nil }
        switch operation.outcome {
        case .running:
            let word = operation.waitingFor.isEmpty ? operation.verb : operation.waitingFor
            return Span("\(Format.age(operation.elapsed)) \(word)", .pending)
        case .succeeded: return Span(operation.result, .ok)
        case .failed, .timedOut: return Span("failed: \(operation.result)", .critical)
        }
    }

    func stateSpan(_ camera: CameraSnapshot) -> Span {
        if let text = operationText(index.cameraOperations[camera.id]) { return text }
        switch camera.state {
        case .live: return Span(liveWord(camera), Role(camera.severity))
        case .idle, .stopped: return Span(Wording.state(camera.state), .off)
        case .connecting, .negotiating, .starting: return Span(Wording.state(camera.state), .pending)
        case .stalled: return Span(Wording.state(camera.state), .critical)
        case .retrying:
            let next = camera.nextRetry.map { " \(Format.calmAge($0))" } ?? ""
            return Span(Wording.state(camera.state) + next, .critical)
        case .held: return Span(Wording.state(camera.state), .critical)
        }
    }

    /// Cells of the longest camera name, 12…40.
    var longestCameraName: Int {
        (shown?.cameras.map { displayWidth($0.id) }.max() ?? 0).clamped(to: 12...40)
    }

    /// A live camera that is not well says why in a word.
    private func liveWord(_ camera: CameraSnapshot) -> String {
        guard camera.severity >= .warning else { return "live" }
        if let loss = camera.loss, loss >= 1 { return "LOSS" }
        if let key = camera.keyframeAge, key > max(4, 2 * (camera.gopSeconds ?? 2)) { return "NO KEY" }
        if let jitter = camera.jitter, jitter >= 50 { return "JITTER" }
        return "WARN"
    }

    func viewersSpan(_ camera: CameraSnapshot) -> Span {
        camera.viewers == 0
            ? Span("0", .dim) : Span("\(camera.webrtcViewers)+\(camera.hlsViewers)", .text)
    }

    var cameraColumns: [Column<CameraSnapshot>] {
        var columns: [Column<CameraSnapshot>] = [
            Column(
                "CAMERA",
                min(longestCameraName, 16),
                priority: 0,
                left: true,
                growth: max(0, longestCameraName - 16),
                keepsEnd: true
            ) { Span($0.id, .strong) },
            Column("STATE", 9, priority: 0, left: true, growth: 20) { stateSpan($0) },
            Column("CODEC", 5, priority: 8, left: true) { Span(Wording.codec($0.video), .dim) },
            Column("SIZE", 5, priority: 9, left: true, growth: 4) { Span(Wording.resolution($0.video), .dim) },
            Column("FPS", 4, priority: 4) { Span(Format.frames($0.fps)) },
            Column("RATE", 5, priority: 1) { Span(Format.bitrate($0.bitrate), .graphIn) },
            Column("LOSS", 4, priority: 2) { Span(Format.percent($0.loss), ($0.loss ?? 0) >= 1 ? .warning : .text) },
            Column("JIT", 4, priority: 6) {
                Span(Format.milliseconds($0.jitter), ($0.jitter ?? 0) >= 50 ? .warning : .text)
            },
            Column("KEY", 4, priority: 5) { Span(Format.calmAge($0.keyframeAge), keyRole($0)) },
            Column("UP", 5, priority: 7) { Span(Format.calmAge($0.uptime), .dim) },
            Column("RC", 2, priority: 10) { Span("\(min($0.reconnects, 99))", $0.reconnects > 2 ? .warning : .dim) },
            Column("VIEW", 5, priority: 3) { viewersSpan($0) },
        ]
        columns.append(
            Column("LAST 160 s", 16, priority: 12, left: true) { camera in
                let series = history[.camera(camera.id, .bitrate)] ?? .awaited
                return Span(sparkline(series, width: 16, secondsPerCell: 10, glyphs: configuration.glyphs), .graphIn)
            }
        )
        columns.append(Column("WHY", 20, priority: 13, left: true, growth: 60) { Span($0.reason, .dim) })
        return columns
    }

    private func keyRole(_ camera: CameraSnapshot) -> Role {
        guard let age = camera.keyframeAge else { return .dim }
        return age > max(4, 2 * (camera.gopSeconds ?? 2)) ? .warning : .text
    }

    func cameraTable(_ columns: [Column<CameraSnapshot>]? = nil, isActive: Bool = true) -> Table<CameraSnapshot> {
        let state = table(.cameras)
        return Table(
            columns: columns ?? cameraColumns,
            mark: { mark($0.severity, index.cameraOperations[$0.id]) },
            count: state.rows.count,
            row: { position in
                shown.flatMap {
                    $0.cameras.indices.contains(state.rows[position]) ? $0.cameras[state.rows[position]] : nil
                }
            },
            selected: state.index,
            selection: isActive ? .active : .resting,
            isStale: isStale,
            emptyText: emptyText(state, "no cameras are configured")
        )
    }

    /// What a list without rows says.
    func emptyText(_ state: TableState, _ text: String) -> String {
        if shown == nil { return "waiting for the relay" }
        return state.filter.isEmpty ? text : "0 of \(state.total) match, Esc clears the filter"
    }

    /// Nothing new came for too long.
    var isStale: Bool { shown != nil && pausedAt == nil && freshness.age(at: now) > Freshness.staleAfter }
}
