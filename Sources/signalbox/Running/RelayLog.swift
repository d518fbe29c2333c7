import Foundation
import Relay

/// The relay's log in the state directory: its start and end, what the event list says, who came and who left.
///
/// It reads snapshots like everybody else, so it says nothing that the console does not, and costs the media nothing.
actor RelayLog {
    private let path: String
    private let byteLimit: Int
    private var file: FileHandle?
    private var listeners = Set<String>()
    private var newestEvent: UInt64 = 0
    private var viewers: [String: ViewerSnapshot] = [:]

    /// - Parameters:
    ///   - path: The file; it is made, or appended to.
    ///   - byteLimit: Past it the file is renamed to `….1`, in the place of an older one, and begun anew.
    init(path: String, byteLimit: Int = 8 << 20) {
        self.path = path
        self.byteLimit = byteLimit
    }

    /// Writes one line.
    func note(_ text: String, at date: Date = Date()) {
        let clean = String(text.map { $0.isNewline ? " " : $0 })
        let line = Data("\(date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))) \(clean)\n".utf8)
        do {
            try open().write(contentsOf: line)
        } catch {
            // A full disk must not take the relay along; the next line tries again.
            file = nil
        }
    }

    /// Writes what happens until the task is cancelled.
    func follow(_ service: any RelayService) async {
        while !Task.isCancelled {
            await take(service)
            try? await Task.sleep(for: .seconds(1))
        }
    }

    /// Writes what has happened since the last time.
    func take(_ service: any RelayService) async {
        guard let snapshot = service.snapshot() else { return }
        for listener in snapshot.node.listeners {
            let text = "listening: \(listener.name) \(listener.address)"
            if listeners.insert(text).inserted { note(text) }
        }
        var events = snapshot.events.filter { $0.id > newestEvent }
        if let oldest = events.last, oldest.id > newestEvent + 1, events.count == snapshot.events.count {
            events += await service.events(EventsRequest(before: oldest.id, limit: 1_000)).filter {
                $0.id > newestEvent
            }
        }
        for event in events.sorted(by: { $0.id < $1.id }) {
            let subject = [event.camera, event.viewer.map(Self.short)].compactMap { $0 }.joined(separator: " ")
            note(
                "\(event.severity)\(subject.isEmpty ? "" : " \(subject)"): \(event.text)",
                at: Date(timeIntervalSince1970: Double(event.at) / 1000)
            )
            newestEvent = max(newestEvent, event.id)
        }
        compareViewers(snapshot.viewers)
    }

    /// Enough of a viewer's id to tell it from others; whole, it is the key to its session, and no log holds keys.
    private static func short(_ id: String) -> String { String(id.prefix(7)) }

    private func compareViewers(_ now: [ViewerSnapshot]) {
        let living = Dictionary(now.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        for viewer in now where viewers[viewer.id] == nil {
            let client = viewer.client.isEmpty ? "unknown client" : viewer.client
            note("viewer \(Self.short(viewer.id)) joined \(viewer.camera): \(client) at \(viewer.remote)")
        }
        for viewer in viewers.values.sorted(by: { $0.id < $1.id }) where living[viewer.id] == nil {
            let watched = "\(Int(viewer.age)) s, \(viewer.bytes) bytes sent"
            note("viewer \(Self.short(viewer.id)) left \(viewer.camera): \(watched)")
        }
        viewers = living
    }

    private func open() throws -> FileHandle {
        if let file, try file.offset() < UInt64(byteLimit) { return file }
        try file?.close()
        file = nil
        let files = FileManager.default
        let size = (try? files.attributesOfItem(atPath: path)[.size] as? Int) ?? nil
        if let size, size >= byteLimit {
            try? files.removeItem(atPath: path + ".1")
            try? files.moveItem(atPath: path, toPath: path + ".1")
        }
        if !files.fileExists(atPath: path) {
            _ = files.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o640])
        }
        let opened = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try opened.seekToEnd()
        file = opened
        return opened
    }
}
