import Relay
import TURN
import Wire

/// Makes the list of STUN and TURN servers that a client is told of: ourselves, under the names it can use.
struct ICEServerList: Sendable {
    let users: TURNUsers
    /// How long credentials are good.
    let validity: Duration
    let advertise: [IPAddress]
    /// Where the media port listens.
    let media: ListenAddress
    /// Where STUN and TURN are served besides; `nil` for nowhere.
    let turn: ListenAddress?

    /// Servers for `user`.
    ///
    /// - Parameters:
    ///   - host: How the client reached us. A name may be a proxy's, behind which the media port is not, so that an
    ///     advertised address goes before it; an address is right as it is.
    ///   - tlsPort: The HTTPS port as the client reached it; `nil` without TURN over TLS.
    func servers(for user: String, host: String, tlsPort: UInt16?, unixTime: Int64) -> [ICEServer] {
        let port = (turn ?? media).port
        let own =
            ownAddress.map(Self.text)
            ?? (IPAddress(host) == nil ? advertise.first.map(Self.text) ?? host : Self.text(host))
        let issued = users.credentials.issue(
            user: users.name(of: user, at: MonotonicClock.now()),
            expiry: unixTime + validity.components.seconds
        )
        var relays = ["turn:\(own):\(port)?transport=tcp"]
        if let tlsPort { relays.append("turns:\(Self.text(host)):\(tlsPort)?transport=tcp") }
        // By UDP the media port is no server for browsers, though it would answer. It carries nothing there that plain
        // ICE to it does not, and libwebrtc, which uses one socket for all, takes everything that comes from a server's
        // address for that server's: its checks of the direct way would never be answered, and media go by TCP.
        guard turn != nil else {
            return [ICEServer(urls: relays, username: issued.username, credential: issued.password)]
        }
        relays.insert("turn:\(own):\(port)?transport=udp", at: 0)
        return [
            ICEServer(urls: ["stun:\(own):\(port)"]),
            ICEServer(urls: relays, username: issued.username, credential: issued.password),
        ]
    }

    /// The address of the port that serves, where no other leads there: loopback, or an address that clients can use and
    /// the media port has not.
    private var ownAddress: IPAddress? {
        guard case .address(let address) = turn ?? media, !address.ip.isUnspecified else { return nil }
        if address.ip.isLoopback { return address.ip }
        guard turn != nil, advertise.isEmpty || address.port == media.port,
            case .address(let other) = media, other.ip != address.ip
        else { return nil }
        return address.ip
    }

    private static func text(_ host: String) -> String { IPAddress(host).map(text) ?? host }

    private static func text(_ ip: IPAddress) -> String { ip.isIPv6 ? "[\(ip)]" : "\(ip)" }
}
