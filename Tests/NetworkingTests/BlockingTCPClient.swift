import Glibc
import ICE
import Wire

/// A TCP client without an event loop, which can send and reset while the loops are busy.
final class BlockingTCPClient: Sendable {
    let address: TransportAddress
    private let descriptor: Int32

    /// Connects to an IPv4 address.
    init(to server: TransportAddress) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var remote = sockaddr_in()
        remote.sin_family = sa_family_t(AF_INET)
        remote.sin_port = server.port.bigEndian
        remote.sin_addr.s_addr = server.ip.bytes.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }.bigEndian
        var local = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = self.descriptor
        let result = withUnsafePointer(to: &remote) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, length) }
        }
        _ = withUnsafeMutablePointer(to: &local) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        address = TransportAddress(server.ip, port: UInt16(bigEndian: local.sin_port))
        guard result == 0 else { throw Missing() }
    }

    func send(_ bytes: [UInt8]) { _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }

    /// Closes the connection with RST.
    func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close(descriptor)
    }
}
