import COpenSSL
import RTP
import Wire

/// One DTLS 1.2 session in the passive role, sans-IO (RFC 6347, RFC 5764).
///
///     new ──datagram──▶ connecting ──Finished, fingerprint fits──▶ connected ──close_notify──▶ closed
///      │                   │
///      └──── 30 s ─────────┴── 30 s, wrong fingerprint, no profile, too many failures ──▶ failed
///
/// Feed it datagrams of the first-byte range 20–63 from paths that ICE has authenticated, and no others. Nothing a
/// datagram contains can end an established session except an authenticated close_notify. An error before that starts the
/// handshake afresh, because plaintext records can be forged.
///
/// Confined to its owner's event loop; not `Sendable`.
public final class DTLSSession {
    /// Where the session stands.
    public enum State: Equatable, Sendable {
        /// No ClientHello yet.
        case new
        /// Handshake under way.
        case connecting
        /// Keys are there.
        case connected
        /// Terminal.
        case failed(Failure)
        /// Terminal: one side sent close_notify.
        case closed
    }

    /// Why a session failed.
    public enum Failure: Error, Equatable, Sendable {
        /// Not finished within ``handshakeTimeout``; the last error seen on the way, if any.
        case timedOut(lastError: String?)
        /// The peer's certificate is not the one that signalling promised.
        case fingerprintMismatch
        /// The peer does not do SRTP, or none of our profiles.
        case noCommonSRTPProfile
        /// Handshake errors, one after the other; the last one's reason.
        case handshake(String)
    }

    /// The state.
    public private(set) var state = State.new
    /// When the state last changed.
    public private(set) var stateSince: Instant
    /// The reason of the latest handshake error, even if the handshake went on.
    public private(set) var lastError: String?
    /// The negotiated keys, once ``State/connected``.
    public private(set) var keys: SRTPMasterKeys?

    /// Largest datagram that leaves.
    public static let maximumDatagram = 1_200
    /// A handshake that takes longer, or does not begin for as long, is given up.
    public static let handshakeTimeout = Duration.seconds(30)

    private let context: DTLSContext
    private let expectedFingerprints: [Fingerprint]
    private let sink = DatagramSink()
    /// The library's session, until the handshake is done.
    private var ssl: OpaquePointer?
    private var input: OpaquePointer?
    /// What is left of it afterwards.
    private var established: EstablishedSession?
    private var finishedRepeatedAt: Instant?
    private var flight: [[UInt8]] = []
    private var flightSentAt: Instant
    private var retransmitAt: Instant?
    private var retransmitInterval: Duration
    private var restarts = 0
    private var handshakeBytes = 0
    /// Protected records that came before their keys.
    private var early: [ArraySlice<UInt8>] = []

    /// Creates a session that waits for the ClientHello.
    ///
    /// - Parameters:
    ///   - fingerprints: From the offer; one of them has to match (RFC 8122 §5).
    ///   - retransmitInterval: First retransmission timeout; doubles up to 8 s.
    public init(
        context: DTLSContext,
        fingerprints: [Fingerprint],
        retransmitInterval: Duration = .seconds(1),
        at now: Instant
    ) {
        self.context = context
        expectedFingerprints = fingerprints
        self.retransmitInterval = retransmitInterval
        stateSince = now
        flightSentAt = now
    }

    deinit { release() }
}

// MARK: Inputs

extension DTLSSession {
    /// Takes one datagram; what has to be sent in return is appended to `outgoing`, one element a datagram.
    public func receive(_ datagram: ArraySlice<UInt8>, at now: Instant, into outgoing: inout [[UInt8]]) {
        guard let first = datagram.first, (20...63).contains(first), datagram.count <= maximumInput else { return }
        switch state {
        case .new, .connecting:
            handshakeBytes += datagram.count
            guard handshakeBytes <= maximumHandshakeBytes else {
                fail(.handshake("more than \(maximumHandshakeBytes) bytes of handshake"), at: now)
                return release()
            }
            let records = HandshakeRecords(datagram)
            guard !records.isEmpty else { return }
            guard prepare() else { return fail(.handshake(lastError ?? "out of memory"), at: now) }
            if state == .new { change(to: .connecting, at: now) }
            let before = outgoing.count
            take(records, at: now, into: &outgoing)
            if state == .connecting, outgoing.count == before, isClientHello(datagram) {
                repeatFlight(at: now, into: &outgoing)
            }
        case .connected:
            receiveEstablished(datagram, at: now, into: &outgoing)
        case .failed, .closed:
            return
        }
    }

