import DTLS
import Relay
import Wire

/// What a relay is started with.
public struct NodeConfiguration: Sendable {
    /// The node's name, usually the host name.
    public var name: String
    /// The program's version.
    public var version: String
    /// Where the media port listens, in the configuration's form.
    public var media: String
    /// Where STUN and TURN are served besides the media port, in the configuration's form; `nil` for nowhere.
    public var turn: String?
    /// How long TURN credentials are good: a day, of which the page gets fresh ones four times.
    public var credentialValidity = Duration.seconds(24 * 3_600)
    /// Addresses under which clients reach us, besides the machine's own.
    public var advertise: [IPAddress]
    /// The cameras.
    public var cameras: [CameraConfiguration]
    /// The relay-wide delivery policy.
    public var delivery: DeliveryPolicy
    /// The certificate of our DTLS side.
    public var certificate: DTLSContext
    /// Viewers that a camera's own loop may have more than the idlest one before new ones are taken in there. Handing a
    /// camera's packets to another loop costs about as much as sending them to a viewer or two, and so few viewers take a
    /// small share of a core.
    public var viewersKeptHome = 16
    /// Whether bursts are sent with segmentation offload where the kernel can.
    public var segmentationOffload: Bool
    /// The program that converts sound, `signalbox-media`; `nil` when there is none.
    public var mediaProgram: String?

    /// Creates a configuration.
    public init(
        name: String,
        version: String,
        media: String = "127.0.0.1:8189",
        turn: String? = nil,
        advertise: [IPAddress] = [],
        cameras: [CameraConfiguration] = [],
        delivery: DeliveryPolicy = .auto,
        certificate: DTLSContext,
        segmentationOffload: Bool = true,
        mediaProgram: String? = nil
    ) {
        self.name = name
        self.version = version
        self.media = media
        self.turn = turn
        self.advertise = advertise
        self.cameras = cameras
        self.delivery = delivery
        self.certificate = certificate
        self.segmentationOffload = segmentationOffload
        self.mediaProgram = mediaProgram
    }
}
