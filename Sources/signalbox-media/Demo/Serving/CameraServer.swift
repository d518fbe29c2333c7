import Media
import NIOCore
import NIOPosix
import Wire

/// One synthetic camera: its encoders, its RTSP port, its clients.
///
/// Everything here, encoding included, takes place on one event loop; nothing is shared with other cameras.
final class CameraServer {
    /// How the camera behaves; set over the control pipe.
    enum Condition {
        /// Serves.
        case running
        /// Answers RTSP but sends no media.
        case stalled
        /// Keeps its connections and sends nothing at all, as a crashed firmware does.
        case hung
        /// Not there: nobody listens on its port.
        case stopped
    }

    let plan: CameraPlan
    let credentials: DemoCredentials
    let loop: any EventLoop
    private(set) var condition = Condition.running
    /// The RTSP port, once it has been bound.
    private(set) var port = 0
    private(set) var senders: [RTPSender]
    private(set) var sdp = ""

    private let options: ServerOptions
    private let feed: LiveFeed
    private var random = SystemRandomNumberGenerator()
    private var listener: (any Channel)?
    private var datagrams: DatagramPorts?
    private var connections: [ObjectIdentifier: RTSPConnection] = [:]

    init(
        _ plan: CameraPlan,
        credentials: DemoCredentials,
        options: ServerOptions,
        on loop: any EventLoop
    ) throws(MediaError) {
        self.plan = plan
        self.credentials = credentials
        self.options = options
        self.loop = loop
        feed = try LiveFeed(plan, on: loop)
        senders = [RTPSender(payloadType: 96, clockRate: 90_000, using: &random)]
        if let audio = plan.audio {
            let payloadType: UInt8 = audio == .aac ? 97 : 0
            senders.append(RTPSender(payloadType: payloadType, clockRate: audio.sampleRate, using: &random))
        }
        sdp = SessionDescriptionText.make(
            plan,
            parameterSets: feed.parameterSets,
            aacConfiguration: feed.aacConfiguration
        )
    }

    /// The port pair that datagrams come from, RTP first.
    var datagramPorts: (rtp: UInt16, rtcp: UInt16)? {
        guard let datagrams, let rtp = datagrams.rtp.localAddress?.port, let rtcp = datagrams.rtcp.localAddress?.port
        else { return nil }
        return (UInt16(truncatingIfNeeded: rtp), UInt16(truncatingIfNeeded: rtcp))
    }

    /// How long a session on UDP may stay silent, in seconds.
    var sessionTimeoutSeconds: Int { options.sessionTimeoutSeconds }

    // MARK: Coming and going

