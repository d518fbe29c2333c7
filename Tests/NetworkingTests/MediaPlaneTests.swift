import CMedia
import Glibc
import ICE
import NIOCore
import NIOPosix
import Testing
import Wire

@testable import Networking

@Suite(.timeLimit(.minutes(1))) struct MediaPlaneTests {
    let group = MultiThreadedEventLoopGroup.singleton

    private func open(_ listen: String = "127.0.0.1:0", on loop: (any EventLoop)? = nil) async throws -> MediaPlane {
        try await MediaPlane.open(ListenAddress(parsing: listen), on: loop ?? group.next())
    }

    /// Attaches a shard that puts what it receives into a stream.
    private func attach(_ plane: MediaPlane, shard: Int = 0, on loop: any EventLoop) -> AsyncStream<ReceivedDatagram> {
        let (stream, continuation) = AsyncStream<ReceivedDatagram>.makeStream()
        plane.attach(shard: shard, on: loop) { batch in
            loop.assertInEventLoop()
            for datagram in batch { continuation.yield(datagram) }
        }
        return stream
    }

    private static func bindingRequest(ufrag: String) -> [UInt8] {
        STUNMessage(
            .request,
            transactionID: STUNTransactionID(high: 1, low: 2),
            attributes: [.username("\(ufrag):theirs")]
        ).serialized(integrityKey: Array("password".utf8))
    }

    private static let dtls: [UInt8] = [22, 254, 253, 0, 0, 1, 2, 3]

    @Test(arguments: [true, false])
    func `a burst of equal datagrams and a shorter last one arrives whole and in order`(offload: Bool) async throws {
        let plane = try await open()
        let peer = try await UDPPeer()
        let sender = try plane.makeSender(offload: offload)
        let path = FiveTuple(.udp, local: plane.localAddress, remote: peer.address)
        let burst = (0..<150).map { [UInt8](repeating: UInt8($0), count: $0 % 50 == 49 ? 300 : 1_200) }
        var queue = DatagramQueue()
        for datagram in burst { queue.append(datagram, to: path) }
        sender.send(&queue)
        #expect(queue.isEmpty)
        let arrivals = await peer.receive(burst.count)
        #expect(arrivals.map(\.bytes) == burst)
        #expect(arrivals.allSatisfy { $0.from == plane.localAddress })
        #expect(plane.counters.values.datagramsOut == 150)
        #expect(plane.counters.values.bytesOut == UInt64(burst.reduce(0) { $0 + $1.count }))
        #expect(plane.counters.values.sendErrors == 0)
        #expect(plane.counters.values.isOffloading)
        await plane.close()
    }

    @Test func `a kernel that refuses segmentation gets the same datagrams one by one, and is not asked again`()
        async throws
    {
        let plane = try await open()
        let asked = Counter()
        let refusing = KernelSends(
            sendSegments: { _, _, _, _, _, _, _ in
                asked.add()
                return -EIO
            },
            sendBatch: KernelSends.live.sendBatch
        )
        let peers = [try await UDPPeer(), try await UDPPeer(), try await UDPPeer(), try await UDPPeer()]
        let socket = try required(bound())
        let sender = DatagramSender(descriptor: socket, family: 4, counters: plane.counters, kernel: refusing)
        for _ in 0..<2 {
            for peer in peers {
                var queue = DatagramQueue()
                let path = FiveTuple(.udp, local: plane.localAddress, remote: peer.address)
                for byte in UInt8(0)..<5 { queue.append([UInt8](repeating: byte, count: 100), to: path) }
                sender.send(&queue)
                #expect(await peer.receive(5).map(\.bytes.first) == [0, 1, 2, 3, 4])
            }
        }
        #expect(asked.value == 4)
        #expect(!plane.counters.values.isOffloading)
        await plane.close()
    }

    @Test func `what finds the kernel full waits, keeps its order, and is dropped and counted past the limit`() throws {
        let counters = MediaCounters()
        let kernel = FakeKernel()
        let sender = DatagramSender(
            descriptor: dup(2),
            family: 4,
            counters: counters,
            kernel: kernel.sends,
            parkingLimit: 10_000
        )
        let path = FiveTuple(
            .udp,
            local: TransportAddress(IPAddress(v4: 0), port: 1),
            remote: TransportAddress(IPAddress(v4: 0x7F00_0001), port: 2)
        )
        var queue = DatagramQueue()
        for byte in UInt8(0)..<3 { queue.append([byte, byte == 1 ? 1 : 0, 9].prefix(Int(byte) + 1), to: path) }
        kernel.room = 2
        sender.send(&queue)
        #expect(sender.isBlocked)
        #expect(kernel.sent == [[0], [1, 1]])
        kernel.room = 0
        queue.append([7, 7, 7, 7], to: path)
        sender.send(&queue)
        #expect(sender.isBlocked)
        kernel.room = 10
        sender.retry()
        #expect(!sender.isBlocked)
        #expect(kernel.sent == [[0], [1, 1], [2, 0, 9], [7, 7, 7, 7]])

        kernel.room = 0
        for _ in 0..<15 { queue.append([UInt8](repeating: 1, count: 1_000), to: path) }
        sender.send(&queue)
        #expect(counters.values.droppedFull == 5)
        #expect(counters.values.sendErrors == 0)
        let overflow = sender.takeOverflow()
        #expect(overflow == DatagramSender.Overflow(paths: [path: 5], byMachine: 5))
        #expect(sender.takeOverflow() == nil)
        sender.dropWaiting()
        #expect(!sender.isBlocked)
        #expect(sender.takeOverflow()?.byMachine == 10 && counters.values.droppedFull == 15)

        // Pictures leave an eighth of the room to sound.
        for _ in 0..<15 { queue.append([UInt8](repeating: 1, count: 1_000), to: path, isSpare: true) }
        sender.send(&queue)
        #expect(sender.takeOverflow()?.byMachine == 7)
        for _ in 0..<6 { queue.append([UInt8](repeating: 2, count: 200), to: path) }
        sender.send(&queue)
        #expect(sender.takeOverflow() == nil)
    }

    @Test func `a stun request goes to the shard that claimed its ufrag and the path it opens follows`() async throws {
        let (receiving, other) = (group.next(), group.next())
        let plane = try await open(on: receiving)
        let first = attach(plane, shard: 0, on: receiving)
        let second = attach(plane, shard: 1, on: other)
        let peer = try await UDPPeer()
        let path = FiveTuple(.udp, local: plane.localAddress, remote: peer.address)
        plane.claim("abcd", for: 1)
        try await peer.send(Self.bindingRequest(ufrag: "nobody"), to: plane.localAddress)
        try await peer.send(Self.dtls, to: plane.localAddress)
        try await peer.send(Self.bindingRequest(ufrag: "abcd"), to: plane.localAddress)
        var arrivals = second.makeAsyncIterator()
        let request = await arrivals.next()
        #expect(request?.bytes == Self.bindingRequest(ufrag: "abcd"))
        #expect(request?.path == path)
        #expect(plane.counters.values.droppedUnknown == 2)

        plane.claim(path, through: "abcd")
        try await peer.send(Self.dtls, to: plane.localAddress)
        #expect(await arrivals.next()?.bytes == Self.dtls)

        plane.release("abcd")
        plane.claim("efgh", for: 0)
        try await peer.send(Self.dtls, to: plane.localAddress)
        try await peer.send(Self.bindingRequest(ufrag: "efgh"), to: plane.localAddress)
        var others = first.makeAsyncIterator()
        #expect(await others.next()?.bytes == Self.bindingRequest(ufrag: "efgh"))
        #expect(plane.counters.values.droppedUnknown == 3)
        #expect(plane.counters.values.datagramsIn == 6)
        await plane.close()
    }

    @Test func `runts of every first byte belong to nobody`() async throws {
        let loop = group.next()
        let plane = try await open(on: loop)
        let arrivals = attach(plane, on: loop)
        let peer = try await UDPPeer()
        plane.claim("abcd", for: 0)
        for first in UInt8.min...UInt8.max {
            for count in [1, 4, 19] {
                try await peer.send([first] + [UInt8](repeating: 0, count: count - 1), to: plane.localAddress)
            }
        }
        try await peer.send(Self.bindingRequest(ufrag: "abcd"), to: plane.localAddress)
        var iterator = arrivals.makeAsyncIterator()
        #expect(await iterator.next()?.bytes.count ?? 0 > 20)
        #expect(plane.counters.values.droppedUnknown == 768)
        await plane.close()
    }

    @Test func `one socket serves both families and answers from the address that was asked`() async throws {
        let loop = group.next()
        let plane = try await open(":0", on: loop)
        let arrivals = attach(plane, on: loop)
        let port = plane.localAddress.port
        plane.claim("abcd", for: 0)
        let sender = try plane.makeSender()
        var iterator = arrivals.makeAsyncIterator()
        for (mine, asked) in [("127.0.0.1", "127.0.0.2"), ("::1", "::1")] {
            let peer = try await UDPPeer(mine)
            let target = TransportAddress(try required(IPAddress(asked)), port: port)
            try await peer.send(Self.bindingRequest(ufrag: "abcd"), to: target)
            let datagram = try required(await iterator.next())
            #expect(datagram.path.local == target)
            #expect(datagram.path.remote == peer.address)
            var queue = DatagramQueue()
            for _ in 0..<3 { queue.append(Self.dtls, to: datagram.path) }
            queue.append([1, 2, 3, 4, 5, 6, 7, 8, 9], to: datagram.path)
            sender.send(&queue)
            let replies = await peer.receive(4)
            #expect(replies.allSatisfy { $0.from == target })
            #expect(replies.map(\.bytes.count) == [8, 8, 8, 9])
        }
        await plane.close()
    }

    @Test func `a port in use is explained with a remedy`() async throws {
        let first = try await open()
        let address = first.localAddress.description
        let error = await #expect(throws: NodeError.self) { try await open(address) }
        #expect(error?.problem == "The media port \(address) is in use by another process.")
        #expect(error?.remedy.contains("listen.media") == true)
        let foreign = await #expect(throws: NodeError.self) { try await open("192.0.2.1:9") }
        #expect(foreign?.problem.contains("not one of this machine's") == true)
        await first.close()
    }

    private func bound() -> Int32? {
        var address = cmedia_address(binding: TransportAddress(IPAddress(v4: 0x7F00_0001), port: 0))
        let descriptor = cmedia_udp_bind(&address, 0, 0, 0)
        return descriptor >= 0 ? descriptor : nil
    }
}
