import DTLS
import ICE
import Media
import RTP
import Wire

/// A picture of a ``Peer`` for snapshots: plain values, safe to hand to another thread.
public struct PeerStatus: Sendable {
    /// DTLS, as far as an operator cares.
    public enum DTLSState: Hashable, Sendable {
        /// Nothing has come yet.
        case new
        /// The handshake is under way.
        case connecting
        /// Keys are there.
        case connected
        /// The handshake failed, with the reason.
        case failed(String)
        /// Ended by close_notify.
        case closed
    }

    /// When the steps of the start were reached; `nil` for those that were not.
    public struct Ladder: Hashable, Sendable {
        /// The offer was taken and the answer made.
        public var offer: Instant
        /// The answer was handed over.
        public var answer: Instant?
        /// The first authenticated connectivity check.
        public var firstCheck: Instant?
        /// The first USE-CANDIDATE.
        public var nominated: Instant?
        /// The first ClientHello.
        public var dtlsStarted: Instant?
        /// DTLS finished.
        public var dtlsConnected: Instant?
        /// The first RTP packet left.
        public var firstRTP: Instant?
        /// The first receiver report.
        public var firstReceiverReport: Instant?
    }

    /// One outgoing track.
    public struct Track: Hashable, Sendable {
        /// Picture or sound.
        public var kind: TrackKind
        /// Its codec.
        public var codec: Codec
        /// The payload type in use.
        public var payloadType: UInt8
        /// The synchronisation source in use.
        public var ssrc: UInt32
        /// Packets sent, retransmissions excluded.
        public var packetsSent: UInt64
        /// Packets sent again.
        public var retransmittedPackets: UInt64
        /// Bytes in them, headers included.
        public var retransmittedBytes: UInt64
        /// The source they are sent under (RFC 4588); `nil` where it is ``ssrc``.
        public var rtxSSRC: UInt32?
        /// Share of packets lost since the previous receiver report, 0 to 1.
        public var fractionLost: Double?
        /// Packets the client counts as lost.
        public var packetsLost: Int?
        /// Interarrival jitter.
        public var jitter: Duration?
    }

    /// Where ICE stands.
    public var ice: ICEAgent.State
    /// Where DTLS stands.
    public var dtls: DTLSState
    /// Why the handshake failed, once it has.
    public var dtlsFailure: DTLSSession.Failure?
    /// The latest handshake error, even if the handshake went on.
    public var dtlsLastError: String?
    /// The SRTP profile, once there is one.
    public var srtpProfile: SRTPProfile?
    /// Media may flow.
    public var isReady: Bool
    /// Media pauses because the client is silent.
    public var isSuspended: Bool
    /// Set once ended.
    public var closeReason: PeerCloseReason?
    /// All pairs, the selected one first.
    public var pairs: [CandidatePair]
    /// What we told the client.
    public var localCandidates: [Candidate]
    /// What the client told us and can be used.
    public var remoteCandidates: [Candidate]
    /// `*.local` names the client told us.
    public var hiddenCandidates: [String]
    /// Checks with our ufrag that failed authentication.
    public var rejectedChecks: Int
    /// The steps of the start.
    public var ladder: Ladder
    /// The outgoing tracks.
    public var tracks: [Track]
    /// Why there is no sound.
    public var audioUnavailableReason: String?
    /// Datagrams sent, of every kind.
    public var datagramsSent: UInt64
    /// Bytes in them.
    public var bytesSent: UInt64
    /// Datagrams dropped because their path or content was wrong.
    public var datagramsDropped: UInt64
    /// Packets asked for again: the sequence numbers in the NACKs received, each as often as it was asked for.
    public var packetsAskedFor: UInt64
    /// PLI messages received.
    public var pliCount: UInt64
    /// FIR messages received.
    public var firCount: UInt64
    /// From RTCP when there is one, otherwise from ICE.
    public var roundTripTime: Duration?
    /// Packets that wait for the pacer.
    public var queuedPackets: Int
    /// Bytes in them.
    public var queuedBytes: Int
    /// What the viewer gets, since when and why.
    public var quality: QualityState
    /// Bits per second the way to it carries; `nil` before feedback has told.
    public var estimate: Double?
    /// Share of packets lost over two seconds, 0 to 1. One report alone may speak of two packets: browsers send one right
    /// after a loss. `nil` before enough packets were reported.
    public var loss: Double?
    /// Packets of video left out because of ``quality``.
    public var packetsLeftOut: UInt64
    /// Packets that waited for the pacer and were dropped because the viewer did not keep up.
    public var packetsDropped: UInt64

    /// When anything authenticated last came from the client, on whichever path; `nil` before its first check.
    public var lastHeard: Instant? { pairs.compactMap(\.lastActivity).max() }
}
