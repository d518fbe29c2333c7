import ArgumentParser
import CBench
import Glibc

/// `signalbox-bench bare-ingest`: what waiting for cameras and reading their bytes alone cost.
struct BareIngestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bare-ingest",
        abstract: "Pull cameras from `signalbox-bench camera` and throw away what they send."
    )

    @Option(help: "How many cameras.") var cameras = 100
    @Option(help: "Seconds.") var seconds = 10
    @Argument(help: "The camera program's port.") var port: UInt16

    func run() throws {
        cbench_raise_file_limit()
        let poller = try Poller()
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let request = Array(
            ("SETUP rtsp://127.0.0.1/cam/track1 RTSP/1.0\r\nCSeq: 1\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n\r\n"
                + "PLAY rtsp://127.0.0.1/cam/ RTSP/1.0\r\nCSeq: 2\r\nSession: 1\r\n\r\n").utf8
        )
        var bytes = 0
        for _ in 0..<cameras {
            let socket = try BenchError.check(
                cbench_tcp_connect(cbench_address(ip: 0x7F00_0001, port: port)),
                "connecting to the camera"
            )
            poller.watch(socket, CBENCH_WRITABLE) { _ in
                guard cbench_send(socket, request, request.count) == request.count else { return }
                poller.watch(socket, CBENCH_READABLE) { _ in
                    bytes += Int(max(0, cbench_read(socket, &buffer, buffer.count)))
                }
            }
        }
        run(poller, seconds: 3)
        let (cpu, before) = (Clock.process(), bytes)
        run(poller, seconds: seconds)
        let used = Double(Clock.process() - cpu) / 1e6
        tell(
            "{\"ms_per_camera_s\":\(rounded(used / Double(seconds * cameras))),"
                + "\"mbit_s\":\(rounded(Double(bytes - before) * 8 / Double(seconds) / 1e6))}"
        )
    }

    private func run(_ poller: Poller, seconds: Int) {
        let end = Clock.monotonic() + Int64(seconds) * 1_000_000_000
        while Clock.monotonic() < end { poller.run(forAtMost: Clock.milliseconds(until: end)) }
    }
}
