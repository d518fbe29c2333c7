import DTLS
import NIOCore
import NIOPosix
import RTSP
import Relay
import Testing
import Wire

@testable import Networking

@Suite(.timeLimit(.minutes(1))) struct RelayNodeTests {
    private func start(cameras: [CameraConfiguration] = [], media: String = "127.0.0.1:0") async throws -> RelayNode {
        let configuration = NodeConfiguration(
            name: "test",
            version: "0",
            media: media,
            cameras: cameras,
            certificate: try DTLSContext.selfSigned()
        )
        return try await RelayNode.start(
            configuration: configuration,
            group: MultiThreadedEventLoopGroup(numberOfThreads: 2)
        )
    }

    private func camera(
        _ name: String,
        at address: TransportAddress,
        onDemand: Bool = false
    ) throws -> CameraConfiguration {
        CameraConfiguration(name: name, source: try Self.url(address), onDemand: onDemand)
    }

    private func join(_ camera: String) -> JoinRequest {
        JoinRequest(camera: camera, control: .page, remote: IPAddress(v4: 0x7F00_0001), userAgent: "test")
    }

    @Test func `cameras are spread over the loops and spoken to in rtsp`() async throws {
        let servers = [try await ScriptedServer(), try await ScriptedServer(), try await ScriptedServer()]
        let names = ["a", "b", "c"]
        let node = try await start(cameras: zip(names, servers).map { try camera($0, at: $1.address) })
        for server in servers {
            let bytes = try await server.accept().read(8)
            #expect(String(decoding: bytes, as: UTF8.self).hasPrefix("OPTIONS "))
        }
        let loops = Set(names.compactMap { node.shard(camera: $0) }.map { ObjectIdentifier($0.loop) })
        #expect(loops.count == 2)
        await node.shutdown()
        for server in servers { await server.close() }
    }

    @Test func `the snapshot shows process, listeners and what it was told to present`() async throws {
        let node = try await start()
        let listener = ListenerSnapshot(name: "https", address: "127.0.0.1:8443")
        node.present(pageURLs: ["https://127.0.0.1:8443/"], listeners: [listener], notices: ["loopback only"])
        var snapshot = node.snapshot()
        while snapshot?.node.pageURL == nil {
            // The loops publish; asking them keeps their pace, not ours.
            _ = try await node.shards[0].loop.scheduleTask(in: .milliseconds(50)) {}.futureResult.get()
            snapshot = node.snapshot()
        }
        let shown = try required(snapshot?.node)
        let media = node.media.localAddress.description
        let listeners = [listener, .init(name: "media/udp", address: media), .init(name: "media/tcp", address: media)]
        #expect(shown.listeners == listeners)
        #expect(shown.notices == ["loopback only"])
        #expect(shown.residentBytes ?? 0 > 1_000_000)
        #expect(shown.threads ?? 0 > 2)
        #expect(shown.descriptors ?? 0 > 3)
        #expect(shown.descriptorLimit ?? 0 > 3)
        #expect(shown.loopDelay != nil)
        await node.shutdown()
    }

    @Test func `the snapshot shows what the media port dropped`() async throws {
        let node = try await start()
        let stranger = try await UDPPeer()
        for _ in 0..<3 { try await stranger.send([UInt8](repeating: 0x80, count: 40), to: node.media.localAddress) }
        var media = node.snapshot()?.node.media
        while media?.droppedUnknown != 3 {
            _ = try await node.shards[0].loop.scheduleTask(in: .milliseconds(50)) {}.futureResult.get()
            media = node.snapshot()?.node.media
        }
        #expect(media == MediaPortSnapshot(droppedFull: 0, sendErrors: 0, droppedUnknown: 3, isOffloading: true))
        await node.shutdown()
    }

    @Test func `what is not there is refused in words`() async throws {
        let node = try await start()
        let refusal = await #expect(throws: ViewerRefusal.self) { try await node.join(join("nowhere")) }
        #expect(refusal?.kind == .notFound)
        let missing = await #expect(throws: ViewerRefusal.self) {
            try await node.offer("v=0", viewer: "v009999999999999")
        }
        #expect(missing?.kind == .notFound)
        #expect(
            await node.submit(Command(id: "1", action: .restart(camera: "nowhere"), author: "test"))
                == .refused("there is no camera nowhere")
        )
        #expect(await node.submit(Command(id: "2", action: .drop(viewer: "nobody"), author: "test")) != .accepted)
        await node.leave(viewer: "nobody", reason: "test")
        let response = await withCheckedContinuation { continuation in
            node.hls(hlsRequest("nowhere")) { continuation.resume(returning: $0) }
        }
        #expect(response.status == 404)
        await node.shutdown()
    }

    @Test func `a viewer lives on its camera's loop and hears the end of the relay`() async throws {
        let server = try await ScriptedServer()
        let node = try await start(cameras: [
            try camera("a", at: server.address), try camera("b", at: server.address),
        ])
        let viewer = try await node.join(join("b"))
        #expect(node.shard(viewer: viewer.id)?.loop === node.shard(camera: "b")?.loop)
        async let heard = viewer.messages.reduce(into: 0) { count, _ in count += 1 }
        await node.shutdown()
        _ = await heard
        #expect(await node.submit(Command(id: "1", action: .kill(camera: "a"), author: "test")) != .accepted)
        await server.close()
    }

    @Test func `an hls request that waits is answered once when the relay ends, a cancelled one never`() async throws {
        let server = try await ScriptedServer()
        let node = try await start(cameras: [try camera("a", at: server.address)])
        _ = try await server.accept()
        let (responses, continuation) = AsyncStream<Int>.makeStream()
        node.hls(hlsRequest("a")) { continuation.yield($0.status) }
        let takeBack = node.hls(hlsRequest("a")) { _ in Issue.record("a cancelled request was answered") }
        takeBack()
        await node.shutdown()
        continuation.finish()
        let statuses = await responses.reduce(into: [Int]()) { $0.append($1) }
        #expect(statuses.count == 1)
        await server.close()
    }

    @Test func `shutting down ends although a camera does not read, and may be asked for twice`() async throws {
        let server = try await ScriptedServer(reading: false)
        let node = try await start(cameras: [try camera("a", at: server.address)])
        _ = try await server.accept()
        await node.shutdown()
        await node.shutdown()
        await server.close()
    }

    @Test func `a media port in use ends the start with problem and remedy`() async throws {
        let node = try await start()
        let address = node.media.localAddress.description
        let error = await #expect(throws: NodeError.self) { try await start(media: address) }
        #expect(error?.problem == "The media port \(address) is in use by another process.")
        await node.shutdown()
    }

    private func hlsRequest(_ camera: String) -> HLSRequest {
        HLSRequest(
            camera: camera,
            resource: "index.m3u8",
            remote: IPAddress(v4: 0x7F00_0001),
            userAgent: "test",
            scheme: "http"
        )
    }
}

extension RelayNodeTests {
    private static func url(_ address: TransportAddress) throws -> RTSPURL {
        try RTSPURL(parsing: "rtsp://\(address)/stream")
    }
}
