import Foundation
import ICE
import NIOCore
import NIOPosix
import TURN
import Testing
import Wire

@testable import Networking

/// coturn's client programs against our STUN and TURN. They judge what goes over the wire, the counters what came of it.
@Suite(
    .timeLimit(.minutes(2)),
    .enabled(if: Program.exists("turnutils_uclient"), "coturn's programs are not installed")
)
struct TURNProgramsTests {
    private let group = MultiThreadedEventLoopGroup.singleton
    private let credentials = RelayCredentials(secret: Array("a secret of more than twenty bytes".utf8))

    /// A media port that offers TURN on itself and on an extra port, to itself as the only peer.
    private func withPorts(_ body: (MediaPlane, TURNListener) async throws -> Void) async throws {
        let loop = group.next()
        let plane = try await MediaPlane.open(ListenAddress(parsing: "127.0.0.1:0"), on: loop, connections: group)
        var random = SystemRandomNumberGenerator()
        // The program binds a channel to the port above, for RTCP, even when told that there is none.
        var above = plane.localAddress
        above.port &+= 1
        let peers: Set<TransportAddress> = [plane.localAddress, above]
        plane.traversal.offer(TURNServer(peers: peers, credentials: credentials, using: &random))
        let extra = try await TURNListener.open(
            ListenAddress(parsing: "127.0.0.1:0"),
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
        user: RelayCredentials.Issued,
        peer: TransportAddress,
        _ more: String...
    ) async throws -> String {
        let arguments = [
            "-v", "-c", "-n", "3", "-p", "\(port)", "-e", "\(peer.ip)", "-r", "\(peer.port)", "-u", user.username, "-w",
            user.password,
        ]
        return try await Program.run("turnutils_uclient", arguments + more + ["127.0.0.1"], within: .seconds(20))
    }

    private func login(validFor seconds: Int64 = 600) -> RelayCredentials.Issued {
        credentials.issue(user: "viewer", expiry: MonotonicClock.wallMilliseconds() / 1_000 + seconds)
    }

    @Test(arguments: [false, true])
    func `turnutils_stunclient is told its own address`(usesExtraPort: Bool) async throws {
        try await withPorts { plane, extra in
            let port = usesExtraPort ? extra.listen.port : plane.localAddress.port
            let said = try await Program.run(
                "turnutils_stunclient",
                ["-p", "\(port)", "127.0.0.1"],
                within: .seconds(20)
            )
            #expect(said.contains("UDP reflexive addr: 127.0.0.1:"), "\(said)")
        }
    }

    @Test(arguments: [[], ["-t"]], [false, true])
    func `turnutils_uclient allocates, refreshes, gets permissions and channels, and sends to us`(
        transport: [String],
        usesExtraPort: Bool
    ) async throws {
        try await withPorts { plane, extra in
            let port = usesExtraPort ? extra.listen.port : plane.localAddress.port
            for way in [[], ["-s"]] {
                let before = plane.counters.values.droppedUnknown
                let more = transport + way
                let arguments = ["-v", "-c", "-n", "3", "-p", "\(port)", "-e", "127.0.0.1"]
                let login = self.login()
                let said = try await Program.run(
                    "turnutils_uclient",
                    arguments + ["-r", "\(plane.localAddress.port)", "-u", login.username, "-w", login.password] + more
                        + ["127.0.0.1"],
                    within: .seconds(20)
                )
                #expect(said.contains("allocate response received"), "\(said)")
                #expect(said.contains("refresh response received"), "\(said)")
                #expect(said.contains(way.isEmpty ? "channel bind" : "create perm"), "\(said)")
                #expect(!said.contains("error 4"), "\(said)")
                // Three messages came through the allocation; they are no media, so the router drops them.
                #expect(plane.counters.values.droppedUnknown - before >= 3)
            }
            let counters = try #require(plane.traversal.counters)
            #expect(counters.allocated >= 2)
            #expect(counters.forbidden == 0)
            #expect(counters.unauthorized == 0)
        }
    }

    @Test func `a wrong password and credentials that ran out are refused`() async throws {
        try await withPorts { plane, _ in
            let port = plane.localAddress.port
            var wrong = login()
            wrong.password = "wrong"
            // The program asks again and again, whatever the 401 says, until it has had its share of answers.
            #expect(try await !uclient(port, user: wrong, peer: plane.localAddress).contains("success"))
            #expect(plane.traversal.counters?.unauthorized ?? 0 > 0)
            #expect(plane.traversal.counters?.expired == 0)
            let said = try await uclient(port, user: login(validFor: -120), peer: plane.localAddress)
            #expect(!said.contains("success"), "\(said)")
            #expect(plane.traversal.counters?.expired ?? 0 > 0)
            #expect(plane.traversal.counters?.allocated == 0)
        }
    }

    @Test(arguments: ["10.0.0.1", "127.0.0.2", "169.254.169.254"])
    func `any peer but us is forbidden`(peer: String) async throws {
        try await withPorts { plane, _ in
            let address = TransportAddress(try #require(IPAddress(peer)), port: plane.localAddress.port)
            for way in ["-X", "-s"] {
                let said = try await uclient(plane.localAddress.port, user: login(), peer: address, way)
                #expect(said.contains("error 403 (Forbidden)"), "\(said)")
            }
            #expect(plane.traversal.counters?.forbidden ?? 0 > 0)
        }
    }
}

/// A program of the system, run with a time limit.
enum Program {
    static func exists(_ name: String) -> Bool { path(name) != nil }

    private static func path(_ name: String) -> String? {
        (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin").split(separator: ":")
            .map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// What the program says on both outputs until it ends, or is ended when its time is over.
    static func run(_ name: String, _ arguments: [String], within limit: Duration) async throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try required(path(name)))
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
