/// Removes the protection from what one peer sends (RFC 3711, RFC 7714).
///
/// Not thread-safe: it belongs to the event loop of its peer. State changes only after a packet proved authentic.
public final class SRTPReceiver {
    /// The profile in use.
    public let profile: SRTPProfile
    /// Sources one peer may have. Only authentic packets make one.
    public static let maximumSources = 32

    private let keys: (key: [UInt8], salt: [UInt8])
    private let rtcp: SRTPCipher
    /// Made for the first RTP packet: viewers send none, and a context costs a kilobyte.
    private var rtp: SRTPCipher?
    private var sources: [SRTPSource] = []
    private var rtcpWindows: [(ssrc: UInt32, window: ReplayWindow)] = []

    /// Derives the session keys.
    ///
    /// - Throws: ``SRTPError/keyLength`` when key or salt do not fit the profile, ``SRTPError/library``.
    public init(profile: SRTPProfile, masterKey: [UInt8], masterSalt: [UInt8]) throws(SRTPError) {
        self.profile = profile
        keys = (masterKey, masterSalt)
        rtcp = try SRTPCipher(
            profile,
            try SRTPKeys(profile, .rtcp, masterKey: masterKey, masterSalt: masterSalt),
            encrypts: false
        )
    }

    /// The RTP packet inside a protected one.
    public func unprotectRTP(_ packet: [UInt8]) throws(SRTPError) -> [UInt8] {
        let count = packet.count - profile.tagLength
        guard count >= RTPHeader.minimumLength, packet.count <= maximumPacket,
            let headerLength = Self.headerLength(packet.prefix(count))
        else { throw .truncated }
        let sequence = UInt16(packet[2]) << 8 | UInt16(packet[3])
        let ssrc = packet[...].word(at: 8)
        let slot = sources.firstIndex { $0.ssrc == ssrc }
        guard slot != nil || sources.count < Self.maximumSources else { throw .tooManySources }
        var source = slot.map { sources[$0] } ?? SRTPSource(ssrc: ssrc)
        let index = source.estimateIndex(sequence)
        guard source.replay.accepts(index) else { throw .replayed }
        let counter = UInt32(truncatingIfNeeded: index >> 16)
        let cipher = try rtpCipher()
        let result = try open(packet, count: count) { (bytes) throws(SRTPError) in
            if profile == .aes128CMHMACSHA1_80 {
                guard cipher.verifyTag(bytes, count: count, rollOverCounter: counter, against: bytes + count) else {
                    throw .authentication
                }
            }
            try cipher.open(bytes, clear: headerLength, count: count, ssrc: ssrc, index: index)
        }
        source.replay.insert(index)
        source.advance(to: index)
        if let slot { sources[slot] = source } else { sources.append(source) }
        return result
    }

    /// The compound RTCP packet inside a protected one.
    public func unprotectRTCP(_ packet: [UInt8]) throws(SRTPError) -> [UInt8] {
        let count = packet.count - profile.rtcpOverhead
        guard count >= 8, packet.count <= maximumPacket else { throw .truncated }
        let isAEAD = profile == .aeadAES128GCM
        let word = packet[...].word(at: isAEAD ? count + profile.tagLength : count)
        let isEncrypted = word & 0x8000_0000 != 0
        let index = UInt64(word & 0x7FFF_FFFF)
        let ssrc = packet[...].word(at: 4)
        let slot = rtcpWindows.firstIndex { $0.ssrc == ssrc }
        guard slot != nil || rtcpWindows.count < Self.maximumSources else { throw .tooManySources }
        var window = slot.map { rtcpWindows[$0].window } ?? ReplayWindow()
        guard window.accepts(index) else { throw .replayed }
        let result = try open(packet, count: count) { (bytes) throws(SRTPError) in
            if isAEAD {
                // Unencrypted SRTCP is authenticated only (RFC 7714 §9.3).
                let clear = isEncrypted ? 8 : count
                try rtcp.open(bytes, clear: clear, count: count, ssrc: ssrc, index: index, trailer: word)
            } else {
                guard rtcp.verifyTag(bytes, count: count + 4, rollOverCounter: nil, against: bytes + count + 4)
                else { throw .authentication }
                if isEncrypted { try rtcp.open(bytes, clear: 8, count: count, ssrc: ssrc, index: index) }
            }
        }
        window.insert(index)
        if let slot { rtcpWindows[slot].window = window } else { rtcpWindows.append((ssrc, window)) }
        return result
    }

    private func open(
        _ packet: [UInt8],
        count: Int,
        _ body: (UnsafeMutablePointer<UInt8>) throws(SRTPError) -> Void
    ) throws(SRTPError) -> [UInt8] {
        var result = packet
        try result.withUnsafeMutableBufferPointer { (buffer) throws(SRTPError) in
            guard let start = buffer.baseAddress else { throw .truncated }
            try body(start)
        }
        result.removeLast(packet.count - count)
        return result
    }

    private func rtpCipher() throws(SRTPError) -> SRTPCipher {
        if let rtp { return rtp }
        let made = try SRTPCipher(
            profile,
            try SRTPKeys(profile, .rtp, masterKey: keys.key, masterSalt: keys.salt),
            encrypts: false
        )
        rtp = made
        return made
    }

    /// Length of the header with CSRCs and extension. Padding is not looked at: it is still encrypted.
    private static func headerLength(_ packet: ArraySlice<UInt8>) -> Int? {
        guard packet.count >= RTPHeader.minimumLength, packet[0] >> 6 == 2 else { return nil }
        var length = RTPHeader.minimumLength + 4 * Int(packet[0] & 0x0F)
        if packet[0] & 0x10 != 0 {
            guard length + 4 <= packet.count else { return nil }
            length += 4 + 4 * (Int(packet[length + 2]) << 8 | Int(packet[length + 3]))
        }
        return length <= packet.count ? length : nil
    }
}

/// The largest UDP payload; keeps lengths far from OpenSSL's 32-bit ones.
private let maximumPacket = 65_535
