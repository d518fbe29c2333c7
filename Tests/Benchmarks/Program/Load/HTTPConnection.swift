import CBench
import COpenSSL
import Glibc

/// A TCP connection to a server, in TLS for `https`, that never blocks.
///
/// Certificates are not verified: what is measured is told by its URL, and often has one of its own.
final class HTTPConnection {
    /// What became of a call.
    enum Progress {
        /// So many bytes, more than none.
        case done(Int)
        /// Nothing until the descriptor is ready for this.
        case waits(UInt32)
        /// The connection has ended or broken.
        case over
    }

    let fd: Int32
    private let tls: OpaquePointer?

    init(to target: HTTPExchange.Target) throws(BenchError) {
        fd = try BenchError.check(cbench_tcp_connect(target.address), "connecting to \(target.host)")
        guard target.isSecure else {
            tls = nil
            return
        }
        let context = SSL_CTX_new(TLS_client_method())
        // A session holds on to its context.
        defer { SSL_CTX_free(context) }
        // The bytes of a write that has to be repeated may have moved.
        SSL_CTX_ctrl(context, SSL_CTRL_MODE, Int(SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER), nil)
        guard let session = SSL_new(context) else {
            cbench_close(fd)
            throw BenchError("OpenSSL gives no TLS session")
        }
        tls = session
        SSL_set_fd(session, fd)
        SSL_set_connect_state(session)
        let name = String(target.host.prefix { $0 != ":" })
        _ = name.withCString { name in
            let name = UnsafeMutableRawPointer(mutating: name)
            return SSL_ctrl(session, SSL_CTRL_SET_TLSEXT_HOSTNAME, Int(TLSEXT_NAMETYPE_host_name), name)
        }
    }

    deinit { SSL_free(tls) }

    func send(_ bytes: [UInt8]) -> Progress {
        guard let tls else { return progress(cbench_send(fd, bytes, bytes.count), waitsFor: CBENCH_WRITABLE) }
        return progress(of: tls, SSL_write(tls, bytes, Int32(clamping: bytes.count)))
    }

    func receive(_ buffer: inout [UInt8]) -> Progress {
        guard let tls else { return progress(cbench_read(fd, &buffer, buffer.count), waitsFor: CBENCH_READABLE) }
        return progress(of: tls, SSL_read(tls, &buffer, Int32(clamping: buffer.count)))
    }

    private func progress(_ result: Int32, waitsFor interest: UInt32) -> Progress {
        if result > 0 { return .done(Int(result)) }
        return result == -EAGAIN || result == -ENOTCONN ? .waits(interest) : .over
    }

    private func progress(of tls: OpaquePointer, _ result: Int32) -> Progress {
        if result > 0 { return .done(Int(result)) }
        switch SSL_get_error(tls, result) {
        case SSL_ERROR_WANT_READ: return .waits(CBENCH_READABLE)
        case SSL_ERROR_WANT_WRITE: return .waits(CBENCH_WRITABLE)
        default: return .over
        }
    }
}
