import Foundation
import Relay

/// What a page sends over its WebSocket: JSON from anybody.
enum Target: FuzzTarget {
    static func seeds() -> [[UInt8]] {
        let offer = #"v=0\r\no=- 46117 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n"#
        let peer = """
            {"firstFrameMilliseconds":142.5,"packetsReceived":5120,"packetsLost":3,"framesDecoded":250,\
            "jitterMilliseconds":1.5,"roundTripMilliseconds":0.4,"serverError":701,"areCredentialsExpired":false}
            """
        // As the player page writes them.
        return [
            #"{"type":"hello","viewer":"v3kd9a","codecs":["VP8","H264"],"mse":true,"network":"4g"}"#,
            #"{"type":"offer","sdp":"\#(offer)"}"#,
            #"{"type":"candidate","candidate":"candidate:1 1 udp 2113937151 4f1c.local 61002 typ host ufrag x9Qf"}"#,
            #"{"type":"mode","current":"webrtc","reason":"as the operator chose \u2013 \ud83d\ude80","peer":"open"}"#,
            #"{"type":"mode","current":null,"reason":"","peer":"closed"}"#,
            """
            {"type":"stats","fps":24.97,"framesDecoded":250,"framesDropped":0,"freezes":0,"freezeSeconds":0,\
            "bufferMilliseconds":38.2,"behindLive":0.21,"firstFrameMilliseconds":180,"width":1280,"height":720,\
            "isHidden":false,"decodeMilliseconds":2.25,"freezeShare":0,"dropShare":0.01,"peer":\(peer)}
            """,
            #"{"type":"stats","fps":1e400,"framesDecoded":18446744073709551616,"width":-1,"peer":{"packetsLost":-0.0}}"#,
            #"{"type":"ping"}"#,
            #"{"type":"bye","reason":"the page was closed"}"#,
        ].map { Array($0.utf8) }
    }

    static func run(_ input: [UInt8]) {
        let text = String(decoding: input, as: UTF8.self)
        guard let message = ClientMessage(parsing: text) else { return }
        demand(text.utf8.contains(UInt8(ascii: "{")), "a message is an object")
        switch message {
        case .hello(let viewer):
            demand(viewer.map { isViewerWord($0) } ?? true, "an identity is a word")
        case .mode(_, let reason, _), .bye(let reason):
            demand(reason.unicodeScalars.count <= 200, "a reason is bounded")
            let isShown = reason.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }
            demand(isShown, "a reason has no control characters")
            // Those that turn the reading direction (UAX 9) or have no width.
            let hidden: [ClosedRange<UInt32>] = [0x200B...0x200F, 0x2028...0x202E, 0x2060...0x2069, 0xFEFF...0xFEFF]
            let isPlain = reason.unicodeScalars.allSatisfy { scalar in !hidden.contains { $0.contains(scalar.value) } }
            demand(isPlain, "a reason has nothing hidden in it")
        case .stats(let report):
            check(report)
        case .offer(let text), .candidate(let text):
            demand(text.utf8.count <= 3 * input.count, "a text is no longer than it came")
        case .ping, .unknown:
            break
        }
    }

    private static func check(_ report: ViewerReport) {
        let peer = report.peer
        let numbers = [
            report.fps, report.freezeSeconds, report.bufferMilliseconds, report.behindLive,
            report.firstFrameMilliseconds, report.decodeMilliseconds, report.freezeShare, report.dropShare,
            peer?.firstFrameMilliseconds, peer?.jitterMilliseconds, peer?.roundTripMilliseconds,
        ]
        demand(numbers.allSatisfy { $0.map { (0...1e9).contains($0) } ?? true }, "numbers are in bounds")
        let counts = [
            report.framesDecoded, report.framesDropped, report.freezes, peer?.packetsReceived, peer?.packetsLost,
            peer?.framesDecoded,
        ]
        demand(counts.allSatisfy { $0.map { $0 <= 1_000_000_000_000_000 } ?? true }, "counts are in bounds")
        let sizes = [report.width, report.height, peer?.serverError]
        demand(sizes.allSatisfy { $0.map { (0...65_535).contains($0) } ?? true }, "sizes are in bounds")

        // The snapshot's own encoding of a report is what a page could have sent: nothing gets lost on the way.
        guard let encoded = try? JSONEncoder().encode(report) else { return demand(false, "a report can be shown") }
        let fields = String(decoding: encoded.dropFirst(), as: UTF8.self)
        let again = #"{"type":"stats""# + (fields == "}" ? "" : ",") + fields
        demand(ClientMessage(parsing: again) == .stats(report), "written again it says the same: \(again)")
    }
}
