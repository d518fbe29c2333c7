import ICE
import NIOCore
import Relay
import Wire

/// Drives one ``RelayShard`` on one event loop: hands it what happens, carries out what it asks for.
///
/// Confined to its loop. Every batch of inputs goes through ``perform(_:)``: input, effects in order, datagrams out,
/// timer.
final class ShardDriver {
    /// The shard's number.
    let index: Int
    let loop: any EventLoop
    private let shard: RelayShard
    private let plane: MediaPlane
    private let sender: DatagramSender
    private let directory: ShardDirectory
    private let publish: (ShardSnapshot) -> Duration

    private var effects: [ShardEffect] = []
    private var isPerforming = false
    private var postponed: [(ShardDriver) -> Void] = []

    private var cameras: [String: Attempt] = [:]
    private var messages: [ControlKey: AsyncStream<ViewerMessage>.Continuation] = [:]
    private var waiting: [UInt64: @Sendable (HLSResponse) -> Void] = [:]
    private let codecs: CodecProcesses

    private var deadlineTimer: LoopTimer?
    private var publishTimer: LoopTimer?
    private var retryTimer: LoopTimer?
    private var delays = LoopDelayMeter()
    /// The viewers that the directory knows of.
    private var viewersNoted = 0
    /// The kernel has had no room for datagrams since.
    private var blockedSince: Instant?
    /// Datagrams the machine had no room for since the shard was told how its loop does.
    private var overflowed = 0

    private struct Attempt {
        var number: UInt64
        var connection: CameraConnection
    }

    private struct ControlKey: Hashable {
        var viewer: String
        var channel: UInt64
    }

    /// Takes over `shard`. Call on `loop`.
    ///
    /// - Parameter publish: Called on the loop; returns the time until it is called again.
    init(
        index: Int,
        shard: RelayShard,
        on loop: any EventLoop,
        plane: MediaPlane,
        sender: DatagramSender,
        mediaProgram: String? = nil,
        directory: ShardDirectory,
        publish: @escaping (ShardSnapshot) -> Duration
    ) {
        loop.preconditionInEventLoop()
        self.index = index
        self.shard = shard
        self.loop = loop
        self.plane = plane
        self.sender = sender
        self.directory = directory
        self.publish = publish
        shard.flush = { sender.send(&$0) }
        codecs = CodecProcesses(program: mediaProgram, on: loop)
    }

    /// Starts the timers and publishes for the first time.
    func start() {
        deadlineTimer = LoopTimer(on: loop) { [weak self] lateness in self?.deadlineFired(lateness) }
        publishTimer = LoopTimer(on: loop) { [weak self] lateness in self?.publishFired(lateness) }
        retryTimer = LoopTimer(on: loop) { [weak self] _ in self?.retryFired() }
        publishFired(.zero)
        codecs.report = { [weak self] camera, process, event in self?.sound(of: camera, process, did: event) }
        perform { _, _, _ in }
    }

    /// Closes cameras, says goodbye to viewers, answers what waits. The driver is of no use afterwards.
    func shutdown() {
        publishTimer?.cancel()
        perform { shard, now, effects in shard.shutdown(at: now, into: &effects) }
        deadlineTimer?.cancel()
        for attempt in cameras.values { attempt.connection.disconnect() }
        cameras.removeAll()
        for continuation in messages.values { continuation.finish() }
        messages.removeAll()
        for reply in waiting.values { reply(Self.shuttingDown) }
        waiting.removeAll()
    }

    // MARK: One batch

    /// Runs one input, or a batch of them, and everything that follows from it.
    func perform<Value, Failure: Error>(
        _ input: (RelayShard, Instant, inout [ShardEffect]) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        loop.assertInEventLoop()
        assert(!isPerforming, "inputs that an effect causes are postponed")
        isPerforming = true
        defer { finish() }
        return try input(shard, MonotonicClock.now(), &effects)
    }

    private func finish() {
        // Carrying out an effect may cause inputs (a write that fails): they come after this batch.
        for effect in effects { carryOut(effect) }
        effects.removeAll(keepingCapacity: true)
        sender.send(&shard.outgoing)
        isPerforming = false
        if shard.viewerCount != viewersNoted {
            viewersNoted = shard.viewerCount
            directory.note(viewers: viewersNoted, at: index)
        }
        let now = MonotonicClock.now()
        followSends(at: now)
        setTimer(at: now)
        guard !postponed.isEmpty else { return }
        let inputs = postponed
        postponed.removeAll()
        for input in inputs { input(self) }
    }

