import Relay
import Wire

/// What lies over a screen: questions, reasons, help.
extension ConsoleModel {
    func drawOverlay(on canvas: inout Canvas) {
        switch overlay {
        case nil, .filter?: break
        case .help(let scroll)?: drawHelp(scroll, on: &canvas)
        case .why?: drawWhyOverlay(on: &canvas)
        case .confirm(let confirmation)?: drawConfirmation(confirmation, on: &canvas)
        case .quit?: drawQuit(on: &canvas)
        }
    }

    /// A box in the middle with lines of text, as large as they need and the screen allows.
    private func drawDialog(_ title: String, _ lines: [[Span]], isDanger: Bool, on canvas: inout Canvas) {
        let bounds = canvas.bounds
        let widest = max(displayWidth(title) + 4, lines.map(\.width).max() ?? 0)
        let width = min(widest + 4, bounds.width)
        let height = min(lines.count + 2, bounds.height)
        let rect = Rect((bounds.width - width) / 2, max(0, (bounds.height - height) / 2), width, height)
        guard drawBox(title, rect, isDanger: isDanger, on: &canvas) else { return }
        // The last line holds the keys: on a low screen the text before it gives way.
        let room = rect.height - 2
        let visible = lines.count > room ? Array(lines.prefix(room - 1)) + lines.suffix(1) : lines
        for (row, spans) in visible.enumerated() {
            canvas.spans(spans, rect.x + 2, rect.y + 1 + row, width: rect.width - 4)
        }
    }

    /// A framed, empty box over the screen.
    ///
    /// - Returns: Whether there is room for text in it.
    func drawBox(_ title: String, _ rect: Rect, isDanger: Bool, on canvas: inout Canvas) -> Bool {
        canvas.fill(rect, .dialog)
        guard rect.height >= 3, rect.width >= 6 else {
            canvas.text(fitted(title, rect.width), rect.x, rect.y, isDanger ? .danger : .dialogTitle)
            return false
        }
        let line = String(repeating: "─", count: rect.width - 2)
        canvas.text("╭" + line + "╮", rect.x, rect.y, .dialog)
        canvas.text("╰" + line + "╯", rect.x, rect.bottom - 1, .dialog)
        for y in rect.y + 1..<rect.bottom - 1 {
            canvas.text("│", rect.x, y, .dialog)
            canvas.text("│", rect.right - 1, y, .dialog)
        }
        canvas.text(" " + fitted(title, rect.width - 6) + " ", rect.x + 2, rect.y, isDanger ? .danger : .dialogTitle)
        return true
    }

    private func drawConfirmation(_ confirmation: Confirmation, on canvas: inout Canvas) {
        var lines: [[Span]] = [[]]
        lines += confirmation.lines.map { [Span($0, .dialog)] }
        lines.append([])
        if confirmation.mustType {
            lines.append([
                Span("Type ", .dialog), Span(confirmation.object, .input), Span(" and Enter to confirm: ", .dialog),
                Span(confirmation.typed + "_", .input),
            ])
            lines.append([Span("Esc", .input), Span(" cancel (default)", .dialog)])
        } else {
            let verb = confirmation.action.verb
            lines.append([
                Span("y", .input), Span(" \(verb)     ", .dialog), Span("any other key", .input),
                Span(" cancel (default)", .dialog),
            ])
        }
        drawDialog(confirmation.title, lines, isDanger: true, on: &canvas)
    }

    private func drawQuit(on canvas: inout Canvas) {
        let viewers = shown?.viewers.count ?? 0
        let cameras = shown?.cameras.count ?? 0
        var lines: [[Span]] = [
            [],
            [Span("d", .input), Span("  leave the relay running without a console; back with", .dialog)],
            [Span("   \(configuration.attachCommand)", .dialog)],
            [
                Span("x", .input),
                Span(
                    "  shut the relay down: ends \(Format.plural(viewers, "viewer")), closes \(Format.plural(cameras, "camera"))",
                    .dialog
                ),
            ],
        ]
        let running = shown?.operations.count { $0.outcome == .running } ?? 0
        if running > 0 { lines.append([Span("   \(Format.plural(running, "operation")) still running", .dialog)]) }
        lines += [[], [Span("any other key", .input), Span(" stay (default)", .dialog)]]
        drawDialog("Leave the console?", lines, isDanger: false, on: &canvas)
    }

