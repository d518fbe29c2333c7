import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import Relay

extension ConnectionFailure {
    /// What an error of NIO means to an operator.
    init(_ error: any Error, host: String) {
        switch error {
        case let error as NIOConnectionError:
            if let first = error.connectionErrors.first {
                self.init(first.error, host: host)
            } else {
                self = .unresolvable(host: host)
            }
        case ChannelError.connectTimeout:
            self = .timedOut
        case let error as IOError:
            self.init(errno: error.errnoCode)
        case is SocketAddressError:
            self = .unresolvable(host: host)
        case is NIOSSLError, is BoringSSLError:
            self = .tls(Self.bounded("\(error)"))
        default:
            self = .other(Self.bounded("\(error)"))
        }
    }

    private init(errno code: Int32) {
        switch code {
        case ECONNREFUSED: self = .refused
        case ETIMEDOUT: self = .timedOut
        case EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN: self = .unreachable
        default: self = .other(SystemError(code).description)
        }
    }

    /// Error texts of libraries can be long; the operator's line is not.
    private static func bounded(_ text: String) -> String { String(text.prefix(160)) }
}
