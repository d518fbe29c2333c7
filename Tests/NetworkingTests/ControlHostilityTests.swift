import Foundation
import Glibc
import Relay
import TestSupport
import Testing
import Wire

@testable import Networking

/// Clients of the control socket that do what they must not, on raw sockets.
@Suite(.timeLimit(.minutes(1))) struct ControlHostilityTests {
    private let directory = Result { try TemporaryDirectory() }

    private func start(_ relay: StubRelay = StubRelay()) async throws -> ControlServer {
        return try await ControlServer.start(path: try directory.get().path + "/control.sock", service: relay)
    }

    private func frame(_ json: String) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(UInt32(json.utf8.count))
        return bytes + Array(json.utf8)
    }

    /// Whether an ordinary client is still served.
    private func isServing(_ server: ControlServer) async -> Bool {
        guard let client = try? await ControlClient.connect(path: server.path, subscribing: false) else { return false }
        let snapshot = try? await client.fetchSnapshot()
        await client.close()
        return snapshot != nil
    }

    @Test(arguments: [
        [0, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xFF], [0, 1, 0, 1], Array("GET / HTTP/1.1\r\n\r\n".utf8),
        [0, 0, 0, 2, 0x7B, 0x7D], [0, 0, 0, 3, 1, 2, 3],
    ])
    func `bytes that are no request are answered with the reason and an end`(bytes: [UInt8]) async throws {
        let server = try await start()
        let client = try await RawClient(server.path)
        await client.write(bytes)
        let replies = await client.readReplies()
        #expect(replies.map(\.kind) == [.hello, .error])
        #expect(replies.last?.error != nil)
        #expect(await isServing(server))
        await server.shutdown()
    }

    @Test func `a frame that is begun and not ended is not waited for`() async throws {
        let server = try await start()
        let client = try await RawClient(server.path)
        await client.write([0, 0, 0, 9, 0x7B])
        #expect(await client.readReplies().last?.error == "the frame was not completed in time")
        #expect(await isServing(server))
        await server.shutdown()
    }

    @Test func `damaged requests never end the relay`() async throws {
        let relay = StubRelay()
        let server = try await start(relay)
        var inputs: [[UInt8]] = []
        sweep([Array(#"{"id":1,"kind":"submit","command":{"id":"1"}}"#.utf8)], mutations: 20) { inputs.append($0) }
        for input in inputs where !input.isEmpty {
            let client = try await RawClient(server.path)
            await client.write(frame(String(decoding: input, as: UTF8.self)))
            _ = await client.readReplies(2)
            await client.close()
        }
        #expect(relay.commands.isEmpty)
        #expect(await isServing(server))
        await server.shutdown()
    }

    @Test func `a flood of requests is answered one after the other`() async throws {
        let relay = StubRelay()
        let server = try await start(relay)
        let client = try await RawClient(server.path)
        let count = 2_000
        let flood = Task {
            for id in 1...count { await client.write(frame(#"{"id":\#(id),"kind":"snapshot"}"#)) }
        }
        let replies = await client.readReplies(count + 1)
        #expect(replies.dropFirst().map(\.id) == (1...UInt64(count)).map { $0 })
        await flood.value
        #expect(await isServing(server))
        await server.shutdown()
    }

    @Test func `a subscriber that does not read gets the newest when it does, not all it missed`() async throws {
        let relay = StubRelay(cameras: 4_000)
        let server = try await start(relay)
        let slow = try await RawClient(server.path)
        await slow.write(frame(#"{"id":1,"kind":"subscribe"}"#))
        // One snapshot is far larger than the socket's buffer; a reader next to it counts what the sleeper misses.
        let reader = try await ControlClient.connect(path: server.path)
        var seen = 0
        for await _ in reader.updates {
            guard let snapshot = reader.snapshot(), snapshot.wallClock >= Int64(seen) * 1_000 else { continue }
            seen = Int(snapshot.wallClock / 1_000) + 1
            if seen > 6 { break }
            relay.show(cameras: 4_000, at: Int64(seen))
        }
        let replies = await slow.readReplies(4)
        #expect(replies.map(\.kind) == [.hello, .subscribe, .snapshot, .snapshot])
        #expect(replies.compactMap(\.snapshot).map { $0.wallClock / 1_000 } == [1, 6])
        await reader.close()
        await slow.close()
        await server.shutdown()
    }

    @Test func `more clients than there are places are told so`() async throws {
        let server = try await start()
        var clients: [RawClient] = []
        for _ in 0..<64 {
            let client = try await RawClient(server.path)
            #expect(await client.readReplies(1).map(\.kind) == [.hello])
            clients.append(client)
        }
        let late = try await RawClient(server.path)
        #expect(await late.readReplies().map(\.error) == ["too many clients"])
        await clients.removeLast().close()
        await server.shutdown()
        for client in clients { await client.close() }
    }
}
