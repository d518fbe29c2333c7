import NIOConcurrencyHelpers
import NIOCore
import Relay
import Wire

/// The sessions that were begun by WHEP, by viewer.
final class WHEPSessionTable: Sendable {
    /// One session.
    struct Session: Sendable {
        var camera: String
        /// Strong entity tag of the ICE session.
        var tag: String
        /// The offer's ICE user name fragment: candidates of another belong to an ICE restart.
        var ufrag: String?
        fileprivate var begunAt: NIODeadline
        fileprivate var changes = TokenBucket()
    }

    /// A session younger than this may not be in the relay's snapshot yet.
    private static let grace = TimeAmount.seconds(10)
    /// Above this many entries each new one clears away those whose viewer is gone.
    private static let tidyAbove = 64

    private let sessions = NIOLockedValueBox<[String: Session]>([:])

    subscript(viewer: String) -> Session? { sessions.withLockedValue { $0[viewer] } }

    /// Remembers a session and returns its entity tag. `living` is asked when there are many.
    func begin(viewer: String, camera: String, ufrag: String?, living: () -> Set<String>?) -> String {
        let tag = Self.freshTag()
        let now = NIODeadline.now()
        let isCrowded = sessions.withLockedValue { $0.count >= Self.tidyAbove }
        let living = isCrowded ? living() : nil
        sessions.withLockedValue { sessions in
            if let living {
                sessions = sessions.filter { living.contains($0.key) || now - $0.value.begunAt < Self.grace }
            }
            sessions[viewer] = Session(camera: camera, tag: tag, ufrag: ufrag, begunAt: now)
        }
        return tag
    }

    /// The session has restarted ICE with another `ufrag`; returns its new entity tag.
    func restarted(viewer: String, ufrag: String) -> String {
        let tag = Self.freshTag()
        sessions.withLockedValue { sessions in
            sessions[viewer]?.ufrag = ufrag
            sessions[viewer]?.tag = tag
        }
        return tag
    }

    /// Whether the session may be changed once more now; an unknown one may not.
    func allowsChange(of viewer: String, within limit: TokenBucket.Limit) -> Bool {
        sessions.withLockedValue { $0[viewer]?.changes.take(within: limit, at: Instant(.now())) ?? false }
    }

    private static func freshTag() -> String { "\"\(String(UInt64.random(in: .min ... .max), radix: 36))\"" }

    /// Forgets a session.
    func end(viewer: String) { _ = sessions.withLockedValue { $0.removeValue(forKey: viewer) } }
}
