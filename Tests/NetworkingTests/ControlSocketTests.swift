import Foundation
import Glibc
import NIOCore
import NIOPosix
import Relay
import TestSupport
import Testing
import Wire

@testable import Networking

@Suite(.timeLimit(.minutes(1))) struct ControlSocketTests {
    private let directory = Result { try TemporaryDirectory() }

    private static func mode(_ path: String) -> mode_t {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & 0o7777 : 0
    }

    @Test func `directory and socket are closed to others whatever the umask`() async throws {
        let directory = try self.directory.get().path + "/state/signalbox"
        let path = directory + "/control.sock"
        let server = try await ControlServer.start(path: path, service: StubRelay())
        #expect(Self.mode(directory) == 0o750)
        #expect(Self.mode(path) == 0o660)
        await server.shutdown()
        #expect(access(path, F_OK) != 0)
    }

    @Test func `a live relay is named and left alone`() async throws {
        let path = try directory.get().path + "/control.sock"
        let server = try await ControlServer.start(path: path, service: StubRelay())
        let error = await #expect(throws: NodeError.self) {
            try await ControlServer.start(path: path, service: StubRelay())
        }
        #expect(error?.problem == "Another signalbox is running (pid \(getpid())) and listens on \(path).")
        #expect(error?.remedy.contains("signalbox attach") == true)
        #expect(throws: try required(error)) { try ControlServer.refuseIfRunning(at: path) }
        #expect(throws: Never.self) { try ControlServer.refuseIfRunning(at: path + "-other") }
        let client = try await ControlClient.connect(path: path)
        #expect(client.status == .connected(processID: getpid()))
        await client.close()
        await server.shutdown()
    }

    @Test func `the socket of a relay that died is taken over, any other file is not`() async throws {
        let path = try directory.get().path + "/control.sock"
        let stale = try ControlSocketFile.listen(at: path)
        close(stale.descriptor)
        #expect(access(path, F_OK) == 0)
        let server = try await ControlServer.start(path: path, service: StubRelay())
        let client = try await ControlClient.connect(path: path)
        await client.close()
        await server.shutdown()

        close(open(path, O_CREAT | O_WRONLY, 0o600))
        let error = #expect(throws: NodeError.self) { try ControlSocketFile.listen(at: path) }
        #expect(error?.problem == "\(path) exists and is no socket.")
    }

    @Test func `a directory that everybody may write to is refused`() throws {
        let directory = try self.directory.get().path
        chmod(directory, 0o777)
        let error = #expect(throws: NodeError.self) { try ControlSocketFile.listen(at: directory + "/control.sock") }
        #expect(error?.remedy.contains("chmod 0750") == true)
    }

    @Test func `a path that does not fit into a socket address is refused`() {
        let path = "/tmp/" + String(repeating: "x", count: 120)
        #expect(throws: NodeError.self) { try ControlSocketFile.listen(at: path) }
    }

    @Test func `only root, the relay's user and members of its group may control it`() {
        #expect(PeerCredentials(processID: 0, userID: 0, groupID: 9).mayControl(user: 5, group: 6))
        #expect(PeerCredentials(processID: 0, userID: 5, groupID: 9).mayControl(user: 5, group: 6))
        #expect(PeerCredentials(processID: 0, userID: 7, groupID: 6).mayControl(user: 5, group: 6))
        #expect(!PeerCredentials(processID: 0, userID: 7, groupID: 9).mayControl(user: 5, group: 6))
        #expect(PeerCredentials.groups(inStatus: "Uid:\t1\nGroups:\t4 24 27 \nX:\t9\n") == [4, 24, 27])
        #expect(PeerCredentials.groups(inStatus: "Groups:\n") == [])
    }

    // MARK: The client

    @Test func `snapshots, history, events, ended sessions and commands go through the socket`() async throws {
        let path = try directory.get().path + "/control.sock"
        let relay = StubRelay(cameras: 3)
        let server = try await ControlServer.start(path: path, service: relay)
        let client = try await ControlClient.connect(path: path, subscribing: false)
        #expect(client.snapshot() == nil)
        let snapshot = try await client.fetchSnapshot()
        #expect(snapshot?.cameras.map(\.id) == ["camera-0", "camera-1", "camera-2"])
        #expect(snapshot?.node.cpu == .infinity)
        let history = await client.history(HistoryRequest(series: [.node(.cpu), .hlsLatency("a/b")], seconds: 9))
        #expect(history.values == [[1, nil, 3], [1, nil, 3]])
        #expect(await client.events(EventsRequest(before: 12, limit: 34)).map(\.text) == ["limit 34"])
        let ended = await client.attempts(AttemptsRequest(viewer: "v1", limit: 56))
        #expect(ended.map(\.id) == [56] && ended.map(\.viewer) == ["v1"])
        #expect(ended.first?.verdict.rule == .udpBlocked && ended.first?.verdict.evidence == ["0 checks"])
        let command = Command(id: "1", action: .restart(camera: "yard/gate"), author: "ana", reason: "frozen")
        #expect(await client.submit(command) == .accepted)
        #expect(relay.commands.map(\.action) == [.restart(camera: "yard/gate")])
        #expect(
            await client.submit(Command(id: "2", action: .kill(camera: "missing"), author: "ana"))
                == .refused("there is no camera missing")
        )
        await client.close()
        await server.shutdown()
    }

    @Test func `a command with control characters or without an id never reaches the relay`() async throws {
        let path = try directory.get().path + "/control.sock"
        let relay = StubRelay()
        let server = try await ControlServer.start(path: path, service: relay)
        let client = try await ControlClient.connect(path: path, subscribing: false)
        for (id, reason) in [("", "x"), ("1", "\u{1B}[2J"), ("1", String(repeating: "x", count: 600))] {
            let reply = await client.submit(Command(id: id, action: .kill(camera: "a"), author: "a", reason: reason))
            #expect(reply != .accepted)
        }
        #expect(relay.commands.isEmpty)
        await client.close()
        await server.shutdown()
    }

    @Test func `no relay is said with socket and remedy`() async throws {
        let path = try directory.get().path + "/control.sock"
        let error = await #expect(throws: ControlError.self) { try await ControlClient.connect(path: path) }
        #expect(error?.kind == .noRelay)
        #expect(error?.problem == "No relay is running on \(path).")
        #expect(error?.remedy.contains("signalbox serve") == true)
    }

    @Test func `a client keeps the last snapshot, says that it is old, and comes back with the relay`() async throws {
        let path = try directory.get().path + "/control.sock"
        let relay = StubRelay(cameras: 2)
        let first = try await ControlServer.start(path: path, service: relay)
        let client = try await ControlClient.connect(path: path)
        for await _ in client.updates where client.snapshot()?.cameras.count == 2 && !client.isStale { break }

        await first.shutdown()
        for await _ in client.updates where client.isStale { break }
        #expect(client.snapshot()?.cameras.count == 2)
        #expect(await client.submit(Command(id: "1", action: .kill(camera: "a"), author: "a")) != .accepted)
        #expect(await client.history(HistoryRequest(series: [.node(.cpu)], seconds: 9)).values == [[]])

        relay.show(cameras: 5, at: 9)
        let second = try await ControlServer.start(path: path, service: relay)
        // Once fresh, not for ever fresh: on a busy machine the next snapshot may be late.
        for await _ in client.updates where client.snapshot()?.cameras.count == 5 && !client.isStale { break }
        await client.close()
        #expect(client.status == .closed)
        await second.shutdown()
    }

    @Test func `whoever is not a relay is found out`() async throws {
        let path = try directory.get().path + "/control.sock"
        let listener = try await ServerBootstrap(group: NIOSingletons.posixEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(WebServer()) }
            }
            .bind(unixDomainSocketPath: path)
            .get()
        let error = await #expect(throws: ControlError.self) { try await ControlClient.connect(path: path) }
        #expect(error?.kind == .incompatible)
        try await listener.close().get()
    }
}

private final class WebServer: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    func channelActive(context: ChannelHandlerContext) {
        context.channel.writeAndFlush(ByteBuffer(string: "HTTP/1.1 400 Bad Request\r\n\r\n"), promise: nil)
    }
}
