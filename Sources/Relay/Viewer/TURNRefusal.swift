import Wire

/// A client was turned away by our TURN server for what it logged in with.
public struct TURNRefusal: Sendable, Equatable {
    /// What was wrong.
    public enum Reason: Sendable, Equatable {
        /// Credentials of ours that had run out.
        case expired
        /// A user name that is none of ours.
        case unknownUser
        /// A user name of our form with a password that does not belong to it.
        case wrongPassword

        /// For the operator.
        var text: String {
            switch self {
            case .expired: "its credentials had run out"
            case .unknownUser: "unknown user"
            case .wrongPassword: "wrong password"
            }
        }
    }

    /// Who was turned away, as far as that is known.
    public enum Client: Sendable, Equatable {
        /// A viewer whose name was in its credentials.
        case viewer(String)
        /// Whoever has this relayed address, or else whoever is at this address of its own.
        case address(IPAddress, relayed: TransportAddress?)
    }

    /// What was wrong.
    var reason: Reason
    /// When.
    var at: Instant
    /// Known only is that it was somebody at this address.
    var address: IPAddress?

    /// What was seen, for a verdict given at `now`.
    func evidence(at now: Instant) -> String {
        let whom = address.map { "somebody at \($0)" } ?? "it"
        return "our TURN server turned \(whom) away \((now - at).inSeconds.tenths) s ago: \(reason.text)"
    }
}
