/// The line around a pane, with its title and a remark in the upper border.
struct Frame {
    /// How panes are told apart.
    enum Kind {
        /// A rounded box.
        case box
        /// Only a title line: where rows are few.
        case rule
    }

    var title: [Span]
    var remark: [Span] = []
    var isFocused = false
    var kind: Kind

    /// Draws the frame.
    ///
    /// - Returns: The room inside.
    func draw(_ rect: Rect, on canvas: inout Canvas) -> Rect {
        guard rect.width > 0, rect.height > 0 else { return Rect(rect.x, rect.y, 0, 0) }
        let role: Role = isFocused ? .borderFocus : .border
        let inside: Rect
        switch kind {
        case .rule:
            canvas.text(String(repeating: "─", count: rect.width), rect.x, rect.y, role)
            inside = rect.inset(top: 1)
        case .box:
            guard rect.width >= 2, rect.height >= 2 else { return Rect(rect.x, rect.y, 0, 0) }
            let line = String(repeating: "─", count: rect.width - 2)
            canvas.text("╭" + line + "╮", rect.x, rect.y, role)
            canvas.text("╰" + line + "╯", rect.x, rect.bottom - 1, role)
            for y in rect.y + 1..<max(rect.y + 1, rect.bottom - 1) {
                canvas.text("│", rect.x, y, role)
                canvas.text("│", rect.right - 1, y, role)
            }
            inside = rect.inset(left: 1, top: 1, right: 1, bottom: 1)
        }
        let left = rect.x + (kind == .box ? 2 : 1)
        let room = rect.right - 2 - left
        guard room > 4 else { return inside }
        let titleWidth = min(title.width, room - 2)
        if titleWidth > 0 {
            canvas.text(" ", left, rect.y, role)
            canvas.spans(title, left + 1, rect.y, width: titleWidth)
            canvas.text(" ", left + 1 + titleWidth, rect.y, role)
        }
        let rest = room - titleWidth - 4
        if !remark.isEmpty, rest >= remark.width {
            let start = rect.right - 3 - remark.width
            canvas.text(" ", start - 1, rect.y, role)
            canvas.spans(remark, start, rect.y)
            canvas.text(" ", start + remark.width, rect.y, role)
        }
        return inside
    }
}
