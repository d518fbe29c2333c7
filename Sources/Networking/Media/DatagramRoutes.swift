import ICE
import Wire

/// Which shard a datagram belongs to: by the path it came on, or, where that is nobody's yet, by the ufrag of a STUN
/// request.
///
/// A path stays with its session until that ends or its connection does: a check under a forged source address would
/// otherwise move what the address's owner sends to the forger's session.
struct DatagramRoutes {
    private struct Claim {
        var shard: Int
        /// Oldest first.
        var paths: [FiveTuple] = []
    }

    private var claims: [String: Claim] = [:]
    private var paths: [FiveTuple: (shard: Int, ufrag: String)] = [:]

    /// STUN requests for `ufrag` belong to `shard`.
    mutating func claim(_ ufrag: String, for shard: Int) {
        release(ufrag)
        claims[ufrag] = Claim(shard: shard)
    }

    /// Forgets `ufrag` and the paths learned through it.
    mutating func release(_ ufrag: String) {
        guard let claim = claims.removeValue(forKey: ufrag) else { return }
        for path in claim.paths where paths[path]?.ufrag == ufrag { paths[path] = nil }
    }

    /// Everything on `path` belongs to the shard that claimed `ufrag`; ignored when nobody did.
    mutating func claim(_ path: FiveTuple, through ufrag: String) {
        guard let shard = claims[ufrag]?.shard else { return }
        if paths[path]?.ufrag == ufrag { return }
        paths[path] = (shard, ufrag)
        claims[ufrag]?.paths.append(path)
        if let count = claims[ufrag]?.paths.count, count > Self.pathLimit,
            let oldest = claims[ufrag]?.paths.removeFirst(), paths[oldest]?.ufrag == ufrag
        {
            paths[oldest] = nil
        }
    }

    /// Forgets a path by which nothing can come any more.
    ///
    /// - Returns: The shard it belonged to.
    mutating func release(_ path: FiveTuple) -> Int? {
        guard let (shard, ufrag) = paths.removeValue(forKey: path) else { return nil }
        claims[ufrag]?.paths.removeAll { $0 == path }
        return shard
    }

    /// The paths that come from `remote`.
    func paths(from remote: TransportAddress) -> [FiveTuple] { paths.keys.filter { $0.remote == remote } }

    /// The shard a datagram belongs to, by its first byte (RFC 7983 §7); `nil` when it is nobody's.
    func shard(of datagram: [UInt8], on path: FiveTuple) -> Int? {
        guard let first = datagram.first else { return nil }
        switch first {
        case 0...3:
            if let ufrag = STUNMessage.localUfrag(of: datagram[...]) {
                return claims[ufrag].map { paths[path]?.shard ?? $0.shard }
            }
            // Responses to our own checks and indications carry no user name.
            return Self.service(of: datagram[...]) == nil && STUNMessage.isSTUN(datagram[...])
                ? paths[path]?.shard : nil
        case 20...63, 128...191:
            return paths[path]?.shard
        default:
            return nil
        }
    }

    /// What a message that no session's user name claims may be for.
    enum Service {
        /// A Binding request without a user name: STUN for everybody.
        case binding
        /// A request, indication or ChannelData of TURN.
        case turn
    }

    /// The service that `message` asks for; `nil` when it is a session's or nobody's.
    static func service(of message: ArraySlice<UInt8>) -> Service? {
        guard message.count >= 4, let first = message.first else { return nil }
        // RFC 7983 §7 leaves 64 to 79 to TURN, RFC 5766 took all up to 127.
        if 0x40..<0x80 ~= first { return .turn }
        guard STUNMessage.isSTUN(message) else { return nil }
        switch UInt16(first) << 8 | UInt16(message[message.startIndex + 1]) {
        case 0x0001: return STUNMessage.localUfrag(of: message) == nil ? .binding : nil
        // Allocate, Refresh, CreatePermission, ChannelBind and the indication Send.
        case 0x0003, 0x0004, 0x0008, 0x0009, 0x0016: return .turn
        default: return nil
        }
    }

    /// Whether some session owns `path`.
    func isClaimed(_ path: FiveTuple) -> Bool { paths[path] != nil }

    /// Ufrags and paths known.
    var counts: (ufrags: Int, paths: Int) { (claims.count, paths.count) }

    /// Paths one client may open: a browser has a handful of candidates; more is a port scan with a password.
    static let pathLimit = 64
}
