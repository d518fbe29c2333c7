/// What the relay's TURN server does, since it began and at present.
public struct TURNSnapshot: Codable, Sendable, Equatable {
    /// Datagrams that went one way.
    public struct Traffic: Codable, Sendable, Equatable {
        /// Datagrams carried.
        public var packets: UInt64
        /// Their bytes, without TURN's own.
        public var bytes: UInt64
        /// Datagrams dropped because an allocation had carried as much as it may.
        public var dropped: UInt64

        /// Creates the value.
        public init(packets: UInt64 = 0, bytes: UInt64 = 0, dropped: UInt64 = 0) {
            self.packets = packets
            self.bytes = bytes
            self.dropped = dropped
        }
    }

    /// Requests that were refused, by reason. They only grow.
    public struct Refusals: Codable, Sendable, Equatable {
        /// A wrong user name or password.
        public var unauthorized: UInt64
        /// Good credentials that had run out.
        public var expired: UInt64
        /// Another peer than this relay was asked for, or sent to.
        public var forbidden: UInt64
        /// The user or its address has as many allocations as it may.
        public var overQuota: UInt64
        /// The relay has as many allocations as it takes.
        public var overCapacity: UInt64
        /// An old nonce: the client asks again with the new one.
        public var staleNonce: UInt64
        /// Not well formed, not offered, or without an allocation.
        public var invalid: UInt64
        /// Left without an answer, because the stranger's address had had its share.
        public var ignored: UInt64

        /// Creates the value.
        public init(
            unauthorized: UInt64 = 0,
            expired: UInt64 = 0,
            forbidden: UInt64 = 0,
            overQuota: UInt64 = 0,
            overCapacity: UInt64 = 0,
            staleNonce: UInt64 = 0,
            invalid: UInt64 = 0,
            ignored: UInt64 = 0
        ) {
            self.unauthorized = unauthorized
            self.expired = expired
            self.forbidden = forbidden
            self.overQuota = overQuota
            self.overCapacity = overCapacity
            self.staleNonce = staleNonce
            self.invalid = invalid
            self.ignored = ignored
        }

        /// Those that a client at fault, or an attack, leads to; an old nonce is neither.
        public var total: UInt64 {
            [unauthorized, expired, forbidden, overQuota, overCapacity, invalid, ignored].reduce(0, &+)
        }
    }

    /// Allocations at present, the oldest first.
    public var allocations: [AllocationSnapshot] = []
    /// Allocations made.
    public var allocated: UInt64 = 0
    /// Requests that were asked for credentials: every client's first one.
    public var challenged: UInt64 = 0
    /// Requests refused.
    public var refused = Refusals()
    /// From clients to the relay, by all allocations there were.
    public var fromClients = Traffic()
    /// From the relay to clients.
    public var toClients = Traffic()

    /// Creates a snapshot of a server that nobody has used.
    public init() {}

    /// Names as owner of an allocation the viewer whose checks come through it: its credentials may have been made before
    /// it was one, with WHEP's OPTIONS.
    public mutating func nameOwners(by pairs: [PairSnapshot]) {
        guard !allocations.isEmpty else { return }
        var owners: [String: String] = [:]
        // Anybody can name a relayed address; only its owner's checks come from there.
        for pair in pairs where pair.checksReceived > 0 {
            guard let relayed = pair.relayed, pair.isSelected || owners[relayed] == nil else { continue }
            owners[relayed] = pair.viewer
        }
        for index in allocations.indices {
            if let owner = owners[allocations[index].id] { allocations[index].viewer = owner }
        }
    }
}

/// A client's place in the TURN server.
public struct AllocationSnapshot: Codable, Sendable, Equatable, Identifiable {
    /// Its relayed address, which is the client's in a candidate pair.
    public var id: String
    /// The viewer whose checks come through it, or whose credentials it was made with; `nil` when that has left, or was
    /// none yet.
    public var viewer: String?
    /// The user in its credentials.
    public var user: String
    /// How the client reaches us: `turn/udp`, `turn/tcp` or `turn/tls`.
    public var transport: String
    /// Where the client is: what a firewall on the way sees.
    public var client: String
    /// Which of our addresses it reached.
    public var server: String
    /// Seconds since it was made.
    public var age: Double
    /// Seconds until it ends unless the client refreshes it.
    public var remaining: Double
    /// Permissions in force.
    public var permissions: Int
    /// Channels in force.
    public var channels: Int
    /// From the client to the relay.
    public var fromClient: TURNSnapshot.Traffic
    /// From the relay to the client.
    public var toClient: TURNSnapshot.Traffic

    /// Creates an allocation snapshot.
    public init(
        id: String,
        viewer: String?,
        user: String,
        transport: String,
        client: String,
        server: String,
        age: Double,
        remaining: Double,
        permissions: Int = 0,
        channels: Int = 0,
        fromClient: TURNSnapshot.Traffic = .init(),
        toClient: TURNSnapshot.Traffic = .init()
    ) {
        self.id = id
        self.viewer = viewer
        self.user = user
        self.transport = transport
        self.client = client
        self.server = server
        self.age = age
        self.remaining = remaining
        self.permissions = permissions
        self.channels = channels
        self.fromClient = fromClient
        self.toClient = toClient
    }
}
