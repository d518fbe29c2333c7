import ICE
import Wire

/// How datagrams of one path are wrapped for the client of an allocation: as ChannelData, or as Data indications as
/// long as no channel is bound. Made once for a run of datagrams.
public struct TURNWrapping: Sendable, Equatable {
    /// Whom it goes to.
    public let client: TURNClient
    /// What comes before the payload, but for the payload's length.
    private let head: [UInt8]
    private let isChannel: Bool

    init(_ client: TURNClient, channel: UInt16) {
        self.client = client
        isChannel = true
        head = [UInt8(channel >> 8), UInt8(truncatingIfNeeded: channel), 0, 0]
    }

    init(_ client: TURNClient, peer: TransportAddress) {
        self.client = client
        isChannel = false
        // Nobody answers an indication, so its transaction id ties nothing together.
        let message = STUNMessage(
            .indication,
            .data,
            transactionID: STUNTransactionID(high: 0, low: UInt64(peer.port)),
            attributes: [.xorPeerAddress(peer), .data([])]
        )
        head = message.serialized(fingerprint: false)
    }

    /// Bytes that a datagram of `count` bytes becomes.
    public func size(of count: Int) -> Int {
        let isPadded = !isChannel || client.isStream
        return head.count + (isPadded ? (count + 3) & ~3 : count)
    }

    /// Writes the wrapped form of `payload`, of at most 65,000 bytes.
    ///
    /// - Parameter buffer: Has room for ``size(of:)`` bytes.
    /// - Returns: The bytes written; 0 when there is no room.
    public func write(_ payload: UnsafeRawBufferPointer, to buffer: UnsafeMutableRawBufferPointer) -> Int {
        let size = size(of: payload.count)
        guard payload.count <= 65_000, buffer.count >= size else { return 0 }
        buffer.copyBytes(from: head)
        write(payload.count, at: head.count - 2, of: buffer)
        if !isChannel { write(size - 20, at: 2, of: buffer) }
        UnsafeMutableRawBufferPointer(rebasing: buffer[head.count...]).copyBytes(from: payload)
        for index in head.count + payload.count..<size { buffer[index] = 0 }
        return size
    }

    private func write(_ value: Int, at offset: Int, of buffer: UnsafeMutableRawBufferPointer) {
        buffer[offset] = UInt8(truncatingIfNeeded: value >> 8)
        buffer[offset + 1] = UInt8(truncatingIfNeeded: value)
    }
}
