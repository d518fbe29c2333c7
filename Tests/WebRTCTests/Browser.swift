import DTLS
import ICE
import Media
import RTP
import SDP
import TestSupport
import Testing
import WebRTC
import Wire

/// A whole client in the process: ICE by hand, OpenSSL's DTLS, SRTP, all over a link that can lose packets.
final class Browser {
    let peer: Peer
    let dtls: DTLSClient
    let answer: SessionDescription
    let path = FiveTuple(.udp, local: address("192.0.2.1", 8_189), remote: address("198.51.100.4", 50_112))
    var now = Instant(nanoseconds: 5_000_000_000)
    var events: [PeerEvent] = []
    /// Decrypted RTP with the time it arrived.
    var received: [(header: RTPHeader, payload: [UInt8], bytes: [UInt8], at: Instant)] = []
    var rtcp: [RTCPPacket] = []
    /// Datagrams that reached the browser but were neither STUN, DTLS nor valid SRTP.
    var undecryptable = 0
    var largest = 0
    var dropsMedia: (Int) -> Bool = { _ in false }
    private var mediaDatagrams = 0
    private(set) var protected: [[UInt8]] = []
    private var srtpReceiver: SRTPReceiver?
    private var srtpSender: SRTPSender?
    private var output = DatagramQueue()
    private var random: SeededGenerator

    static let context = try? DTLSContext.selfSigned()

    init(
        tracks: [TrackFormat] = [Formats.h264],
        options: DTLSClient.Options = .init(),
        fingerprint: String? = nil,
        seed: UInt64 = 1
    ) throws {
        random = SeededGenerator(seed: seed)
        dtls = try #require(DTLSClient(options))
        peer = try Peer(
            offer: Offers.chrome(fingerprint: fingerprint ?? dtls.fingerprint),
            tracks: tracks,
            configuration: try Self.configuration(),
            at: now,
            using: &random
        )
        answer = try SessionDescription(parsing: peer.answer)
    }

    static func configuration() throws -> PeerConfiguration {
        PeerConfiguration(
            udpAddresses: [address("192.0.2.1", 8_189), address("2001:db8::1", 8_189)],
            tcpAddresses: [address("192.0.2.1", 8_189)],
            dtls: try #require(context),
            cname: "signalbox",
            streamID: "gate-north",
            ntpAtZero: 0xE900_0000_0000_0000
        )
    }

    // MARK: ICE and DTLS

    func check(nominating: Bool = true) {
        var attributes: [STUNAttribute] = [.username("\(peer.localUfrag):x9Qf"), .priority(1), .iceControlling(1)]
        if nominating { attributes.append(.useCandidate) }
        let id = STUNTransactionID(high: 0, low: random.next())
        let pwd = answer.media.compactMap { $0.attribute("ice-pwd") }.first ?? ""
        give(STUNMessage(.request, transactionID: id, attributes: attributes).serialized(integrityKey: Array(pwd.utf8)))
    }

    func connect() {
        check()
        for datagram in dtls.start() { give(datagram) }
        if dtls.isConnected { exportKeys() }
    }

    func exportKeys() {
        let gcm = peer.status.srtpProfile != .aes128CMHMACSHA1_80
        let profile: SRTPProfile = gcm ? .aeadAES128GCM : .aes128CMHMACSHA1_80
        let bytes = dtls.export(profile.keyingMaterialLength)
        let (key, salt) = (profile.keyLength, profile.saltLength)
        srtpSender = try? SRTPSender(
            profile: profile,
            masterKey: Array(bytes[..<key]),
            masterSalt: Array(bytes[(2 * key)..<(2 * key + salt)])
        )
        srtpReceiver = try? SRTPReceiver(
            profile: profile,
            masterKey: Array(bytes[key..<(2 * key)]),
            masterSalt: Array(bytes[(2 * key + salt)...])
        )
    }

    // MARK: The link

    func give(_ datagram: [UInt8]) {
        peer.receive(datagram[...], on: path, at: now, into: &output, events: &events)
        flush()
    }

    func give(_ packets: [RTCPPacket]) {
        giveRTCP(RTCPPacket.serialize(packets))
    }

    func giveRTCP(_ compound: [UInt8]) {
        if let bytes = srtpSender?.protectRTCP(compound), !bytes.isEmpty { give(bytes) }
    }

