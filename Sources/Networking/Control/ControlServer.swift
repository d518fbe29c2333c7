import Foundation
import Logging
import NIOCore
import NIOPosix
import Relay
import Wire

/// Offers the relay's window and door to other processes of this machine, over a Unix socket.
///
/// Works on a thread of its own, so that encoding a snapshot never delays media.
public final class ControlServer: Sendable {
    /// The socket's path.
    public let path: String

    private let file: ControlSocketFile
    private let group: MultiThreadedEventLoopGroup
    private let channel: any Channel
    private let clients: NIOLoopBound<ControlClients>

    private init(
        file: ControlSocketFile,
        group: MultiThreadedEventLoopGroup,
        channel: any Channel,
        clients: NIOLoopBound<ControlClients>
    ) {
        path = file.path
        self.file = file
        self.group = group
        self.channel = channel
        self.clients = clients
    }

    /// Makes the socket and serves clients from now on.
    ///
    /// - Throws: ``NodeError`` when another relay listens there, or the place cannot be used.
    public static func start(
        path: String,
        service: any RelayService,
        logger: Logger = Logger(label: "signalbox.control")
    ) async throws(NodeError) -> ControlServer {
        let file = try ControlSocketFile.listen(at: path)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        do {
            let clients = try await loop.submit {
                NIOLoopBound(ControlClients(service: service, on: loop, logger: logger), eventLoop: loop)
            }.get()
            let channel = try await ServerBootstrap(group: group)
                .childChannelOption(.maxMessagesPerRead, value: 1)
                .childChannelInitializer { channel in
                    PeerCredentials.of(channel).flatMapThrowing { credentials in
                        try channel.pipeline.syncOperations.addHandler(
                            ControlConnectionHandler(clients.value, peer: credentials)
                        )
                    }
                }
                .withBoundSocket(file.descriptor)
                .get()
            try await loop.submit { clients.value.start() }.get()
            return ControlServer(file: file, group: group, channel: channel, clients: clients)
        } catch {
            file.remove()
            try? await group.shutdownGracefully()
            throw NodeError(
                problem: "The control socket \(path) cannot be served: \(error).",
                remedy: "Raise the limit of open files, or look at the system's log."
            )
        }
    }

    /// Asks whether a relay serves this socket, before ports are opened that it would hold, too.
    ///
    /// - Throws: ``NodeError`` that names the other relay's process.
    public static func refuseIfRunning(at path: String) throws(NodeError) {
        try ControlSocketFile.refuseIfRunning(at: path)
    }

    /// Closes all clients and removes the socket.
    public func shutdown() async {
        // While we listen nobody can have taken the file over.
        file.remove()
        try? await channel.close().get()
        try? await channel.eventLoop.submit { self.clients.value.stop() }.get()
        try? await group.shutdownGracefully()
    }
}

/// All clients of a control socket. Confined to the server's loop.
final class ControlClients {
    let service: any RelayService
    let loop: any EventLoop
    let logger: Logger
    let encoder = ControlProtocol.makeEncoder()
    let decoder = ControlProtocol.makeDecoder()
    private var handlers: [ObjectIdentifier: ControlConnectionHandler] = [:]
    private var timer: LoopTimer?

    init(service: any RelayService, on loop: any EventLoop, logger: Logger) {
        self.service = service
        self.loop = loop
        self.logger = logger
    }

    func start() {
        timer = LoopTimer(on: loop) { [weak self] _ in self?.push() }
        push()
    }

    func stop() {
        timer?.cancel()
        timer = nil
        for handler in handlers.values { handler.close() }
        handlers.removeAll()
    }

    /// Whether one more client is taken.
    func add(_ handler: ControlConnectionHandler) -> Bool {
        guard handlers.count < Self.clientLimit else { return false }
        handlers[ObjectIdentifier(handler)] = handler
        return true
    }

    func remove(_ handler: ControlConnectionHandler) { handlers[ObjectIdentifier(handler)] = nil }

    /// Sends the latest snapshot, encoded once, to every subscriber that has read the one before.
    private func push() {
        let now = MonotonicClock.now()
        timer?.set(now + Self.pushInterval, at: now)
        let waiting = handlers.values.filter(\.wantsSnapshot)
        guard !waiting.isEmpty, let snapshot = service.snapshot() else { return }
        let receivers = waiting.filter { $0.pushedSample != snapshot.sampledAt }
        guard !receivers.isEmpty else { return }
        do {
            let frame = try ControlProtocol.frame(ControlReply(kind: .snapshot, snapshot: snapshot), by: encoder)
            for handler in receivers { handler.push(frame, sampledAt: snapshot.sampledAt) }
        } catch {
            logger.error("snapshot not sent", metadata: ["reason": "\(error)"])
        }
    }

    private static let pushInterval: Duration = .milliseconds(250)
    /// Consoles and scripts of a few operators.
    private static let clientLimit = 64
}