    /// Opens the RTSP port and the datagram ports.
    ///
    /// - Parameter port: 0 lets the system choose.
    func listen(port: Int) -> EventLoopFuture<Int> {
        let bound = NIOLoopBound(self, eventLoop: loop)
        let (loop, name) = (self.loop, plan.name)
        return ServerBootstrap(group: loop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 64)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 256 * 1024, high: 1024 * 1024))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(RTSPConnection(server: bound.value))
                }
            }
            .bind(host: "127.0.0.1", port: port)
            .flatMapErrorThrowing { error in
                throw MediaError.listenFailed(camera: name, port: port, reason: describe(error))
            }
            .flatMap { listener in
                bound.value.listener = listener
                bound.value.port = listener.localAddress?.port ?? port
                return DatagramPorts.open(on: loop) { address in bound.value.heard(from: address) }
            }
            .map { ports in
                bound.value.datagrams = ports
                bound.value.condition = .running
                return bound.value.port
            }
    }

    /// Starts the encoders. Call once, after the first ``listen(port:)``.
    func begin(origin: Int64) {
        feed.start(
            origin: origin,
            into: LiveFeed.Sink(
                video: { [unowned self] in send($0) },
                audio: { [unowned self] in send($0) },
                failure: { failure in exitWithFailure(failure) }
            )
        )
        everySecond()
    }

    private func everySecond() {
        for connection in connections.values { connection.everySecond() }
        loop.assumeIsolated().scheduleTask(in: .seconds(1)) { self.everySecond() }
    }

    /// Stops sending media, or everything when `completely`.
    func stall(completely: Bool) {
        guard condition != .stopped else { return }
        condition = completely ? .hung : .stalled
    }

    /// Ends a stall. Pictures were left out meanwhile, so a new GOP begins.
    func resume() {
        guard condition == .stalled || condition == .hung else { return }
        condition = .running
        feed.requestKeyframe()
    }

    /// Goes away: closes the port, every connection and the datagram ports.
    func stop() {
        guard condition != .stopped else { return }
        condition = .stopped
        listener?.close(promise: nil)
        datagrams?.rtp.close(promise: nil)
        datagrams?.rtcp.close(promise: nil)
        (listener, datagrams) = (nil, nil)
        for connection in connections.values { connection.close() }
    }

    /// Comes back on the same port, with new streams, as after a power cut.
    func start() -> EventLoopFuture<Int> {
        guard condition == .stopped else { return loop.makeSucceededFuture(port) }
        for index in senders.indices { senders[index].restart(using: &random) }
        feed.requestKeyframe()
        return listen(port: port)
    }

    // MARK: Connections

    /// Takes a connection in; `false` when there are too many.
    func add(_ connection: RTSPConnection) -> Bool {
        guard condition != .stopped, connections.count < Self.maximumConnections else { return false }
        connections[ObjectIdentifier(connection)] = connection
        return true
    }

    func remove(_ connection: RTSPConnection) { connections[ObjectIdentifier(connection)] = nil }

    /// A client begins to play.
    func startedPlaying() {
        if options.keyframeOnPlay { feed.requestKeyframe() }
    }

    /// The RTP-Info values of a track: the next packet's sequence number, and the timestamp that stands for the time
    /// at which a session that begins now is said to begin.
    ///
    /// That time is a little past, before anything that will still be sent, and the same for all tracks, so that a
    /// client which trusts RTP-Info is in sync from the first packet.
    func playbackStart(track: Int, at moment: Int64) -> (sequenceNumber: UInt16, timestamp: UInt32) {
        let sender = senders[track]
        let ticks = feed.ticks(at: moment - 200_000_000, clockRate: sender.clockRate)
        return (sender.nextSequenceNumber, sender.timestamp(ticks: ticks))
    }

    /// A sender report of this moment.
    func senderReport(track: Int) -> [UInt8] {
        let ticks = feed.ticks(at: SystemClock.monotonicNanoseconds, clockRate: senders[track].clockRate)
        return senders[track].senderReport(ticks: ticks, unixNanoseconds: SystemClock.unixNanoseconds)
    }

    /// Sends a datagram from the camera's ports.
    func send(datagram: [UInt8], isRTCP: Bool, to address: SocketAddress) {
        guard let channel = isRTCP ? datagrams?.rtcp : datagrams?.rtp else { return }
        channel.write(AddressedEnvelope(remoteAddress: address, data: ByteBuffer(bytes: datagram)), promise: nil)
    }

    /// Hands what ``send(datagram:isRTCP:to:)`` wrote to the system.
    func flushDatagrams() {
        datagrams?.rtp.flush()
        datagrams?.rtcp.flush()
    }

    private func heard(from address: SocketAddress) {
        for connection in connections.values { connection.heard(from: address) }
    }

    // MARK: Media

    private func send(_ unit: AccessUnit) {
        guard condition == .running else { return }
        let ticks = unit.presentationIndex * 90_000 / Int64(plan.video.framesPerSecond)
        distribute(senders[0].packetsOfH264(annexB: unit.annexB, ticks: ticks), track: 0)
    }

    private func send(_ frame: AudioFrame) {
        guard condition == .running, senders.count > 1 else { return }
        let packet =
            plan.audio == .aac
            ? senders[1].packetOfAAC(frame.bytes, ticks: frame.firstSample)
            : senders[1].packetOfPCMU(frame.bytes, ticks: frame.firstSample)
        distribute([packet], track: 1)
    }

    private func distribute(_ packets: [[UInt8]], track: Int) {
        for connection in connections.values { connection.send(packets, track: track) }
        flushDatagrams()
    }

    /// Clients of one camera; a real one allows fewer.
    private static let maximumConnections = 64
}

/// What all demo cameras' servers have in common.
struct ServerOptions: Sendable {
    var keyframeOnPlay = false
    var sessionTimeoutSeconds = 60
}

/// User and password of the demo cameras.
struct DemoCredentials: Sendable {
    var user: String
    var password: Secret
}