    /// Tries again what found the kernel's buffer full, gives up what has waited too long, and tells the shard whose
    /// datagrams were dropped.
    private func followSends(at now: Instant) {
        if sender.isBlocked {
            let since = blockedSince ?? now
            blockedSince = since
            if now - since > Self.longestWait {
                sender.dropWaiting()
                blockedSince = nil
            } else if retryTimer?.deadline == nil {
                retryTimer?.set(now + Self.retryInterval, at: now)
            }
        } else {
            blockedSince = nil
        }
        guard let overflow = sender.takeOverflow() else { return }
        overflowed += overflow.byMachine
        input { shard, now, _ in shard.overflowed(overflow.paths, at: now) }
    }

    private func input(_ body: @escaping (RelayShard, Instant, inout [ShardEffect]) -> Void) {
        if isPerforming {
            postponed.append { driver in driver.perform(body) }
        } else {
            perform(body)
        }
    }

    /// Datagrams from the media port.
    func receive(_ datagrams: [ReceivedDatagram]) {
        guard !isPerforming else { return postponed.append { driver in driver.receive(datagrams) } }
        perform { shard, now, effects in
            for datagram in datagrams { shard.receive(datagram.bytes, path: datagram.path, at: now, into: &effects) }
        }
    }

    /// Nothing can come by `path` any more.
    func closed(_ path: FiveTuple, by end: ConnectionEnd) {
        input { $0.connectionClosed(path, by: end, at: $1, into: &$2) }
    }

    /// Something from another shard.
    func receive(_ message: ShardMessage) { input { $0.receive(message, at: $1, into: &$2) } }

    // MARK: Time

    /// A timer that is set too early is left alone: it finds nothing due and is set again. So the steady flow of
    /// packets, each of which moves deadlines, costs no timer operations.
    private func setTimer(at now: Instant) {
        guard let timer = deadlineTimer else { return }
        guard let deadline = shard.nextDeadline else {
            timer.cancel()
            return
        }
        let wanted = max(deadline, now + Self.timerGranularity)
        if let set = timer.deadline, set <= wanted { return }
        timer.set(wanted, at: now)
    }

    private func deadlineFired(_ lateness: Duration) {
        let now = MonotonicClock.now()
        delays.add(lateness, at: now)
        guard let deadline = shard.nextDeadline, deadline <= now else {
            setTimer(at: now)
            return
        }
        perform { shard, now, effects in shard.handleTimeout(at: now, into: &effects) }
    }

    private func publishFired(_ lateness: Duration) {
        let now = MonotonicClock.now()
        delays.add(lateness, at: now)
        let lateness = delays.median(at: now).map { Duration.nanoseconds(Int64($0 * 1e6)) }
        shard.noteLoad(lateness: lateness, overflowed: overflowed, at: now)
        overflowed = 0
        let next = publish(shard.snapshot(at: now, loopDelay: delays.percentile99(at: now)))
        publishTimer?.set(now + next, at: now)
    }

    private func retryFired() {
        sender.retry()
        followSends(at: MonotonicClock.now())
    }

    // MARK: Viewers

    /// Whether the viewer is this shard's.
    func owns(viewer: String) -> Bool { shard.owns(viewer: viewer) }

    /// Admits a viewer and opens its stream of messages, before any message can be sent.
    func join(_ request: JoinRequest) throws(ViewerRefusal) -> JoinedViewer {
        // The directory counted the viewer when it placed it, who may be refused.
        defer { directory.note(viewers: shard.viewerCount, at: index) }
        return try perform { (shard, now, effects) throws(ViewerRefusal) in
            let joined = try shard.join(request, at: now, into: &effects)
            let (stream, continuation) = AsyncStream<ViewerMessage>.makeStream(
                bufferingPolicy: .bufferingNewest(Self.messageLimit)
            )
            if request.control == .page {
                let key = ControlKey(viewer: joined.id, channel: joined.channel)
                messages.updateValue(continuation, forKey: key)?.finish()
            } else {
                continuation.finish()
            }
            return JoinedViewer(
                id: joined.id,
                channel: joined.channel,
                policy: joined.policy,
                source: joined.source,
                messages: stream
            )
        }
    }

    /// Serves an HLS request, now or later. `reply` is called exactly once unless the request is cancelled.
    ///
    /// - Returns: The ticket to cancel it by, while it waits.
    func hls(_ request: HLSRequest, reply: @escaping @Sendable (HLSResponse) -> Void) -> UInt64? {
        let outcome = perform { shard, now, effects -> HLSOutcome in
            let outcome = shard.hls(request, at: now, into: &effects)
            if case .wait(let ticket) = outcome { waiting[ticket] = reply }
            return outcome
        }
        switch outcome {
        case .response(let response):
            reply(response)
            return nil
        case .wait(let ticket):
            return waiting[ticket] == nil ? nil : ticket
        }
    }

    /// The client went away; its request is not answered any more.
    func cancelHLS(_ ticket: UInt64) {
        guard waiting.removeValue(forKey: ticket) != nil else { return }
        perform { shard, _, _ in shard.hlsCancelled(ticket: ticket) }
    }