    func send(_ packets: [StreamPacket]) {
        peer.send(packets, at: now, into: &output)
        flush()
    }

    func timeout() {
        peer.handleTimeout(at: now, into: &output, events: &events)
        flush()
    }

    func close(_ reason: PeerCloseReason) {
        peer.close(reason, at: now, into: &output)
        flush()
    }

    /// Runs the peer's timers up to `end`.
    func run(until end: Instant) {
        while let deadline = peer.nextDeadline, deadline <= end {
            now = max(deadline, now)
            timeout()
        }
        now = end
    }

    private func flush() {
        let datagrams = output.entries.map { Array(output.datagram($0)) }
        output.removeAll()
        for datagram in datagrams { arrive(datagram) }
    }

    private func arrive(_ datagram: [UInt8]) {
        largest = max(largest, datagram.count)
        switch datagram[0] {
        case 0...3:
            guard let message = try? STUNMessage(parsing: datagram[...]), message.class == .request else { return }
            let response = STUNMessage(
                .successResponse,
                transactionID: message.transactionID,
                attributes: [.xorMappedAddress(path.local)]
            )
            give(response.serialized(integrityKey: Array("asd88fgpdd777uzjYhagZg4T".utf8)))
        case 20...63:
            for reply in dtls.receive(datagram) { give(reply) }
        default:
            guard let srtpReceiver else {
                undecryptable += 1
                return
            }
            if RTPHeader.isRTCP(secondByte: datagram[1]) {
                guard let compound = try? srtpReceiver.unprotectRTCP(datagram) else { return undecryptable += 1 }
                rtcp += (try? RTCPPacket.parse(compound)) ?? []
                return
            }
            mediaDatagrams += 1
            if dropsMedia(mediaDatagrams) { return protected.append(datagram) }
            protected.append(datagram)
            guard let packet = try? srtpReceiver.unprotectRTP(datagram), let header = try? RTPHeader(parsing: packet)
            else { return undecryptable += 1 }
            received.append((header, Array(packet[header.payload]), packet, now))
        }
    }

    /// The SSRC the answer announces for `kind`.
    func ssrc(_ kind: String) -> UInt32 {
        let text = answer.media.first { $0.kind == kind }?.attribute("ssrc") ?? ""
        return text.split(separator: " ").first.flatMap { UInt32($0) } ?? 0
    }
}

func address(_ ip: String, _ port: UInt16) -> TransportAddress {
    TransportAddress(IPAddress(ip) ?? IPAddress(v4: 0), port: port)
}

/// A camera: 25 pictures a second, a keyframe every `gop`, each picture a few packets; 20 ms audio frames if asked.
struct Camera {
    var gop = 25
    var packetsPerFrame = 3
    var payloadSize = 1_000
    var start: Instant
    private var sequence: UInt64 = 1_000

    init(start: Instant, gop: Int = 25, packetsPerFrame: Int = 3, payloadSize: Int = 1_000) {
        self.start = start
        self.gop = gop
        self.packetsPerFrame = packetsPerFrame
        self.payloadSize = payloadSize
    }

    mutating func frame(_ number: Int, track: Int = 0) -> [StreamPacket] {
        let arrival = start + .milliseconds(40 * number)
        let isKeyframe = number % gop == 0
        return (0..<packetsPerFrame).map { part in
            sequence += 1
            var payload = [UInt8](repeating: UInt8(truncatingIfNeeded: sequence), count: payloadSize)
            payload[0] = isKeyframe ? 0x65 : 0x41
            payload.write(UInt32(truncatingIfNeeded: sequence), at: 1)
            return StreamPacket(
                track: track,
                sequence: sequence,
                timestamp: arrival.nanoseconds * 90 / 1_000_000,
                arrival: arrival,
                isMarker: part == packetsPerFrame - 1,
                startsKeyframe: isKeyframe && part == 0,
                isKeyframe: isKeyframe,
                payload: payload
            )
        }
    }

    func audio(_ number: Int, track: Int = 1) -> StreamPacket {
        let arrival = start + .milliseconds(20 * number)
        return StreamPacket(
            track: track,
            sequence: UInt64(number),
            timestamp: arrival.nanoseconds * 8 / 1_000_000,
            arrival: arrival,
            isMarker: true,
            payload: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 160)
        )
    }
}
