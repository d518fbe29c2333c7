import Media
import RTP
import RTSP
import Wire

extension RelayShard {
    /// Takes these cameras under its care and begins to pull those that are not on demand.
    public func configure(_ configurations: [CameraConfiguration], at now: Instant, into effects: inout [ShardEffect]) {
        for configuration in configurations where cameras[configuration.name] == nil {
            let stream = Stream(name: configuration.name, delivery: configuration.delivery, home: number)
            streams[configuration.name] = stream
            let camera = Camera(configuration, stream: stream, at: now)
            cameras[configuration.name] = camera
            if configuration.onDemand {
                camera.enter(.idle, reason: "pulled when somebody watches", at: now)
            } else {
                connect(camera, at: now, into: &effects)
            }
            publish(camera, into: &effects)
        }
    }

    /// The TCP connection of an attempt stands.
    public func cameraConnected(
        _ camera: String,
        attempt: UInt64,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        guard let camera = current(camera, attempt) else { return }
        camera.enter(.negotiating, reason: "speaking RTSP", at: now)
        drive(camera, at: now, into: &effects) { client, list in client.connected(at: now, into: &list) }
    }

    /// Bytes came on the TCP connection.
    public func cameraReceived(
        _ bytes: [UInt8],
        camera: String,
        attempt: UInt64,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        bytes.withUnsafeBytes { cameraReceived($0, camera: camera, attempt: attempt, at: now, into: &effects) }
    }

    /// Bytes came on the TCP connection; they are copied.
    public func cameraReceived(
        _ bytes: UnsafeRawBufferPointer,
        camera: String,
        attempt: UInt64,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        guard let camera = current(camera, attempt) else { return }
        drive(camera, at: now, into: &effects) { client, list in client.received(bytes, at: now, into: &list) }
    }

    /// A datagram came on one of the track's ports.
    public func cameraReceived(
        datagram: [UInt8],
        camera: String,
        attempt: UInt64,
        track: Int,
        isRTCP: Bool,
        fromPort: UInt16,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        guard let camera = current(camera, attempt) else { return }
        drive(camera, at: now, into: &effects) { client, list in
            client.receivedDatagram(track: track, isRTCP: isRTCP, from: fromPort, datagram, at: now, into: &list)
        }
    }

    /// A pair of ports was bound for the track, or could not be (`nil`).
    public func cameraPorts(
        camera: String,
        attempt: UInt64,
        track: Int,
        rtpPort: UInt16?,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        guard let camera = current(camera, attempt) else { return }
        drive(camera, at: now, into: &effects) { client, list in
            if let rtpPort {
                client.datagramPortsOpened(track: track, rtpPort: rtpPort, at: now, into: &list)
            } else {
                client.datagramPortsFailed(track: track, into: &list)
            }
        }
    }

    /// The connection could not be opened, or broke.
    public func cameraFailed(
        _ failure: ConnectionFailure,
        camera: String,
        attempt: UInt64,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        guard let camera = current(camera, attempt) else { return }
        let source = camera.redirected ?? camera.configuration.source
        fail(camera, CameraFailure(failure, source: source), at: now, into: &effects)
    }

    /// The camera closed the connection.
    public func cameraClosed(
        camera: String,
        attempt: UInt64,
        at now: Instant,
        into effects: inout [ShardEffect]
    ) {
        guard let camera = current(camera, attempt) else { return }
        drive(camera, at: now, into: &effects) { client, list in client.connectionClosed(at: now, into: &list) }
    }

    private func current(_ name: String, _ attempt: UInt64) -> Camera? {
        guard let camera = cameras[name], camera.attempt == attempt, camera.isOpen else { return nil }
        return camera
    }
}

// MARK: - Attempts

