import CMedia
import DTLS
import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import Relay
import Testing
import Wire

@testable import Networking

@Suite(.timeLimit(.minutes(1))) struct CameraConnectionTests {
    /// A connection on a loop, and what it reports.
    private final class Harness: Sendable {
        let loop: any EventLoop
        let connection: NIOLoopBound<CameraConnection>
        let events: AsyncStream<String>

        init(_ host: String, _ port: UInt16, tls: Bool = false, timeout: TimeAmount = .seconds(5)) async throws {
            let loop = MultiThreadedEventLoopGroup.singleton.next()
            let (stream, continuation) = AsyncStream<String>.makeStream()
            self.loop = loop
            events = stream
            connection = try await loop.submit {
                let target = CameraConnection.Target(host: host, port: port, isTLS: tls)
                let connection = CameraConnection(to: target, on: loop) { event in
                    loop.assertInEventLoop()
                    continuation.yield(Self.describe(event))
                }
                connection.connect(timeout: timeout)
                return NIOLoopBound(connection, eventLoop: loop)
            }.get()
        }

        func run(_ body: @escaping @Sendable (CameraConnection) -> Void) async throws {
            try await loop.submit { body(self.connection.value) }.get()
        }

        /// The next event in words.
        func next() async -> String? {
            var iterator = events.makeAsyncIterator()
            return await iterator.next()
        }

        private static func describe(_ event: CameraConnection.Event) -> String {
            switch event {
            case .connected: "connected"
            case .received(let bytes): "received \(String(buffer: bytes))"
            case .ports(let track, let port): "ports \(track) \(port.map { "\($0)" } ?? "none")"
            case .datagrams(let batch):
                batch.map { "\($0.isRTCP ? "rtcp" : "rtp") \($0.track) \($0.fromPort) \($0.bytes)" }.joined(
                    separator: ", "
                )
            case .failed(let failure): "failed \(failure)"
            case .closed: "closed"
            }
        }
    }

    @Test func `bytes go both ways until the camera closes`() async throws {
        let server = try await ScriptedServer()
        let camera = try await Harness("127.0.0.1", server.address.port)
        let peer = try await server.accept()
        #expect(await camera.next() == "connected")
        try await camera.run { $0.write(Array("OPTIONS".utf8)) }
        #expect(await peer.read(7) == Array("OPTIONS".utf8))
        try await peer.write(Array("200 OK".utf8))
        #expect(await camera.next() == "received 200 OK")
        await peer.close()
        #expect(await camera.next() == "closed")
        await server.close()
    }

    @Test func `a host name is resolved`() async throws {
        let server = try await ScriptedServer()
        let camera = try await Harness("localhost", server.address.port)
        #expect(await camera.next() == "connected")
        try await camera.run { $0.disconnect() }
        await server.close()
    }

    @Test func `a port where nobody listens refuses`() async throws {
        let server = try await ScriptedServer()
        await server.close()
        let camera = try await Harness("127.0.0.1", server.address.port)
        #expect(await camera.next() == "failed refused")
    }

    @Test func `a name that cannot exist is unresolvable`() async throws {
        let name = String(repeating: "x", count: 300)
        let camera = try await Harness(name, 554)
        #expect(await camera.next() == "failed \(ConnectionFailure.unresolvable(host: name))")
    }

    @Test func `a network without a route is unreachable`() async throws {
        // Broadcast and multicast destinations have no TCP; the kernel says so at once, without sending anything.
        let camera = try await Harness("255.255.255.255", 554)
        #expect(await camera.next() == "failed unreachable")
    }

    @Test func `a host that does not answer times out`() async throws {
        // A listener whose queue is full ignores further connections.
        let listener = try FullListener()
        let camera = try await Harness("127.0.0.1", listener.port, timeout: .milliseconds(300))
        #expect(await camera.next() == "failed timedOut")
        listener.close()
    }

    @Test func `a self-signed camera is spoken to over tls`() async throws {
        let pem = try SelfSignedCertificate.make(commonName: "camera")
        let certificates = try NIOSSLCertificate.fromPEMBytes(Array(pem.certificatePEM.utf8))
        let key = try NIOSSLPrivateKey(bytes: Array(pem.privateKeyPEM.reveal().utf8), format: .pem)
        let tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: certificates.map { .certificate($0) },
            privateKey: .privateKey(key)
        )
        let server = try await ScriptedServer(tls: try NIOSSLContext(configuration: tls))
        for host in ["127.0.0.1", "localhost"] {
            let camera = try await Harness(host, server.address.port, tls: true)
            #expect(await camera.next() == "connected")
            try await camera.run { $0.write(Array("OPTIONS".utf8)) }
            let peer = try await server.accept()
            #expect(await peer.read(7) == Array("OPTIONS".utf8))
            try await peer.write(Array("200 OK".utf8))
            #expect(await camera.next() == "received 200 OK")
            try await camera.run { $0.disconnect() }
        }
        await server.close()
    }

    @Test func `tls without an answer fails as tls`() async throws {
        let server = try await ScriptedServer()
        let silent = try await Harness("127.0.0.1", server.address.port, tls: true, timeout: .milliseconds(300))
        #expect(await silent.next()?.hasPrefix("failed tls(") == true)
        let talking = try await Harness("127.0.0.1", server.address.port, tls: true)
        _ = try await server.accept()
        let peer = try await server.accept()
        _ = await peer.read(1)
        try await peer.write(Array("RTSP/1.0 400 Bad Request\r\n\r\n".utf8))
        #expect(await talking.next()?.hasPrefix("failed tls(") == true)
        await server.close()
    }

    @Test func `a camera that does not read is given up`() async throws {
        let server = try await ScriptedServer(reading: false)
        let camera = try await Harness("127.0.0.1", server.address.port)
        #expect(await camera.next() == "connected")
        try await camera.run { connection in
            for _ in 0..<200 { connection.write([UInt8](repeating: 0, count: CameraConnection.writeLimit / 4)) }
        }
        #expect(await camera.next() == "failed other(\"the camera does not read what it is sent\")")
        await server.close()
    }

    @Test func `disconnecting lets the last request leave and reports nothing`() async throws {
        let server = try await ScriptedServer()
        let camera = try await Harness("127.0.0.1", server.address.port)
        let peer = try await server.accept()
        #expect(await camera.next() == "connected")
        try await camera.run { connection in
            connection.write(Array("TEARDOWN".utf8))
            connection.disconnect()
            connection.write(Array("never".utf8))
        }
        #expect(await peer.read() == Array("TEARDOWN".utf8))
        await server.close()
    }

    @Test func `disconnecting while connecting closes what comes of it`() async throws {
        let server = try await ScriptedServer()
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        try await loop.submit {
            let target = CameraConnection.Target(host: "127.0.0.1", port: server.address.port, isTLS: false)
            let connection = CameraConnection(to: target, on: loop) { event in Issue.record("\(event)") }
            connection.connect()
            connection.disconnect()
        }.get()
        #expect(try await server.accept().read() == [])
        await server.close()
    }

    @Test func `udp ports come as an even and odd pair, take the camera's datagrams only, and close with it`()
        async throws
    {
        let server = try await ScriptedServer()
        let camera = try await Harness("127.0.0.1", server.address.port)
        #expect(await camera.next() == "connected")
        try await camera.run { $0.openPorts(track: 1) }
        let words = try required(await camera.next()).split(separator: " ")
        let port = try required(words.last.flatMap { UInt16($0) })
        #expect(words[1] == "1")
        #expect(port % 2 == 0)
        let loopback = IPAddress(v4: 0x7F00_0001)
        let (rtp, rtcp) = (TransportAddress(loopback, port: port), TransportAddress(loopback, port: port + 1))

        let stranger = try await UDPPeer("127.0.0.2")
        let peer = try await UDPPeer()
        try await stranger.send([0], to: rtp)
        try await peer.send([1, 2], to: rtp)
        #expect(await camera.next() == "rtp 1 \(peer.address.port) [1, 2]")
        try await peer.send([3], to: rtcp)
        #expect(await camera.next() == "rtcp 1 \(peer.address.port) [3]")

        let destination = peer.address.port
        try await camera.run { $0.sendDatagram([4], track: 1, isRTCP: true, to: destination) }
        #expect(await peer.receive(1) == [.init(bytes: [4], from: rtcp)])

        try await camera.run { $0.openPorts(track: 1) }
        #expect(await camera.next() == "ports 1 none")
        try await camera.run { $0.disconnect() }
        // The ports are free again once the loop has closed them.
        try await camera.run { _ in }
        await (try UDPPeer(port: Int(port))).close()
        await server.close()
    }
}

/// A TCP listener that takes no more connections.
private final class FullListener {
    let port: UInt16
    private var descriptors: [Int32] = []

    init() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        descriptors.append(listener)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(listener, pointer, length) == 0 && listen(listener, 0) == 0
                    && getsockname(listener, pointer, &length) == 0
            }
        }
        guard bound else { throw Missing() }
        port = UInt16(bigEndian: address.sin_port)
        // One more than the queue of length 0 takes; the last ones stay half open.
        for _ in 0..<3 {
            let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
            descriptors.append(client)
            _ = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(client, $0, length) }
            }
        }
    }

    func close() { for descriptor in descriptors { Glibc.close(descriptor) } }
}
