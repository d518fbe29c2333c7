import CMedia
import Wire

/// The machine's own addresses that go into candidates.
public enum InterfaceAddresses {
    /// Addresses of interfaces that are up: no link-local ones, none of containers' interfaces, loopback only if asked.
    public static func list(includingLoopback: Bool = false) -> [IPAddress] {
        var list = [cmedia_interface](repeating: cmedia_interface(), count: limit)
        let count = max(0, Int(cmedia_interfaces(&list, Int32(limit))))
        let all = list.prefix(count).compactMap { entry in
            TransportAddress(entry.address).map { (name: name(of: entry), ip: $0.ip) }
        }
        return reachable(all, includingLoopback: includingLoopback)
    }

    /// The addresses among `all`, with the names of their interfaces, that somebody elsewhere may reach us at.
    static func reachable(_ all: [(name: String, ip: IPAddress)], includingLoopback: Bool) -> [IPAddress] {
        var result: [IPAddress] = []
        for (name, ip) in all {
            guard !ip.isLinkLocal, !ip.isUnspecified, includingLoopback || !ip.isLoopback, !isVirtual(name),
                !result.contains(ip)
            else { continue }
            result.append(ip)
        }
        return result
    }

    /// The host candidates for a media port: what is advertised, then the addresses that are listened on.
    ///
    /// - Parameters:
    ///   - listen: Where the port listens, with the port in use.
    ///   - advertise: Addresses under which clients reach us, such as a router's outer one.
    public static func candidates(for listen: ListenAddress, advertise: [IPAddress]) -> [TransportAddress] {
        var addresses = advertise
        switch listen {
        case .address(let address) where address.ip.isLoopback:
            // Nobody outside reaches it, by whatever address.
            addresses = [address.ip]
        case .address(let address) where !address.ip.isUnspecified:
            addresses.append(address.ip)
        case .address(let address):
            addresses += list().filter { $0.isIPv6 == address.ip.isIPv6 }
        case .everywhere:
            addresses += list()
        }
        // A machine without a network can still be its own client.
        if addresses.isEmpty { addresses = list(includingLoopback: true) }
        var seen: Set<IPAddress> = []
        return addresses.filter { seen.insert($0).inserted }.map { TransportAddress($0, port: listen.port) }
    }

    private static func name(of entry: cmedia_interface) -> String {
        withUnsafeBytes(of: entry.name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    /// Interfaces of containers and virtual machines: nobody outside reaches us there.
    static func isVirtual(_ name: String) -> Bool {
        let prefixes = ["docker", "br-", "veth", "virbr", "cni", "flannel", "cali", "lxc", "lxdbr", "podman", "vnet"]
        return prefixes.contains { name.hasPrefix($0) }
    }

    private static let limit = 256
}