extension RelayShard {
    /// Begins a new attempt.
    func connect(_ camera: Camera, at now: Instant, into effects: inout [ShardEffect]) {
        guard !isShuttingDown else { return }
        camera.attempt += 1
        camera.retryAt = nil
        camera.transport = nil
        let source = camera.redirected ?? camera.configuration.source
        camera.open(
            RTSPClient(
                configuration: RTSPClientConfiguration(
                    url: source,
                    user: camera.configuration.user,
                    password: camera.configuration.password,
                    transport: camera.learnedTransport ?? camera.configuration.transport
                ),
                using: &random
            )
        )
        let earlier = camera.isFailing && !camera.lastError.isEmpty ? "; before: \(camera.lastError)" : ""
        camera.enter(
            .connecting,
            reason: "connecting to \(source.host):\(source.port)\(earlier)",
            remedy: camera.isFailing ? camera.remedy : "",
            at: now
        )
        effects.append(
            .connect(
                camera: camera.name,
                attempt: camera.attempt,
                host: source.host,
                port: source.port,
                tls: source.scheme == .rtsps
            )
        )
        tell(camera, at: now, into: &effects)
    }

    /// Ends the attempt, politely where the session stands.
    func disconnect(_ camera: Camera, at now: Instant, into effects: inout [ShardEffect]) {
        camera.retryAt = nil
        guard camera.isOpen else { return }
        var list: [RTSPEffect] = []
        camera.drive { client in client.teardown(at: now, into: &list) }
        for case .write(let bytes) in list {
            effects.append(.write(camera: camera.name, attempt: camera.attempt, bytes: bytes))
        }
        camera.close()
        effects.append(.disconnect(camera: camera.name, attempt: camera.attempt))
        mediaEnded(camera, at: now, into: &effects)
    }

    private func mediaEnded(_ camera: Camera, at now: Instant, into effects: inout [ShardEffect]) {
        if !camera.ingests.isEmpty { camera.earlierIngests = camera.ingests }
        camera.ingests = []
        camera.earlyPackets = EarlyPackets()
        camera.reportAt = nil
        camera.liveSince = nil
        camera.lastMediaAt = nil
        camera.lossWindow = []
        interrupt(camera, at: now, into: &effects)
    }

    /// The attempt failed: decides when to try again, and says why nothing is to be seen until then.
    func fail(_ camera: Camera, _ failure: CameraFailure, at now: Instant, into effects: inout [ShardEffect]) {
        let wasLive = camera.liveSince != nil
        let wasFailing = camera.isFailing
        if wasLive { camera.reconnects += 1 }
        camera.close()
        effects.append(.disconnect(camera: camera.name, attempt: camera.attempt))
        mediaEnded(camera, at: now, into: &effects)
        camera.redirected = nil

        switch failure.next {
        case .retry:
            camera.retryAt = now + camera.backoff.next(wasLive: wasLive, using: &random)
            camera.enter(.retrying, reason: failure.problem, remedy: failure.remedy, at: now)
        case .retryBy(let transport):
            camera.learnedTransport = transport
            camera.retryAt = now + camera.backoff.next(wasLive: true, using: &random)
            camera.enter(.retrying, reason: failure.problem, remedy: failure.remedy, at: now)
        case .follow(let url):
            camera.redirected = url
            camera.retryAt = now + camera.backoff.next(wasLive: true, using: &random)
            camera.enter(.retrying, reason: failure.problem, remedy: failure.remedy, at: now)
        case .hold:
            camera.retryAt = now + Self.holdInterval
            camera.enter(.held, reason: failure.problem, remedy: failure.remedy, at: now)
        case .holdForCredentials:
            camera.retryAt = now + camera.credentialHold.next()
            camera.enter(.held, reason: failure.problem, remedy: failure.remedy, at: now)
        }
        // The same failure again and again is one piece of news, not many.
        if camera.lastError != failure.problem || !wasFailing {
            log(.critical, failure.problem, camera: camera.name, lasting: .dark(camera: camera.name), at: now)
        }
        camera.lastError = failure.problem
        tell(camera, at: now, into: &effects)
        schedule(camera)
    }

