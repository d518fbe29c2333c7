import Wire

/// What went one way through an allocation, or through all of them.
public struct TURNTraffic: Sendable, Equatable {
    /// Datagrams carried.
    public var packets: UInt64 = 0
    /// Their bytes, without TURN's own.
    public var bytes: UInt64 = 0
    /// Datagrams dropped because the allocation had carried as much as it may.
    public var dropped: UInt64 = 0

    /// Nothing yet.
    public init() {}

    mutating func count(packets: Int, bytes: Int, isCarried: Bool) {
        guard isCarried else { return dropped &+= UInt64(packets) }
        self.packets &+= UInt64(packets)
        self.bytes &+= UInt64(bytes)
    }
}

/// One way through an allocation: what it has carried, and what it may still carry.
struct Flow: Sendable {
    private(set) var traffic = TURNTraffic()
    private let ceiling: TokenBucket.Limit
    private var bytes = TokenBucket()

    /// - Parameter bytesPerSecond: The ceiling; a second's worth may come at once.
    init(bytesPerSecond: Int) {
        ceiling = TokenBucket.Limit(perSecond: Double(bytesPerSecond), burst: Double(bytesPerSecond))
    }

    /// Counts datagrams that belong together.
    ///
    /// - Returns: `false` when there is no room for them under the ceiling; all are dropped then.
    mutating func carry(packets: Int, bytes: Int, at now: Instant) -> Bool {
        let hasRoom = self.bytes.take(Double(bytes), within: ceiling, at: now)
        traffic.count(packets: packets, bytes: bytes, isCarried: hasRoom)
        return hasRoom
    }
}

/// An allocation as the operator sees it.
public struct AllocationStatus: Sendable, Equatable {
    /// Whose it is.
    public var client: TURNClient
    /// The address that stands for the client.
    public var relayed: TransportAddress
    /// The user of its credentials.
    public var user: String
    /// Since it was made.
    public var age: Duration
    /// Until it ends unless it is refreshed.
    public var remaining: Duration
    /// Permissions in force.
    public var permissions: Int
    /// Channels in force.
    public var channels: Int
    /// From the client to us.
    public var fromClient: TURNTraffic
    /// From us to the client.
    public var toClient: TURNTraffic
}
