import DTLS
import Foundation
import ICE
import NIOCore
import NIOPosix
import NIOSSL
import TURN
import TestSupport
import Testing
import Wire

@testable import Networking

/// coturn's client programs against our STUN and TURN. They judge what goes over the wire, the counters what came of it.
@Suite(
    .timeLimit(.minutes(2)),
    .enabled(
        if: Programs.areExpected("turnutils_uclient", "turnutils_stunclient"),
        "coturn's programs are not installed"
    )
)
struct TURNProgramsTests {
    private let group = MultiThreadedEventLoopGroup.singleton
    private let credentials = RelayCredentials(secret: Array("a secret of more than twenty bytes".utf8))

    /// A media port that offers TURN on itself and on an extra port, to itself as the only peer.
    private func withPorts(
        on host: String = "127.0.0.1",
        _ body: (MediaPlane, TURNListener) async throws -> Void
    ) async throws {
        let loop = group.next()
        let plane = try await MediaPlane.open(ListenAddress(parsing: "\(host):0"), on: loop, connections: group)
        var random = SystemRandomNumberGenerator()
        // The program binds a channel to the port above, for RTCP, even when told that there is none.
        var above = plane.localAddress
        above.port &+= 1
        let peers: Set<TransportAddress> = [plane.localAddress, above]
        plane.traversal.offer(TURNServer(peers: peers, credentials: credentials, using: &random))
        let extra = try await TURNListener.open(
            ListenAddress(parsing: "\(host):0"),
            on: loop,
            connections: group,
            plane: plane
        )
        plane.traversal.listen(extra)
        do {
            try await body(plane, extra)
        } catch {
            await plane.close()
            throw error
        }
        await plane.close()
    }

    private func uclient(
        _ port: UInt16,
        as user: RelayCredentials.Issued,
        peer: TransportAddress,
        _ more: [String] = []
    ) async throws -> String {
        let arguments = [
            "-v", "-c", "-n", "3", "-p", "\(port)", "-e", "\(peer.ip)", "-r", "\(peer.port)", "-u", user.username, "-w",
            user.password,
        ]
        let host = peer.ip.isIPv6 ? "::1" : "127.0.0.1"
        return try await Program.run("turnutils_uclient", arguments + more + [host], within: .seconds(20))
    }

    private func login(_ user: String = "viewer", validFor seconds: Int64 = 600) -> RelayCredentials.Issued {
        credentials.issue(user: user, expiry: MonotonicClock.wallMilliseconds() / 1_000 + seconds)
    }

