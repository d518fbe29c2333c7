import CBench
import DTLS
import ICE
import Media
import RTP
import WebRTC
import Wire

/// The relay's own code, one step of a packet's life at a time.
enum PacketPath {
    /// Parsing the header of a 1200-byte packet.
    static func parse(_ probe: Probe) -> Cost {
        let packet: [UInt8] = [0x80, 0xE0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3] + [UInt8](repeating: 9, count: 1_188)
        return probe.measure {
            0
        } _: { checksum in
            let operations = 20_000
            for _ in 0..<operations {
                if let header = try? RTPHeader(parsing: packet) { checksum &+= Int(header.sequenceNumber) }
            }
            return operations
        }
    }

    /// Protecting a packet in place.
    static func protect(_ probe: Probe, _ profile: SRTPProfile, bytes count: Int) throws -> Cost {
        try probe.measure {
            try SRTPSender(
                profile: profile,
                masterKey: [UInt8](repeating: 7, count: profile.keyLength),
                masterSalt: [UInt8](repeating: 8, count: profile.saltLength)
            )
        } _: { sender in
            let operations = 2_000
            var packet = [UInt8](repeating: 3, count: count + profile.rtpTagLength)
            packet[0] = 0x80
            packet.withUnsafeMutableBytes { packet in
                for number in 0..<operations {
                    packet[2] = UInt8(number >> 8)
                    packet[3] = UInt8(truncatingIfNeeded: number)
                    _ = sender.protectRTP(packet, headerLength: 12, count: count)
                }
            }
            return operations
        }
    }

    /// A camera's RTP packets into the stream's: receiver, timeline, H.264 cut anew.
    static func packetise(_ probe: Probe) -> Cost {
        var stream = SyntheticStream(ssrc: 1)
        var frames: [[[UInt8]]] = []
        for _ in 0..<200 {
            var packets: [[UInt8]] = []
            stream.next(at: 0) { packets.append($0) }
            frames.append(packets)
        }
        return probe.measure {
            TrackIngest(track: 0, format: format, payloadType: 96, transport: .tcp)
        } _: { ingest in
            var now = Instant(nanoseconds: 1_000_000_000)
            var operations = 0
            var packets: [StreamPacket] = []
            var notices: [IngestNotice] = []
            for frame in frames {
                for packet in frame { ingest.receive(packet[...], at: now, into: &packets, notices: &notices) }
                operations += frame.count
                packets.removeAll(keepingCapacity: true)
                now = now + .milliseconds(40)
            }
            return operations
        }
    }

    /// A stream's packets to one viewer: numbered, written, encrypted, remembered, ready for the kernel.
    static func forward(_ probe: Probe) throws -> Cost {
        var ingest = TrackIngest(track: 0, format: format, payloadType: 96, transport: .tcp)
        var stream = SyntheticStream(ssrc: 1)
        var notices: [IngestNotice] = []
        var frames: [[StreamPacket]] = []
        var now = Instant(nanoseconds: 1_000_000_000)
        for _ in 0..<200 {
            var packets: [StreamPacket] = []
            stream.next(at: 0) { ingest.receive($0[...], at: now, into: &packets, notices: &notices) }
            frames.append(packets)
            now = now + .milliseconds(40)
        }
        let identity = try DTLSIdentity()
        let certificate = try DTLSContext.selfSigned()
        return try probe.measure {
            let peer = try ReadyPeer(identity, certificate)
            // The first seconds fill what is reused later.
            for frame in frames[..<100] { peer.send(frame) }
            return peer
        } _: { peer in
            var operations = 0
            for frame in frames[100...] {
                peer.send(frame)
                operations += frame.count
            }
            return operations
        }
    }

    private static var format: TrackFormat {
        var format = TrackFormat(codec: .h264, clockRate: 90_000)
        format.h264 = try? H264ParameterSets(sps: SyntheticStream.sps, pps: [SyntheticStream.pps])
        return format
    }

    /// A peer whose client has connected.
    private final class ReadyPeer {
        private let peer: Peer
        private var queue = DatagramQueue()
        private var now = Instant(nanoseconds: 1_000_000_000)

        init(_ identity: DTLSIdentity, _ certificate: DTLSContext) throws {
            var random = SystemRandomNumberGenerator()
            let credentials = ICECredentials(using: &random)
            let local = TransportAddress(IPAddress(v4: 0x7F00_0001), port: 8_189)
            let remote = cbench_address(ip: 0x7F00_0001, port: 50_000)
            let path = FiveTuple(.udp, local: local, remote: TransportAddress(local.ip, port: remote.port))
            let offer = SessionOffer(credentials, fingerprint: identity.fingerprint, candidate: remote)
            peer = try Peer(
                offer: offer.text,
                tracks: [PacketPath.format],
                configuration: PeerConfiguration(
                    udpAddresses: [local],
                    dtls: certificate,
                    cname: "bench",
                    streamID: "bench",
                    ntpAtZero: 0
                ),
                at: now,
                using: &random
            )
            let answer = try SessionAnswer(peer.answer)
            let check = STUNMessage(
                .request,
                transactionID: STUNTransactionID(high: 1, low: 1),
                attributes: [
                    .username("\(answer.credentials.ufrag):\(credentials.ufrag)"), .priority(1), .iceControlling(1),
                    .useCandidate,
                ]
            )
            var events: [PeerEvent] = []
            let bytes = check.serialized(integrityKey: Array(answer.credentials.pwd.utf8))
            peer.receive(bytes[...], on: path, at: now, into: &queue, events: &events)
            let client = try DTLSEndpoint(identity, isClient: true)
            var flight = client.start()
            while !flight.isEmpty {
                queue.removeAll()
                for datagram in flight { peer.receive(datagram[...], on: path, at: now, into: &queue, events: &events) }
                flight = []
                for entry in queue.entries {
                    let datagram = Array(queue.datagram(entry))
                    if (20...63).contains(datagram[0]) { flight += datagram.withUnsafeBytes { client.receive($0) } }
                }
            }
            queue.removeAll()
            guard client.isConnected else { throw BenchError("the peer does not connect") }
        }

        func send(_ frame: [StreamPacket]) {
            peer.send(frame, at: now, into: &queue)
            queue.removeAll()
            now = now + .milliseconds(40)
        }
    }
}
