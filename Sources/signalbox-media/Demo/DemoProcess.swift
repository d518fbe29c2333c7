import CFFmpeg
import Glibc
import NIOCore
import NIOPosix
import Wire

/// The process around the demo cameras: start, announce, take commands, end with its standard input.
struct DemoProcess {
    var plans: [(index: Int, plan: CameraPlan)]
    var basePort: Int
    var credentials: DemoCredentials
    var options: ServerOptions

    /// Returns never; ends the process when standard input ends or a signal asks for it.
    ///
    /// Standard input is the leash: it breaks when the parent dies, however that happens. (The kernel's own parent-death
    /// signal goes by the parent's thread, which in a pool of threads may end long before the process does.)
    func run() throws {
        let signals = blockSignals()
        signal(SIGPIPE, SIG_IGN)
        av_log_set_level(AV_LOG_ERROR)
        let loops = MultiThreadedEventLoopGroup(numberOfThreads: min(plans.count, System.coreCount))
        var servers: [String: NIOLoopBound<CameraServer>] = [:]
        var announcements: [String] = []
        for (index, plan) in plans {
            let (loop, credentials, options) = (loops.next(), self.credentials, self.options)
            let server = try loop.submit {
                NIOLoopBound(
                    try CameraServer(plan, credentials: credentials, options: options, on: loop),
                    eventLoop: loop
                )
            }.wait()
            let wantedPort = basePort == 0 ? 0 : basePort + index
            let port = try loop.flatSubmit { server.value.listen(port: wantedPort) }.wait()
            announcements.append(announcement(plan, port: port))
            servers[plan.name] = server
        }
        begin(servers)
        writeLine("{\"cameras\":[\(announcements.joined(separator: ","))]}", to: STDOUT_FILENO)
        let commands = servers
        NIOThreadPool.singleton.submit { _ in
            while let line = readLine() { DemoControl(servers: commands).perform(line) }
            _exit(0)
        }
        var received: Int32 = 0
        var wanted = signals
        sigwait(&wanted, &received)
        _exit(0)
    }

    /// Starts the encoders, evenly offset within one picture, so that they do not all want the processor at once.
    private func begin(_ servers: [String: NIOLoopBound<CameraServer>]) {
        let origin = SystemClock.monotonicNanoseconds
        for (position, (_, plan)) in plans.enumerated() {
            guard let server = servers[plan.name] else { continue }
            let interval = 1_000_000_000 / Int64(plan.video.framesPerSecond)
            let offset = interval * Int64(position) / Int64(plans.count)
            server.eventLoop.execute { server.value.begin(origin: origin + offset) }
        }
    }

    private func announcement(_ plan: CameraPlan, port: Int) -> String {
        var fields = [
            ("name", plan.name), ("url", "rtsp://127.0.0.1:\(port)\(RTSPConnection.path)"),
            ("user", credentials.user), ("password", credentials.password.reveal()), ("video", plan.videoSummary),
        ]
        if let audio = plan.audioSummary { fields.append(("audio", audio)) }
        return "{" + fields.map { "\(quoted($0)):\(quoted($1))" }.joined(separator: ",") + "}"
    }

    /// A JSON string (RFC 8259 §7).
    private func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20:
                result += "\\u00" + (scalar.value < 0x10 ? "0" : "") + String(scalar.value, radix: 16)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    /// Keeps TERM and INT for ``run()``'s own wait; every thread started later inherits the mask.
    private func blockSignals() -> sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGTERM)
        sigaddset(&signals, SIGINT)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        return signals
    }
}

/// The commands that make a camera misbehave, so that tests can watch the relay cope.
struct DemoControl {
    var servers: [String: NIOLoopBound<CameraServer>]

    /// Carries out one line, such as `stall demo/clock`, and says so on standard error.
    func perform(_ line: String) {
        let words = line.split(separator: " ").map(String.init)
        guard words.count == 2 else {
            if !words.isEmpty { complain("\"\(line)\" is not COMMAND NAME.") }
            return
        }
        let (command, name) = (words[0], words[1])
        guard let server = servers[name] else { return complain("There is no camera \(name).") }
        switch command {
        case "stall": apply(server, "stalled \(name)") { $0.stall(completely: false) }
        case "hang": apply(server, "hung \(name)") { $0.stall(completely: true) }
        case "resume": apply(server, "resumed \(name)") { $0.resume() }
        case "stop": apply(server, "stopped \(name)") { $0.stop() }
        case "start":
            server.eventLoop.flatSubmit { server.value.start() }.whenComplete { result in
                switch result {
                case .success(let port): complain("started \(name) on port \(port)")
                case .failure(let error): complain("\(error)")
                }
            }
        default: complain("There is no command \(command). Use stall, hang, resume, stop or start.")
        }
    }

    private func apply(
        _ server: NIOLoopBound<CameraServer>,
        _ done: String,
        _ change: @escaping @Sendable (CameraServer) -> Void
    ) {
        server.eventLoop.execute {
            change(server.value)
            complain(done)
        }
    }
}

/// Writes a line to standard error.
func complain(_ text: String) { writeLine(text, to: STDERR_FILENO) }

/// Reports an error that leaves no camera worth serving, and ends the process.
func exitWithFailure(_ error: any Error) -> Never {
    complain("signalbox-media: \(error)")
    _exit(EXIT_FAILURE)
}

/// An error in words; a system call's in the system's.
func describe(_ error: any Error) -> String {
    guard let error = error as? IOError else { return "\(error)" }
    return error.errnoCode == EADDRINUSE ? "another process holds it" : String(cString: strerror(error.errnoCode))
}

private func writeLine(_ text: String, to descriptor: Int32) {
    let bytes = Array((text + "\n").utf8)
    // One write per line, so that lines of several threads do not mix. Nobody listening is no error.
    _ = write(descriptor, bytes, bytes.count)
}
