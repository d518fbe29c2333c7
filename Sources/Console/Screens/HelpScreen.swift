import Relay

extension ConsoleModel {
    /// Help, made from the commands: what can be done here, and why what cannot.
    func drawHelp(_ scroll: Int, on canvas: inout Canvas) {
        let rect = helpRect(canvas.bounds)
        guard drawBox("Help", rect, isDanger: false, on: &canvas) else { return }
        let hint = " j k scroll, Home End   Esc closes "
        if rect.width > hint.count + 14 { canvas.text(hint, endingAt: rect.right - 2, rect.y, .dialog) }
        let body = rect.inset(left: 2, top: 1, right: 2, bottom: 1)
        let (columns, perColumn, lines) = helpLayout(body)
        let limit = max(0, perColumn - body.height)
        let top = min(scroll, limit)
        canvas.clipped(to: body) { canvas in
            for (position, spans) in lines.enumerated() {
                let column = columns == 2 ? position / perColumn : 0
                let y = body.y + position - column * perColumn - top
                canvas.spans(spans, body.x + column * (body.width / columns), y, width: body.width / columns - 2)
            }
        }
        if limit > 0 {
            canvas.text(" \(top + body.height)/\(perColumn) ", rect.right - 12, rect.bottom - 1, .dialogTitle)
        }
    }

    /// The furthest that help can be scrolled on this terminal.
    var helpEnd: Int {
        let body = helpRect(Rect(0, 0, size.columns, size.rows)).inset(left: 2, top: 1, right: 2, bottom: 1)
        return max(0, helpLayout(body).perColumn - body.height)
    }

    /// Header and key line stay in view where there is room for both.
    private func helpRect(_ bounds: Rect) -> Rect {
        let margin = bounds.height > 20 ? 1 : 0
        return Rect(0, margin, bounds.width, bounds.height - 2 * margin)
    }

    private func helpLayout(_ body: Rect) -> (columns: Int, perColumn: Int, lines: [[Span]]) {
        let columns = body.width >= 140 ? 2 : 1
        let lines = helpLines(width: body.width / columns - 2)
        return (columns, columns == 2 ? max(body.height, (lines.count + 1) / 2) : lines.count, lines)
    }

    /// A name and what there is to say of it, over as many lines as that needs.
    private func add(_ name: String, _ text: String, _ width: Int, _ lines: inout [[Span]]) {
        for (position, line) in wrapped(text, width: width - 14).enumerated() {
            lines.append([Span(Format.left(position == 0 ? "  " + name : "", 14), .input), Span(line, .dialog)])
        }
    }

    private func helpLines(width: Int) -> [[Span]] {
        var lines: [[Span]] = []
        for group in ConsoleCommand.Group.allCases {
            lines.append([Span(group.rawValue, .dialogTitle)])
            for command in ConsoleCommand.all where command.group == group {
                var title = command.title
                if case .disabled(let reason) = availability(of: command.id) { title += " (not now: \(reason))" }
                add(command.label, title, width, &lines)
            }
            lines.append([])
        }
        lines.append([Span("Columns of this list", .dialogTitle)])
        for (title, meaning) in columnGlossary { add(title, meaning, width, &lines) }
        lines.append([])
        lines.append([Span("Marks", .dialogTitle)])
        for text in [
            "X critical, ! warning, ? unknown or old, ~ operation running, . information",
            "~ at the end: there is more than fits",
            "rates are bits per second (k M G = 1000), memory is binary; - means not known",
            "graphs: blank is not measured, a line on the floor is a measured zero",
        ] {
            for line in wrapped(text, width: width - 2) { lines.append([Span("  " + line, .dialog)]) }
        }
        lines.append([])
        if let node = shown?.node {
            lines.append([Span("This relay", .dialogTitle)])
            lines.append([
                Span(
                    "  \(node.name), version \(node.version), process \(node.processID), delivery \(Wording.policy(node.delivery))",
                    .dialog
                )
            ])
            if let url = node.pageURL {
                add("open", ([url] + node.otherPageURLs).joined(separator: " or "), width, &lines)
            }
            for listener in node.listeners {
                lines.append([Span(Format.left("  " + listener.name, 14), .input), Span(listener.address, .dialog)])
            }
            if let media = node.media { add("media", Wording.losses(media), width, &lines) }
            for notice in node.notices {
                for (position, line) in wrapped(notice, width: width - 4).enumerated() {
                    lines.append([Span(position == 0 ? "  ! " : "    ", .input), Span(line, .dialog)])
                }
            }
        }
        return lines
    }
}
