import Digests
import ICE
import Wire

/// A TURN server (RFC 8656) whose only peers are our own media addresses (design decision 6).
///
/// An allocation's relayed address is a ``RelayedAddress``: what the client sends to one of our addresses is handed to
/// the router as if it had come from there, and what a session sends there is wrapped and goes back to the client. No
/// socket is opened for anybody, so the server can reach nobody but us.
///
/// Sans-IO. Nothing is kept of a client that has not authenticated. Time limits are looked at when something asks.
public struct TURNServer: Sendable {
    /// How much it takes.
    public struct Limits: Sendable {
        /// Allocations at one time of one user: a browser makes one for each address and transport of its own.
        public var perUser = 10
        /// Allocations at one time from one address; loopback is exempt.
        public var perAddress = 128
        /// Allocations at one time.
        public var total = 4_096
        /// Bytes a second that an allocation may carry to its client: several times the biggest camera's stream.
        public var bytesPerSecondToClient = 12_500_000
        /// Bytes a second that an allocation may carry to us: a viewer sends checks and reports, no media.
        public var bytesPerSecondFromClient = 625_000

        /// The defaults.
        public init() {}
    }

    /// What became of requests and data. All but `allocations` only grow.
    public struct Counters: Sendable, Equatable {
        /// Allocations at present.
        public var allocations = 0
        /// Allocations made.
        public var allocated: UInt64 = 0
        /// Requests that were asked for credentials: every client's first one.
        public var challenged: UInt64 = 0
        /// Requests with a wrong user name or password.
        public var unauthorized: UInt64 = 0
        /// Requests whose credentials had run out.
        public var expired: UInt64 = 0
        /// Requests and datagrams to peers other than us.
        public var forbidden: UInt64 = 0
        /// Allocations refused because the user or its address has as many as it may.
        public var overQuota: UInt64 = 0
        /// Allocations refused because there are as many as the server takes.
        public var overCapacity: UInt64 = 0
        /// Requests whose nonce was too old or another address's: clients ask again with a fresh one.
        public var staleNonce: UInt64 = 0
        /// Requests refused for another reason: not well formed, not offered, or without an allocation.
        public var invalid: UInt64 = 0
        /// Requests of strangers left without an answer, because their address had had its share.
        public var ignored: UInt64 = 0
        /// From clients to us, by all allocations there were.
        public var fromClients = TURNTraffic()
        /// From us to clients.
        public var toClients = TURNTraffic()
    }

    /// What a message led to.
    public enum Outcome: Sendable, Equatable {
        /// This goes back to the client.
        case answer([UInt8])
        /// This came for one of our media addresses from the client's relayed address.
        case datagram(ArraySlice<UInt8>, on: FiveTuple)
        /// Nothing.
        case silence
    }

    /// A client that was turned away for what it logged in with.
    public struct LoginFailure: Hashable, Sendable {
        /// What was wrong.
        public enum Reason: Hashable, Sendable {
            /// Good credentials that had run out.
            case expired
            /// A user name that we do not make.
            case unknownUser
            /// A password that does not belong to the user name.
            case wrongPassword
        }

        /// What was wrong.
        public var reason: Reason
        /// The user of good credentials; with others it may be anybody.
        public var user: String?
        /// Where the client is.
        public var address: IPAddress
        /// The relayed address that the client has from better times.
        public var relayed: TransportAddress?

        /// Creates the value.
        public init(reason: Reason, user: String?, address: IPAddress, relayed: TransportAddress? = nil) {
            self.reason = reason
            self.user = user
            self.address = address
            self.relayed = relayed
        }
    }

    /// What became of requests and data.
    public internal(set) var counters = Counters()

