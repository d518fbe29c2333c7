import Wire

/// Something that has work to do at times, and is looked at only then.
protocol Scheduled: AnyObject {
    /// Its place in the ``DeadlineQueue``, which alone changes it; `nil` while it is in none.
    var place: Int? { get set }
    /// When it has work, as of now.
    var nextDeadline: Instant? { get }
}

/// Who has work when: a binary heap whose elements know their places, so that one can leave it early. An element that
/// stayed until its moment would keep the memory of a viewer that is gone.
///
/// Deadlines move later with nearly every packet. That costs nothing here: an entry that turns out too early is handed
/// out, finds nothing due and is scheduled again.
struct DeadlineQueue<Element: Scheduled> {
    private struct Entry {
        var at: Instant
        var element: Element
    }

    private var entries: [Entry] = []

    /// How many are waiting.
    var count: Int { entries.count }

    /// The earliest moment anything may be due.
    var first: Instant? { entries.first?.at }

    /// Makes sure that `element` is handed out by its deadline.
    mutating func schedule(_ element: Element) {
        guard let deadline = element.nextDeadline else { return }
        if let place = element.place {
            guard deadline < entries[place].at else { return }
            entries[place].at = deadline
            raise(from: place)
        } else {
            entries.append(Entry(at: deadline, element: element))
            element.place = entries.count - 1
            raise(from: entries.count - 1)
        }
    }

    /// Takes `element` out, whether it is in or not.
    mutating func remove(_ element: Element) {
        guard let place = element.place else { return }
        element.place = nil
        let last = entries.removeLast()
        guard place < entries.count else { return }
        entries[place] = last
        last.element.place = place
        raise(from: place)
        sink(from: place)
    }

    /// Everything whose moment has come, once; each has to be scheduled again.
    mutating func takeDue(at now: Instant) -> [Element] {
        var due: [Element] = []
        while let first = entries.first, first.at <= now {
            remove(first.element)
            due.append(first.element)
        }
        return due
    }

    /// Moves an entry towards the front until nothing before it is later.
    private mutating func raise(from place: Int) {
        var child = place
        while child > 0, entries[child].at < entries[(child - 1) / 2].at {
            swap(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// Moves an entry towards the end until nothing behind it is earlier.
    private mutating func sink(from place: Int) {
        var parent = place
        while true {
            var smallest = parent
            for child in (2 * parent + 1)...(2 * parent + 2)
            where child < entries.count && entries[child].at < entries[smallest].at { smallest = child }
            guard smallest != parent else { return }
            swap(parent, smallest)
            parent = smallest
        }
    }

    private mutating func swap(_ one: Int, _ other: Int) {
        entries.swapAt(one, other)
        entries[one].element.place = one
        entries[other].element.place = other
    }
}
