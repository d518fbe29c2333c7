import ArgumentParser
import CFFmpeg
import CWorker
import Glibc
import Media

/// `signalbox-media convert`: one camera's sound from one codec to another, between two pipes.
struct Convert: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Convert one camera's sound. Started by signalbox; speaks a binary protocol on its pipes.",
        shouldDisplay: false
    )

    func run() {
        av_log_set_level(AV_LOG_QUIET)
        signal(SIGPIPE, SIG_IGN)
        var process = ConvertProcess()
        process.run()
    }
}

/// The process around a ``SoundConverter``. Locks itself in before it reads the first byte.
///
/// Standard input is the leash: it breaks when the relay dies, however that happens, and this process ends with it.
private struct ConvertProcess {
    private var decoder = ConversionDecoder()
    private var converter: SoundConverter?
    private var output: [UInt8] = []
    private var framesUntilNextAllowance = 0

    /// Returns never.
    mutating func run() -> Never {
        let confined = cworker_confine(Self.memoryLimit)
        guard confined == 0 else { fail("it could not lock itself in: \(String(cString: strerror(-confined)))") }
        _ = cworker_allow_cpu(Self.processorSeconds)
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = read(STDIN_FILENO, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { _exit(EXIT_SUCCESS) }
            decoder.push(Array(chunk[..<count]))
            do {
                while let message = try decoder.next() { try take(message) }
            } catch let error as ConversionProtocolError {
                fail("the relay does not speak its protocol: \(error)")
            } catch {
                fail("\(error)")
            }
            flush()
        }
    }

    private mutating func take(_ message: ConversionMessage) throws(MediaError) {
        switch message {
        case .begin(let conversion):
            converter = try SoundConverter(conversion)
            ConversionMessage.ready.append(to: &output)
        case .frame(let frame):
            guard let converter else { return }
            allowProcessorTime()
            for result in try converter.convert(frame) { ConversionMessage.frame(result).append(to: &output) }
        case .ready, .failed:
            break
        }
    }

    /// A codec that hangs is ended by the kernel; one that works goes on for years.
    private mutating func allowProcessorTime() {
        framesUntilNextAllowance -= 1
        guard framesUntilNextAllowance <= 0 else { return }
        framesUntilNextAllowance = 100
        _ = cworker_allow_cpu(Self.processorSeconds)
    }

    private mutating func flush() {
        write(output)
        output.removeAll(keepingCapacity: true)
    }

    private func fail(_ reason: String) -> Never {
        var last: [UInt8] = []
        ConversionMessage.failed(reason).append(to: &last)
        write(last)
        _exit(EXIT_FAILURE)
    }

    /// Writes everything; a relay that has gone ends the process.
    private func write(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { _exit(EXIT_SUCCESS) }
            rest = rest.dropFirst(written)
        }
    }

    /// Writable memory: several times what two codecs and a resampler take.
    private static let memoryLimit: UInt64 = 128 << 20
    /// Processor time that 100 frames, two seconds of sound, may take at most.
    private static let processorSeconds: UInt32 = 10
}