    let realm: String
    let peers: Set<TransportAddress>
    let limits: Limits
    let credentials: RelayCredentials
    let nonces: Nonces
    var allocations: [TURNClient: Allocation] = [:]
    /// Clients turned away for their credentials, since somebody asked.
    var loginFailures: Set<LoginFailure> = []
    private var owners: [TransportAddress: TURNClient] = [:]
    private var nextNumber: UInt32
    private var sweptAt = Instant.zero
    private var strangers = RateLimit(perSecond: 20, burst: 100)
    /// The same for TCP and TLS, so that nobody can use up an address's share there by forging it in datagrams.
    private var connectedStrangers = RateLimit(perSecond: 20, burst: 100)

    /// Creates a server without allocations.
    ///
    /// - Parameters:
    ///   - peers: Our media addresses, the only ones that can be reached through it.
    ///   - credentials: What clients were given.
    public init(
        realm: String = "signalbox",
        peers: Set<TransportAddress>,
        credentials: RelayCredentials,
        limits: Limits = Limits(),
        using random: inout some RandomNumberGenerator
    ) {
        self.realm = realm
        self.peers = peers
        self.credentials = credentials
        self.limits = limits
        nonces = Nonces(key: random.bytes(20))
        nextNumber = UInt32.random(in: .min ... .max, using: &random)
    }

    /// Takes one message of a client: a datagram, or what a ``StreamDeframer`` cut out of its stream.
    ///
    /// - Parameter unixTime: Seconds since the Unix epoch, against which credentials run out.
    public mutating func receive(
        _ message: ArraySlice<UInt8>,
        from client: TURNClient,
        at now: Instant,
        unixTime: Int64
    ) -> Outcome {
        guard let first = message.first else { return .silence }
        if 0x40..<0x80 ~= first { return channelData(message, from: client, at: now) }
        guard let message = try? STUNMessage(parsing: message) else { return .silence }
        switch (message.class, message.method) {
        case (.indication, .send): return send(message, from: client, at: now)
        case (.request, .allocate), (.request, .refresh), (.request, .createPermission), (.request, .channelBind):
            sweep(at: now)
            return request(message, from: client, at: now, unixTime: unixTime)
        default: return .silence
        }
    }

    /// Clients turned away for their credentials since the last call.
    public mutating func takeLoginFailures() -> Set<LoginFailure> {
        guard !loginFailures.isEmpty else { return [] }
        defer { loginFailures = [] }
        return loginFailures
    }

    /// The client's connection has closed.
    ///
    /// - Returns: The relayed address that it had.
    @discardableResult
    public mutating func closed(_ client: TURNClient) -> TransportAddress? { remove(client)?.relayed }

    /// Whether the client has an allocation.
    public func hasAllocation(_ client: TURNClient, at now: Instant) -> Bool {
        allocations[client].map { now < $0.expiresAt } ?? false
    }

    /// All allocations, the oldest first.
    public func statuses(at now: Instant) -> [AllocationStatus] {
        allocations.values.filter { now < $0.expiresAt }
            .sorted { $0.madeAt < $1.madeAt }
            .map { $0.status(at: now) }
    }

    /// What becomes of datagrams of ours that go to a relayed address.
    public enum Passage: Sendable, Equatable {
        /// They go to the address's owner in this form.
        case open(TURNWrapping)
        /// The allocation has carried as much as it may: they are dropped.
        case full
        /// Nobody owns the address, or its owner does not want anything from there.
        case closed
    }

    /// Counts datagrams from `path.local`, one of our media addresses, to the relayed address `path.remote`, and says
    /// how they get to its owner.
    public mutating func pass(_ path: FiveTuple, packets: Int, bytes: Int, at now: Instant) -> Passage {
        guard let wrapping = wrapping(for: path, at: now) else { return .closed }
        let hasRoom =
            allocations[wrapping.client]?.outward.carry(packets: packets, bytes: bytes, at: now) ?? false
        counters.toClients.count(packets: packets, bytes: bytes, isCarried: hasRoom)
        return hasRoom ? .open(wrapping) : .full
    }

