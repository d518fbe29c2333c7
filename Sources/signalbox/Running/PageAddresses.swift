import Networking
import Wire

/// Under which addresses the page can be opened.
struct PageAddresses {
    /// Best first: what is advertised, then the machine's own.
    let urls: [String]
    /// Why nobody on another machine can open it; `nil` when somebody can.
    let obstacle: String?

    /// - Parameters:
    ///   - https: Where pages are served by TLS; `nil` when they are not.
    ///   - http: Where they are served without, which is on loopback only.
    ///   - advertise: Addresses under which clients reach us.
    ///   - interfaces: The machine's own addresses that others may reach.
    init(https: TransportAddress?, http: TransportAddress?, advertise: [IPAddress], interfaces: [IPAddress]) {
        guard let address = https ?? http else {
            urls = []
            obstacle = "there is no page: `listen.https` and `listen.http` are off"
            return
        }
        var hosts = [address.ip]
        if address.ip.isUnspecified {
            // 0.0.0.0 is not reached by IPv6; the other way round it is.
            hosts = (advertise + interfaces).filter { address.ip.isIPv6 || !$0.isIPv6 }
            if hosts.isEmpty { hosts = [IPAddress(v4: 0x7F00_0001)] }
        }
        var seen: Set<IPAddress> = []
        urls = hosts.filter { seen.insert($0).inserted }.map { host in
            "\(https == nil ? "http" : "https")://\(TransportAddress(host, port: address.port))/"
        }
        if hosts.contains(where: { !$0.isLoopback }) {
            obstacle = nil
        } else if https == nil {
            obstacle = "pages can be opened on this machine only: `listen.https` is off"
        } else if address.ip.isUnspecified {
            obstacle = "this machine has no address that others could open: name one under `advertise`"
        } else {
            obstacle = "pages can be opened on this machine only: `listen.https` is a loopback address"
        }
    }
}
