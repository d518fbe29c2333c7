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
    /// A retransmission by RFC 4588.
    struct Repeated {
        var header: RTPHeader
        /// The number the packet had the first time.
        var original: UInt16
        var payload: [UInt8]
    }

    /// Retransmissions by RFC 4588.
    var repeated: [Repeated] = []
    /// Packets of the retransmissions' source that carry padding only.
    var paddings = 0
    /// Transport-wide numbers with the time they arrived, until they are reported.
    var arrivals: [(sequence: UInt16, at: Instant)] = []
    /// Decrypted RTP with the time it arrived, retransmissions by RFC 4588 aside.
    var received: [(header: RTPHeader, payload: [UInt8], bytes: [UInt8], at: Instant)] = []
    var rtcp: [RTCPPacket] = []
    /// Datagrams that reached the browser but were neither STUN, DTLS nor valid SRTP.
    var undecryptable = 0
    var largest = 0
    var dropsMedia: (Int) -> Bool = { _ in false }
    /// What media goes through; without one it arrives at once.
    var link: BottleneckLink?
    private var inFlight: [(datagram: [UInt8], at: Instant)] = []
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
        seed: UInt64 = 1,
        offer: (String) -> String = { Offers.chrome(fingerprint: $0) }
    ) throws {
        random = SeededGenerator(seed: seed)
        dtls = try #require(DTLSClient(options))
        peer = try Peer(
            offer: offer(fingerprint ?? dtls.fingerprint),
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

    func give(_ datagram: [UInt8], on other: FiveTuple? = nil) {
        peer.receive(datagram[...], on: other ?? path, at: now, into: &output, events: &events)
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

    /// The relay's look at how the viewer does.
    func assess(_ rates: StreamRates, mayUseHLS: Bool) {
        peer.assessQuality(rates, mayUseHLS: mayUseHLS, at: now, into: &output, events: &events)
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
        for datagram in datagrams {
            guard datagram[0] >= 128, link != nil else {
                arrive(datagram)
                continue
            }
            if let at = link?.carry(datagram.count, at: now) { inFlight.append((datagram, at)) }
        }
    }

    /// Takes in what came out of the link by now.
    func receiveDue() {
        let end = now
        while let first = inFlight.first, first.at <= end {
            inFlight.removeFirst()
            now = first.at
            arrive(first.datagram)
        }
        now = end
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
            take(packet, header)
        }
    }

    private func take(_ packet: [UInt8], _ header: RTPHeader) {
        if let number = extensions(packet)[3], number.count == 2 {
            arrivals.append((UInt16(number[0]) << 8 | UInt16(number[1]), now))
        }
        let payload = Array(packet[header.payload])
        guard header.ssrc == rtx("video") else { return received.append((header, payload, packet, now)) }
        guard payload.count > 2 else { return paddings += 1 }
        let original = UInt16(payload[0]) << 8 | UInt16(payload[1])
        repeated.append(Repeated(header: header, original: original, payload: Array(payload[2...])))
    }

    /// The one-byte header extensions of a packet by id (RFC 8285 §4.2).
    func extensions(_ packet: [UInt8]) -> [UInt8: [UInt8]] {
        guard packet[0] & 0x10 != 0, packet[12...].starts(with: [0xBE, 0xDE]) else { return [:] }
        let end = 16 + 4 * (Int(packet[14]) << 8 | Int(packet[15]))
        var found: [UInt8: [UInt8]] = [:]
        var offset = 16
        while offset < end {
            guard packet[offset] != 0 else {
                offset += 1
                continue
            }
            let length = Int(packet[offset] & 0x0F) + 1
            found[packet[offset] >> 4] = Array(packet[(offset + 1)..<(offset + 1 + length)])
            offset += 1 + length
        }
        return found
    }

    /// The SSRC the answer announces for the retransmissions of `kind`.
    func rtx(_ kind: String) -> UInt32? {
        let group = answer.media.first { $0.kind == kind }?.attribute("ssrc-group") ?? ""
        let words = group.split(separator: " ")
        return words.count == 3 && words[0] == "FID" ? UInt32(words[2]) : nil
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
