import CWorker
import Dispatch
import Foundation
import Media
import Testing

/// A `signalbox-media convert` process, started as the relay starts it.
final class RunningCodec {
    let pid: pid_t
    private let process: cworker_process
    private var decoder = ConversionDecoder()
    private var isOpen = true

    init() throws {
        // One that has died must not take the tests with it.
        signal(SIGPIPE, SIG_IGN)
        var process = cworker_process()
        let code = cworker_spawn(try RunningDemo.executable().path, "convert", &process)
        try #require(code == 0)
        self.process = process
        pid = process.pid
    }

    deinit {
        hangUp()
        close(process.input)
        kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
    }

    func send(_ messages: ConversionMessage...) {
        var bytes: [UInt8] = []
        for message in messages { message.append(to: &bytes) }
        send(bytes)
    }

    /// Writes everything; takes in what it says while its pipe is full, or both would wait for each other.
    func send(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { write(process.output, $0.baseAddress, $0.count) }
            if written > 0 {
                rest = rest.dropFirst(written)
            } else if errno == EAGAIN {
                var wanted = [
                    pollfd(fd: process.output, events: Int16(POLLOUT), revents: 0),
                    pollfd(fd: process.input, events: Int16(POLLIN), revents: 0),
                ]
                poll(&wanted, 2, 1_000)
                if wanted[1].revents != 0 { decoder.push(Self.readChunk(process.input)) }
            } else {
                return
            }
        }
    }

    /// Closes its standard input, as the relay's death does.
    func hangUp() {
        guard isOpen else { return }
        isOpen = false
        close(process.output)
    }

    /// The next thing it says; `nil` at the end, or after ten seconds of silence.
    func next() async throws -> ConversionMessage? {
        while true {
            if let message = try decoder.next() { return message }
            let bytes = await read()
            if bytes.isEmpty { return nil }
            decoder.push(bytes)
        }
    }

    /// Everything it says until it ends.
    func rest() async throws -> [ConversionMessage] {
        var messages: [ConversionMessage] = []
        while let message = try await next() { messages.append(message) }
        return messages
    }

    private func read() async -> [UInt8] {
        let descriptor = process.input
        return await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                var readable = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                guard poll(&readable, 1, 10_000) > 0 else { return continuation.resume(returning: []) }
                continuation.resume(returning: Self.readChunk(descriptor))
            }
        }
    }

    private static func readChunk(_ descriptor: Int32) -> [UInt8] {
        var chunk = [UInt8](repeating: 0, count: 16_384)
        let count = Glibc.read(descriptor, &chunk, chunk.count)
        return Array(chunk.prefix(max(0, count)))
    }
}
