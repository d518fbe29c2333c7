import Wire

/// A candidate pair as the operator sees it: one row per 5-tuple that checked us, and one per pair that the client forms
/// too (RFC 8445 §6.1.2.2) and by which nothing came.
public struct CandidatePair: Hashable, Sendable {
    /// The pair's state (RFC 8445 §6.1.2.6; nothing is ever frozen, a bundled session has one component).
    public enum State: String, Hashable, Sendable, Codable {
        /// Nothing has come from the remote candidate, so nothing was sent to it.
        case waiting
        /// Our own check is on its way.
        case inProgress = "in-progress"
        /// Our own check was answered: the pair works in both directions.
        case succeeded
        /// Our own check was not answered, or the pair fell silent.
        case failed
        /// The client has closed the pair's connection.
        case closedByClient = "closed by client"
        /// We have.
        case closedByRelay = "closed by relay"
    }

    /// Our candidate.
    public var local: Candidate
    /// The client's candidate; peer-reflexive when it was never signalled.
    public var remote: Candidate
    /// Its state.
    public var state: State
    /// The client nominated it.
    public var isNominated: Bool
    /// Media leaves by it.
    public var isSelected: Bool
    /// The pair's priority (RFC 8445 §6.1.2.3).
    public var priority: UInt64
    /// Round-trip time of our own latest check.
    public var roundTripTime: Duration?
    /// Authenticated checks that arrived.
    public var checksReceived: Int
    /// Of these, the ones we answered with success.
    public var checksAnswered: Int
    /// Checks of our own, retransmissions included.
    public var checksSent: Int
    /// Answers to our own checks.
    public var responsesReceived: Int
    /// When the first check arrived.
    public var firstCheck: Instant?
    /// When anything authenticated last arrived.
    public var lastActivity: Instant?
    /// Datagram bytes sent, STUN excluded.
    public var bytesSent: UInt64
    /// Datagram bytes received, STUN excluded.
    public var bytesReceived: UInt64
}

/// Who has closed a connection.
public enum ConnectionEnd: Hashable, Sendable {
    /// The client, or the network in between.
    case client
    /// We.
    case relay
}

/// The priority of a pair (RFC 8445 §6.1.2.3) when the remote agent controls.
func pairPriority(controlling: UInt32, controlled: UInt32) -> UInt64 {
    let (low, high) = (min(controlling, controlled), max(controlling, controlled))
    return UInt64(low) << 32 + UInt64(high) * 2 + (controlling > controlled ? 1 : 0)
}
