import Foundation
import Networking
import Yams

// Where the relay listens, and to whom.
extension ConfigurationReader {
    mutating func readListen(_ node: Node, into listen: inout Configuration.Listen) {
        let known = ["http", "https", "media", "turn"]
        for (keyNode, name, value) in mapping(node, "listen", known: known) {
            let key = "listen.\(name)"
            guard known.contains(name) else {
                unknown(keyNode, name, "listen.", known)
                continue
            }
            guard let text = string(value, key: key) else { continue }
            if text == "off", name != "media" {
                switch name {
                case "http": listen.http = nil
                case "https": listen.https = nil
                default: listen.turn = nil
                }
                continue
            }
            guard let address = try? ListenAddress(parsing: text) else {
                let off = name == "media" ? "" : ", or `off`"
                report(
                    value,
                    key,
                    "`\(text)` is no address to listen on",
                    "Write \":8443\" or \"127.0.0.1:8443\"\(off)"
                )
                continue
            }
            switch name {
            case "http":
                if !address.isLoopback {
                    report(value, key, "plain HTTP is served on loopback only", "Use `https` for other machines")
                }
                listen.http = address
            case "https": listen.https = address
            case "turn": listen.turn = address
            default: listen.media = address
            }
        }
    }

    /// The extra port cannot be the media port. Who may watch is known by now, and with it where both listen.
    mutating func checkPorts(_ configuration: Configuration, _ node: Node) {
        guard let turn = configuration.turn, turn.clashes(with: configuration.media) else { return }
        report(
            node,
            "listen.turn",
            "is the media port",
            "Choose another port; TURN by TCP is served on the media port anyway"
        )
    }

    mutating func readViewers(_ node: Node, into configuration: inout Configuration) {
        let known = ["auth", "origins"]
        for (keyNode, name, value) in mapping(node, "viewers", known: known) {
            switch name {
            case "auth":
                guard let text = string(value, key: "viewers.auth") else { continue }
                configuration.authorisation = Configuration.ViewerAuthorisation(rawValue: text)
                if configuration.authorisation == nil {
                    report(
                        value,
                        "viewers.auth",
                        "`\(text)` is not available in this version",
                        "Write `open`, or leave it out to stay on loopback"
                    )
                }
            case "origins":
                configuration.origins = words(value, key: "viewers.origins")
                for origin in configuration.origins where !Self.isOrigin(origin) {
                    report(
                        value,
                        "viewers.origins",
                        "`\(origin)` is no origin of pages",
                        "Write scheme, host and port as browsers do, such as https://portal.example"
                    )
                }
            default: unknown(keyNode, name, "viewers.", known)
            }
        }
    }

    /// `https://host` or `http://host`, with a port or without: what stands in an `Origin` header (RFC 6454 §6.2).
    private static func isOrigin(_ text: String) -> Bool {
        guard text.utf8.count <= 255, let url = URLComponents(string: text), let host = url.host, !host.isEmpty else {
            return false
        }
        return ["http", "https"].contains(url.scheme) && url.path.isEmpty && url.user == nil && url.query == nil
            && url.fragment == nil
    }
}
