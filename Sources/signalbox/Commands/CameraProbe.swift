import DTLS
import Foundation
import NIOCore
import NIOPosix
import Networking
import RTSP
import Relay

/// Pulls cameras for a moment as the relay would, with their credentials, all at the same time.
struct CameraProbe {
    /// A camera that does not deliver: what it said, or that it said nothing, and what to do.
    struct Finding: Sendable {
        var camera: String
        var source: String
        var problem: String
        var remedy: String
        /// Nothing answers at its address, which may be otherwise tomorrow; what answers and refuses is a mistake.
        var isUnreachable: Bool

        var description: String {
            "cameras.\(camera) (\(source)): \(problem.endedAsSentence) \(remedy.endedAsSentence)"
        }
    }

    /// A camera has this long to answer, by every transport that is tried.
    private static let limit = Duration.seconds(8)
    /// Attempts after which a camera that is tried again is taken at its word.
    private static let attempts = 2

    /// Tries `cameras` and tells which do not deliver, by name.
    static func findings(_ cameras: [CameraConfiguration]) async throws -> [Finding] {
        guard !cameras.isEmpty else { return [] }
        var pulled = cameras
        for index in pulled.indices { pulled[index].onDemand = false }
        let node = try await RelayNode.start(
            configuration: NodeConfiguration(
                name: "check",
                version: signalboxVersion,
                media: "127.0.0.1:0",
                cameras: pulled,
                certificate: try DTLSContext.selfSigned()
            )
        )
        let seen = await settled(node)
        await node.shutdown()
        var findings: [Finding] = []
        for camera in seen where !delivers(camera) {
            let hasAnswer = !camera.reason.isEmpty && (camera.state == .held || camera.state == .retrying)
            findings.append(
                Finding(
                    camera: camera.id,
                    source: camera.source,
                    problem: hasAnswer ? camera.reason : "It does not answer within \(limit.components.seconds) s",
                    remedy: hasAnswer ? camera.remedy : "Check the address and that RTSP is switched on in the camera",
                    isUnreachable: false
                )
            )
        }
        return await withTaskGroup(of: Finding.self) { group in
            for finding in findings {
                let source = cameras.first { $0.name == finding.camera }?.source
                group.addTask {
                    var finding = finding
                    if let source { finding.isUnreachable = await !accepts(source.host, source.port) }
                    return finding
                }
            }
            return await group.reduce(into: []) { $0.append($1) }.sorted { $0.camera < $1.camera }
        }
    }

    /// The cameras once each has shown what it does, or the time is up.
    private static func settled(_ node: RelayNode) async -> [CameraSnapshot] {
        let clock = ContinuousClock()
        let end = clock.now + limit
        var cameras: [CameraSnapshot] = []
        while clock.now < end {
            try? await Task.sleep(for: .milliseconds(100))
            cameras = node.snapshot()?.cameras ?? cameras
            let isSettled = cameras.allSatisfy { camera in
                delivers(camera) || camera.state == .held
                    || (camera.state == .retrying && camera.reconnects >= attempts)
            }
            if isSettled, !cameras.isEmpty { break }
        }
        return cameras
    }

    private static func delivers(_ camera: CameraSnapshot) -> Bool {
        camera.state == .live || camera.state == .starting
    }

    private static func accepts(_ host: String, _ port: UInt16) async -> Bool {
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connectTimeout(.seconds(2))
        let channel = try? await bootstrap.connect(host: host, port: Int(port)).get()
        try? await channel?.close().get()
        return channel != nil
    }
}