    func wrapping(for path: FiveTuple, at now: Instant) -> TURNWrapping? {
        guard let client = owners[path.remote], let allocation = allocations[client], now < allocation.expiresAt else {
            return nil
        }
        if let channel = allocation.channel(to: path.local, at: now) {
            return TURNWrapping(client, channel: channel)
        }
        return allocation.isPermitted(path.local.ip, at: now) ? TURNWrapping(client, peer: path.local) : nil
    }

    // MARK: Data from the client

    private mutating func channelData(_ message: ArraySlice<UInt8>, from client: TURNClient, at now: Instant) -> Outcome
    {
        var reader = ByteReader(message)
        guard let number = try? reader.readUInt16(), let length = try? reader.readUInt16(),
            let payload = try? reader.readBytes(Int(length)), let allocation = allocations[client],
            now < allocation.expiresAt, let peer = allocation.peer(of: number, at: now)
        else { return .silence }
        return take(payload, from: allocation, for: peer, at: now)
    }

    private mutating func take(
        _ payload: ArraySlice<UInt8>,
        from allocation: Allocation,
        for peer: TransportAddress,
        at now: Instant
    ) -> Outcome {
        let hasRoom =
            allocations[allocation.client]?.inward.carry(packets: 1, bytes: payload.count, at: now) ?? false
        counters.fromClients.count(packets: 1, bytes: payload.count, isCarried: hasRoom)
        guard hasRoom else { return .silence }
        return .datagram(payload, on: FiveTuple(.udp, local: peer, remote: allocation.relayed))
    }

    private mutating func send(_ message: STUNMessage, from client: TURNClient, at now: Instant) -> Outcome {
        guard message.unknownRequiredAttributes.isEmpty, let allocation = allocations[client],
            now < allocation.expiresAt, let peer = message.peers.first,
            let payload = message.first({ if case .data(let bytes) = $0 { bytes } else { nil } })
        else { return .silence }
        guard peers.contains(peer), allocation.isPermitted(peer.ip, at: now) else {
            counters.forbidden &+= 1
            return .silence
        }
        return take(payload[...], from: allocation, for: peer, at: now)
    }

    // MARK: Allocations

    /// Whether an unauthenticated request of `client` gets an answer.
    mutating func answersStranger(_ client: TURNClient, at now: Instant) -> Bool {
        let source = client.path.remote.ip
        let isAnswered =
            client.carrier == .udp ? strangers.admits(source, at: now) : connectedStrangers.admits(source, at: now)
        if !isAnswered { counters.ignored &+= 1 }
        return isAnswered
    }

    mutating func insert(_ allocation: Allocation) {
        allocations[allocation.client] = allocation
        owners[allocation.relayed] = allocation.client
        counters.allocations = allocations.count
        counters.allocated &+= 1
    }

    @discardableResult
    mutating func remove(_ client: TURNClient) -> Allocation? {
        guard let allocation = allocations.removeValue(forKey: client) else { return nil }
        owners[allocation.relayed] = nil
        counters.allocations = allocations.count
        return allocation
    }

    /// An address that nobody has; `nil` when a thousand in a row are taken, which the limits make impossible.
    mutating func freeAddress(for carrier: RelayCarrier, isIPv6: Bool, isEven: Bool) -> TransportAddress? {
        for _ in 0..<1_024 {
            nextNumber &+= 1
            var address = RelayedAddress.address(nextNumber, for: carrier, isIPv6: isIPv6)
            if isEven { address.port &= ~1 }
            if owners[address] == nil { return address }
        }
        return nil
    }

    /// Lets go of what has run out, once a second at most.
    private mutating func sweep(at now: Instant) {
        guard now - sweptAt >= .seconds(1) else { return }
        sweptAt = now
        for (client, allocation) in allocations where now >= allocation.expiresAt { remove(client) }
    }
}

extension STUNMessage {
    /// Every XOR-PEER-ADDRESS.
    var peers: [TransportAddress] {
        attributes.compactMap { if case .xorPeerAddress(let address) = $0 { address } else { nil } }
    }
}
