import Foundation
import Glibc
import Logging
import NIOCore
import Relay
import Wire

/// One client of the control socket.
///
/// One request is worked on at a time, and nothing is read while its answer has not left: a client that floods or does
/// not read holds one request, one answer and one snapshot, never more.
final class ControlConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let clients: ControlClients
    private let peer: PeerCredentials
    private var channel: (any Channel)?
    private var frames = ControlFrameReader(limit: ControlProtocol.requestLimit)
    private var isBusy = false
    private var isSubscribed = false
    private var isPushing = false
    private var frameTimer: LoopTimer?
    /// When the snapshot was taken that it was sent last.
    private(set) var pushedSample: Instant?

    init(_ clients: ControlClients, peer: PeerCredentials) {
        self.clients = clients
        self.peer = peer
    }

    /// Subscribed, and the last snapshot has left.
    var wantsSnapshot: Bool { isSubscribed && !isPushing }

    func channelActive(context: ChannelHandlerContext) {
        channel = context.channel
        frameTimer = LoopTimer(on: context.eventLoop) { [weak self] _ in
            self?.fail("the frame was not completed in time")
        }
        guard peer.mayControl() else {
            clients.logger.warning("control client refused", metadata: ["uid": "\(peer.userID)"])
            fail("user \(peer.userID) may not control this relay")
            return
        }
        guard clients.add(self) else {
            fail("too many clients")
            return
        }
        let hello = ControlReply(kind: .hello, version: ControlProtocol.version, processID: getpid())
        write(hello) {}
    }

    func channelInactive(context: ChannelHandlerContext) {
        clients.remove(self)
        frameTimer?.cancel()
        channel = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        frames.append(unwrapInboundIn(data))
        work()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    /// Closes the connection.
    func close() { channel?.close(promise: nil) }

    /// Sends an encoded snapshot; the next one only when this one has left.
    func push(_ frame: ByteBuffer, sampledAt: Instant) {
        guard let channel else { return }
        isPushing = true
        pushedSample = sampledAt
        channel.writeAndFlush(frame).assumeIsolated().whenComplete { [self] _ in isPushing = false }
    }

    /// Takes the next request, if the last one is done.
    private func work() {
        guard !isBusy, let channel, channel.isActive else { return }
        do {
            if let frame = try frames.next() {
                isBusy = true
                handle(frame)
            }
        } catch {
            fail("a frame must have 1 to \(ControlProtocol.requestLimit) bytes")
            return
        }
        channel.setOption(.autoRead, value: !isBusy).assumeIsolated().whenFailure { _ in channel.close(promise: nil) }
        if isBusy || !frames.isMidFrame {
            frameTimer?.cancel()
        } else if frameTimer?.deadline == nil {
            let now = MonotonicClock.now()
            frameTimer?.set(now + Self.frameTimeout, at: now)
        }
    }

    private func handle(_ frame: ByteBuffer) {
        guard let request = try? clients.decoder.decode(ControlRequest.self, from: Data(frame.readableBytesView)) else {
            fail("the request is not understood")
            return
        }
        var reply = ControlReply(id: request.id, kind: .error)
        let service = clients.service
        switch request.kind {
        case .snapshot:
            reply.kind = .snapshot
            reply.snapshot = service.snapshot()
            answer(reply)
        case .subscribe:
            reply.kind = .subscribe
            isSubscribed = true
            answer(reply)
        case .history:
            guard let history = request.history, history.series.count <= HistoryRequest.seriesLimit else {
                reply.error = "a history request names 1 to \(HistoryRequest.seriesLimit) series"
                return answer(reply)
            }
            later(reply) { [reply] in
                var reply = reply
                reply.kind = .history
                reply.history = await service.history(history)
                return reply
            }
        case .events:
            let events = request.events ?? EventsRequest(limit: Snapshot.eventLimit)
            later(reply) { [reply] in
                var reply = reply
                reply.kind = .events
                reply.events = await service.events(events)
                return reply
            }
        case .attempts:
            let attempts = request.attempts ?? AttemptsRequest()
            later(reply) { [reply] in
                var reply = reply
                reply.kind = .attempts
                reply.attempts = await service.attempts(attempts)
                return reply
            }
        case .submit:
            guard let command = request.command, Self.isSane(command) else {
                reply.kind = .submit
                reply.reply = .refused("the command is incomplete, too long, or holds control characters")
                return answer(reply)
            }
            later(reply) { [reply] in
                var reply = reply
                reply.kind = .submit
                reply.reply = await service.submit(command)
                return reply
            }
        }
    }

    private func later(_ reply: ControlReply, _ body: @escaping @Sendable () async -> ControlReply) {
        clients.loop.makeFutureWithTask(body).assumeIsolated().whenSuccess { [self] in answer($0) }
    }

    private func answer(_ reply: ControlReply) {
        write(reply) { [self] in
            isBusy = false
            work()
        }
    }

    private func write(_ reply: ControlReply, then done: @escaping () -> Void) {
        guard let channel else { return }
        do {
            let frame = try ControlProtocol.frame(reply, by: clients.encoder)
            channel.writeAndFlush(frame).assumeIsolated().whenSuccess(done)
        } catch {
            clients.logger.error("answer not sent", metadata: ["reason": "\(error)"])
            channel.close(promise: nil)
        }
    }

    /// Says why, then closes.
    private func fail(_ reason: String) {
        frameTimer?.cancel()
        guard let channel else { return }
        isBusy = true
        write(ControlReply(kind: .error, error: reason)) { channel.close(promise: nil) }
        // A client that does not read is not waited for.
        clients.loop.assumeIsolated().scheduleTask(in: .milliseconds(500)) { channel.close(promise: nil) }
    }

    /// Texts of a command end up on other operators' terminals and in the audit log.
    static func isSane(_ command: Command) -> Bool {
        func isClean(_ text: String, limit: Int) -> Bool {
            text.utf8.count <= limit && text.unicodeScalars.allSatisfy { !($0.properties.generalCategory == .control) }
        }
        return !command.id.isEmpty && isClean(command.id, limit: 128) && isClean(command.author, limit: 64)
            && isClean(command.reason, limit: 512) && isClean(command.action.camera ?? "", limit: 128)
            && isClean(command.action.viewer ?? "", limit: 128)
    }

    /// Time from a frame's first byte to its last.
    private static let frameTimeout: Duration = .seconds(2)
}