    /// When ``handleTimeout(at:into:)`` next has work.
    public var nextDeadline: Instant? {
        switch state {
        case .new, .connecting: earliest(stateSince + Self.handshakeTimeout, retransmitAt)
        case .connected, .failed, .closed: nil
        }
    }

    /// Sends the last flight again, or gives up.
    public func handleTimeout(at now: Instant, into outgoing: inout [[UInt8]]) {
        guard state == .new || state == .connecting else { return }
        if now >= stateSince + Self.handshakeTimeout {
            fail(.timedOut(lastError: lastError), at: now)
            return release()
        }
        guard let due = retransmitAt, now >= due else { return }
        retransmitInterval = min(retransmitInterval * 2, maximumRetransmitInterval)
        transmitFlight(at: now, into: &outgoing)
    }

    /// The path's round-trip time is known: retransmit earlier than RFC 6347 §4.2.4.1's cautious second.
    public func useRoundTripTime(_ roundTripTime: Duration) {
        guard state == .new else { return }
        retransmitInterval = min(max(roundTripTime * 2, .milliseconds(200)), .seconds(1))
    }

    /// Says close_notify if there is a session to close, and ends.
    public func close(at now: Instant, into outgoing: inout [[UInt8]]) {
        if state == .connected, let alert = established?.closeNotify(), !alert.isEmpty { outgoing.append(alert) }
        switch state {
        case .failed, .closed: break
        case .new, .connecting, .connected: change(to: .closed, at: now)
        }
        release()
    }
}

// MARK: OpenSSL

extension DTLSSession {
    /// Makes the `SSL` object on the first datagram: a viewer that never gets this far costs nothing.
    private func prepare() -> Bool {
        if ssl != nil { return true }
        guard let ssl = SSL_new(context.context) else { return false }
        guard let input = BIO_new(BIO_s_mem()) else {
            SSL_free(ssl)
            return false
        }
        guard let output = sink.makeBIO() else {
            SSL_free(ssl)
            BIO_free(input)
            return false
        }
        // An empty input means "later", not "end".
        BIO_ctrl(input, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, nil)
        SSL_set_bio(ssl, input, output)
        SSL_ctrl(ssl, SSL_CTRL_SET_MTU, Self.maximumDatagram, nil)
        // Our own timer retransmits; this keeps OpenSSL's from ever running out within a handshake.
        DTLS_set_timer_cb(ssl) { _, _ in 3_600_000_000 }
        SSL_set_accept_state(ssl)
        self.ssl = ssl
        self.input = input
        return true
    }

    private func release() {
        SSL_free(ssl)
        ssl = nil
        input = nil
        if state != .connected { established = nil }
        flight = []
        early = []
        retransmitAt = nil
    }

    /// Feeds plaintext at once and protected records as soon as ChangeCipherSpec has come; of those that come before it,
    /// the latest few wait.
    private func take(_ records: HandshakeRecords, at now: Instant, into outgoing: inout [[UInt8]]) {
        if !records.plaintext.isEmpty {
            pumpHandshake(records.plaintext, at: now, into: &outgoing)
        }
        if !records.protected.isEmpty {
            early.append(records.protected)
            if early.count > maximumEarly { early.removeFirst() }
        }
        while state == .connecting, let ssl, SSL_get_state(ssl) == TLS_ST_SR_CHANGE, let next = early.first {
            early.removeFirst()
            pumpHandshake(next, at: now, into: &outgoing)
        }
    }

    private func write(_ datagram: ArraySlice<UInt8>) {
        guard let input else { return }
        datagram.withUnsafeBytes { _ = BIO_write(input, $0.baseAddress, Int32(truncatingIfNeeded: $0.count)) }
    }

    private func pumpHandshake(_ datagram: ArraySlice<UInt8>, at now: Instant, into outgoing: inout [[UInt8]]) {
        guard let ssl else { return }
        write(datagram)
        ERR_clear_error()
        let result = SSL_do_handshake(ssl)
        if result == 1 {
            finishHandshake(at: now)
            // Without a verified peer the session is closed in the same breath: no keys, and the client learns it.
            if state != .connected { SSL_shutdown(ssl) }
            sink.drain(into: &outgoing)
            release()
            // A last flight of the client that shares the datagram with its close_notify is rare but legal.
            if case .closeNotify? = established?.receive(datagram) { close(at: now, into: &outgoing) }
            return
        }
        let error = SSL_get_error(ssl, result)
        if error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE {
            if !sink.datagrams.isEmpty {
                flight = sink.datagrams
                sink.discard()
                transmitFlight(at: now, into: &outgoing)
            }
            return
        }
        lastError = pendingOpenSSLError()
        restarts += 1
        if restarts > maximumRestarts {
            sink.drain(into: &outgoing)
            fail(.handshake(lastError ?? ""), at: now)
        }
        // OpenSSL's alert stays unsent: were the cause a forged record, it would end the real client's handshake.
        sink.discard()
        release()
    }