    /// What does not get better by itself is tried again this often.
    private static let holdInterval: Duration = .seconds(60)
    /// A camera that has been live this long starts its backoff anew, so that the next cut finds it tried at once.
    private static let healthyAfter: Duration = .seconds(10)
    /// Pictures that are reordered show it within this time.
    private static let reorderingShows: Duration = .seconds(3)
    /// Video is missing when nothing came for this long.
    private static let stallAfter: Duration = .seconds(2)
    /// An on-demand camera is let go this long after its last viewer.
    private static let lingerInterval: Duration = .seconds(20)

    func handleTimeout(of camera: Camera, at now: Instant, into effects: inout [ShardEffect]) {
        if let retryAt = camera.retryAt, now >= retryAt { connect(camera, at: now, into: &effects) }
        if let deadline = camera.clientDeadline, now >= deadline {
            drive(camera, at: now, into: &effects) { client, list in client.handleTimeout(at: now, into: &list) }
        }
        for index in camera.ingests.indices {
            guard let deadline = camera.ingests[index].nextDeadline, now >= deadline else { continue }
            var packets: [StreamPacket] = []
            var notices: [IngestNotice] = []
            camera.ingests[index].handleTimeout(at: now, into: &packets, notices: &notices)
            take(packets, notices, track: index, of: camera, at: now, into: &effects)
        }
        if let reportAt = camera.reportAt, now >= reportAt, camera.isOpen {
            camera.reportAt = now + Self.reportInterval
            for index in camera.ingests.indices {
                guard let report = camera.ingests[index].makeReport(at: now) else { continue }
                drive(camera, at: now, into: &effects) { client, list in
                    client.sendRTCP(track: index, report, into: &list)
                }
            }
        }
    }

    /// RFC 3550 asks for a report about every five seconds.
    private static let reportInterval: Duration = .seconds(5)

    /// Looks for stalls and idle on-demand cameras.
    func watchCameras(at now: Instant, into effects: inout [ShardEffect]) {
        for camera in cameras.values {
            if camera.state == .live, let last = camera.lastMediaAt, now - last > Self.stallAfter {
                camera.enter(
                    .stalled,
                    reason: "no video for \(Int((now - last).inSeconds.rounded(.down))) s, the connection stands",
                    remedy: "reconnects by itself after 10 s of silence; a restart does it now",
                    at: now
                )
                log(
                    .critical,
                    "stalled: no video, the connection stands",
                    camera: camera.name,
                    lasting: .dark(camera: camera.name),
                    at: now
                )
                tell(camera, at: now, into: &effects)
            } else if camera.state == .stalled, let last = camera.lastMediaAt {
                camera.enter(
                    .stalled,
                    reason: "no video for \(Int((now - last).inSeconds.rounded(.down))) s, the connection stands",
                    remedy: camera.remedy,
                    at: now
                )
            }
            if let liveSince = camera.liveSince, now - liveSince > Self.healthyAfter { camera.backoff.reset() }
            sampleLoss(of: camera, at: now)
            if camera.stream.facts.reordersPictures, !camera.hasSeenReordering, let liveSince = camera.liveSince,
                now - liveSince > Self.reorderingShows
            {
                forgetReordering(of: camera, at: now)
                tell(camera, at: now, into: &effects)
            }
            guard camera.configuration.onDemand, camera.state != .stopped else { continue }
            if !camera.audience.viewers.isEmpty {
                camera.unwatchedSince = nil
            } else if camera.stream.facts.isPulled || camera.retryAt != nil {
                let since = camera.unwatchedSince ?? now
                camera.unwatchedSince = since
                if now - since > Self.lingerInterval {
                    disconnect(camera, at: now, into: &effects)
                    camera.enter(.idle, reason: "pulled when somebody watches", at: now)
                    ended(.dark(camera: camera.name), at: now)
                }
            }
        }
    }

    private func sampleLoss(of camera: Camera, at now: Instant) {
        if let last = camera.lossWindow.last, now - last.at < .seconds(1) { return }
        guard let counters = camera.videoIngest?.counters(at: now) else { return }
        camera.lossWindow.append((now, counters.packets, counters.lost))
        if camera.lossWindow.count > 11 { camera.lossWindow.removeFirst() }
    }
}
