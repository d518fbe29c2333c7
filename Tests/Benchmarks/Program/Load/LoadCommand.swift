import ArgumentParser
import CBench
import Glibc

/// `signalbox-bench load`: viewers that stay.
struct LoadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load",
        abstract: "Watch a WHEP URL with many viewers and measure what arrives.",
        discussion: """
            Prints a line of JSON when all viewers have joined. Then reads lines: `reset` begins a measurement, `report`
            prints one, the end of the input ends all sessions.
            """
    )

    @Argument(help: "The WHEP URL.") var url: String
    @Option(help: "How many viewers.") var viewers = 1
    @Option(help: "Milliseconds between two joins.") var interval = 20
    @Option(help: "Viewers that decrypt everything, for latency.") var probes = 20
    @Option(help: "Seconds to wait for the last keyframe.") var patience = 30

    func run() throws { try Load(self).run() }
}

private final class Load {
    private let options: LoadCommand
    private let client: LoadClient
    private var viewers: [LoadViewer] = []
    private var commands: [UInt8] = []
    private var hasEnded = false
    private var measuredFrom: Int64 = 0

    init(_ options: LoadCommand) throws {
        self.options = options
        client = try LoadClient(url: options.url)
    }

    func run() throws {
        client.poller.watch(STDIN_FILENO, CBENCH_READABLE) { [unowned self] _ in readCommands() }
        try join()
        tell(joinReport)
        while !hasEnded { step() }
        end()
    }

    private func join() throws {
        let every = max(1, options.viewers / max(1, options.probes))
        var next = Clock.monotonic()
        while viewers.count < options.viewers, !hasEnded {
            if Clock.monotonic() >= next {
                viewers.append(try LoadViewer(client, isProbe: viewers.count % every == 0))
                next += Int64(options.interval) * 1_000_000
            }
            step(milliseconds: Clock.milliseconds(until: next))
        }
        let deadline = Clock.monotonic() + Int64(options.patience) * 1_000_000_000
        while !hasEnded, Clock.monotonic() < deadline, viewers.contains(where: { $0.isWaiting }) { step() }
    }

    private func step(milliseconds: Int32 = 10) {
        client.poller.run(forAtMost: min(milliseconds, 10))
        let now = Clock.monotonic()
        for viewer in viewers { viewer.advance(at: now) }
    }

    private func readCommands() {
        var buffer = [UInt8](repeating: 0, count: 1_024)
        let count = cbench_read(STDIN_FILENO, &buffer, buffer.count)
        guard count > 0 else { return hasEnded = true }
        commands += buffer[..<Int(count)]
        while let end = commands.firstIndex(of: UInt8(ascii: "\n")) {
            let command = String(decoding: commands[..<end], as: UTF8.self)
            commands.removeSubrange(...end)
            switch command {
            case "reset":
                for viewer in viewers {
                    viewer.media.reset()
                    viewer.latency.reset()
                }
                measuredFrom = Clock.monotonic()
                tell("{\"event\":\"reset\"}")
            case "report":
                tell(measurement)
            default:
                tell("{\"event\":\"unknown\"}")
            }
        }
    }

    private var joinReport: String {
        var packets = Distribution()
        var keyframes = Distribution()
        var failures: [String: Int] = [:]
        for viewer in viewers {
            if let first = viewer.firstPacket { packets.add(first) }
            if let first = viewer.firstKeyframe { keyframes.add(first) }
            if case .failed(let reason) = viewer.state { failures[reason, default: 0] += 1 }
        }
        let reasons = failures.map { "\(String(reflecting: $0.key)):\($0.value)" }.joined(separator: ",")
        return "{\"event\":\"joined\",\"viewers\":\(viewers.count),\"first_packet_ms\":\(packets.json),"
            + "\"first_keyframe_ms\":\(keyframes.json),\"failures\":{\(reasons)}}"
    }

    private var measurement: String {
        let seconds = Double(Clock.monotonic() - measuredFrom) / 1_000_000_000
        var inter = Distribution()
        var keyframes = Distribution()
        for viewer in viewers {
            for value in viewer.latency.inter.values { inter.add(value) }
            for value in viewer.latency.keyframes.values { keyframes.add(value) }
        }
        return "{\"event\":\"measured\",\"seconds\":\(rounded(seconds)),"
            + "\"packets\":\(viewers.reduce(0) { $0 + $1.media.packets }),"
            + "\"bytes\":\(viewers.reduce(0) { $0 + $1.media.bytes }),"
            + "\"lost\":\(viewers.reduce(0) { $0 + $1.media.lost }),"
            + "\"connected\":\(viewers.count { $0.state == .connected }),"
            + "\"inter_ms\":\(inter.json),\"keyframe_ms\":\(keyframes.json)}"
    }

    private func end() {
        var open = viewers.count
        for viewer in viewers { viewer.close { open -= 1 } }
        let deadline = Clock.monotonic() + 5_000_000_000
        while open > 0, Clock.monotonic() < deadline { client.poller.run(forAtMost: 10) }
    }
}

extension LoadViewer {
    /// Whether it may still get its first keyframe.
    fileprivate var isWaiting: Bool {
        switch state {
        case .failed, .closed: false
        case .signalling, .checking, .handshaking, .connected: firstKeyframe == nil
        }
    }
}

/// One line for whoever started us.
func tell(_ line: String) {
    print(line)
    fflush(nil)
}
