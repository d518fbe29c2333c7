import Console
import Glibc
import Synchronization
import Wire

@testable import Terminal

/// A console on its own thread, and somebody who reads its terminal on another.
final class RunningConsole: Sendable {
    let relay = TestRelay()
    private let terminal: PseudoTerminal
    private let state = Mutex(State())

    private struct State {
        var output: [UInt8] = []
        var exit: ConsoleExit?
        var isReading = true
        var isOver = false
    }

    init(
        _ terminal: PseudoTerminal,
        type: String = "xterm-256color",
        mode: ConsoleMode = .attached(readOnly: false),
        isReading: Bool = true
    ) {
        self.terminal = terminal
        state.withLock { $0.isReading = isReading }
        var options = ConsoleOptions(mode: mode, author: "test", clock: monotonicNow)
        options.device = .path(terminal.path)
        options.terminalType = type
        let chosen = options
        startThread { [self] in
            let exit = runConsole(service: relay, options: chosen)
            state.withLock { $0.exit = exit }
        }
        startThread { [self] in
            while !state.withLock({ $0.isOver }) {
                guard state.withLock({ $0.isReading }) else {
                    usleep(10_000)
                    continue
                }
                let bytes = terminal.read(waiting: 20)
                if bytes.isEmpty { usleep(2_000) } else { state.withLock { $0.output += bytes } }
            }
        }
    }

    var output: String { String(decoding: state.withLock { $0.output }, as: UTF8.self) }
    var byteCount: Int { state.withLock { $0.output.count } }
    func forgetOutput() { state.withLock { $0.output = [] } }
    func startReading() { state.withLock { $0.isReading = true } }

    /// Waits until something holds, for ten seconds at most.
    func wait(_ holds: () -> Bool) -> Bool {
        let end = monotonicNow() + .seconds(10)
        while monotonicNow() < end {
            if holds() { return true }
            usleep(5_000)
        }
        return false
    }

    func waitForOutput(_ text: String) -> Bool { wait { output.contains(text) } }

    func waitForExit() -> ConsoleExit? {
        _ = wait { state.withLock { $0.exit } != nil }
        // What it wrote last is still on its way.
        usleep(100_000)
        return state.withLock {
            $0.isOver = true
            return $0.exit
        }
    }
}

/// Runs `body` on a thread of its own.
private func startThread(_ body: @escaping @Sendable () -> Void) {
    final class Box {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let box = Unmanaged.passRetained(Box(body)).toOpaque()
    pthread_create(
        &thread,
        nil,
        { argument in
            if let argument { Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body() }
            return nil
        },
        box
    )
    pthread_detach(thread)
}
