import Networking
import Relay
import Wire

/// The configuration file, checked as a whole.
struct Configuration: Sendable {
    /// Where the relay listens; `nil` switches a listener off.
    struct Listen: Sendable {
        var http: ListenAddress? = ListenAddress.everywhere(port: 8080).onLoopback
        var https: ListenAddress? = .everywhere(port: 8443)
        var media = ListenAddress.everywhere(port: 8189)
        /// STUN and TURN besides the media port.
        var turn: ListenAddress?
    }

    /// Who may watch.
    enum ViewerAuthorisation: String, Sendable {
        /// Anybody who can reach a listener.
        case open
    }

    var listen = Listen()
    /// Addresses that go into candidates beside or instead of the interfaces' own.
    var advertise: [IPAddress] = []
    /// The relay-wide delivery policy.
    var delivery = DeliveryPolicy.auto
    var cameras: [CameraConfiguration] = []
    /// `nil`: every listener stays on loopback.
    var authorisation: ViewerAuthorisation?
    /// Sites whose pages may show this relay's cameras: `https://portal.example`.
    var origins: [String] = []
    /// Remarks that are no errors, such as a key that is read but not used yet.
    var notices: [String] = []

    /// Anybody who reaches a listener may watch; otherwise all of them stay on loopback.
    var isOpen: Bool { authorisation == .open }
    /// Where pages are served by TLS, in effect.
    var https: ListenAddress? { listen.https.map(inEffect) }
    /// Where the media port is, in effect.
    var media: ListenAddress { inEffect(listen.media) }
    /// Where the extra port for STUN and TURN is, in effect.
    var turn: ListenAddress? { listen.turn.map(inEffect) }

    private func inEffect(_ address: ListenAddress) -> ListenAddress { isOpen ? address : address.onLoopback }
}

extension ListenAddress {
    /// The same port on loopback only.
    var onLoopback: ListenAddress {
        isLoopback ? self : .address(TransportAddress(IPAddress(v4: 0x7F00_0001), port: port))
    }
}

/// Something wrong in the configuration file: where, what, and what to do about it.
struct ConfigurationProblem: Sendable, Equatable, CustomStringConvertible {
    var file: String
    /// 1-based; `nil` when the file as a whole is meant.
    var line: Int?
    var column: Int?
    /// The key's path, such as `cameras.yard.source`; empty when none is meant.
    var key: String
    var problem: String
    var remedy: String

    var description: String {
        var place = file
        if let line { place += ":\(line):\(column ?? 1)" }
        return "\(place): \(key.isEmpty ? "" : "\(key): ")\(problem.endedAsSentence) \(remedy.endedAsSentence)"
    }
}

/// All problems of one file.
struct ConfigurationError: Error, CustomStringConvertible {
    var problems: [ConfigurationProblem]

    var description: String { problems.map(\.description).joined(separator: "\n") }
}
