import ICE
import Wire

/// A refusal of a request (RFC 8489 §14.8, RFC 8656 §19).
private struct Refusal: Error {
    var code: Int
    var reason: String
    var attributes: [STUNAttribute] = []
    /// What was wrong with the client's credentials, when it was that.
    var failure: TURNServer.LoginFailure?

    init(
        _ code: Int,
        _ reason: String,
        _ attributes: [STUNAttribute] = [],
        _ failure: TURNServer.LoginFailure? = nil
    ) {
        self.code = code
        self.reason = reason
        self.attributes = attributes
        self.failure = failure
    }
}

/// Who a request is from.
private struct Login {
    var username: String
    var user: String
    var key: [UInt8]
}

extension TURNServer {
    mutating func request(
        _ message: STUNMessage,
        from client: TURNClient,
        at now: Instant,
        unixTime: Int64
    ) -> Outcome {
        let login: Login
        do throws(Refusal) {
            login = try authenticate(message, from: client, at: now, unixTime: unixTime)
        } catch {
            guard answersStranger(client, at: now) else { return .silence }
            if let failure = error.failure, loginFailures.count < Self.loginFailureLimit {
                loginFailures.insert(failure)
            }
            return .answer(answer(error, to: message, key: nil))
        }
        do throws(Refusal) {
            let unknown = message.unknownRequiredAttributes
            guard unknown.isEmpty else {
                throw Refusal(420, "Unknown Attribute", [.unknownAttributes(Array(unknown.prefix(8)))])
            }
            if let allocation = allocations[client], allocation.username != login.username {
                throw Refusal(441, "Wrong Credentials")
            }
            switch message.method {
            case .allocate: return .answer(try allocate(message, login, client, at: now))
            case .refresh: return .answer(try refresh(message, login, client, at: now))
            case .createPermission: return .answer(try createPermission(message, login, client, at: now))
            default: return .answer(try bindChannel(message, login, client, at: now))
            }
        } catch {
            count(error)
            return .answer(answer(error, to: message, key: login.key))
        }
    }

    private mutating func count(_ refusal: Refusal) {
        switch refusal.code {
        case 403: counters.forbidden &+= 1
        case 486: counters.overQuota &+= 1
        case 508 where allocations.count >= limits.total: counters.overCapacity &+= 1
        default: counters.invalid &+= 1
        }
    }

    // MARK: Authentication

    /// The long-term credential mechanism (RFC 8489 §9.2.4).
    private mutating func authenticate(
        _ message: STUNMessage,
        from client: TURNClient,
        at now: Instant,
        unixTime: Int64
    ) throws(Refusal) -> Login {
        let source = client.path.remote.ip
        let challenge: [STUNAttribute] = [.realm(realm), .nonce(nonces.make(for: source, at: now))]
        guard message.hasIntegrity else {
            counters.challenged &+= 1
            throw Refusal(401, "Unauthorized", challenge)
        }
        guard let username = message.username, message.realm != nil, let nonce = message.nonce else {
            counters.invalid &+= 1
            throw Refusal(400, "Bad Request")
        }
        guard nonces.isFresh(nonce, from: source, at: now) else {
            counters.staleNonce &+= 1
            throw Refusal(438, "Stale Nonce", challenge)
        }
        // With an allocation the key is known, and spares two digests.
        let known = allocations[client].flatMap { $0.username == username ? $0.key : nil }
        let key =
            known
            ?? RelayCredentials.key(
                username: username,
                realm: realm,
                password: credentials.password(of: username)
            )
        func failure(_ reason: LoginFailure.Reason, user: String? = nil) -> LoginFailure {
            LoginFailure(reason: reason, user: user, address: source, relayed: allocations[client]?.relayed)
        }
        guard let claim = RelayCredentials.parse(username) else {
            counters.unauthorized &+= 1
            throw Refusal(401, "Unauthorized", challenge, failure(.unknownUser))
        }
        guard message.realm == realm, message.hasValidIntegrity(key: key) else {
            counters.unauthorized &+= 1
            throw Refusal(401, "Unauthorized", challenge, failure(.wrongPassword))
        }
        let beginsAnew = message.method == .allocate || message.method == .refresh && message.lifetime != 0
        guard !beginsAnew || unixTime <= claim.expiry + Self.clockSlack else {
            counters.expired &+= 1
            throw Refusal(401, "Credentials Expired", challenge, failure(.expired, user: claim.user))
        }
        return Login(username: username, user: claim.user, key: key)
    }

