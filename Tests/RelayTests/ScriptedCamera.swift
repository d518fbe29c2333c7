import Media
import RTSP
import Wire

/// A camera that speaks RTSP over TCP and sends synthetic H.264, driven by a ``World``.
final class ScriptedCamera {
    /// What becomes of an attempt to connect.
    enum Reach {
        case accepts
        case fails(ConnectionOutcome)
        case neverAnswers
    }

    /// Why a connection cannot be opened.
    enum ConnectionOutcome { case refused, timedOut, unresolvable }

    let name: String
    var reach = Reach.accepts
    /// Asked for by Digest when set.
    var password: String?
    var user = "relay"
    var videoCodec = "H264/90000"
    var hasAudio = false
    /// By RFC 3551: 8 is PCMA, 9 is G.722.
    var audioPayloadType: UInt8 = 8
    /// Pictures from one keyframe to the next.
    var gop = 25
    /// Pictures are sent in another order than they are shown.
    var reordersPictures = false
    /// The connection stands, nothing is sent.
    var isSilent = false
    /// Only inter pictures are sent.
    var withholdsKeyframes = false
    /// Answers a request in place of the usual answer.
    var answer: ((RTSPRequest) -> [UInt8]?)?

    /// All requests read, over all connections.
    private(set) var requests: [RTSPRequest] = []
    private(set) var isPlaying = false
    /// Pictures sent on this connection.
    private(set) var pictures = 0
    private var decoder = RTSPDecoder()
    private var verifier: DigestVerifier?
    private var connections = 0
    private var sequence: UInt16 = 0
    private var timestamp: UInt32 = 0

    /// From one picture to the next.
    var interval: Duration = .milliseconds(40)

    init(_ name: String) { self.name = name }

    var methods: [RTSPMethod] { requests.map(\.method) }

    /// A new connection: nothing of the last one is known.
    func connected() {
        connections += 1
        decoder = RTSPDecoder()
        isPlaying = false
        pictures = 0
        sequence = UInt16(truncatingIfNeeded: connections * 1_000)
        timestamp = UInt32(truncatingIfNeeded: connections * 777_777)
        verifier = password.map {
            DigestVerifier(.md5, realm: "cam", user: user, password: Secret($0), nonce: "n\(connections)")
        }
    }

    func disconnected() { isPlaying = false }

    /// Takes what the relay writes and answers it.
    func received(_ bytes: [UInt8]) throws -> [UInt8] {
        decoder.push(bytes)
        var output: [UInt8] = []
        while let incoming = try decoder.next() {
            guard case .request(let request) = incoming else { continue }
            requests.append(request)
            output += answer?(request) ?? usualAnswer(request)
        }
        return output
    }

    private func usualAnswer(_ request: RTSPRequest) -> [UInt8] {
        if request.method != .options, verifier != nil {
            let authorization = request.headers["Authorization"]
            let verdict = verifier?.verify(authorization: authorization, method: request.method, uri: request.uri)
            if verdict != .accepted {
                return reply(request, 401, ["WWW-Authenticate": verifier?.challenge() ?? ""])
            }
        }
        switch request.method {
        case .options:
            return reply(request, 200, ["Public": "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN"])
        case .describe:
            return reply(request, 200, ["Content-Type": "application/sdp"], body: description)
        case .setup:
            let transport = request.headers["Transport"] ?? ""
            return reply(request, 200, ["Session": "4711;timeout=60", "Transport": transport])
        case .play:
            isPlaying = true
            return reply(request, 200)
        case .teardown:
            isPlaying = false
            return reply(request, 200)
        default:
            return reply(request, 200)
        }
    }

    func reply(_ request: RTSPRequest, _ status: Int, _ headers: RTSPHeaders = [:], body: String = "") -> [UInt8] {
        var all: RTSPHeaders = ["CSeq": request.headers["CSeq"] ?? ""]
        for field in headers.fields { all.append(field.name, field.value) }
        return RTSPResponse(status, status == 200 ? "OK" : "No", headers: all, body: Array(body.utf8)).bytes
    }

    private var description: String {
        var lines = ["v=0", "s=cam", "m=video 0 RTP/AVP 96", "a=rtpmap:96 \(videoCodec)", "a=control:track1"]
        if hasAudio { lines += ["m=audio 0 RTP/AVP \(audioPayloadType)", "a=control:track2"] }
        return lines.joined(separator: "\r\n") + "\r\n"
    }

    // MARK: - Media

    /// The next picture as interleaved frames, with its sound.
    func nextPicture() -> [UInt8] {
        guard isPlaying, !isSilent else { return [] }
        let number = pictures
        pictures += 1
        let isKeyframe = number % gop == 0
        if isKeyframe, withholdsKeyframes { return [] }
        // Shown in the order 0 2 1 4 3 6 5 …
        let shown = reordersPictures && !isKeyframe ? (number % 2 == 1 ? number + 1 : number - 1) : number
        let at =
            timestamp &+ UInt32(truncatingIfNeeded: shown)
            &* UInt32(truncatingIfNeeded: interval.wholeNanoseconds * 90 / 1_000_000)
        var bytes: [UInt8] = []
        if isKeyframe {
            bytes += packet(aggregate([Self.sps, Self.pps]), at: at, marker: false)
            bytes += packet(slice(0x65, 900), at: at, marker: true)
        } else {
            bytes += packet(slice(0x41, 300), at: at, marker: true)
        }
        if hasAudio {
            let samples = UInt32(truncatingIfNeeded: number * 320)
            var audio: [UInt8] = [0x80, 0x80 | audioPayloadType]
            audio.append(UInt16(truncatingIfNeeded: number))
            audio.append(samples)
            audio.append(UInt32(0xA0D1))
            bytes += interleavedFrame(channel: 2, payload: audio + [UInt8](repeating: 0xD5, count: 320))
        }
        return bytes
    }

    private func packet(_ payload: [UInt8], at timestamp: UInt32, marker: Bool) -> [UInt8] {
        defer { sequence &+= 1 }
        var bytes: [UInt8] = [0x80, (marker ? 0x80 : 0) | 96]
        bytes.append(sequence)
        bytes.append(timestamp)
        bytes.append(UInt32(truncatingIfNeeded: 0xCAFE + connections))
        return interleavedFrame(channel: 0, payload: bytes + payload)
    }

    /// 640×368 Constrained Baseline.
    static let sps: [UInt8] = [
        0x67, 0x42, 0xC0, 0x16, 0xD9, 0x00, 0xA0, 0x3D, 0xB0, 0x11, 0, 0, 3, 0, 1, 0, 0, 3, 0, 0x1E, 0x0F, 0x16, 0x2E,
        0x48,
    ]
    static let pps: [UInt8] = [0x68, 0xCB, 0x83, 0xCB, 0x20]

    /// A slice of `count` bytes without start codes in it.
    private func slice(_ header: UInt8, _ count: Int) -> [UInt8] { [header, 0x88] + Self.filler.prefix(count - 2) }

    private static let filler = (2..<1_000).map { UInt8(1 + $0 % 250) }

    private func aggregate(_ units: [[UInt8]]) -> [UInt8] {
        var payload: [UInt8] = [0x78]
        for unit in units {
            payload.append(UInt16(unit.count))
            payload += unit
        }
        return payload
    }
}
