import Digests
import NIOCore
import RTSP

/// One client's RTSP connection to a demo camera, and the session that belongs to it.
///
/// As with many cameras a session ends with its connection. Belongs to its camera's event loop.
final class RTSPConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Where one track's packets go.
    enum TrackTransport {
        case interleaved(NumberPair<UInt8>)
        case datagrams(rtp: SocketAddress, rtcp: SocketAddress)
    }

    /// What SETUP built.
    struct Session {
        let identifier: String
        var tracks: [Int: TrackTransport] = [:]
        var isPlaying = false
    }

    let server: CameraServer
    var session: Session?
    /// One nonce per connection; another connection's cannot be replayed.
    var verifier: DigestVerifier
    private var decoder = RTSPDecoder()
    private var context: ChannelHandlerContext?
    private var lastHeard = SystemClock.monotonicNanoseconds
    private var secondsPlaying = 0

    init(server: CameraServer) {
        self.server = server
        var random = SystemRandomNumberGenerator()
        verifier = DigestVerifier(
            .md5,
            realm: "Signalbox demo",
            user: server.credentials.user,
            password: server.credentials.password,
            nonce: random.word(32)
        )
    }

    /// Closes the connection.
    func close() { context?.close(promise: nil) }

    // MARK: Channel

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        if !server.add(self) { context.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        server.remove(self)
        self.context = nil
        session = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastHeard = SystemClock.monotonicNanoseconds
        unwrapInboundIn(data).withUnsafeReadableBytes { decoder.push($0) }
        do throws(RTSPDecodingError) {
            while let incoming = try decoder.next() {
                // Interleaved packets from a client are receiver reports; hearing them was all.
                guard case .request(let request) = incoming, server.condition != .hung else { continue }
                // Nobody may ask and ask and not read the answers.
                guard context.channel.isWritable else { return context.close(promise: nil) }
                let playedBefore = session?.isPlaying ?? false
                write(response(to: request).bytes, context)
                if session?.isPlaying == true, !playedBefore { playbackStarted() }
            }
        } catch {
            write(RTSPResponse(400, "Bad Request").bytes, context)
            context.close(promise: nil)
        }
        context.flush()
    }

    // MARK: Media

    /// Sends a batch of RTP packets if this client plays that track.
    func send(_ packets: [[UInt8]], track: Int) {
        guard let context, let session, session.isPlaying, let transport = session.tracks[track] else { return }
        for packet in packets { send(packet, isRTCP: false, over: transport, context) }
        context.flush()
    }

    /// Reports, and ends a session whose client has gone silent.
    func everySecond() {
        guard let context, let session, session.isPlaying, server.condition == .running else { return }
        let silence = (SystemClock.monotonicNanoseconds - lastHeard) / 1_000_000_000
        let usesDatagrams = session.tracks.values.contains { if case .datagrams = $0 { true } else { false } }
        if usesDatagrams, silence > server.sessionTimeoutSeconds {
            self.session = nil
            return
        }
        secondsPlaying += 1
        if secondsPlaying % Self.reportInterval == 0 { sendReports(context) }
    }

    /// A datagram came in from `address`; if that is this client, its session lives.
    func heard(from address: SocketAddress) {
        guard let session else { return }
        for case .datagrams(let rtp, let rtcp) in session.tracks.values where address == rtp || address == rtcp {
            lastHeard = SystemClock.monotonicNanoseconds
        }
    }

    /// The client's own address with another port: packets go to nobody who has not connected.
    func clientAddress(port: UInt16) -> SocketAddress? {
        var address = context?.remoteAddress
        address?.port = Int(port)
        return address
    }

    private func playbackStarted() {
        guard let context else { return }
        secondsPlaying = 0
        sendReports(context)
        server.startedPlaying()
    }

    private func sendReports(_ context: ChannelHandlerContext) {
        for (track, transport) in session?.tracks ?? [:] {
            send(server.senderReport(track: track), isRTCP: true, over: transport, context)
        }
        server.flushDatagrams()
        context.flush()
    }

    private func send(_ packet: [UInt8], isRTCP: Bool, over transport: TrackTransport, _ context: ChannelHandlerContext)
    {
        switch transport {
        case .interleaved(let channels):
            // A client that does not read loses whole packets, as with a camera; the framing stays intact.
            guard context.channel.isWritable else { return }
            write(interleavedFrame(channel: isRTCP ? channels.rtcp : channels.rtp, payload: packet), context)
        case .datagrams(let rtp, let rtcp):
            server.send(datagram: packet, isRTCP: isRTCP, to: isRTCP ? rtcp : rtp)
        }
    }

    private func write(_ bytes: [UInt8], _ context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
    }

    /// Seconds from one sender report to the next (RFC 3550 §6.2).
    private static let reportInterval = 5
}
