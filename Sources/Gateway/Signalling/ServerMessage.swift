import Foundation
import Relay

/// What a page is told over its WebSocket; one JSON object each, with a `type`.
enum ServerMessage: Sendable, Encodable {
    case welcome(viewer: String, iceServers: [ICEServer], hls: String, policy: DeliveryPolicy, source: SourceInfo)
    /// Fresh credentials, before the old ones run out.
    case iceServers([ICEServer])
    case answer(sdp: String)
    /// An offer that leads nowhere; the page uses HLS.
    case refused(ViewerRefusal)
    case source(SourceInfo)
    case clock(wallMilliseconds: Int64, videoRTP: UInt32?, audioRTP: UInt32?)
    case switchTo(DeliveryPolicy, url: String, reason: String)
    case quality(rung: String, reason: String)
    case pong
    case bye(reason: String, retryAfter: Int?, kind: String?)

    /// The message as the page gets it.
    var text: String {
        guard let data = try? JSONEncoder.gateway.encode(self) else { return "{}" }
        return String(decoding: data, as: UTF8.self)
    }

    private enum CodingKeys: String, CodingKey {
        case type, viewer, iceServers, hls, policy, source, sdp, reason, kind, retryAfter, wallMs, video, audio, to, url
        case rung
    }

    func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .welcome(let viewer, let iceServers, let hls, let policy, let source):
            try fields.encode("welcome", forKey: .type)
            try fields.encode(viewer, forKey: .viewer)
            try fields.encode(iceServers, forKey: .iceServers)
            try fields.encode(hls, forKey: .hls)
            try fields.encode(policy, forKey: .policy)
            try fields.encode(source, forKey: .source)
        case .iceServers(let servers):
            try fields.encode("iceServers", forKey: .type)
            try fields.encode(servers, forKey: .iceServers)
        case .answer(let sdp):
            try fields.encode("answer", forKey: .type)
            try fields.encode(sdp, forKey: .sdp)
        case .refused(let refusal):
            try fields.encode("refused", forKey: .type)
            try fields.encode(refusal.text, forKey: .reason)
            try fields.encode(refusal.kind.rawValue, forKey: .kind)
            try fields.encodeIfPresent(refusal.retryAfter, forKey: .retryAfter)
        case .source(let source):
            try fields.encode("source", forKey: .type)
            try source.encode(to: encoder)
        case .clock(let wallMilliseconds, let videoRTP, let audioRTP):
            try fields.encode("clock", forKey: .type)
            try fields.encode(wallMilliseconds, forKey: .wallMs)
            try fields.encodeIfPresent(videoRTP, forKey: .video)
            try fields.encodeIfPresent(audioRTP, forKey: .audio)
        case .switchTo(let policy, let url, let reason):
            try fields.encode("switch", forKey: .type)
            try fields.encode(policy, forKey: .to)
            if policy == .hls { try fields.encode(url, forKey: .url) }
            try fields.encode(reason, forKey: .reason)
        case .quality(let rung, let reason):
            try fields.encode("quality", forKey: .type)
            try fields.encode(rung, forKey: .rung)
            try fields.encode(reason, forKey: .reason)
        case .pong:
            try fields.encode("pong", forKey: .type)
        case .bye(let reason, let retryAfter, let kind):
            try fields.encode("bye", forKey: .type)
            try fields.encode(reason, forKey: .reason)
            try fields.encodeIfPresent(retryAfter, forKey: .retryAfter)
            try fields.encodeIfPresent(kind, forKey: .kind)
        }
    }
}
