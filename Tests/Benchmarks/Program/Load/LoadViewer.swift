import CBench
import Glibc
import ICE
import RTP
import Wire

/// What all viewers of a load client share.
final class LoadClient {
    let poller: Poller
    let target: HTTPExchange.Target
    let identity: DTLSIdentity
    let localIP: UInt32
    var random = SystemRandomNumberGenerator()
    /// Reused for every batch of datagrams.
    let buffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: Int(CBENCH_BATCH_LIMIT) * LoadClient.stride,
        alignment: 16
    )
    var datagrams = [cbench_datagram](repeating: cbench_datagram(), count: Int(CBENCH_BATCH_LIMIT))
    static let stride = 2_048

    init(url: String) throws {
        signal(SIGPIPE, SIG_IGN)
        cbench_raise_file_limit()
        poller = try Poller()
        target = try HTTPExchange.Target(url)
        identity = try DTLSIdentity()
        var ip: UInt32 = 0
        try BenchError.check(cbench_local_towards(target.address, &ip), "looking for a way to the server")
        localIP = ip
    }

    deinit { buffer.deallocate() }
}

/// One WHEP session: offer, ICE (controlling), DTLS, SRTP; a socket of its own, as every browser has.
final class LoadViewer {
    /// Where the session stands.
    enum State: Equatable {
        case signalling
        case checking
        case handshaking
        case connected
        case failed(String)
        case closed
    }

    private(set) var state = State.signalling
    /// From sending the offer to the first RTP packet's arrival, in milliseconds.
    private(set) var firstPacket: Double?
    /// From sending the offer to the arrival of the last packet of the first whole keyframe, in milliseconds.
    private(set) var firstKeyframe: Double?
    var media = MediaMeter()
    var latency = LatencyMeter()

    private let client: LoadClient
    /// Decrypts everything; others stop after the first keyframe.
    private let isProbe: Bool
    private let credentials: ICECredentials
    private let fd: Int32
    private let began: Int64
    private var answer: SessionAnswer?
    private var session: HTTPExchange.Target?
    private var remote: TransportAddress?
    private var dtls: DTLSEndpoint?
    private var srtp: (receiver: SRTPReceiver, sender: SRTPSender)?
    private var transaction: UInt64 = 0
    /// Where checks went, by transaction.
    private var checks: [UInt64: TransportAddress] = [:]
    private var nextCheck: Int64 = 0
    private var nextReport: Int64 = 0
    private var keyframeTimestamp: UInt32?

    /// Sends the offer.
    init(_ client: LoadClient, isProbe: Bool) throws {
        self.client = client
        self.isProbe = isProbe
        credentials = ICECredentials(using: &client.random)
        var local = cbench_address(ip: client.localIP, port: 0)
        fd = try BenchError.check(cbench_udp_open(&local, 1 << 20), "opening a UDP socket")
        let offer = SessionOffer(credentials, fingerprint: client.identity.fingerprint, candidate: local)
        began = Clock.wall()
        client.poller.watch(fd, CBENCH_READABLE) { [unowned self] _ in readable() }
        _ = try HTTPExchange("POST", client.target, body: offer.text, on: client.poller) { [weak self] response in
            self?.answered(response)
        }
    }

    deinit { if state != .closed { client.poller.close(fd) } }

    private func answered(_ response: HTTPExchange.Response?) {
        guard state == .signalling else { return }
        guard let response else { return fail("the server closed the connection") }
        guard response.status == 201 else { return fail("status \(response.status): \(response.body.prefix(120))") }
        session = response.headers["location"].map { client.target.resolving($0) }
        do {
            answer = try SessionAnswer(response.body)
            state = .checking
            advance(at: Clock.monotonic())
        } catch {
            fail("\(error)")
        }
    }

    private func fail(_ reason: String) { state = .failed(reason) }

    // MARK: Time

    /// Does what is due: checks, consent, retransmissions, receiver reports.
    func advance(at now: Int64) {
        switch state {
        case .checking:
            guard now >= nextCheck else { return }
            nextCheck = now + 50_000_000
            for candidate in answer?.candidates ?? [] { check(candidate) }
        case .handshaking:
            guard now >= nextCheck else { return }
            nextCheck = now + 100_000_000
            send(dtls?.retransmit() ?? [])
        case .connected:
            if now >= nextCheck {
                nextCheck = now + 2_500_000_000
                if let remote { check(remote) }
            }
            if now >= nextReport { report(at: now) }
        case .signalling, .failed, .closed:
            break
        }
    }

    private func report(at now: Int64) {
        guard let srtp, let source = media.source else { return }
        nextReport = now + 1_000_000_000
        let packet = RTCPPacket.receiverReport(
            ssrc: 1,
            blocks: [
                RTCPPacket.ReportBlock(
                    ssrc: source,
                    fractionLost: 0,
                    cumulativeLost: Int32(clamping: media.lost),
                    extendedHighestSequence: UInt32(truncatingIfNeeded: media.highestSequence),
                    jitter: 0,
                    lastSenderReport: 0,
                    delaySinceLastSenderReport: 0
                )
            ]
        )
        send([srtp.sender.protectRTCP(RTCPPacket.serialize([packet]))])
    }

