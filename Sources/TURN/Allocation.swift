import ICE
import Wire

/// A client of the TURN server: the connection or 5-tuple that an allocation belongs to.
public struct TURNClient: Hashable, Sendable {
    /// How it reaches us.
    public var carrier: RelayCarrier
    /// Where it is, and which of our listeners it uses.
    public var path: FiveTuple

    /// Creates a client.
    public init(_ carrier: RelayCarrier, path: FiveTuple) {
        self.carrier = carrier
        self.path = path
    }

    /// Whether messages follow each other in a stream, where ChannelData is padded (RFC 8656 §12.5).
    var isStream: Bool { carrier != .udp }
}

/// What a client has allocated (RFC 8656 §3.2), except that no socket belongs to it.
struct Allocation: Sendable {
    let client: TURNClient
    let relayed: TransportAddress
    let username: String
    /// Whom it is counted for.
    let user: String
    let key: [UInt8]
    /// The Allocate request that made it, and what it was answered: retransmissions get the same.
    let transactionID: STUNTransactionID
    var answer: [UInt8] = []
    let madeAt: Instant
    var expiresAt: Instant
    /// From the client to us.
    var inward: Flow
    /// From us to the client.
    var outward: Flow
    /// Until when our own address may send to the client. There are no more of them than media addresses.
    private var permissions: [IPAddress: Instant] = [:]
    private var channels: [UInt16: Channel] = [:]

    private struct Channel {
        var peer: TransportAddress
        var expiresAt: Instant
    }

    init(
        _ client: TURNClient,
        relayed: TransportAddress,
        login: (username: String, user: String, key: [UInt8]),
        transactionID: STUNTransactionID,
        limits: TURNServer.Limits,
        lifetime: Duration,
        at now: Instant
    ) {
        self.client = client
        self.relayed = relayed
        username = login.username
        user = login.user
        key = login.key
        self.transactionID = transactionID
        madeAt = now
        expiresAt = now + lifetime
        inward = Flow(bytesPerSecond: limits.bytesPerSecondFromClient)
        outward = Flow(bytesPerSecond: limits.bytesPerSecondToClient)
    }

    func status(at now: Instant) -> AllocationStatus {
        AllocationStatus(
            client: client,
            relayed: relayed,
            user: user,
            age: now - madeAt,
            remaining: expiresAt - now,
            permissions: permissions.values.count { now < $0 },
            channels: channels.values.count { now < $0.expiresAt },
            fromClient: inward.traffic,
            toClient: outward.traffic
        )
    }

    /// Installs or refreshes a permission (RFC 8656 §9).
    mutating func permit(_ peer: IPAddress, at now: Instant) {
        permissions[peer] = now + Self.permissionLifetime
    }

    func isPermitted(_ peer: IPAddress, at now: Instant) -> Bool { permissions[peer].map { now < $0 } ?? false }

    /// Binds a channel or refreshes it, and the permission with it (RFC 8656 §12).
    ///
    /// - Returns: `false` when the number or the peer is bound otherwise, or was until five minutes ago.
    mutating func bind(_ number: UInt16, to peer: TransportAddress, at now: Instant) -> Bool {
        channels = channels.filter { now < $0.value.expiresAt + Self.channelRest }
        guard channels[number].map({ $0.peer == peer }) ?? true,
            !channels.contains(where: { $0.key != number && $0.value.peer == peer })
        else { return false }
        channels[number] = Channel(peer: peer, expiresAt: now + Self.channelLifetime)
        permit(peer.ip, at: now)
        return true
    }

    /// The peer that a channel leads to.
    func peer(of number: UInt16, at now: Instant) -> TransportAddress? {
        channels[number].flatMap { now < $0.expiresAt ? $0.peer : nil }
    }

    /// The channel that leads to `peer`.
    func channel(to peer: TransportAddress, at now: Instant) -> UInt16? {
        channels.first { $0.value.peer == peer && now < $0.value.expiresAt }?.key
    }

    private static let permissionLifetime = Duration.seconds(300)
    private static let channelLifetime = Duration.seconds(600)
    /// How long a channel that ran out may not be bound to something else.
    private static let channelRest = Duration.seconds(300)
}
