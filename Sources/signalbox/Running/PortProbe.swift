import Foundation
import NIOCore
import Networking
import Wire

/// The transports that a port can be had for.
enum PortType: Sendable {
    case udp
    case tcp
}

extension ListenAddress {
    /// Why the port cannot be had; `nil` when it can. It is let go at once.
    func bindFailure(_ type: PortType) -> String? {
        let host: String
        switch self {
        case .everywhere: host = "::"
        case .address(let address): host = address.ip.description
        }
        guard let target = try? SocketAddress(ipAddress: host, port: Int(port)) else { return "no such address" }
        let kind = Int32(type == .udp ? SOCK_DGRAM.rawValue : SOCK_STREAM.rawValue)
        let descriptor = socket(Int32(target.protocol == .inet6 ? AF_INET6 : AF_INET), kind, 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        let bound = target.withSockAddr { pointer, size in bind(descriptor, pointer, socklen_t(size)) }
        return bound == 0 ? nil : String(cString: strerror(errno))
    }

    /// The same address with a port that the system chooses, where this one cannot be had by all of `types`.
    func orFree(_ types: PortType...) -> ListenAddress {
        guard types.contains(where: { bindFailure($0) != nil }) else { return self }
        switch self {
        case .everywhere: return .everywhere(port: 0)
        case .address(var address):
            address.port = 0
            return .address(address)
        }
    }
}

extension Configuration {
    /// What the demo runs with, which has no file to write ports in: the usual ones, and free ones where somebody else
    /// has these, such as another person's demo on the same machine.
    static func demo(_ usual: Configuration = Configuration()) -> Configuration {
        var configuration = usual
        configuration.listen.http = usual.listen.http?.orFree(.tcp)
        configuration.listen.https = usual.https?.orFree(.tcp)
        configuration.listen.media = usual.media.orFree(.udp, .tcp)
        let taken = [
            (usual.listen.http, configuration.listen.http), (usual.https, configuration.listen.https),
            (usual.media, configuration.listen.media),
        ].filter { $0.0 != $0.1 }.compactMap { $0.0.map { "\($0.port)" } }
        if !taken.isEmpty {
            configuration.notices.append(
                "\(taken.joined(separator: ", ")) taken by another program: the demo uses free ports instead"
            )
        }
        return configuration
    }
}