    /// What helps against what costs a viewer most, where that is something else than what its row complains of.
    private func scoreRemedy(_ viewer: ViewerSnapshot, _ score: ViewerScore) -> String? {
        guard score.value < 80, score.reason != viewer.why, let cause = score.cause else { return nil }
        let remedy = cause.remedy(canSwitch: viewer.control == .page && viewer.delivery == .webrtc)
        return remedy == viewer.hint ? nil : remedy
    }

    /// What a verdict is concluded from, and whose fault it is.
    private func addGrounds(_ verdict: Verdict, _ add: (String, String, Role) -> Void) {
        for (position, observation) in verdict.evidence.enumerated() {
            add(position == 0 ? "seen" : "", observation, .dialog)
        }
        if let cause = verdict.cause { add("cause", cause.rawValue, .dialog) }
    }

    private func drawWhyOverlay(on canvas: inout Canvas) {
        let width = max(20, min(canvas.bounds.width - 8, 100))
        var lines: [[Span]] = [[]]
        func add(_ name: String, _ text: String, _ role: Role) {
            for (position, line) in wrapped(text, width: width - 10).enumerated() {
                lines.append([Span(Format.left(position == 0 ? name : "", 8), .dialog), Span(line, role)])
            }
        }
        let title: String
        if let attempt = subjectAttempt {
            title = "Why did \(Wording.viewer(attempt.viewer))'s WebRTC session end?"
            add("why", attempt.verdict.text, .dialogTitle)
            addGrounds(attempt.verdict, add)
            if !attempt.verdict.remedy.isEmpty { add("do", attempt.verdict.remedy, .dialog) }
        } else if let viewer = subjectViewer, subjectCamera == nil || pane == .events {
            title = whyTitle("viewer", Wording.viewer(viewer.id), viewer.severity, viewer.state.rawValue)
            add("why", viewer.why.isEmpty ? "all is well: no rule is broken" : viewer.why, .dialogTitle)
            if !viewer.hint.isEmpty { add("do", viewer.hint, .dialog) }
            if let score = viewer.score, score.value < 100 {
                let cause = score.cause.map { " (\($0.rawValue))" } ?? ""
                add("score", "\(score.value) of 100: \(score.reason)\(cause)", .dialog)
                if let remedy = scoreRemedy(viewer, score) { add("do", remedy, .dialog) }
            }
            add("network", verdict(viewer).text, .dialog)
            if let verdict = viewer.verdict { addGrounds(verdict, add) }
            for note in viewer.notes { add("note", note, .dialog) }
            if let obstacle = switchObstacle(viewer) { add("switch", obstacle, .dialog) }
            if let camera = camera(viewer.camera), camera.severity >= .warning {
                add("camera", "\(camera.id): \(camera.reason)", .dialog)
            }
        } else if let camera = subjectCamera {
            title = whyTitle("camera", camera.id, camera.severity, Wording.state(camera.state).lowercased())
            add("why", camera.reason.isEmpty ? "all is well: no rule is broken" : camera.reason, .dialogTitle)
            if !camera.remedy.isEmpty { add("do", camera.remedy, .dialog) }
            if !camera.lastError.isEmpty { add("last", camera.lastError, .dialog) }
            if let retry = camera.nextRetry { add("next", "tries again in \(Format.calmAge(retry))", .dialog) }
            for note in camera.notes { add("note", note, .dialog) }
            if let stream = stream(camera.id), !stream.why.isEmpty { add("HLS", stream.why, .dialog) }
        } else {
            title = "Nothing is selected"
        }
        lines += [[], [Span("Esc", .input), Span(" close", .dialog)]]
        drawDialog(title, lines, isDanger: false, on: &canvas)
    }

    /// A question only where something is amiss: what is well or stands by is just named with its state.
    private func whyTitle(_ kind: String, _ id: String, _ severity: Severity, _ state: String) -> String {
        severity > .info ? "Why is \(kind) \(id) \(Wording.name(severity))?" : "About \(kind) \(id): \(state)"
    }
}
