import COpenSSL
import DTLS
import ICE
import RTP
import Relay
import SDP
import TestSupport
import Testing
import Wire

/// A browser's side of a WebRTC session: ICE by hand, OpenSSL's DTLS, SRTP.
final class WebRTCClient {
    let world: World
    let viewer: String
    let path: FiveTuple
    /// Decrypted RTP, in order of arrival.
    private(set) var received: [(header: RTPHeader, payload: [UInt8], at: Instant)] = []
    private(set) var isConnected = false
    /// What it does wrong.
    var faults: Faults
    private let ssl: OpaquePointer
    private let context: OpaquePointer
    private let input: OpaquePointer
    private let output: OpaquePointer
    private let localUfrag: String
    private let localPassword: String
    private var srtp: SRTPReceiver?
    private var srtpSender: SRTPSender?
    private var transaction: UInt64 = 0

    /// How a client may misbehave.
    struct Faults: OptionSet {
        let rawValue: Int
        /// Its offer promises another certificate.
        static let wrongFingerprint = Faults(rawValue: 1)
        /// It checks with a password that is not ours.
        static let wrongPassword = Faults(rawValue: 2)
        /// It nominates no pair.
        static let choosesNoPair = Faults(rawValue: 4)
        /// Our datagrams do not reach it.
        static let hearsNothing = Faults(rawValue: 8)
        /// DTLS of ours does not reach it.
        static let hearsNoDTLS = Faults(rawValue: 16)
        /// It does DTLS without SRTP.
        static let knowsNoSRTP = Faults(rawValue: 32)
    }

    /// Offers, and keeps the answer.
    init(
        _ world: World,
        viewer: String,
        address: IPAddress = IPAddress(v4: 0xC633_6404),
        port: UInt16 = 50_112,
        transport: TransportProtocol = .udp,
        faults: Faults = []
    ) throws {
        self.world = world
        self.viewer = viewer
        self.faults = faults
        path = FiveTuple(
            transport,
            local: TransportAddress(IPAddress(v4: 0xC000_0201), port: 8_189),
            remote: TransportAddress(address, port: port)
        )
        context = try #require(SSL_CTX_new(DTLS_client_method()))
        let key = try #require(signalbox_generate_p256_key())
        let certificate = try #require(X509_new())
        X509_gmtime_adj(X509_getm_notBefore(certificate), 0)
        X509_gmtime_adj(X509_getm_notAfter(certificate), 86_400)
        X509_set_pubkey(certificate, key)
        X509_sign(certificate, key, EVP_sha256())
        SSL_CTX_use_certificate(context, certificate)
        SSL_CTX_use_PrivateKey(context, key)
        if !faults.contains(.knowsNoSRTP) { SSL_CTX_set_tlsext_use_srtp(context, "SRTP_AEAD_AES_128_GCM") }
        SSL_CTX_set_cert_verify_callback(context, { _, _ in 1 }, nil)
        signalbox_set_dtls_options(context)
        var digest = [UInt8](repeating: 0, count: 64)
        X509_digest(certificate, EVP_sha256(), &digest, nil)
        if faults.contains(.wrongFingerprint) { digest[0] ^= 1 }
        X509_free(certificate)
        EVP_PKEY_free(key)
        ssl = try #require(SSL_new(context))
        input = try #require(BIO_new(BIO_s_mem()))
        output = try #require(BIO_new(BIO_s_mem()))
        BIO_ctrl(input, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, nil)
        BIO_ctrl(output, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, nil)
        SSL_set_bio(ssl, input, output)
        SSL_ctrl(ssl, SSL_CTRL_SET_MTU, 1_200, nil)
        SSL_set_connect_state(ssl)

        let fingerprint = digest.prefix(32).map { [$0].hexadecimal.uppercased() }.joined(separator: ":")
        let answer = try SessionDescription(
            parsing: try world.offer(Offer.chrome(fingerprint: "sha-256 " + fingerprint), viewer: viewer)
        )
        localUfrag = try #require(answer.media.compactMap { $0.attribute("ice-ufrag") }.first)
        localPassword = try #require(answer.media.compactMap { $0.attribute("ice-pwd") }.first)
        let earlier = world.receiveDatagram
        // A client that is gone hears nothing.
        world.receiveDatagram = { [weak self] path, datagram in
            if let self, path == self.path { arrive(datagram) } else { earlier?(path, datagram) }
        }
    }

    deinit {
        SSL_free(ssl)
        SSL_CTX_free(context)
    }