    // MARK: Requests

    /// RFC 8656 §7.2.
    private mutating func allocate(
        _ message: STUNMessage,
        _ login: Login,
        _ client: TURNClient,
        at now: Instant
    ) throws(Refusal) -> [UInt8] {
        if let allocation = allocations[client], now < allocation.expiresAt {
            guard allocation.transactionID == message.transactionID else {
                throw Refusal(437, "Allocation Mismatch")
            }
            return allocation.answer
        }
        guard let transport = message.requestedTransport else { throw Refusal(400, "Bad Request") }
        guard transport == Self.udp else { throw Refusal(442, "Unsupported Transport Protocol") }
        let isIPv6 = try wantsIPv6(message.requestedAddressFamily ?? Self.ipv4)
        // An address of a family that we have none of could reach nobody.
        guard peers.contains(where: { $0.ip.isIPv6 == isIPv6 }) else {
            throw Refusal(440, "Address Family not Supported")
        }
        // The relayed address is made up, so one with an even port is as good; two of them are of no use to ICE.
        let evenPort = message.evenPort
        if evenPort == true { throw Refusal(508, "Insufficient Capacity") }
        try checkQuota(login, client)
        guard let relayed = freeAddress(for: client.carrier, isIPv6: isIPv6, isEven: evenPort != nil) else {
            throw Refusal(508, "Insufficient Capacity")
        }
        let lifetime = Self.lifetime(message.lifetime)
        var allocation = Allocation(
            client,
            relayed: relayed,
            login: (login.username, login.user, login.key),
            transactionID: message.transactionID,
            limits: limits,
            lifetime: .seconds(Int64(lifetime)),
            at: now
        )
        allocation.answer = success(
            message,
            login,
            [.xorRelayedAddress(relayed), .lifetime(lifetime), .xorMappedAddress(client.path.remote)]
        )
        insert(allocation)
        return allocation.answer
    }

    private func wantsIPv6(_ family: UInt8) throws(Refusal) -> Bool {
        guard family == Self.ipv4 || family == Self.ipv6 else { throw Refusal(440, "Address Family not Supported") }
        return family == Self.ipv6
    }

    private func checkQuota(_ login: Login, _ client: TURNClient) throws(Refusal) {
        let source = client.path.remote.ip.subscriber
        var (ofUser, ofAddress) = (0, 0)
        for allocation in allocations.values {
            if allocation.user == login.user { ofUser += 1 }
            if allocation.client.path.remote.ip.subscriber == source { ofAddress += 1 }
        }
        guard ofUser < limits.perUser, source.isLoopback || ofAddress < limits.perAddress else {
            throw Refusal(486, "Allocation Quota Reached")
        }
        guard allocations.count < limits.total else { throw Refusal(508, "Insufficient Capacity") }
    }

    /// RFC 8656 §8.2.
    private mutating func refresh(
        _ message: STUNMessage,
        _ login: Login,
        _ client: TURNClient,
        at now: Instant
    ) throws(Refusal) -> [UInt8] {
        if let family = message.requestedAddressFamily, let allocation = allocations[client],
            try wantsIPv6(family) != allocation.relayed.ip.isIPv6
        {
            throw Refusal(443, "Peer Address Family Mismatch")
        }
        if message.lifetime == 0 {
            // A retransmission finds it gone already and is to be told the same.
            remove(client)
            return success(message, login, [.lifetime(0)])
        }
        _ = try allocation(of: client, at: now)
        let lifetime = Self.lifetime(message.lifetime)
        allocations[client]?.expiresAt = now + .seconds(Int64(lifetime))
        return success(message, login, [.lifetime(lifetime)])
    }

