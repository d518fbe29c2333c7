import Relay
import Synchronization
import TURN
import Wire

/// Who is behind the user names in TURN credentials, which do not tell by themselves. Safe to use from any thread.
final class TURNUsers: Sendable {
    private struct Known {
        var viewer: String
        var at: Instant
    }

    let credentials: RelayCredentials
    private let known = Mutex<[String: Known]>([:])

    init(credentials: RelayCredentials) { self.credentials = credentials }

    /// What stands for `user`, a viewer or an address that is none yet, in user names.
    func name(of user: String, at now: Instant) -> String {
        let name = credentials.pseudonym(of: user)
        if RelayShard.viewerShard(of: user) != nil { known.withLock { $0[name] = Known(viewer: user, at: now) } }
        return name
    }

    /// The viewer that `name` stands for; `nil` for an address, or when the viewer has left.
    func viewer(behind name: String) -> String? { known.withLock { $0[name]?.viewer } }

    /// Forgets the viewers that are not among `living`.
    func keep(_ living: Set<String>, at now: Instant) {
        known.withLock { known in
            known = known.filter { living.contains($0.value.viewer) || now - $0.value.at < Self.grace }
        }
    }

    /// A viewer that was given credentials a moment ago may not be in a snapshot yet.
    private static let grace = Duration.seconds(10)
}
