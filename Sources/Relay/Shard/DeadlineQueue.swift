import Wire

/// Something that has work to do at times, and is looked at only then.
protocol Scheduled: AnyObject {
    /// The earliest moment at which a ``DeadlineQueue`` will hand it out; `nil` while it is in none.
    var scheduledAt: Instant? { get set }
    /// When it has work, as of now.
    var nextDeadline: Instant? { get }
}

/// Who has work when: a binary heap.
///
/// Deadlines move later with nearly every packet. That costs nothing here: an entry that turns out too early is handed
/// out, finds nothing due and is scheduled again.
struct DeadlineQueue<Element: Scheduled> {
    private struct Entry {
        var at: Instant
        var element: Element
    }

    private var entries: [Entry] = []

    /// The earliest moment anything may be due.
    var first: Instant? { entries.first?.at }

    /// Makes sure that `element` is handed out by its deadline.
    mutating func schedule(_ element: Element) {
        guard let deadline = element.nextDeadline else { return }
        if let known = element.scheduledAt, known <= deadline { return }
        element.scheduledAt = deadline
        entries.append(Entry(at: deadline, element: element))
        var child = entries.count - 1
        while child > 0, entries[child].at < entries[(child - 1) / 2].at {
            entries.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// Everything whose moment has come, once; each has to be scheduled again.
    mutating func takeDue(at now: Instant) -> [Element] {
        var due: [Element] = []
        while let first = entries.first, first.at <= now {
            removeFirst()
            // An entry that was overtaken by an earlier one is no longer the element's.
            guard first.element.scheduledAt == first.at else { continue }
            first.element.scheduledAt = nil
            due.append(first.element)
        }
        return due
    }

    private mutating func removeFirst() {
        let last = entries.removeLast()
        guard !entries.isEmpty else { return }
        entries[0] = last
        var parent = 0
        while true {
            var smallest = parent
            for child in (2 * parent + 1)...(2 * parent + 2)
            where child < entries.count && entries[child].at < entries[smallest].at { smallest = child }
            guard smallest != parent else { return }
            entries.swapAt(parent, smallest)
            parent = smallest
        }
    }
}
