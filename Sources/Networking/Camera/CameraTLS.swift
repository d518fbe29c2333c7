import NIOCore
import NIOSSL
import NIOTLS
import Wire

/// TLS towards cameras (rtsps).
///
/// Cameras come with self-signed certificates and no name to check them against, so the certificate is not verified:
/// the connection is private against listeners, not against an attacker on the path.
enum CameraTLS {
    private static let context = Result<NIOSSLContext, any Error> {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        configuration.trustRoots = .certificates([])
        configuration.minimumTLSVersion = .tlsv12
        return try NIOSSLContext(configuration: configuration)
    }

    /// A handler for one connection; the host goes into SNI where it is a name.
    static func handler(host: String) throws -> NIOSSLClientHandler {
        let context = try context.get()
        if IPAddress(host) != nil { return try NIOSSLClientHandler(context: context, serverHostname: nil) }
        do {
            return try NIOSSLClientHandler(context: context, serverHostname: host)
        } catch {
            // Not a name that SNI can carry.
            return try NIOSSLClientHandler(context: context, serverHostname: nil)
        }
    }

    /// Whether a channel event says that TLS stands.
    static func isHandshakeCompleted(_ event: Any) -> Bool {
        if case .some(TLSUserEvent.handshakeCompleted) = event as? TLSUserEvent { true } else { false }
    }
}
