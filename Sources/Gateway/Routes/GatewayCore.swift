import HTTPTypes
import Logging
import Relay

/// What all connections of a gateway share.
final class GatewayCore: Sendable {
    let configuration: GatewayConfiguration
    let service: any ViewerService
    let policy: RequestPolicy
    let headers: HeaderFields
    let catalog: CameraCatalog
    let assets: PageAssets
    let connections: ConnectionTable
    let joins: AddressLimiter
    let changes: AddressLimiter
    let sessions: WHEPSessionTable
    let strangers = StrangerNames()
    let bodies: SharedBodies
    let logger: Logger

    init(configuration: GatewayConfiguration, service: any ViewerService, logger: Logger) throws(GatewayError) {
        self.configuration = configuration
        self.service = service
        self.logger = logger
        policy = RequestPolicy(configuration)
        headers = HeaderFields(configuration)
        catalog = CameraCatalog(service: service)
        assets = try PageAssets()
        connections = ConnectionTable(limits: configuration.limits)
        joins = AddressLimiter(configuration.limits.joins)
        changes = AddressLimiter(configuration.limits.changes)
        sessions = WHEPSessionTable()
        bodies = SharedBodies()
    }

    /// STUN and TURN servers as a client can reach them that reached us under `authority`.
    func iceServers(for user: String, authority: String?, on connection: ConnectionInfo) -> [ICEServer] {
        guard let authority, let host = RequestPolicy.host(of: authority) else { return [] }
        let hasTURN = connection.isSecure && configuration.takeSTUN != nil
        return service.iceServers(
            for: user,
            host: host,
            tlsPort: hasTURN ? RequestPolicy.httpsPort(of: authority) : nil
        )
    }

    /// The `User-Agent` header, bounded and without control characters.
    static func userAgent(of request: HTTPRequest) -> String {
        let bytes = (request.headerFields[.userAgent] ?? "").utf8.prefix(256)
        return String(decoding: bytes.map { $0 < 0x20 || $0 == 0x7F ? UInt8(ascii: " ") : $0 }, as: UTF8.self)
    }
}
