import Glibc
import ICE
import NIOCore
import NIOEmbedded
import NIOPosix
import Synchronization
import Testing
import Wire

@testable import Networking

@Suite(.timeLimit(.minutes(1))) struct MediaConnectionTests {
    let group = MultiThreadedEventLoopGroup.singleton

    private static let check = STUNMessage(
        .request,
        transactionID: STUNTransactionID(high: 1, low: 2),
        attributes: [.username("mine:theirs")]
    ).serialized(integrityKey: Array("password".utf8))

    private static func frame(_ message: [UInt8]) -> [UInt8] {
        [UInt8(message.count >> 8), UInt8(message.count & 0xFF)] + message
    }

    private func plane() async throws -> MediaPlane {
        try await MediaPlane.open(ListenAddress(parsing: "127.0.0.1:0"), on: group.next(), connections: group)
    }

    private func attach(_ plane: MediaPlane) -> AsyncStream<ReceivedDatagram> {
        let (stream, continuation) = AsyncStream<ReceivedDatagram>.makeStream()
        plane.attach(shard: 0, on: group.next()) { batch in for datagram in batch { continuation.yield(datagram) } }
        return stream
    }

    @Test func `frames reach the shard that claimed the ufrag, and its datagrams come back as frames`() async throws {
        let plane = try await plane()
        var arrivals = attach(plane).makeAsyncIterator()
        plane.claim("mine", for: 0)
        let client = try await TCPClient(to: plane.localAddress)
        let dtls: [UInt8] = [22, 254, 253, 1, 2, 3]
        try await client.send(Self.frame(Self.check))
        let first = try #require(await arrivals.next())
        #expect(first.bytes == Self.check)
        #expect(first.path == FiveTuple(.tcp, local: plane.localAddress, remote: client.address))

        // Before the shard has believed the check, nothing else of this connection is anybody's.
        plane.claim(first.path, through: "mine")
        #expect(plane.isOwned(first.path))
        try await client.send(Self.frame(dtls))
        #expect(await arrivals.next()?.bytes == dtls)

        let sender = try plane.makeSender()
        var queue = DatagramQueue()
        let burst = (0..<40).map { [UInt8](repeating: UInt8($0), count: 1_000 + $0) }
        for datagram in burst { queue.append(datagram, to: first.path) }
        sender.send(&queue)
        #expect(try await client.frames(40) == burst)
        #expect(plane.counters.values.datagramsOut == 40)
        #expect(plane.counters.values.sendErrors == 0)
        await plane.close()
    }

    @Test func `datagrams for several paths keep their order on each`() async throws {
        let plane = try await plane()
        let client = try await TCPClient(to: plane.localAddress)
        try await client.send(Self.frame(STUNMessage(.request, transactionID: .init(high: 0, low: 0)).serialized()))
        _ = try await client.frames(1)
        let peer = try await UDPPeer()
        let tcp = FiveTuple(.tcp, local: plane.localAddress, remote: client.address)
        let udp = FiveTuple(.udp, local: plane.localAddress, remote: peer.address)
        var queue = DatagramQueue()
        for number in UInt8(0)..<60 {
            queue.append([UInt8](repeating: number, count: 100), to: number % 3 == 0 ? tcp : udp)
        }
        let sender = try plane.makeSender()
        sender.send(&queue)
        #expect(try await client.frames(20).map(\.first) == (0..<20).map { UInt8($0 * 3) })
        #expect(await peer.receive(40).map(\.bytes.first) == (UInt8(0)..<60).filter { $0 % 3 != 0 })
        await plane.close()
    }

    @Test func `what came before a reset arrives after the send that meets it, not in its midst`() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let plane = try await MediaPlane.open(ListenAddress(parsing: "127.0.0.1:0"), on: loop, connections: group)
        let isSending = Atomic(false)
        let (arrivals, continuation) = AsyncStream<Bool>.makeStream()
        plane.attach(shard: 0, on: loop) { _ in continuation.yield(isSending.load(ordering: .relaxed)) }
        plane.claim("mine", for: 0)
        let client = try BlockingTCPClient(to: plane.localAddress)
        client.send(Self.frame(Self.check))
        var iterator = arrivals.makeAsyncIterator()
        #expect(await iterator.next() == false)
        let path = FiveTuple(.tcp, local: plane.localAddress, remote: client.address)
        plane.claim(path, through: "mine")
        try await loop.submit {
            let sender = try plane.makeSender()
            // The loop is busy here, so this waits in the kernel, and the reset behind it.
            client.send(Self.frame(Self.check))
            client.reset()
            var queue = DatagramQueue()
            queue.append([UInt8](repeating: 7, count: 1_000), to: path)
            isSending.store(true, ordering: .relaxed)
            sender.send(&queue)
            isSending.store(false, ordering: .relaxed)
        }.get()
        #expect(await iterator.next() == false)
        await plane.close()
        try await group.shutdownGracefully()
    }

    @Test func `what a client does not read is dropped and counted, and nothing waits for it`() async throws {
        let plane = try await plane()
        let client = try await TCPClient(to: plane.localAddress, readsByItself: false)
        try await client.send(Self.frame(Self.check))
        let path = FiveTuple(.tcp, local: plane.localAddress, remote: client.address)
        while plane.connections[path] == nil { await Task.yield() }
        plane.claim("mine", for: 0)
        plane.claim(path, through: "mine")
        let sender = try plane.makeSender()
        for _ in 0..<12 {
            var queue = DatagramQueue()
            for _ in 0..<1_000 { queue.append(to: path, maximum: 1_200) { $0.count } }
            sender.send(&queue)
            #expect(!sender.isBlocked)
        }
        let values = plane.counters.values
        #expect(values.droppedFull > 0)
        #expect(values.droppedFull + values.datagramsOut == 12_000)
        // Its viewer is told, but the machine is not short of anything.
        let dropped = Int(values.droppedFull)
        #expect(sender.takeOverflow() == DatagramSender.Overflow(paths: [path: dropped], byMachine: 0))
        await plane.close()
    }

    @Test func `a connection that closes takes its path with it, and its owner hears by whom`() async throws {
        for end in [ConnectionEnd.client, .relay] {
            let plane = try await plane()
            let (ends, closed) = AsyncStream<(FiveTuple, ConnectionEnd)>.makeStream()
            plane.attach(shard: 0, on: group.next(), closed: { closed.yield(($0, $1)) }, receive: { _ in })
            var endings = ends.makeAsyncIterator()
            plane.claim("mine", for: 0)
            let channel = EmbeddedChannel()
            let path = FiveTuple(
                .tcp,
                local: .init(try required(IPAddress("192.0.2.1")), port: 8_189),
                remote: .init(try required(IPAddress("203.0.113.7")), port: 50_000)
            )
            channel.localAddress = try SocketAddress(ipAddress: "192.0.2.1", port: 8_189)
            channel.remoteAddress = try SocketAddress(ipAddress: "203.0.113.7", port: 50_000)
            try channel.pipeline.syncOperations.addHandler(MediaConnectionHandler(plane: plane, carrier: .tcp))
            channel.pipeline.fireChannelActive()
            plane.claim(path, through: "mine")
            #expect(plane.isOwned(path))
            if end == .client {
                channel.pipeline.fireChannelInactive()
            } else {
                try channel.writeInbound(ByteBuffer(bytes: [0xFF, 0xFF, 1]))
            }
            channel.embeddedEventLoop.run()
            let ending = try #require(await endings.next())
            #expect(ending == (path, end))
            #expect(!plane.isOwned(path) && plane.connections[path] == nil)
            // The check by which a path is learned may have been under way while its connection closed.
            plane.claim(path, through: "mine")
            #expect(!plane.isOwned(path))
            #expect(try #require(await endings.next()).0 == path)
            // So may the one by which a relayed address is learned, whose allocation went with its owner's connection.
            let relayed = RelayedAddress.address(1, for: .tcp)
            let way = FiveTuple(.udp, local: path.local, remote: relayed)
            plane.claim(way, through: "mine")
            #expect(!plane.isOwned(way))
            #expect(try #require(await endings.next()).0 == way)
            _ = try? channel.finish()
            await plane.close()
        }
    }

    /// A client that reads nothing: what is written to it stays in the queue.
    private final class Unread: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        var promises: [EventLoopPromise<Void>?] = []

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            promises.append(promise)
        }
    }

    @Test func `sound finds room where pictures find none`() throws {
        let unread = Unread()
        let connection = MediaConnection(channel: EmbeddedChannel(handler: unread), counters: MediaCounters())
        let path = FiveTuple(
            .tcp,
            local: TransportAddress(IPAddress(v4: 1), port: 1),
            remote: TransportAddress(IPAddress(v4: 2), port: 2)
        )
        func dropped(of count: Int, isSpare: Bool) throws -> Int {
            var queue = DatagramQueue()
            for _ in 0..<count { queue.append([UInt8](repeating: 0x80, count: 198), to: path, isSpare: isSpare) }
            return try queue.bytes.withUnsafeBufferPointer {
                connection.send(queue.entries[...], try #require($0.baseAddress))
            }
        }
        let pictures = (MediaConnection.queueLimit - MediaConnection.reserve) / 200
        #expect(try dropped(of: 2_000, isSpare: true) == 2_000 - pictures)
        #expect(try dropped(of: 10, isSpare: true) == 10)
        #expect(try dropped(of: 160, isSpare: false) == 0, "two seconds of sound")
        #expect(try dropped(of: 100, isSpare: false) > 90, "and no more than there is room for")
        for promise in unread.promises { promise?.succeed() }
        #expect(try dropped(of: pictures, isSpare: true) == 0)
        for promise in unread.promises { promise?.succeed() }
    }

    @Test func `a connection that begins with anything but STUN is closed`() async throws {
        let plane = try await plane()
        let client = try await TCPClient(to: plane.localAddress)
        try await client.send(Array("GET / HTTP/1.1\r\n\r\n".utf8))
        await client.closed()
        await plane.close()
    }

    @Test func `Binding requests are answered by UDP and TCP, framed as they came; checks of strangers are not`()
        async throws
    {
        let plane = try await plane()
        let plain = STUNMessage(.request, transactionID: STUNTransactionID(high: 7, low: 8)).serialized()
        let udp = try await UDPPeer()
        try await udp.send(Self.check, to: plane.localAddress)
        try await udp.send(plain, to: plane.localAddress)
        let datagram = try #require(await udp.receive(1).first)
        #expect(try STUNMessage(parsing: datagram.bytes[...]).xorMappedAddress == udp.address)
        #expect(datagram.from == plane.localAddress)

        let framed = try await TCPClient(to: plane.localAddress)
        try await framed.send(Self.frame(Self.check) + Self.frame(plain))
        let answer = try #require(try await framed.frames(1).first)
        #expect(try STUNMessage(parsing: answer[...]).xorMappedAddress == framed.address)

        let native = try await TCPClient(to: plane.localAddress)
        try await native.send(plain)
        let bytes = try await native.bytes(40)
        #expect(try STUNMessage(parsing: bytes[...]).xorMappedAddress == native.address)
        #expect(plane.counters.values.droppedUnknown == 2)
        await plane.close()
    }

    /// What a client may send on a connection that becomes nobody's.
    @Test(
        arguments: [
            ("nothing", []), ("half a frame", frame(check).dropLast(1)),
            ("a frame of 4,095 bytes, begun", [0x0F, 0xFF, 0]),
            ("a check of a stranger", frame(check)),
            ("a Binding request, answered", STUNMessage(.request, transactionID: .init(high: 0, low: 0)).serialized()),
        ] as [(String, [UInt8])]
    )
    func `a connection that is of no use is closed after five seconds, whatever it sent`(
        what: String,
        bytes: [UInt8]
    ) async throws {
        let plane = try await plane()
        let loop = EmbeddedEventLoop()
        let channel = EmbeddedChannel(loop: loop)
        channel.localAddress = try SocketAddress(ipAddress: "192.0.2.1", port: 8_189)
        channel.remoteAddress = try SocketAddress(ipAddress: "203.0.113.7", port: 50_000)
        try channel.pipeline.syncOperations.addHandler(MediaConnectionHandler(plane: plane, carrier: .tcp))
        channel.pipeline.fireChannelActive()
        // One byte at a time gains nothing.
        for byte in bytes { try channel.writeInbound(ByteBuffer(bytes: [byte])) }
        loop.advanceTime(by: .milliseconds(4_900))
        #expect(
            plane.connections[
                FiveTuple(
                    .tcp,
                    local: .init(try required(IPAddress("192.0.2.1")), port: 8_189),
                    remote: .init(try required(IPAddress("203.0.113.7")), port: 50_000)
                )
            ] != nil
        )
        try channel.writeInbound(ByteBuffer(bytes: []))
        loop.advanceTime(by: .milliseconds(200))
        loop.run()
        #expect(!channel.isActive)
        _ = try? channel.finish()
        await plane.close()
    }

    /// Asks for reads, as a socket is asked.
    private final class ReadCounter: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        var reads = 0

        func read(context: ChannelHandlerContext) {
            reads += 1
            context.read()
        }
    }

    @Test func `what a client sends too fast waits, and is not read from its socket meanwhile`() async throws {
        let plane = try await plane()
        let loop = EmbeddedEventLoop()
        let reads = ReadCounter()
        let channel = EmbeddedChannel(handler: reads, loop: loop)
        channel.localAddress = try SocketAddress(ipAddress: "192.0.2.1", port: 8_189)
        channel.remoteAddress = try SocketAddress(ipAddress: "203.0.113.7", port: 50_000)
        try channel.pipeline.syncOperations.addHandler(MediaConnectionHandler(plane: plane, carrier: .tcp))
        channel.pipeline.fireChannelActive()
        var bytes: [UInt8] = []
        for _ in 0..<400 { bytes += Self.frame(Self.check) }
        try channel.writeInbound(ByteBuffer(bytes: bytes))
        loop.run()
        let atOnce = UInt64(MediaConnectionHandler.limit.burst)
        #expect(plane.counters.values.droppedUnknown == atOnce)
        let before = reads.reads
        channel.read()
        #expect(reads.reads == before)
        loop.advanceTime(by: .seconds(1))
        let inASecond = plane.counters.values.droppedUnknown - atOnce
        #expect((90...100).contains(inASecond))
        #expect(reads.reads == before)
        loop.advanceTime(by: .seconds(4))
        #expect(plane.counters.values.droppedUnknown == 400)
        #expect(reads.reads == before + 1)
        _ = try? channel.finish()
        await plane.close()
    }

    @Test(
        arguments: [
            [0xFF, 0xFF, 1], [0x10, 0x00, 0x16, 3, 1], Array("GET / HTTP/1.1\r\n".utf8),
            [0, 20] + [UInt8](repeating: 0, count: 20),
        ] as [[UInt8]]
    )
    func `what cannot become STUN is not waited for`(bytes: [UInt8]) async throws {
        let plane = try await plane()
        let client = try await TCPClient(to: plane.localAddress)
        let begun = ContinuousClock.now
        try await client.send(bytes)
        await client.closed()
        #expect(ContinuousClock.now - begun < .seconds(4))
        await plane.close()
    }

    @Test func `one address has so many connections, loopback more`() {
        let connections = MediaConnections()
        let channel = EmbeddedChannel()
        func path(_ ip: IPAddress, _ port: UInt16) -> FiveTuple {
            FiveTuple(.tcp, local: TransportAddress(ip, port: 1), remote: TransportAddress(ip, port: port))
        }
        let far = IPAddress(v4: 0xCB00_7107)
        let counters = MediaCounters()
        let admitted = (UInt16(1)...200).filter {
            connections.admit(MediaConnection(channel: channel, counters: counters), on: path(far, $0))
        }
        #expect(admitted.count == MediaConnections.limitPerAddress)
        connections.remove(path(far, admitted[0]))
        #expect(connections.admit(MediaConnection(channel: channel, counters: counters), on: path(far, 500)))
        let near = IPAddress(v4: 0x7F00_0001)
        let local = (UInt16(1)...3_000).count {
            connections.admit(MediaConnection(channel: channel, counters: counters), on: path(near, $0))
        }
        #expect(local == MediaConnections.limit - MediaConnections.limitPerAddress)
    }
}
