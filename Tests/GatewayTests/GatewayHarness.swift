import Foundation
import Gateway
import Logging
import NIOCore
import NIOPosix
import Relay
import Testing
import Wire

/// A gateway on a port of its own with a fake relay behind it, for the time of one test.
struct GatewayHarness: Sendable {
    let gateway: Gateway
    let service: FakeViewerService

    var port: Int { Int(gateway.httpAddress?.port ?? 0) }
    var securePort: Int { Int(gateway.httpsAddress?.port ?? 0) }

    static func run(
        _ configure: @Sendable (inout GatewayConfiguration) -> Void = { _ in },
        _ body: @Sendable (GatewayHarness) async throws -> Void
    ) async throws {
        await Turns.shared.take()
        do {
            try await runInTurn(configure, body)
        } catch {
            await Turns.shared.giveBack()
            throw error
        }
        await Turns.shared.giveBack()
    }

    private static func runInTurn(
        _ configure: @Sendable (inout GatewayConfiguration) -> Void,
        _ body: @Sendable (GatewayHarness) async throws -> Void
    ) async throws {
        var configuration = GatewayConfiguration(http: .init(host: "127.0.0.1", port: 0))
        // Among a thousand other tests a client may wait for a processor longer than the gateway waits for a client.
        configuration.limits.headerMilliseconds = 60_000
        configuration.limits.handshakeMilliseconds = 60_000
        configure(&configuration)
        let service = FakeViewerService()
        let gateway = try await Gateway.start(
            configuration: configuration,
            service: service,
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        do {
            try await body(GatewayHarness(gateway: gateway, service: service))
        } catch {
            await gateway.shutdown()
            throw error
        }
        await gateway.shutdown()
    }

    /// One request by curl, an HTTP implementation that is not ours.
    func curl(_ path: String, _ arguments: String..., secure: Bool = false) async throws -> Reply {
        let origin = secure ? "https://127.0.0.1:\(securePort)" : "http://127.0.0.1:\(port)"
        let output = try await execute(
            "curl",
            ["-sS", "-k", "-i", "-m", "20", "--path-as-is", origin + path] + arguments
        )
        return Reply(output)
    }

    /// Sends `text` as it is and returns everything that comes until the gateway closes.
    func exchange(_ text: String) async throws -> Reply {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        var received = ByteBuffer()
        do {
            try await channel.executeThenClose { inbound, outbound in
                try await outbound.write(ByteBuffer(string: text))
                for try await var buffer in inbound { received.writeBuffer(&buffer) }
            }
        } catch is IOError {
            // Closed with our bytes unread: what came before it counts.
        } catch is ChannelError {
            // Closed before we did.
        }
        return Reply(String(buffer: received))
    }
}

/// Two gateways at a time: more make every client wait for a processor, and some for longer than they like to.
private actor Turns {
    static let shared = Turns()
    private var free = 2
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func take() async {
        if free > 0 {
            free -= 1
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
    }

    func giveBack() {
        if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
    }
}

/// A response as text.
struct Reply: Sendable {
    /// Of the last response, when there are several.
    let status: Int
    /// Names in lower case.
    let headers: [String: String]
    let body: String
    let raw: String

    init(_ raw: String) {
        self.raw = raw
        let parts = raw.replacingOccurrences(of: "\r\n", with: "\n").components(separatedBy: "\n\n")
        let lines = parts[0].components(separatedBy: "\n")
        let words = lines[0].split(separator: " ")
        status = words.count > 1 ? Int(words[1]) ?? 0 : 0
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let pair = line.split(separator: ":", maxSplits: 1)
            if pair.count == 2 { headers[pair[0].lowercased()] = pair[1].trimmingCharacters(in: .whitespaces) }
        }
        self.headers = headers
        body = parts.dropFirst().joined(separator: "\n\n")
    }
}

/// Runs a program to its end and returns its standard output.
func execute(_ program: String, _ arguments: [String], in directory: URL? = nil) async throws -> String {
    try await withCheckedThrowingContinuation { continuation in
        DispatchQueue.global().async {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = [program] + arguments
            if let directory { process.currentDirectoryURL = directory }
            let output = Pipe()
            process.standardOutput = output
            process.standardError = FileHandle.nullDevice
            do {
                try process.run()
            } catch {
                return continuation.resume(throwing: error)
            }
            let data = output.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            continuation.resume(returning: String(decoding: data, as: UTF8.self))
        }
    }
}

/// A certificate that is good for one test run.
enum TestCertificate {
    static func make() async throws -> GatewayConfiguration.TLSIdentity {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("signalbox-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let arguments =
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost"
        _ = try await execute("openssl", arguments.components(separatedBy: " "), in: directory)
        return GatewayConfiguration.TLSIdentity(
            certificateChain: [UInt8](try Data(contentsOf: directory.appendingPathComponent("cert.pem"))),
            privateKey: Secret(try String(contentsOf: directory.appendingPathComponent("key.pem"), encoding: .utf8)),
            isSelfSigned: true
        )
    }
}
