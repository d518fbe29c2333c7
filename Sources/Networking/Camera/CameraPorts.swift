import CMedia
import Glibc
import NIOCore
import NIOPosix
import Wire

/// A datagram that a camera sent to one of its track's ports.
struct CameraDatagram: Sendable {
    var track: Int
    var isRTCP: Bool
    var fromPort: UInt16
    var bytes: [UInt8]
}

/// A track's UDP ports: an even one for RTP and the next one for RTCP (RFC 3550 §11). Confined to its event loop.
final class CameraPorts {
    private let track: Int
    /// Datagrams from any other address are dropped.
    private let remote: IPAddress
    private let loop: any EventLoop
    private let report: (CameraConnection.Event) -> Void
    private var channels: [Bool: any Channel] = [:]
    private var isClosed = false

    init(track: Int, remote: IPAddress, on loop: any EventLoop, report: @escaping (CameraConnection.Event) -> Void) {
        self.track = track
        self.remote = remote
        self.loop = loop
        self.report = report
    }

    /// Binds the pair on `local` and reports the RTP port, or `nil`.
    func open(on local: IPAddress) {
        guard let pair = Self.bindPair(on: local) else {
            report(.ports(track: track, rtpPort: nil))
            return
        }
        let opening = [open(pair.rtp, isRTCP: false), open(pair.rtcp, isRTCP: true)]
        EventLoopFuture.andAllSucceed(opening, on: loop).assumeIsolated().whenComplete { [self] result in
            guard !isClosed else { return }
            if case .failure = result { close() }
            report(.ports(track: track, rtpPort: isClosed ? nil : pair.port))
        }
    }

    private func open(_ descriptor: Int32, isRTCP: Bool) -> EventLoopFuture<Void> {
        let bound = NIOLoopBound(self, eventLoop: loop)
        let vector = isRTCP ? 2 : Self.vectorCount
        return DatagramBootstrap(group: loop)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: vector * 2_048))
            .channelOption(.datagramVectorReadMessageCount, value: vector)
            .channelOption(.maxMessagesPerRead, value: 2)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(CameraPortHandler(bound.value, isRTCP: isRTCP))
                }
            }
            .withBoundSocket(descriptor)
            .assumeIsolated()
            .map { [self] channel in
                channels[isRTCP] = channel
                if isClosed { channel.close(promise: nil) }
            }
            .nonisolated()
    }

    /// Sends one datagram; dropped when the kernel's buffer is full.
    func send(_ bytes: [UInt8], isRTCP: Bool, to port: UInt16) {
        guard let channel = channels[isRTCP], channel.isWritable,
            let address = try? SocketAddress(ipAddress: remote.description, port: Int(port))
        else { return }
        channel.writeAndFlush(AddressedEnvelope(remoteAddress: address, data: ByteBuffer(bytes: bytes)), promise: nil)
    }

    /// Closes both ports.
    func close() {
        isClosed = true
        for channel in channels.values { channel.close(promise: nil) }
        channels.removeAll()
    }

    fileprivate func received(_ batch: [CameraDatagram]) {
        if !isClosed { report(.datagrams(batch)) }
    }

    fileprivate func accept(_ envelope: AddressedEnvelope<ByteBuffer>, isRTCP: Bool) -> CameraDatagram? {
        guard let source = TransportAddress(envelope.remoteAddress), source.ip == remote else { return nil }
        return CameraDatagram(
            track: track,
            isRTCP: isRTCP,
            fromPort: source.port,
            bytes: Array(envelope.data.readableBytesView)
        )
    }

    /// Two free neighbouring ports, the lower one even.
    private static func bindPair(on local: IPAddress) -> (rtp: Int32, rtcp: Int32, port: UInt16)? {
        func bind(_ port: UInt16, receiveBuffer: Int32) -> Int32 {
            var address = cmedia_address(binding: TransportAddress(local, port: port))
            return cmedia_udp_bind(&address, 0, receiveBuffer, 0)
        }
        for _ in 0..<attempts {
            // The system chooses a free port; the pair it belongs to may be free as a whole.
            let probe = bind(0, receiveBuffer: 0)
            guard probe >= 0 else { return nil }
            var address = cmedia_address()
            _ = cmedia_local_address(probe, &address)
            Glibc.close(probe)
            let even = address.port & ~1
            guard even > 1_023 else { continue }
            let rtp = bind(even, receiveBuffer: rtpReceiveBuffer)
            guard rtp >= 0 else { continue }
            let rtcp = bind(even + 1, receiveBuffer: rtcpReceiveBuffer)
            guard rtcp >= 0 else {
                Glibc.close(rtp)
                continue
            }
            return (rtp, rtcp, even)
        }
        return nil
    }

    /// A keyframe of a 4K camera arrives faster than a busy loop reads.
    private static let rtpReceiveBuffer: Int32 = 2 * 1024 * 1024
    private static let rtcpReceiveBuffer: Int32 = 64 * 1024
    private static let vectorCount = 32
    private static let attempts = 32
}

/// Collects what one read brought to a port.
private final class CameraPortHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let ports: CameraPorts
    private let isRTCP: Bool
    private var batch: [CameraDatagram] = []

    init(_ ports: CameraPorts, isRTCP: Bool) {
        self.ports = ports
        self.isRTCP = isRTCP
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if let datagram = ports.accept(unwrapInboundIn(data), isRTCP: isRTCP) { batch.append(datagram) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        guard !batch.isEmpty else { return }
        let datagrams = batch
        batch = []
        ports.received(datagrams)
    }

    /// Errors of earlier sends (the camera's port is closed) do not concern receiving.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
