import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

/// A WebSocket client that sends what it is told, right or wrong.
struct WebSocketClient {
    enum Event: Equatable {
        case text(String)
        case pong(String)
        /// A close frame with this code.
        case closed(UInt16?)
        /// The connection ended without one.
        case ended
    }

    let outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>
    private var inbound: NIOAsyncChannelInboundStream<WebSocketFrame>.AsyncIterator

    /// Opens `path` on `port` and runs `body`; fails when the upgrade is refused.
    static func open(
        _ path: String,
        port: Int,
        _ body: (inout WebSocketClient) async throws -> Void
    ) async throws {
        struct NotUpgraded: Error {}
        let upgrade = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let upgrader = NIOTypedWebSocketClientUpgrader<NIOAsyncChannel<WebSocketFrame, WebSocketFrame>?>(
                        maxFrameSize: 1 << 20,
                        upgradePipelineHandler: { channel, _ in
                            channel.eventLoop.makeCompletedFuture {
                                try NIOAsyncChannel(wrappingChannelSynchronously: channel)
                            }
                        }
                    )
                    var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: path)
                    head.headers.add(name: "Host", value: "127.0.0.1:\(port)")
                    head.headers.add(name: "Origin", value: "http://127.0.0.1:\(port)")
                    head.headers.add(name: "User-Agent", value: "test")
                    return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(
                        configuration: .init(
                            upgradeConfiguration: .init(
                                upgradeRequestHead: head,
                                upgraders: [upgrader],
                                notUpgradingCompletionHandler: { $0.eventLoop.makeSucceededFuture(nil) }
                            )
                        )
                    )
                }
            }
        guard let channel = try await upgrade.get() else { throw NotUpgraded() }
        try await channel.executeThenClose { inbound, outbound in
            var client = WebSocketClient(outbound: outbound, inbound: inbound.makeAsyncIterator())
            try await body(&client)
        }
    }

    func send(_ text: String) async throws { try await send(.text, ByteBuffer(string: text)) }

    func send(
        _ opcode: WebSocketOpcode,
        _ data: ByteBuffer = ByteBuffer(),
        fin: Bool = true,
        isMasked: Bool = true
    ) async throws {
        let key: WebSocketMaskingKey? = isMasked ? .random() : nil
        try await outbound.write(WebSocketFrame(fin: fin, opcode: opcode, maskKey: key, data: data))
    }

    /// What comes next; pings are passed over.
    mutating func next() async -> Event {
        do {
            while let frame = try await inbound.next() {
                switch frame.opcode {
                case .text: return .text(String(buffer: frame.data))
                case .pong: return .pong(String(buffer: frame.data))
                case .connectionClose:
                    var data = frame.data
                    return .closed(data.readInteger())
                default: continue
                }
            }
        } catch {
            return .ended
        }
        return .ended
    }

    /// The fields of the next text message.
    mutating func message() async throws -> [String: any Sendable] {
        struct NotText: Error { var event: Event }
        let event = await next()
        guard case .text(let text) = event,
            let fields = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: any Sendable]
        else { throw NotText(event: event) }
        return fields
    }
}
