import NIOCore
import Relay

/// One page's WebSocket, from `hello` to its end.
///
/// The socket is only how page and relay talk: when it breaks, media flows on and the page comes back under the same
/// identity. Messages are handled one after the other; a client that sends faster is slowed down by TCP.
struct SignallingSession: Sendable {
    typealias MessageChannel = NIOAsyncChannel<String, String>

    /// How long a client may wait with its `hello`.
    private static let helloLimit = TimeAmount.seconds(5)
    /// Well before credentials run out, which are good for a day.
    private static let credentialRenewal = Duration.seconds(6 * 3_600)

    let core: GatewayCore
    let connection: ConnectionInfo
    let camera: String
    let userAgent: String
    /// The name and port under which the page reached us.
    let authority: String

    /// Runs until the socket closes.
    func run(_ channel: MessageChannel) async {
        let impatience = channel.channel.eventLoop.scheduleTask(in: Self.helloLimit) {
            channel.channel.close(promise: nil)
        }
        try? await channel.executeThenClose { inbound, outbound in
            var messages = inbound.makeAsyncIterator()
            guard let first = try await messages.next() else { return impatience.cancel() }
            impatience.cancel()
            guard case .hello(let resume)? = ClientMessage(parsing: first) else {
                return try await outbound.send(
                    .bye(reason: "The first message has to be hello.", retryAfter: nil, kind: nil)
                )
            }
            guard let viewer = try await join(resume: resume, outbound) else { return }
            await converse(viewer, messages, outbound, channel.channel)
        }
    }

    private func join(resume: String?, _ outbound: NIOAsyncChannelOutboundWriter<String>) async throws -> JoinedViewer?
    {
        guard core.joins.allows(connection.remote) else {
            try await outbound.send(
                .bye(reason: "Too many sessions from this address.", retryAfter: 5, kind: "unavailable")
            )
            return nil
        }
        let request = JoinRequest(
            camera: camera,
            control: .page,
            remote: connection.remote,
            userAgent: userAgent,
            resume: resume
        )
        do {
            let viewer = try await core.service.join(request)
            let welcome = ServerMessage.welcome(
                viewer: viewer.id,
                iceServers: iceServers(for: viewer.id),
                hls: playlist(of: viewer.id),
                policy: viewer.policy,
                source: viewer.source
            )
            do {
                try await outbound.send(welcome)
            } catch {
                await core.service.controlClosed(viewer: viewer.id, channel: viewer.channel)
                throw error
            }
            return viewer
        } catch let refusal as ViewerRefusal {
            let bye = ServerMessage.bye(
                reason: refusal.text,
                retryAfter: refusal.retryAfter,
                kind: refusal.kind.rawValue
            )
            try await outbound.send(bye)
            return nil
        }
    }

    private func iceServers(for viewer: String) -> [ICEServer] {
        core.iceServers(for: viewer, authority: authority, on: connection)
    }

    private func playlist(of viewer: String) -> String { "/\(camera)/index.m3u8?viewer=\(viewer)" }

    private func converse(
        _ viewer: JoinedViewer,
        _ messages: NIOAsyncChannelInboundStream<String>.AsyncIterator,
        _ outbound: NIOAsyncChannelOutboundWriter<String>,
        _ channel: any Channel
    ) async {
        let goodbye: String? = await withTaskGroup(of: String?.self) { group in
            group.addTask {
                await forward(viewer, outbound)
                // The viewer ended before its socket.
                if !Task.isCancelled { channel.close(promise: nil) }
                return nil
            }
            group.addTask {
                while (try? await Task.sleep(for: Self.credentialRenewal)) != nil {
                    let fresh = ServerMessage.iceServers(iceServers(for: viewer.id))
                    guard (try? await outbound.send(fresh)) != nil else { break }
                }
                return nil
            }
            let goodbye = await listen(to: viewer, messages, outbound)
            group.cancelAll()
            return goodbye
        }
        if let goodbye {
            await core.service.leave(viewer: viewer.id, reason: goodbye)
        } else {
            await core.service.controlClosed(viewer: viewer.id, channel: viewer.channel)
        }
    }

    /// Relay to page, until the viewer or the socket ends.
    private func forward(_ viewer: JoinedViewer, _ outbound: NIOAsyncChannelOutboundWriter<String>) async {
        for await message in viewer.messages {
            let sent: Void? = try? await outbound.send(ServerMessage(message, url: playlist(of: viewer.id)))
            if sent == nil { return }
        }
    }

    /// Page to relay.
    ///
    /// - Returns: The page's reason when it said goodbye; `nil` when the socket ended without.
    private func listen(
        to viewer: JoinedViewer,
        _ messages: NIOAsyncChannelInboundStream<String>.AsyncIterator,
        _ outbound: NIOAsyncChannelOutboundWriter<String>
    ) async -> String? {
        var messages = messages
        var report = ViewerReport()
        do {
            while let text = try await messages.next() {
                guard let message = ClientMessage(parsing: text) else { return nil }
                switch message {
                case .offer(let sdp):
                    let reply: ServerMessage
                    do {
                        reply = .answer(sdp: try await core.service.offer(sdp, viewer: viewer.id))
                    } catch {
                        reply = .refused(error)
                    }
                    try await outbound.send(reply)
                case .candidate(let candidate):
                    await core.service.candidate(candidate, viewer: viewer.id)
                case .mode(let playing, let reason, let peerIsClosed):
                    // What was measured of the other delivery says nothing about this one.
                    if report.playing != playing {
                        let (peer, isHidden) = (report.peer, report.isHidden)
                        report = ViewerReport()
                        (report.peer, report.isHidden) = (peer, isHidden)
                    }
                    report.playing = playing
                    report.reason = reason
                    await core.service.report(report, viewer: viewer.id)
                    if peerIsClosed { await core.service.closePeer(viewer: viewer.id) }
                case .stats(var stats):
                    stats.playing = report.playing
                    stats.reason = report.reason
                    report = stats
                    await core.service.report(report, viewer: viewer.id)
                case .ping:
                    try await outbound.send(.pong)
                case .bye(let reason):
                    return reason
                case .hello, .unknown:
                    continue
                }
            }
        } catch {
            // The socket broke; what follows is the same as when it is closed.
            return nil
        }
        return nil
    }
}

extension NIOAsyncChannelOutboundWriter<String> {
    fileprivate func send(_ message: ServerMessage) async throws { try await write(message.text) }
}

extension ServerMessage {
    fileprivate init(_ message: ViewerMessage, url: String) {
        switch message {
        case .source(let source):
            self = .source(source)
        case .switchTo(let policy, let reason):
            self = .switchTo(policy, url: url, reason: reason)
        case .quality(let rung, let reason):
            self = .quality(rung: rung, reason: reason)
        case .clock(let wallMilliseconds, let videoRTP, let audioRTP):
            self = .clock(wallMilliseconds: wallMilliseconds, videoRTP: videoRTP, audioRTP: audioRTP)
        case .bye(let reason, let retryAfter):
            self = .bye(reason: reason, retryAfter: retryAfter, kind: nil)
        }
    }
}
