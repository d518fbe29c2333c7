import RTSP
import TestSupport
import Testing
import Wire

/// A session and a camera that answers it by a script, on a clock of their own.
struct ScriptedCamera {
    /// Answers one request; the bytes are whatever the camera sends.
    typealias Script = (RTSPRequest) -> [UInt8]

    var client: RTSPClient
    /// All effects so far, without writes.
    private(set) var effects: [RTSPEffect] = []
    /// All requests the camera has read.
    private(set) var requests: [RTSPRequest] = []
    /// Answers and packets of ours that the camera has read.
    private(set) var others: [RTSPIncoming] = []
    var now = Instant(nanoseconds: 1_000_000_000)
    /// Whether ports can be bound.
    var hasPorts = true

    private let script: Script
    private let chunk: Int
    private var decoder = RTSPDecoder()

    init(
        _ url: String = "rtsp://cam/stream",
        user: String? = nil,
        password: String? = nil,
        transport: TransportPreference = .auto,
        chunk: Int = .max,
        script: @escaping Script
    ) throws {
        var random = SeededGenerator(seed: 1)
        let configuration = RTSPClientConfiguration(
            url: try RTSPURL(parsing: url),
            user: user,
            password: password.map { Secret($0) },
            transport: transport
        )
        client = RTSPClient(configuration: configuration, using: &random)
        self.chunk = chunk
        self.script = script
    }

    var methods: [String] { requests.map(\.method.rawValue) }
    var failure: RTSPFailure? {
        if case .closed(let failure) = effects.last { failure } else { nil }
    }
    var isPlaying: Bool {
        effects.contains { if case .playing = $0 { true } else { false } }
    }
    var notices: [RTSPNotice] {
        effects.compactMap { if case .report(let notice) = $0 { notice } else { nil } }
    }
    func packets(_ track: Int) -> [[UInt8]] {
        effects.compactMap { if case .rtp(track, let bytes) = $0 { Array(bytes) } else { nil } }
    }

    /// Connects and lets the dialogue run until nobody has anything to say.
    mutating func connect() throws { try input { $0.connected(at: $1, into: &$2) } }

    /// The camera sends something unasked.
    mutating func send(_ bytes: [UInt8]) throws {
        var start = 0
        while start < bytes.count {
            let end = start + min(chunk, bytes.count - start)
            try input { $0.received(Array(bytes[start..<end]), at: $1, into: &$2) }
            start = end
        }
    }

    /// Moves the clock and fires what is due, deadline by deadline.
    mutating func advance(_ duration: Duration) throws {
        let end = now + duration
        while let deadline = client.nextDeadline, deadline <= end {
            now = max(now, deadline)
            try input { $0.handleTimeout(at: $1, into: &$2) }
            if let next = client.nextDeadline { try #require(next > now, "a due deadline must move") }
        }
        now = end
    }

    mutating func input(_ body: (inout RTSPClient, Instant, inout [RTSPEffect]) -> Void) throws {
        let wasClosed = client.isClosed
        var new: [RTSPEffect] = []
        body(&client, now, &new)
        if wasClosed { #expect(new.isEmpty) }
        for effect in new {
            switch effect {
            case .write(let bytes):
                decoder.push(bytes)
                while let incoming = try decoder.next() {
                    guard case .request(let request) = incoming else {
                        others.append(incoming)
                        continue
                    }
                    requests.append(request)
                    try #require(requests.count < 200, "the dialogue does not end")
                    #expect(!request.uri.contains("@"))
                    try send(script(request))
                }
            case .openDatagramPorts(let track):
                effects.append(effect)
                let hasPorts = hasPorts
                try input {
                    if hasPorts {
                        $0.datagramPortsOpened(track: track, rtpPort: 40_000 + UInt16(track) * 2, at: $1, into: &$2)
                    } else {
                        $0.datagramPortsFailed(track: track, into: &$2)
                    }
                }
            default:
                effects.append(effect)
            }
        }
    }
}

/// A response to `request` with its number.
func reply(_ request: RTSPRequest, _ status: Int = 200, _ headers: RTSPHeaders = [:], body: String = "") -> [UInt8] {
    var all: RTSPHeaders = ["CSeq": request.headers["CSeq"] ?? ""]
    for field in headers.fields { all.append(field.name, field.value) }
    return RTSPResponse(status, status == 200 ? "OK" : "No", headers: all, body: Array(body.utf8)).bytes
}

/// What a well-behaved camera answers over TCP or UDP, as asked.
func goodAnswer(_ request: RTSPRequest) -> [UInt8] {
    switch request.method {
    case .options: return reply(request, 200, ["Public": "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN"])
    case .describe: return reply(request, 200, ["Content-Type": "application/sdp"], body: videoAndAudio)
    case .setup:
        var transport = TransportHeader(parsing: request.headers["Transport"] ?? "")
        if let ports = transport?.clientPort { transport?.serverPort = .init(ports.rtp - 30_000, ports.rtcp - 30_000) }
        return reply(request, 200, ["Session": "4711;timeout=60", "Transport": transport?.text ?? ""])
    default: return reply(request)
    }
}

let videoAndAudio = """
    v=0\r
    s=cam\r
    m=video 0 RTP/AVP 96\r
    a=rtpmap:96 H264/90000\r
    a=control:track1\r
    m=audio 0 RTP/AVP 8\r
    a=control:track2\r

    """

/// An RTP packet without payload.
func rtpPacket(_ payloadType: UInt8 = 96, _ sequence: UInt8 = 1) -> [UInt8] {
    [0x80, payloadType, 0, sequence, 0, 0, 0, 0, 0, 0, 0, 9]
}
