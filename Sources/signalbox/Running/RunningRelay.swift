import DTLS
import Foundation
import Gateway
import Logging
import NIOCore
import NIOPosix
import Networking
import Relay
import Wire

/// A relay with everything that belongs to it: media, gateway, control socket, demo cameras.
///
/// Started and stopped as one; whether a console looks at it makes no difference.
final class RunningRelay {
    let node: RelayNode
    private let gateway: Gateway
    private let control: ControlServer
    private let group: MultiThreadedEventLoopGroup
    private let demo: DemoCameras?
    private let log: RelayLog
    private var logging: Task<Void, Never>?
    /// The addresses to open in a browser, best first.
    private(set) var pageURLs: [String] = []
    /// Standing remarks for the operator.
    private(set) var notices: [String] = []

    private init(
        node: RelayNode,
        gateway: Gateway,
        control: ControlServer,
        group: MultiThreadedEventLoopGroup,
        demo: DemoCameras?,
        log: RelayLog
    ) {
        self.node = node
        self.gateway = gateway
        self.control = control
        self.group = group
        self.demo = demo
        self.log = log
    }

    /// Starts everything, or nothing.
    static func start(
        _ configuration: Configuration,
        demo: DemoCameras?,
        state: StateDirectory,
        controlSocket: String
    ) async throws -> RunningRelay {
        try state.prepare()
        // Before ports are opened that the other relay holds: its pid says more than "port in use".
        try ControlServer.refuseIfRunning(at: controlSocket)
        // SwiftPM's accessor for the page's files ends the process when they are missing; this says it in words.
        let resources = URL(fileURLWithPath: programPath).deletingLastPathComponent()
            .appendingPathComponent("signalbox_Gateway.resources")
        guard FileManager.default.fileExists(atPath: resources.path) else {
            throw StartFailure(
                problem: "the page's files are missing from \(resources.path)",
                remedy: "Install that directory beside the program (`make install` does)"
            )
        }
        let https = configuration.https
        let names = ["localhost", "127.0.0.1", "::1"] + configuration.advertise.map(\.description)

        let node = try await RelayNode.start(
            configuration: NodeConfiguration(
                name: ProcessInfo.processInfo.hostName,
                version: signalboxVersion,
                media: configuration.media.description,
                turn: configuration.turn?.description,
                advertise: configuration.advertise,
                cameras: configuration.cameras + (demo?.cameras ?? []),
                delivery: configuration.delivery,
                certificate: try DTLSContext.selfSigned(),
                mediaProgram: mediaProgram()
            )
        )
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let gateway = try await Gateway.start(
                configuration: GatewayConfiguration(
                    http: configuration.listen.http.map(listener),
                    https: https.map(listener),
                    tls: https == nil ? nil : try state.httpsIdentity(names: names),
                    access: configuration.isOpen ? .open : .loopback,
                    allowedOrigins: configuration.origins,
                    takeSTUN: { try node.takeSTUN($0) }
                ),
                service: node,
                eventLoopGroup: group
            )
            do {
                let control = try await ControlServer.start(path: controlSocket, service: node)
                let relay = RunningRelay(
                    node: node,
                    gateway: gateway,
                    control: control,
                    group: group,
                    demo: demo,
                    log: RelayLog(path: state.log)
                )
                await relay.present(configuration, controlSocket: controlSocket)
                return relay
            } catch {
                await gateway.shutdown()
                throw error
            }
        } catch {
            await node.shutdown()
            try? await group.shutdownGracefully()
            throw error
        }
    }

    private static func listener(_ address: ListenAddress) -> GatewayConfiguration.Listener {
        switch address {
        case .everywhere(let port): .init(host: "::", port: Int(port))
        case .address(let address): .init(host: address.ip.description, port: Int(address.port))
        }
    }

    /// Tells the snapshot what listens where, and what the operator should know about it.
    private func present(_ configuration: Configuration, controlSocket: String) async {
        var listeners: [ListenerSnapshot] = []
        if let address = gateway.httpsAddress { listeners.append(.init(name: "https", address: address.description)) }
        if let address = gateway.httpAddress { listeners.append(.init(name: "http", address: address.description)) }
        listeners.append(.init(name: "control", address: controlSocket))

        notices = configuration.notices
        if !configuration.isOpen {
            notices.insert("this machine only: `viewers: { auth: open }` lets others in", at: 0)
        }
        if configuration.media.isLoopback, !configuration.advertise.isEmpty {
            notices.append("`advertise` is not used: the media port listens on loopback only")
        }
        if demo != nil { notices.append("showing demo cameras") }
        let page = PageAddresses(
            https: gateway.httpsAddress,
            http: gateway.httpAddress,
            advertise: configuration.advertise,
            interfaces: InterfaceAddresses.list()
        )
        pageURLs = page.urls
        if configuration.isOpen, let obstacle = page.obstacle { notices.append(obstacle) }
        node.present(pageURLs: pageURLs, listeners: listeners, notices: notices)
        await log.note("signalbox \(signalboxVersion) started, process \(getpid())")
        for notice in notices { await log.note("note: \(notice)") }
        logging = Task { [log, node] in await log.follow(node) }
    }

    /// Says goodbye to viewers and cameras and closes everything.
    func stop() async {
        logging?.cancel()
        await log.take(node)
        await log.note("shutting down")
        await control.shutdown()
        await gateway.shutdown()
        await node.shutdown()
        demo?.stop()
        try? await group.shutdownGracefully()
        await log.note("ended")
    }
}
