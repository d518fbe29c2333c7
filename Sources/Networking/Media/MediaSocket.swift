import CMedia
import Glibc
import Wire

/// Binds the UDP sockets that media comes through.
enum MediaSocket {
    struct Bound {
        var descriptor: Int32
        var local: TransportAddress
        var listen: ListenAddress
    }

    /// What the port is for, and its key in the configuration.
    enum Purpose: String {
        case media = "listen.media"
        case turn = "listen.turn"

        fileprivate var name: String { self == .media ? "media" : "STUN/TURN" }
    }

    static func bind(_ listen: ListenAddress, for purpose: Purpose = .media) throws(NodeError) -> Bound {
        let unspecified6 = IPAddress(bytes: [UInt8](repeating: 0, count: 16)) ?? IPAddress(v4: 0)
        do throws(SystemError) {
            var result: Int32
            switch listen {
            case .address(let address):
                var kernel = cmedia_address(binding: address)
                result = cmedia_udp_bind(&kernel, 0, receiveBuffer, sendBuffer)
            case .everywhere(let port):
                var kernel = cmedia_address(binding: TransportAddress(unspecified6, port: port))
                result = cmedia_udp_bind(&kernel, 1, receiveBuffer, sendBuffer)
                // A machine without IPv6.
                if result == -EAFNOSUPPORT || result == -EADDRNOTAVAIL {
                    kernel = cmedia_address(binding: TransportAddress(IPAddress(v4: 0), port: port))
                    result = cmedia_udp_bind(&kernel, 0, receiveBuffer, sendBuffer)
                }
            }
            let descriptor = try SystemError.check(result)
            var kernel = cmedia_address()
            _ = cmedia_local_address(descriptor, &kernel)
            let local = TransportAddress(kernel) ?? TransportAddress(unspecified6, port: kernel.port)
            let port = local.port
            let bound: ListenAddress =
                switch listen {
                case .everywhere: .everywhere(port: port)
                case .address(let address): .address(TransportAddress(address.ip, port: port))
                }
            return Bound(descriptor: descriptor, local: local, listen: bound)
        } catch {
            throw explain(error, listen, purpose)
        }
    }

    private static func explain(_ error: SystemError, _ listen: ListenAddress, _ purpose: Purpose) -> NodeError {
        let (key, name) = (purpose.rawValue, purpose.name)
        return switch error.code {
        case EADDRINUSE:
            NodeError(
                problem: "The \(name) port \(listen) is in use by another process.",
                remedy: "Stop it (\"ss -lunp\" shows it), or set \(key) to another port."
            )
        case EADDRNOTAVAIL:
            NodeError(
                problem: "The \(name) address \(listen) is not one of this machine's.",
                remedy: "Set \(key) to an address that \"ip addr\" shows, or to :\(listen.port) for all of them."
            )
        case EACCES:
            NodeError(
                problem: "The \(name) port \(listen) may not be used by this user.",
                remedy: "Set \(key) to a port above 1023, or grant CAP_NET_BIND_SERVICE."
            )
        default:
            NodeError(
                problem: "The \(name) port \(listen) cannot be opened: \(error).",
                remedy: "Set \(key) to an address and port that can be bound."
            )
        }
    }

    /// Feedback of a thousand viewers for some hundred milliseconds.
    private static let receiveBuffer: Int32 = 4 * 1024 * 1024
    /// A keyframe to a hundred viewers at once.
    private static let sendBuffer: Int32 = 8 * 1024 * 1024
}
