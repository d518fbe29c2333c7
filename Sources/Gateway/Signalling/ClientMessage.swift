import Foundation
import Relay

/// What a page sends over its WebSocket.
enum ClientMessage: Sendable, Equatable {
    /// The first message; `resume` is the identity the page had before its connection broke.
    case hello(resume: String?)
    case offer(sdp: String)
    case candidate(String)
    /// What is playing, and whether a WebRTC peer is still wanted.
    case mode(playing: Delivery?, reason: String, peerIsClosed: Bool)
    case stats(ViewerReport)
    case ping
    case bye(reason: String)
    /// A type we do not know, or a known one without what it needs.
    case unknown

    /// Longest sentence taken from a page.
    private static let reasonLimit = 200

    /// Parses one JSON object.
    ///
    /// - Returns: `nil` when `text` is not a JSON object with a `type`.
    init?(parsing text: String) {
        guard let fields = try? JSONDecoder().decode(Fields.self, from: Data(text.utf8)), let type = fields.type else {
            return nil
        }
        switch type {
        case "hello":
            self = .hello(resume: fields.viewer.flatMap { isViewerWord($0) ? $0 : nil })
        case "offer":
            self = fields.sdp.map { .offer(sdp: $0) } ?? .unknown
        case "candidate":
            self = fields.candidate.map { .candidate($0) } ?? .unknown
        case "mode":
            self = .mode(
                playing: fields.current.flatMap(Delivery.init),
                reason: Self.sentence(fields.reason),
                peerIsClosed: fields.peer == "closed"
            )
        case "stats":
            self = .stats(fields.report)
        case "ping":
            self = .ping
        case "bye":
            self = .bye(reason: Self.sentence(fields.reason))
        default:
            self = .unknown
        }
    }

    /// `text` without control characters, bounded.
    private static func sentence(_ text: String?) -> String {
        let visible = (text ?? "").unicodeScalars.filter { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: false
            default: true
            }
        }
        return String(String.UnicodeScalarView(visible.prefix(reasonLimit)))
    }
}

/// Every field of every message, each taken only when it has the right type.
private struct Fields: Decodable {
    var type: String?
    var viewer: String?
    var sdp: String?
    var candidate: String?
    var current: String?
    var reason: String?
    /// A word in `mode`, an object in `stats`, which goes into ``report``.
    var peer: String?
    var report = ViewerReport()

    enum CodingKeys: String, CodingKey {
        case type, viewer, sdp, candidate, current, reason, peer
        case fps, framesDecoded, framesDropped, freezes, freezeSeconds, bufferMilliseconds, behindLive
        case firstFrameMilliseconds, width, height, isHidden, decodeMilliseconds, freezeShare, dropShare
    }

    private enum PeerKeys: String, CodingKey {
        case firstFrameMilliseconds, packetsReceived, packetsLost, framesDecoded, jitterMilliseconds
        case roundTripMilliseconds, serverError, areCredentialsExpired
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        func text(_ key: CodingKeys) -> String? { try? values.decodeIfPresent(String.self, forKey: key) }
        func number(_ key: CodingKeys, atMost limit: Double) -> Double? {
            guard let value = try? values.decodeIfPresent(Double.self, forKey: key), value.isFinite else { return nil }
            return min(max(value, 0), limit)
        }
        func count(_ key: CodingKeys) -> UInt64? { number(key, atMost: 1e15).map { UInt64($0) } }
        type = text(.type)
        viewer = text(.viewer)
        sdp = text(.sdp)
        candidate = text(.candidate)
        current = text(.current)
        reason = text(.reason)
        peer = text(.peer)
        report.fps = number(.fps, atMost: 1000)
        report.framesDecoded = count(.framesDecoded)
        report.framesDropped = count(.framesDropped)
        report.freezes = count(.freezes)
        report.freezeSeconds = number(.freezeSeconds, atMost: 1e9)
        report.bufferMilliseconds = number(.bufferMilliseconds, atMost: 1e9)
        report.behindLive = number(.behindLive, atMost: 1e6)
        report.firstFrameMilliseconds = number(.firstFrameMilliseconds, atMost: 1e9)
        report.width = number(.width, atMost: 65_535).map { Int($0) }
        report.height = number(.height, atMost: 65_535).map { Int($0) }
        report.isHidden = try? values.decodeIfPresent(Bool.self, forKey: .isHidden)
        report.decodeMilliseconds = number(.decodeMilliseconds, atMost: 1e6)
        report.freezeShare = number(.freezeShare, atMost: 1)
        report.dropShare = number(.dropShare, atMost: 1)
        report.peer = (try? values.nestedContainer(keyedBy: PeerKeys.self, forKey: .peer)).map { Self.peer($0) }
    }

    private static func peer(_ values: KeyedDecodingContainer<PeerKeys>) -> PeerReport {
        func number(_ key: PeerKeys, atMost limit: Double) -> Double? {
            guard let value = try? values.decodeIfPresent(Double.self, forKey: key), value.isFinite else { return nil }
            return min(max(value, 0), limit)
        }
        var report = PeerReport()
        report.firstFrameMilliseconds = number(.firstFrameMilliseconds, atMost: 1e9)
        report.packetsReceived = number(.packetsReceived, atMost: 1e15).map { UInt64($0) }
        report.packetsLost = number(.packetsLost, atMost: 1e15).map { UInt64($0) }
        report.framesDecoded = number(.framesDecoded, atMost: 1e15).map { UInt64($0) }
        report.jitterMilliseconds = number(.jitterMilliseconds, atMost: 1e6)
        report.roundTripMilliseconds = number(.roundTripMilliseconds, atMost: 1e6)
        report.serverError = number(.serverError, atMost: 999).map { Int($0) }
        report.areCredentialsExpired = try? values.decodeIfPresent(Bool.self, forKey: .areCredentialsExpired)
        return report
    }
}