    private func check(_ candidate: TransportAddress) {
        guard let answer else { return }
        transaction += 1
        checks = checks.filter { $0.key + 64 > transaction }
        checks[transaction] = candidate
        let request = STUNMessage(
            .request,
            transactionID: STUNTransactionID(high: UInt32(truncatingIfNeeded: Int(fd)), low: transaction),
            attributes: [
                .username("\(answer.credentials.ufrag):\(credentials.ufrag)"), .priority(1_845_501_695),
                .iceControlling(0x5B), .useCandidate,
            ]
        )
        let bytes = request.serialized(integrityKey: Array(answer.credentials.pwd.utf8))
        cbench_send_to(fd, bytes, bytes.count, candidate.kernel)
    }

    private func send(_ datagrams: [[UInt8]]) {
        for datagram in datagrams where !datagram.isEmpty { cbench_send(fd, datagram, datagram.count) }
    }

    // MARK: Datagrams

    private func readable() {
        guard let base = client.buffer.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
        while true {
            let count = cbench_receive(fd, base, LoadClient.stride, &client.datagrams, UInt32(CBENCH_BATCH_LIMIT))
            guard count > 0 else { return }
            for index in 0..<Int(count) {
                let datagram = client.datagrams[index]
                let start = index * LoadClient.stride
                let bytes = UnsafeRawBufferPointer(rebasing: client.buffer[start..<start + datagram.length])
                receive(bytes, received: datagram.received)
            }
            if count < Int32(CBENCH_BATCH_LIMIT) { return }
        }
    }

    private func receive(_ bytes: UnsafeRawBufferPointer, received: Int64) {
        guard bytes.count >= 12 else { return }
        switch bytes[0] {
        case 0...3: receiveSTUN(Array(bytes))
        case 20...63: receiveDTLS(bytes)
        case 128...191 where !RTPHeader.isRTCP(secondByte: bytes[1]): receiveRTP(bytes, received: received)
        default: break
        }
    }

    private func receiveSTUN(_ bytes: [UInt8]) {
        guard let message = try? STUNMessage(parsing: bytes[...]) else { return }
        switch message.class {
        case .request:
            guard let remote = remote ?? answer?.candidates.first else { return }
            let response = STUNMessage(
                .successResponse,
                transactionID: message.transactionID,
                attributes: [.xorMappedAddress(remote)]
            )
            let bytes = response.serialized(integrityKey: Array(credentials.pwd.utf8))
            cbench_send_to(fd, bytes, bytes.count, remote.kernel)
        case .successResponse where state == .checking:
            nominate(message)
        default:
            break
        }
    }

    /// The first check that is answered decides.
    private func nominate(_ response: STUNMessage) {
        guard let answer, let remote = checks[response.transactionID.low] else { return }
        guard cbench_connect(fd, remote.kernel) == 0 else { return fail("\(remote) cannot be reached") }
        self.remote = remote
        do {
            let dtls = try DTLSEndpoint(client.identity, isClient: !answer.serverIsActive)
            self.dtls = dtls
            state = .handshaking
            nextCheck = Clock.monotonic() + 100_000_000
            send(dtls.start())
        } catch {
            fail("\(error)")
        }
    }

    private func receiveDTLS(_ bytes: UnsafeRawBufferPointer) {
        guard let dtls else { return }
        send(dtls.receive(bytes))
        guard state == .handshaking, dtls.isConnected else { return }
        do {
            srtp = try dtls.makeSRTP()
            state = .connected
            nextCheck = Clock.monotonic() + 2_500_000_000
        } catch {
            fail("\(error)")
        }
    }

    private func receiveRTP(_ bytes: UnsafeRawBufferPointer, received: Int64) {
        media.receive(bytes)
        let elapsed = Double((received > 0 ? received : Clock.wall()) - began) / 1_000_000
        if firstPacket == nil { firstPacket = elapsed }
        guard isProbe || firstKeyframe == nil, let packet = try? srtp?.receiver.unprotectRTP(Array(bytes)),
            let header = try? RTPHeader(parsing: packet)
        else { return }
        let payload = packet[header.payload]
        let isKeyframe = isIDR(payload)
        if firstKeyframe == nil {
            if isKeyframe { keyframeTimestamp = header.timestamp }
            if header.marker, header.timestamp == keyframeTimestamp { firstKeyframe = elapsed }
        }
        if isProbe { latency.receive(payload, isKeyframe: isKeyframe, received: received) }
    }

    // MARK: The end

    /// Ends the session: by DELETE, or by close_notify alone as a browser's `close()` does.
    func close(withDelete: Bool = true, completion: @escaping () -> Void = {}) {
        guard state != .closed else { return completion() }
        state = .closed
        if let dtls, dtls.isConnected { send(dtls.close()) }
        client.poller.close(fd)
        guard withDelete, let session else { return completion() }
        do {
            _ = try HTTPExchange("DELETE", session, on: client.poller) { _ in completion() }
        } catch {
            completion()
        }
    }
}

extension TransportAddress {
    /// The form our C calls take.
    var kernel: cbench_address {
        let value = ip.bytes.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return cbench_address(ip: value, port: port)
    }
}
