import CWorker
import Glibc
import NIOCore
import NIOPosix

/// One `signalbox-media convert` process and its two pipes.
///
///     starting ──spawned──▶ open ──pipe broke──▶ closed, and reaped
///         └───────failed, stop()──────┴────────────▲
///
/// Confined to its event loop; what blocks (starting, reaping) happens on a thread of NIO's pool. What it does is
/// reported until ``stop()``; nothing afterwards.
final class CodecProcess {
    enum Event {
        /// It wrote something.
        case received([UInt8])
        /// It ended, or could not be started. The last event.
        case ended(String)
    }

    private enum State { case starting, open, closed }

    private let program: String
    private let loop: any EventLoop
    private let report: (Event) -> Void
    private var state = State.starting
    private var channel: (any Channel)?
    private var pid: pid_t?
    /// What was written before the pipes were there.
    private var early: [UInt8] = []
    private var unwrittenBytes = 0
    private var isReaping = false

    init(_ program: String, on loop: any EventLoop, report: @escaping (Event) -> Void) {
        self.program = program
        self.loop = loop
        self.report = report
    }

    /// Starts the process. Making one stops the calling thread for a while, so another does it.
    func start() {
        let program = self.program
        NIOThreadPool.singleton.runIfActive(eventLoop: loop) { try Self.spawn(program) }
            .assumeIsolated().whenComplete { [self] result in
                switch result {
                case .success(let spawned): opened(spawned)
                case .failure(let error): end("\(program) cannot be started: \(error)")
                }
            }
    }

    /// Writes to its standard input. What a process that does not keep up leaves in the pipe is bounded; what comes
    /// then is lost, as sound is that comes too late.
    func write(_ bytes: [UInt8]) {
        switch state {
        case .starting where early.count + bytes.count <= Self.writeLimit: early += bytes
        case .open where unwrittenBytes + bytes.count <= Self.writeLimit:
            unwrittenBytes += bytes.count
            channel?.writeAndFlush(ByteBuffer(bytes: bytes)).assumeIsolated().whenComplete { [self] _ in
                unwrittenBytes -= bytes.count
            }
        case .starting, .open, .closed: break
        }
    }

    /// Ends it: its standard input closes, which it obeys, and a moment later it is killed.
    func stop() {
        guard state != .closed else { return }
        close()
    }

    private func opened(_ spawned: Spawned) {
        pid = spawned.pid
        let bound = NIOLoopBound(self, eventLoop: loop)
        let opening = NIOPipeBootstrap(group: loop)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(CodecPipeHandler(bound.value))
                }
            }
            .takingOwnershipOfDescriptors(input: spawned.input, output: spawned.output)
        opening.assumeIsolated().whenComplete { [self] result in
            switch result {
            case .success(let channel) where state == .starting:
                self.channel = channel
                state = .open
                let bytes = early
                early = []
                write(bytes)
            case .success(let channel):
                channel.close(promise: nil)
                reap { _ in }
            case .failure(let error):
                Glibc.close(spawned.input)
                Glibc.close(spawned.output)
                end("its pipes cannot be used: \(error)")
            }
        }
    }

    fileprivate func read(_ buffer: ByteBuffer) {
        if state == .open { report(.received(Array(buffer.readableBytesView))) }
    }

    fileprivate func inactive() { end(nil) }

    /// - Parameter reason: What was wrong; otherwise the process's own status tells.
    private func end(_ reason: String?) {
        guard state != .closed else { return }
        state = .closed
        channel?.close(promise: nil)
        channel = nil
        guard pid != nil else { return report(.ended(reason ?? "it could not be started")) }
        reap { [self] status in report(.ended(reason ?? status)) }
    }

    private func close() {
        let wasStarting = state == .starting
        state = .closed
        channel?.close(promise: nil)
        channel = nil
        // While it is being started, the end of that finds it closed and reaps it.
        if !wasStarting { reap { _ in } }
    }

    private func reap(_ done: @escaping (String) -> Void) {
        guard let pid, !isReaping else { return }
        isReaping = true
        NIOThreadPool.singleton.runIfActive(eventLoop: loop) { Self.reap(pid) }
            .assumeIsolated().whenSuccess(done)
    }

    /// Input, pipes and descriptors of one process.
    private struct Spawned: Sendable {
        var pid: pid_t
        var input: Int32
        var output: Int32
    }

    private static func spawn(_ program: String) throws -> Spawned {
        var process = cworker_process()
        _ = try SystemError.check(cworker_spawn(program, "convert", &process))
        return Spawned(pid: process.pid, input: process.input, output: process.output)
    }

    /// Waits for the process to end, kills it when it does not, and says how it ended.
    private static func reap(_ pid: pid_t) -> String {
        var status: Int32 = 0
        for _ in 0..<50 {
            let found = waitpid(pid, &status, WNOHANG)
            if found == pid { return describe(status) }
            if found < 0, errno != EINTR { return "it ended" }
            usleep(10_000)
        }
        kill(pid, SIGKILL)
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return describe(status)
    }

    /// A status of wait(2) in words; the bits are the kernel's.
    private static func describe(_ status: Int32) -> String {
        let signal = status & 0x7F
        if signal == SIGXCPU { return "the codec process used up its processor time" }
        return signal == 0
            ? "the codec process ended with code \(status >> 8 & 0xFF)"
            : "the codec process was ended by signal \(signal)"
    }

    /// A second of the loudest sound and more.
    private static let writeLimit = 256 * 1024
}

/// Forwards the pipes' events.
private final class CodecPipeHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let process: CodecProcess

    init(_ process: CodecProcess) { self.process = process }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { process.read(unwrapInboundIn(data)) }

    func channelInactive(context: ChannelHandlerContext) { process.inactive() }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // It closed its side, which is how every death looks first.
        if case .inputClosed? = event as? ChannelEvent { process.inactive() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