    /// TURN over TLS in front of `plane`, as the HTTPS port has it behind its look at the first byte.
    private func secured(_ plane: MediaPlane) async throws -> any Channel {
        let identity = try SelfSignedCertificate.make(commonName: "turn")
        let certificates = try NIOSSLCertificate.fromPEMBytes(Array(identity.certificatePEM.utf8))
        let key = try NIOSSLPrivateKey(bytes: Array(identity.privateKeyPEM.reveal().utf8), format: .pem)
        let context = try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: certificates.map { .certificate($0) },
                privateKey: .privateKey(key)
            )
        )
        return try await MediaListener.open(
            TransportAddress(IPAddress(v4: 0x7F00_0001), port: 0),
            isDual: false,
            accepting: group.next(),
            group: group
        ) { channel in
            try channel.pipeline.syncOperations.addHandlers([
                NIOSSLServerHandler(context: context),
                MediaConnectionHandler(plane: plane, carrier: .tls, framing: .selfDelimiting),
            ])
        }
    }

    @Test func `turnutils_stunclient is told its own address, on either port`() async throws {
        try await withPorts { plane, extra in
            for port in [plane.localAddress.port, extra.listen.port] {
                let said = try await Program.run(
                    "turnutils_stunclient",
                    ["-p", "\(port)", "127.0.0.1"],
                    within: .seconds(20)
                )
                #expect(said.contains("UDP reflexive addr: 127.0.0.1:"), "\(said)")
            }
        }
    }

    /// The program mostly waits, so that all ways are tried at once.
    @Test func `turnutils_uclient allocates, refreshes, gets permissions and channels, and sends to us, by every way`()
        async throws
    {
        try await withPorts { plane, extra in
            let secure = try await secured(plane)
            let securePort = UInt16(clamping: secure.localAddress?.port ?? 0)
            var ways: [(port: UInt16, transport: [String], carrier: String)] = []
            for port in [plane.localAddress.port, extra.listen.port] {
                ways += [(port, [], "udp"), (port, ["-t"], "tcp")]
            }
            ways.append((securePort, ["-t", "-S"], "tls"))
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for (number, way) in ways.enumerated() {
                    for data in [[], ["-s"]] {
                        let user = login("\(number)\(data)")
                        tasks.addTask {
                            let said = try await uclient(
                                way.port,
                                as: user,
                                peer: plane.localAddress,
                                way.transport + data
                            )
                            #expect(said.contains("allocate response received"), "\(way.carrier) \(said)")
                            #expect(said.contains("refresh response received"), "\(way.carrier) \(said)")
                            #expect(said.contains(data.isEmpty ? "channel bind" : "create perm"), "\(said)")
                            #expect(!said.contains("error 4"), "\(way.carrier) \(said)")
                        }
                    }
                }
                try await tasks.waitForAll()
            }
            let counters = try #require(plane.traversal.counters)
            #expect(counters.allocated >= 10)
            #expect(counters.forbidden == 0 && counters.unauthorized == 0 && counters.expired == 0)
            // Three messages came through each allocation; they are no media, so the router drops them.
            #expect(counters.fromClients.packets >= 30)
            #expect(plane.counters.values.droppedUnknown >= 30)
            try await secure.close()
        }
    }

    @Test func `over IPv6 it gets IPv6 relayed addresses, and may send to us from them`() async throws {
        try await withPorts(on: "[::1]") { plane, _ in
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for transport in [[], ["-t"]] {
                    tasks.addTask {
                        let said = try await uclient(
                            plane.localAddress.port,
                            as: login("v6\(transport)"),
                            peer: plane.localAddress,
                            ["-x"] + transport
                        )
                        #expect(said.contains("allocate response received"), "\(said)")
                        #expect(said.contains("channel bind") && !said.contains("error 4"), "\(said)")
                    }
                }
                try await tasks.waitForAll()
            }
            let counters = try #require(plane.traversal.counters)
            #expect(counters.allocated >= 2 && counters.forbidden == 0 && counters.fromClients.packets >= 6)
            #expect(plane.counters.values.droppedUnknown >= 6)
        }
    }

    @Test func `a wrong password and credentials that ran out are refused`() async throws {
        async let wrong: Void = withPorts { (plane, _) async throws in
            var user = login()
            user.password = "wrong"
            // The program asks again and again, whatever the 401 says, until it has had its share of answers.
            let said = try await uclient(plane.localAddress.port, as: user, peer: plane.localAddress)
            #expect(!said.contains("success"), "\(said)")
            #expect(plane.traversal.counters?.unauthorized ?? 0 > 0)
            #expect(plane.traversal.counters?.expired == 0)
            #expect(plane.traversal.counters?.allocated == 0)
        }
        async let old: Void = withPorts { (plane, _) async throws in
            let (users, user) = AsyncStream<TURNServer.LoginFailure>.makeStream()
            plane.traversal.whenLoginFails { user.yield($0) }
            let said = try await uclient(
                plane.localAddress.port,
                as: login("late", validFor: -120),
                peer: plane.localAddress
            )
            #expect(!said.contains("success"), "\(said)")
            #expect(plane.traversal.counters?.expired ?? 0 > 0)
            #expect(plane.traversal.counters?.allocated == 0)
            user.finish()
            #expect(await users.contains { $0.reason == .expired && $0.user == "late" })
        }
        _ = try await (wrong, old)
    }

    @Test func `any peer but us is forbidden`() async throws {
        try await withPorts { plane, _ in
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for peer in ["10.0.0.1", "127.0.0.2", "169.254.169.254"] {
                    let address = TransportAddress(try #require(IPAddress(peer)), port: plane.localAddress.port)
                    for way in ["-X", "-s"] {
                        tasks.addTask {
                            let user = login("\(peer)\(way)")
                            let said = try await uclient(plane.localAddress.port, as: user, peer: address, [way])
                            #expect(said.contains("error 403 (Forbidden)"), "\(peer) \(way) \(said)")
                        }
                    }
                }
                try await tasks.waitForAll()
            }
            #expect(plane.traversal.counters?.forbidden ?? 0 >= 6)
        }
    }
}

/// A program of the system, run with a time limit.
enum Program {
    /// What the program says on both outputs until it ends, or is ended when its time is over.
    static func run(_ name: String, _ arguments: [String], within limit: Duration) async throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try required(Programs.path(of: name)))
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let end = Task {
            try await Task.sleep(for: limit)
            process.terminate()
        }
        defer { end.cancel() }
        return await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                let text = output.fileHandleForReading.readDataToEndOfFile()
                process.waitUntilExit()
                continuation.resume(returning: String(decoding: text, as: UTF8.self))
            }
        }
    }
}
