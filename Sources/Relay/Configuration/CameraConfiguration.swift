import RTSP
import Wire

/// One camera as configured.
public struct CameraConfiguration: Sendable {
    /// Its name: segments of `[A-Za-z0-9._-]` joined by `/`.
    public var name: String
    /// Where it is, credentials removed.
    public var source: RTSPURL
    /// User name, if it needs one.
    public var user: String?
    /// Password, if it needs one.
    public var password: Secret?
    /// How its media travels.
    public var transport: TransportPreference
    /// Which delivery its viewers get; `auto` follows the relay's policy.
    public var delivery: DeliveryPolicy
    /// Pull it only while somebody watches.
    public var onDemand: Bool
    /// Words for the operator to filter by.
    public var tags: [String]

    /// Creates a configuration.
    public init(
        name: String,
        source: RTSPURL,
        user: String? = nil,
        password: Secret? = nil,
        transport: TransportPreference = .auto,
        delivery: DeliveryPolicy = .auto,
        onDemand: Bool = false,
        tags: [String] = []
    ) {
        self.name = name
        self.source = source
        self.user = user
        self.password = password
        self.transport = transport
        self.delivery = delivery
        self.onDemand = onDemand
        self.tags = tags
    }
}
