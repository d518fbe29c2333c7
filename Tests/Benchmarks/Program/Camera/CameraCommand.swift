import ArgumentParser
import CBench
import Glibc

/// `signalbox-bench camera`: a light RTSP server, so that the camera is never what is measured.
struct CameraCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "camera",
        abstract: "Serve synthetic 720p25 H.264 of 2 Mbit/s over RTSP (TCP) under every path; ends with its input.",
        discussion: "Prints the port in one line of JSON. Slices carry the time they were sent."
    )

    @Option(help: "Port to listen on, 0 for a free one.") var port: UInt16 = 0

    func run() throws {
        signal(SIGPIPE, SIG_IGN)
        cbench_raise_file_limit()
        let server = try CameraServer(port: port)
        tell("{\"port\":\(server.port)}")
        try server.run()
    }
}

/// Accepts connections and makes their frames at the frame rate.
final class CameraServer {
    private let poller: Poller
    private let listener: Int32
    private var sessions: [Int32: CameraSession] = [:]
    private var accepted = 0
    private var hasEnded = false
    private(set) var port: UInt16

    init(port: UInt16) throws {
        poller = try Poller()
        var local = cbench_address(ip: 0x7F00_0001, port: port)
        listener = try BenchError.check(cbench_tcp_listen(&local), "listening on port \(port)")
        self.port = local.port
    }

    func run() throws {
        poller.watch(listener, CBENCH_READABLE) { [unowned self] _ in accept() }
        poller.watch(STDIN_FILENO, CBENCH_READABLE) { [unowned self] _ in
            var byte: UInt8 = 0
            if cbench_read(STDIN_FILENO, &byte, 1) <= 0 { hasEnded = true }
        }
        let interval: Int64 = 1_000_000_000 / Int64(SyntheticStream.framesPerSecond)
        // Sessions are spread over the frame interval in slots of a millisecond, as independent cameras are.
        let slot: Int64 = 1_000_000
        var next = Clock.monotonic()
        var index = 0
        while !hasEnded {
            poller.run(forAtMost: Clock.milliseconds(until: next))
            while Clock.monotonic() >= next {
                for session in sessions.values where session.slot == index { session.sendFrame() }
                index = (index + 1) % Int(interval / slot)
                next += slot
            }
        }
    }

    private func accept() {
        while true {
            let fd = cbench_accept(listener)
            guard fd >= 0 else { return }
            accepted += 1
            let slots = 1_000 / SyntheticStream.framesPerSecond
            let session = CameraSession(fd, number: accepted, slot: accepted * 7 % slots)
            sessions[fd] = session
            poller.watch(fd, CBENCH_READABLE) { [unowned self] _ in
                if !session.read() {
                    sessions[fd] = nil
                    poller.close(fd)
                }
            }
        }
    }
}

/// One client's connection.
final class CameraSession {
    /// Milliseconds into the frame interval at which its frames leave.
    let slot: Int
    private let fd: Int32
    private var stream: SyntheticStream
    private var input: [UInt8] = []
    private var output: [UInt8] = []
    private var isPlaying = false

    init(_ fd: Int32, number: Int, slot: Int) {
        self.fd = fd
        self.slot = slot
        stream = SyntheticStream(ssrc: 0x5B00_0000 + UInt32(number), phase: 0)
    }

    /// Reads and answers; `false` when the connection has ended.
    func read() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 16_384)
        let count = cbench_read(fd, &buffer, buffer.count)
        if count == -EAGAIN { return true }
        guard count > 0 else { return false }
        input += buffer[..<Int(count)]
        while !input.isEmpty {
            if input[0] == UInt8(ascii: "$") {
                guard input.count >= 4 else { break }
                let length = 4 + Int(input[2]) << 8 + Int(input[3])
                guard input.count >= length else { break }
                input.removeFirst(length)
            } else {
                guard let end = input.firstRange(of: Array("\r\n\r\n".utf8)) else { break }
                answer(String(decoding: input[..<end.lowerBound], as: UTF8.self))
                input.removeFirst(end.upperBound)
            }
        }
        return true
    }

    private func answer(_ request: String) {
        let lines = request.split(separator: "\r\n")
        guard let first = lines.first?.split(separator: " "), first.count == 3 else { return }
        func value(_ name: String) -> String {
            let line = lines.dropFirst().first { $0.lowercased().hasPrefix(name.lowercased() + ":") }
            return String(line?.drop { $0 != ":" }.dropFirst().drop { $0 == " " } ?? "")
        }
        var status = "200 OK"
        var headers = ["CSeq: \(value("CSeq"))", "Session: 1"]
        var body = ""
        switch first[0] {
        case "OPTIONS":
            headers.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER")
        case "DESCRIBE":
            headers += ["Content-Type: application/sdp", "Content-Base: \(first[1])/"]
            body = description
        case "SETUP":
            if value("Transport").contains("interleaved") {
                headers.append("Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
            } else {
                status = "461 Unsupported Transport"
            }
        case "PLAY":
            isPlaying = true
        case "TEARDOWN":
            isPlaying = false
        default:
            break
        }
        if !body.isEmpty { headers.append("Content-Length: \(body.utf8.count)") }
        write(Array(("RTSP/1.0 \(status)\r\n" + headers.joined(separator: "\r\n") + "\r\n\r\n" + body).utf8))
    }

    private var description: String {
        let sets = [SyntheticStream.sps, SyntheticStream.pps].map(base64).joined(separator: ",")
        return [
            "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=bench", "c=IN IP4 0.0.0.0", "t=0 0", "m=video 0 RTP/AVP 96",
            "a=rtpmap:96 H264/90000",
            "a=fmtp:96 packetization-mode=1;profile-level-id=4D401F;sprop-parameter-sets=\(sets)",
            "a=control:track1", "",
        ].joined(separator: "\r\n")
    }

    func sendFrame() {
        guard isPlaying else { return }
        var bytes: [UInt8] = []
        stream.next(at: Clock.wall()) { packet in
            bytes += [UInt8(ascii: "$"), 0, UInt8(packet.count >> 8), UInt8(packet.count & 0xFF)]
            bytes += packet
        }
        // A frame that the receiver has no room for is lost as a whole.
        if output.isEmpty { write(bytes) } else { flush() }
    }

    private func write(_ bytes: [UInt8]) {
        output += bytes
        flush()
    }

    private func flush() {
        guard !output.isEmpty else { return }
        let sent = cbench_send(fd, output, output.count)
        if sent > 0 { output.removeFirst(Int(sent)) }
    }
}

/// RFC 4648 §4.
private func base64(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var text: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let group = bytes[start..<min(start + 3, bytes.count)]
        var value = 0
        for offset in 0..<3 { value = value << 8 | (offset < group.count ? Int(group[start + offset]) : 0) }
        for offset in 0..<4 {
            text.append(offset <= group.count ? alphabet[value >> (18 - 6 * offset) & 63] : UInt8(ascii: "="))
        }
    }
    return String(decoding: text, as: UTF8.self)
}
