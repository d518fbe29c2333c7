import ArgumentParser
import CBench
import Glibc

/// `signalbox-bench churn`: viewers that come and go.
struct ChurnCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "churn",
        abstract: "Open and close sessions at a WHEP URL, one after the other.",
        discussion: """
            A session ends when its first RTP packet has come: every fourth by close_notify alone, the others by DELETE
            too. At every checkpoint all are ended, a line of JSON is printed and a line of input is waited for.
            """
    )

    @Argument(help: "The WHEP URL.") var url: String
    @Option(help: "Checkpoints: numbers of sessions, comma-separated, ascending.") var checkpoints = "1000,10000"
    @Option(help: "Sessions open at the same time.") var concurrency = 8

    func run() throws { try Churn(self).run() }
}

private final class Churn {
    private let options: ChurnCommand
    private let client: LoadClient
    private var open: [ObjectIdentifier: (viewer: LoadViewer, deadline: Int64)] = [:]
    private var ending = 0
    private var begun = 0
    private var completed = 0
    private var failures: [String: Int] = [:]
    private var mayGoOn = false

    init(_ options: ChurnCommand) throws {
        self.options = options
        client = try LoadClient(url: options.url)
    }

    func run() throws {
        client.poller.watch(STDIN_FILENO, CBENCH_READABLE) { [unowned self] _ in
            var buffer = [UInt8](repeating: 0, count: 64)
            if cbench_read(STDIN_FILENO, &buffer, buffer.count) <= 0 { client.poller.forget(STDIN_FILENO) }
            mayGoOn = true
        }
        for checkpoint in options.checkpoints.split(separator: ",").compactMap({ Int($0) }) {
            while begun < checkpoint || !open.isEmpty || ending > 0 { try step(until: checkpoint) }
            let reasons = failures.map { "\(String(reflecting: $0.key)):\($0.value)" }.joined(separator: ",")
            tell(
                "{\"event\":\"checkpoint\",\"begun\":\(begun),\"completed\":\(completed),\"failures\":{\(reasons)}}"
            )
            mayGoOn = false
            while !mayGoOn { client.poller.run(forAtMost: 100) }
        }
    }

    private func step(until checkpoint: Int) throws {
        while open.count + ending < options.concurrency, begun < checkpoint {
            let viewer = try LoadViewer(client, isProbe: false)
            open[ObjectIdentifier(viewer)] = (viewer, Clock.monotonic() + 10_000_000_000)
            begun += 1
        }
        client.poller.run(forAtMost: 10)
        let now = Clock.monotonic()
        for (key, session) in open {
            session.viewer.advance(at: now)
            if session.viewer.firstPacket != nil {
                completed += 1
            } else if case .failed(let reason) = session.viewer.state {
                failures[reason, default: 0] += 1
            } else if now > session.deadline {
                failures["no packet within 10 s, \(session.viewer.state)", default: 0] += 1
            } else {
                continue
            }
            open[key] = nil
            ending += 1
            session.viewer.close(withDelete: begun % 4 != 0) { [unowned self] in ending -= 1 }
        }
    }
}
