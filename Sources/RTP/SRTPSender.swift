/// Protects what we send to one peer (RFC 3711, RFC 7714).
///
/// Not thread-safe: it belongs to the event loop of its peer. Nothing is allocated per RTP packet once every source
/// was seen.
public final class SRTPSender {
    /// The profile in use.
    public let profile: SRTPProfile
    /// Sources one peer may have: video, audio and their retransmissions, twice.
    public static let maximumSources = 8

    private let rtp: SRTPCipher
    private let rtcp: SRTPCipher
    private var sources: [SRTPSource] = []
    private var rtcpIndex: UInt32 = 0

    /// Derives the session keys.
    ///
    /// - Throws: ``SRTPError/keyLength`` when key or salt do not fit the profile, ``SRTPError/library``.
    public init(profile: SRTPProfile, masterKey: [UInt8], masterSalt: [UInt8]) throws(SRTPError) {
        self.profile = profile
        rtp = try SRTPCipher(
            profile,
            try SRTPKeys(profile, .rtp, masterKey: masterKey, masterSalt: masterSalt),
            encrypts: true
        )
        rtcp = try SRTPCipher(
            profile,
            try SRTPKeys(profile, .rtcp, masterKey: masterKey, masterSalt: masterSalt),
            encrypts: true
        )
        sources.reserveCapacity(Self.maximumSources)
    }

    /// Protects an RTP packet in place.
    ///
    /// The roll-over counter follows from the sequence numbers, which must start below 2¹⁵ so that both ends agree on
    /// it. A key stream must never be used for two different packets, so a sequence number that does not advance is
    /// refused.
    ///
    /// - Parameters:
    ///   - buffer: The packet, and behind it room for ``SRTPProfile/rtpTagLength`` bytes.
    ///   - headerLength: Header with CSRCs and extension, which stay readable.
    ///   - count: Length of the packet.
    ///   - isRetransmission: The packet was protected before and every byte of it is the same, header included.
    /// - Returns: The protected length, or 0 when the packet must not be sent.
    public func protectRTP(
        _ buffer: UnsafeMutableRawBufferPointer,
        headerLength: Int,
        count: Int,
        isRetransmission: Bool = false
    ) -> Int {
        guard let start = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self),
            headerLength >= RTPHeader.minimumLength, headerLength <= count, count <= maximumPacket,
            count + profile.tagLength <= buffer.count
        else { return 0 }
        let sequence = UInt16(buffer[2]) << 8 | UInt16(buffer[3])
        let ssrc = UInt32(bigEndian: buffer.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
        guard let slot = source(ssrc) else { return 0 }
        let index = sources[slot].estimateIndex(sequence)
        let isNew = sources[slot].highest.map { index > $0 } ?? true
        guard isNew != isRetransmission, index <= maximumRTPIndex else { return 0 }
        guard rtp.seal(start, clear: headerLength, count: count, ssrc: ssrc, index: index) else { return 0 }
        if isNew { sources[slot].advance(to: index) }
        if profile == .aes128CMHMACSHA1_80 {
            let counter = UInt32(truncatingIfNeeded: index >> 16)
            rtp.writeTag(start, count: count, rollOverCounter: counter, to: start + count)
        }
        return count + profile.tagLength
    }

    /// Protects a compound RTCP packet; empty when it is no RTCP or the key is used up.
    public func protectRTCP(_ packet: [UInt8]) -> [UInt8] {
        guard packet.count >= 8, packet.count <= maximumPacket, rtcpIndex < maximumRTCPIndex else { return [] }
        rtcpIndex += 1
        let ssrc = packet[...].word(at: 4)
        let word = 0x8000_0000 | rtcpIndex
        let count = packet.count
        var result = packet
        result.append(contentsOf: repeatElement(0, count: profile.rtcpOverhead))
        let isSealed = result.withUnsafeMutableBytes { buffer -> Bool in
            guard let start = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return false }
            // GCM puts the tag before the index word, counter mode behind it (RFC 7714 §9.2, RFC 3711 §3.4).
            let wordOffset = profile == .aeadAES128GCM ? count + profile.tagLength : count
            let trailer = profile == .aeadAES128GCM ? word : nil
            guard rtcp.seal(start, clear: 8, count: count, ssrc: ssrc, index: UInt64(rtcpIndex), trailer: trailer)
            else { return false }
            buffer.storeBytes(of: word.bigEndian, toByteOffset: wordOffset, as: UInt32.self)
            if profile == .aes128CMHMACSHA1_80 {
                rtcp.writeTag(start, count: count + 4, rollOverCounter: nil, to: start + count + 4)
            }
            return true
        }
        return isSealed ? result : []
    }

    private func source(_ ssrc: UInt32) -> Int? {
        for index in sources.indices where sources[index].ssrc == ssrc { return index }
        guard sources.count < Self.maximumSources else { return nil }
        sources.append(SRTPSource(ssrc: ssrc))
        return sources.count - 1
    }
}

/// Nothing we protect comes near; keeps lengths far from OpenSSL's 32-bit ones.
private let maximumPacket = 65_535