    /// Checks connectivity, shakes hands: media may come.
    func connect() throws {
        check()
        try #require(world.claimedPaths[path] == localUfrag)
        pump()
        try #require(isConnected)
    }

    /// A connectivity check with nomination, which also renews consent.
    func check() {
        transaction += 1
        let request = STUNMessage(
            .request,
            transactionID: STUNTransactionID(high: 0, low: transaction),
            attributes: [.username("\(localUfrag):x9Qf"), .priority(1), .iceControlling(1)]
                + (faults.contains(.choosesNoPair) ? [] : [.useCandidate])
        )
        let password = faults.contains(.wrongPassword) ? "not the password at all" : localPassword
        world.receive(request.serialized(integrityKey: Array(password.utf8)), path: path)
    }

    /// Begins DTLS, and gets as far as it can.
    func beginDTLS() { pump() }

    /// Reports what has come so far, as receivers do every second or so.
    func report(lost: UInt8 = 0) {
        guard let srtpSender, let last = received.last else { return }
        let block = RTCPPacket.ReportBlock(ssrc: last.header.ssrc, fractionLost: lost)
        world.receive(
            srtpSender.protectRTCP(RTCPPacket.serialize([.receiverReport(ssrc: 1, blocks: [block])])),
            path: path
        )
    }

    /// Says goodbye as a page does that is closed.
    func close() {
        SSL_shutdown(ssl)
        pump()
    }

    /// Lives on: answers and renews consent for a while.
    func watch(_ duration: Duration) throws {
        let end = world.now + duration
        while world.now < end {
            try world.run(min(.seconds(4), end - world.now))
            check()
        }
    }

    /// Says how much of the video was lost since the last time, in 1/256.
    func report(fractionLost: UInt8) throws {
        let last = try #require(received.last).header
        let block = RTCPPacket.ReportBlock(
            ssrc: last.ssrc,
            fractionLost: fractionLost,
            extendedHighestSequence: UInt32(last.sequenceNumber)
        )
        let compound = RTCPPacket.serialize([.receiverReport(ssrc: 1, blocks: [block])])
        world.receive(try #require(srtpSender).protectRTCP(compound), path: path)
    }

    private func pump() {
        if !isConnected, SSL_do_handshake(ssl) == 1 {
            isConnected = true
            let profile = SRTPProfile.aeadAES128GCM
            var bytes = [UInt8](repeating: 0, count: profile.keyingMaterialLength)
            let label = "EXTRACTOR-dtls_srtp"
            SSL_export_keying_material(ssl, &bytes, bytes.count, label, label.utf8.count, nil, 0, 0)
            let (key, salt) = (profile.keyLength, profile.saltLength)
            srtpSender = try? SRTPSender(
                profile: profile,
                masterKey: Array(bytes[..<key]),
                masterSalt: Array(bytes[(2 * key)..<(2 * key + salt)])
            )
            srtp = try? SRTPReceiver(
                profile: profile,
                masterKey: Array(bytes[key..<(2 * key)]),
                masterSalt: Array(bytes[(2 * key + salt)...])
            )
        }
        ERR_clear_error()
        var bytes = [UInt8](repeating: 0, count: 16_384)
        let count = Int(max(0, BIO_read(output, &bytes, 16_384)))
        var offset = 0
        // One datagram for each record.
        while offset + 13 <= count {
            let end = min(offset + 13 + Int(bytes[offset + 11]) << 8 + Int(bytes[offset + 12]), count)
            world.receive(Array(bytes[offset..<end]), path: path)
            offset = end
        }
    }

    private func arrive(_ datagram: [UInt8]) {
        guard !faults.contains(.hearsNothing) else { return }
        if (20...63).contains(datagram[0]), faults.contains(.hearsNoDTLS) { return }
        switch datagram[0] {
        case 0...3:
            guard let message = try? STUNMessage(parsing: datagram[...]), message.class == .request else { return }
            let response = STUNMessage(
                .successResponse,
                transactionID: message.transactionID,
                attributes: [.xorMappedAddress(path.local)]
            )
            world.receive(response.serialized(integrityKey: Array(Offer.password.utf8)), path: path)
        case 20...63:
            BIO_write(input, datagram, Int32(datagram.count))
            pump()
        default:
            guard !RTPHeader.isRTCP(secondByte: datagram[1]), let packet = try? srtp?.unprotectRTP(datagram),
                let header = try? RTPHeader(parsing: packet)
            else { return }
            received.append((header, Array(packet[header.payload]), world.now))
        }
    }
}