    // MARK: Effects

    private func carryOut(_ effect: ShardEffect) {
        switch effect {
        case .connect(let camera, let attempt, let host, let port, let tls):
            connect(camera, attempt: attempt, to: .init(host: host, port: port, isTLS: tls))
        case .write(let camera, let attempt, let bytes):
            connection(camera, attempt)?.write(bytes)
        case .openPorts(let camera, let attempt, let track):
            connection(camera, attempt)?.openPorts(track: track)
        case .sendDatagram(let camera, let attempt, let track, let isRTCP, let port, let bytes):
            connection(camera, attempt)?.sendDatagram(bytes, track: track, isRTCP: isRTCP, to: port)
        case .disconnect(let camera, let attempt):
            guard let connection = connection(camera, attempt) else { return }
            cameras[camera] = nil
            connection.disconnect()
        case .claim(let ufrag):
            plane.claim(ufrag, for: index)
        case .release(let ufrag):
            plane.release(ufrag)
        case .claimPath(let path, let ufrag):
            plane.claim(path, through: ufrag)
        case .message(let viewer, let channel, let message):
            messages[ControlKey(viewer: viewer, channel: channel)]?.yield(message)
        case .endMessages(let viewer, let channel):
            messages.removeValue(forKey: ControlKey(viewer: viewer, channel: channel))?.finish()
        case .startSound(let camera, let process): codecs.start(process, for: camera)
        case .writeSound(let camera, let process, let bytes): codecs.write(bytes, to: process, of: camera)
        case .stopSound(let camera, let process): codecs.stop(process, of: camera)
        case .hlsResponse(let ticket, let response):
            waiting.removeValue(forKey: ticket)?(response)
        case .post(let message, let shard):
            directory.post(message, to: shard)
        }
    }

    private func connection(_ camera: String, _ attempt: UInt64) -> CameraConnection? {
        guard let current = cameras[camera], current.number == attempt else { return nil }
        return current.connection
    }

    private func connect(_ camera: String, attempt: UInt64, to target: CameraConnection.Target) {
        cameras.removeValue(forKey: camera)?.connection.disconnect()
        let connection = CameraConnection(to: target, on: loop) { [weak self] event in
            self?.camera(camera, attempt: attempt, did: event)
        }
        cameras[camera] = Attempt(number: attempt, connection: connection)
        connection.connect()
    }

    private func camera(_ camera: String, attempt: UInt64, did event: CameraConnection.Event) {
        switch event {
        case .failed, .closed:
            if cameras[camera]?.number == attempt { cameras[camera] = nil }
        case .connected, .received, .ports, .datagrams:
            break
        }
        input { shard, now, effects in
            switch event {
            case .connected:
                shard.cameraConnected(camera, attempt: attempt, at: now, into: &effects)
            case .received(let buffer):
                buffer.withUnsafeReadableBytes { bytes in
                    shard.cameraReceived(bytes, camera: camera, attempt: attempt, at: now, into: &effects)
                }
            case .ports(let track, let port):
                shard.cameraPorts(
                    camera: camera,
                    attempt: attempt,
                    track: track,
                    rtpPort: port,
                    at: now,
                    into: &effects
                )
            case .datagrams(let batch):
                for datagram in batch {
                    shard.cameraReceived(
                        datagram: datagram.bytes,
                        camera: camera,
                        attempt: attempt,
                        track: datagram.track,
                        isRTCP: datagram.isRTCP,
                        fromPort: datagram.fromPort,
                        at: now,
                        into: &effects
                    )
                }
            case .failed(let failure):
                shard.cameraFailed(failure, camera: camera, attempt: attempt, at: now, into: &effects)
            case .closed:
                shard.cameraClosed(camera: camera, attempt: attempt, at: now, into: &effects)
            }
        }
    }

    private func sound(of camera: String, _ process: UInt64, did event: CodecProcess.Event) {
        input { shard, now, effects in
            switch event {
            case .received(let bytes):
                shard.soundReceived(bytes, camera: camera, process: process, at: now, into: &effects)
            case .ended(let reason):
                shard.soundEnded(camera: camera, process: process, reason: reason, at: now, into: &effects)
            }
        }
    }

    private static let shuttingDown = HLSResponse(
        status: 503,
        contentType: "text/plain",
        retryAfter: 5,
        body: Array("the relay is shutting down\n".utf8)
    )

    /// Timers are not set closer than this: the kernel is not more exact, and a wrong deadline must not spin a loop.
    private static let timerGranularity: Duration = .milliseconds(1)
    /// What waited longer than this would only be late.
    private static let longestWait: Duration = .milliseconds(500)
    /// When the kernel's buffer is full, it has room again about now.
    private static let retryInterval: Duration = .milliseconds(1)
    /// Messages kept for a page that does not read; the newest count.
    private static let messageLimit = 64
}
