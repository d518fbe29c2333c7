import Relay
import Wire

/// What is being done, how it ended, and what is being typed: at the foot of the screen.
extension ConsoleModel {
    /// Most lines a message may take; it lies over what is above it while it is shown.
    private static let longest = 3

    func drawActions(_ y: Int, on canvas: inout Canvas) {
        if case .filter? = overlay {
            drawFilterLine(y, on: &canvas)
            return
        }
        let width = canvas.bounds.width
        let limit = (canvas.bounds.height / 5).clamped(to: 1...ConsoleModel.longest)
        let lines = wrapped(actionText(), width: width - 2, limit: limit)
        for (position, line) in lines.enumerated() {
            let row = y - lines.count + 1 + position
            canvas.fill(Rect(0, row, width, 1))
            canvas.spans([Span(" ")] + line, 0, row, width: width - 1)
        }
    }

    private func actionText() -> [Span] {
        if let flash { return [Span(flash.text, flash.role)] }
        if let request = requests.last(where: { $0.state == .unanswered }) {
            return [Span("\(request.text): the relay has not answered, outcome unknown", .warning)]
        }
        guard let shown else { return [] }
        let known = Set(shown.operations.map(\.id))
        if let request = requests.last(where: { $0.state == .sent || $0.state == .accepted }),
            !known.contains(request.id), now - request.sentAt < .seconds(3)
        {
            return [Span("\(request.text): sent", .pending)]
        }
        let operations = shown.operations.sorted {
            ($0.outcome == .running ? 1 : 0, $0.startedAt) > ($1.outcome == .running ? 1 : 0, $1.startedAt)
        }
        guard let operation = operations.first else { return [] }
        let others = operations.count > 1 ? [Span("   +\(operations.count - 1) more", .dim)] : []
        return describe(operation) + others
    }

    private func describe(_ operation: OperationSnapshot) -> [Span] {
        let object = operation.viewer.map(Wording.viewer) ?? operation.camera ?? ""
        let who = operation.author == configuration.author ? "" : " by \(operation.author)"
        let head = Span("\(operation.verb) \(object)\(who): ", .strong)
        switch operation.outcome {
        case .running:
            let wait = operation.waitingFor.isEmpty ? "running" : operation.waitingFor
            let time = "\(Format.age(operation.elapsed)) of \(Format.calmAge(operation.limit))"
            let stages = operation.stages.map { Span("  \($0.name) \(Format.age($0.after))", .dim) }
            return [head, Span("\(wait) \(time)", .pending)] + stages
        case .succeeded: return [head, Span(operation.result, .ok)]
        case .failed, .timedOut: return [head, Span("FAILED, \(operation.result)", .critical)]
        }
    }

    /// The filter as it is typed; a mistake in it gets a caret on the line below.
    private func drawFilterLine(_ y: Int, on canvas: inout Canvas) {
        let width = canvas.bounds.width
        let state = table(pane)
        let mistake = state.filter.mistake(in: pane.vocabulary)
        let row = mistake == nil ? y : y - 1
        canvas.fill(Rect(0, row, width, y - row + 1))
        let x = canvas.spans([Span(" /", .filter), Span(state.filter.text, .input), Span("_", .filter)], 0, row)
        let count = "\(state.order.count) of \(state.total)   Enter keep   Esc undo "
        if x + displayWidth(count) + 2 < width { canvas.text(count, endingAt: width, row, .dim) }
        guard let mistake else { return }
        let caret = min(2 + mistake.column, width - 1)
        canvas.text("^", caret, y, .warning)
        let (before, after) = (caret - 2, width - caret - 3)
        if displayWidth(mistake.text) <= after || after >= before {
            canvas.text(fitted(mistake.text, after), caret + 2, y, .warning)
        } else {
            canvas.text(fitted(mistake.text, before), endingAt: caret - 1, y, .warning)
        }
    }
}

/// Lines of at most `width` cells, broken at blanks, all but the first set in; what does not fit into `limit` lines is
/// cut with a mark.
func wrapped(_ spans: [Span], width: Int, limit: Int) -> [[Span]] {
    guard width > 4, limit > 0 else { return [] }
    var lines: [[Span]] = []
    var line: [Span] = []
    for word in spans.flatMap(words) {
        let isBlank = word.text.first == " "
        if line.width + displayWidth(word.text) <= width {
            line.append(word)
        } else if isBlank {
            // The line ends here; the blank is not needed any more.
            continue
        } else if lines.count + 1 == limit {
            return lines + [(line + [word, Span(" ~")]).fitted(width)]
        } else {
            if !line.isEmpty { lines.append(line) }
            line = [Span("  "), Span(fitted(word.text, width - 2), word.role)]
        }
    }
    return line.isEmpty ? lines : lines + [line]
}

/// A span cut into words and the blanks between them.
private func words(_ span: Span) -> [Span] {
    var pieces: [Span] = []
    for character in span.text {
        if let last = pieces.last, (last.text.last == " ") == (character == " ") {
            pieces[pieces.count - 1].text.append(character)
        } else {
            pieces.append(Span(String(character), span.role))
        }
    }
    return pieces
}