    /// RFC 8656 §10.2. A permission is for an IP address; whether the port is ours is seen with every datagram.
    private mutating func createPermission(
        _ message: STUNMessage,
        _ login: Login,
        _ client: TURNClient,
        at now: Instant
    ) throws(Refusal) -> [UInt8] {
        let allocation = try allocation(of: client, at: now)
        let wanted = message.peers
        guard !wanted.isEmpty else { throw Refusal(400, "Bad Request") }
        for peer in wanted { try check(peer, of: allocation, isOurs: peers.contains { $0.ip == peer.ip }) }
        for peer in wanted { allocations[client]?.permit(peer.ip, at: now) }
        return success(message, login, [])
    }

    /// RFC 8656 §12.2. Numbers above 0x4FFF are refused by the letter; libwebrtc's older servers took them.
    private mutating func bindChannel(
        _ message: STUNMessage,
        _ login: Login,
        _ client: TURNClient,
        at now: Instant
    ) throws(Refusal) -> [UInt8] {
        let allocation = try allocation(of: client, at: now)
        guard let number = message.channelNumber, Self.channelNumbers ~= number, let peer = message.peers.first else {
            throw Refusal(400, "Bad Request")
        }
        try check(peer, of: allocation, isOurs: peers.contains(peer))
        guard allocations[client]?.bind(number, to: peer, at: now) == true else { throw Refusal(400, "Bad Request") }
        return success(message, login, [])
    }

    private func allocation(of client: TURNClient, at now: Instant) throws(Refusal) -> Allocation {
        guard let allocation = allocations[client], now < allocation.expiresAt else {
            throw Refusal(437, "Allocation Mismatch")
        }
        return allocation
    }

    private func check(_ peer: TransportAddress, of allocation: Allocation, isOurs: Bool) throws(Refusal) {
        // IPv4 in IPv6's clothes was undressed when it was parsed.
        guard peer.ip.isIPv6 == allocation.relayed.ip.isIPv6 else {
            throw Refusal(443, "Peer Address Family Mismatch")
        }
        guard isOurs else { throw Refusal(403, "Forbidden") }
    }

    // MARK: Answers

    private func success(_ message: STUNMessage, _ login: Login, _ attributes: [STUNAttribute]) -> [UInt8] {
        let answer = STUNMessage(
            .successResponse,
            message.method,
            transactionID: message.transactionID,
            attributes: attributes
        )
        return answer.serialized(integrityKey: login.key, fingerprint: message.hasFingerprint)
    }

    private func answer(_ refusal: Refusal, to message: STUNMessage, key: [UInt8]?) -> [UInt8] {
        let answer = STUNMessage(
            .errorResponse,
            message.method,
            transactionID: message.transactionID,
            attributes: [.errorCode(refusal.code, reason: refusal.reason)] + refusal.attributes
        )
        return answer.serialized(integrityKey: key, fingerprint: message.hasFingerprint)
    }

    /// What is granted when `requested` seconds are asked for.
    private static func lifetime(_ requested: UInt32?) -> UInt32 { min(max(requested ?? 600, 600), 3_600) }

    /// Failures kept until somebody asks for them.
    private static let loginFailureLimit = 64
    /// IANA's number of UDP.
    private static let udp: UInt8 = 17
    /// RFC 8656 §18.6.
    private static let ipv4: UInt8 = 1
    private static let ipv6: UInt8 = 2
    private static let channelNumbers: ClosedRange<UInt16> = 0x4000...0x7FFF
    /// Seconds that clients' clocks may be ahead; they do not matter much, since we made the time ourselves.
    private static let clockSlack: Int64 = 60
}

extension STUNMessage {
    fileprivate var realm: String? { first { if case .realm(let value) = $0 { value } else { nil } } }
    fileprivate var nonce: String? { first { if case .nonce(let value) = $0 { value } else { nil } } }
    fileprivate var lifetime: UInt32? { first { if case .lifetime(let value) = $0 { value } else { nil } } }
    fileprivate var channelNumber: UInt16? { first { if case .channelNumber(let value) = $0 { value } else { nil } } }
    fileprivate var requestedTransport: UInt8? {
        first { if case .requestedTransport(let value) = $0 { value } else { nil } }
    }
    fileprivate var requestedAddressFamily: UInt8? {
        first { if case .requestedAddressFamily(let value) = $0 { value } else { nil } }
    }
    fileprivate var evenPort: Bool? { first { if case .evenPort(let value) = $0 { value } else { nil } } }
}