    private func transmitFlight(at now: Instant, into outgoing: inout [[UInt8]]) {
        sink.repeatFlight(flight)
        sink.drain(into: &outgoing)
        flightSentAt = now
        retransmitAt = now + retransmitInterval
    }

    /// A client that repeats its hello has not got our flight (RFC 6347 §4.2.4): answer without waiting for our timer.
    private func repeatFlight(at now: Instant, into outgoing: inout [[UInt8]]) {
        guard !flight.isEmpty, now - flightSentAt >= minimumRepeatInterval else { return }
        transmitFlight(at: now, into: &outgoing)
    }

    private func isClientHello(_ datagram: ArraySlice<UInt8>) -> Bool {
        // Handshake record of epoch 0 whose first message is of type 1.
        let header = datagram.prefix(14)
        guard header.count == 14, let last = header.last else { return false }
        return header.first == 22 && header.dropFirst(3).prefix(2).elementsEqual([0, 0]) && last == 1
    }

    private func finishHandshake(at now: Instant) {
        guard let ssl else { return }
        guard let certificate = SSL_get1_peer_certificate(ssl) else { return fail(.fingerprintMismatch, at: now) }
        defer { X509_free(certificate) }
        guard expectedFingerprints.contains(where: { Fingerprint(of: certificate, $0.hashFunction) == $0 }) else {
            return fail(.fingerprintMismatch, at: now)
        }
        guard let selected = SSL_get_selected_srtp_profile(ssl)?.pointee,
            let number = UInt16(exactly: selected.id), let profile = SRTPProfile(rawValue: number)
        else { return fail(.noCommonSRTPProfile, at: now) }
        var exported = [UInt8](repeating: 0, count: profile.keyingMaterialLength)
        let label = "EXTRACTOR-dtls_srtp"
        let count = exported.count
        guard SSL_export_keying_material(ssl, &exported, count, label, label.utf8.count, nil, 0, 0) == 1,
            let keys = SRTPMasterKeys(profile: profile, exported: exported),
            let established = EstablishedSession(ssl, lastFlight: sink.datagrams)
        else { return fail(.handshake(pendingOpenSSLError()), at: now) }
        self.keys = keys
        self.established = established
        flight = []
        early = []
        retransmitAt = nil
        change(to: .connected, at: now)
    }

    /// A repeated Finished makes us send our own again, close_notify ends.
    private func receiveEstablished(_ datagram: ArraySlice<UInt8>, at now: Instant, into outgoing: inout [[UInt8]]) {
        guard let established else { return }
        switch established.receive(datagram) {
        case .none:
            break
        case .finished:
            // A replayed Finished must not draw more than the network may lose.
            if let last = finishedRepeatedAt, now - last < minimumRepeatInterval { return }
            finishedRepeatedAt = now
            sink.repeatFlight([established.repeatedFlight()])
            sink.drain(into: &outgoing)
        case .closeNotify:
            close(at: now, into: &outgoing)
        }
    }

    private func fail(_ failure: Failure, at now: Instant) {
        keys = nil
        change(to: .failed(failure), at: now)
        flight = []
        retransmitAt = nil
    }

    private func change(to newState: State, at now: Instant) {
        state = newState
        stateSince = now
    }
}

/// Longer datagrams than any path delivers unfragmented are not DTLS.
private let maximumInput = 2_048
/// All flights of a client, repeated for 30 s, are a third of this.
private let maximumHandshakeBytes = 64 * 1024
/// Copies of the client's Finished that overtook what stands before it.
private let maximumEarly = 4
/// Forged plaintext records cost a handshake this often before it is given up.
private let maximumRestarts = 3
/// Keeps a two-fragment hello, or a burst of replayed ones, from drawing more than one flight.
private let minimumRepeatInterval = Duration.milliseconds(50)
private let maximumRetransmitInterval = Duration.seconds(8)
