import DTLS
import ICE
import Wire

/// What a ``Peer`` has to know about the relay it runs in.
public struct PeerConfiguration: Sendable {
    /// Where the media port can be reached by UDP, best first; all go into the answer as host candidates.
    public var udpAddresses: [TransportAddress]
    /// The same for TCP (RFC 6544, passive); empty where no TCP listener takes ICE.
    public var tcpAddresses: [TransportAddress]
    /// The process's certificate.
    public var dtls: DTLSContext
    /// RTCP's canonical name, one for all tracks of a session (RFC 8834 §4.9).
    public var cname: String
    /// The stream's id in `a=msid`: letters, digits, `-`, `_`, `.`.
    public var streamID: String
    /// The wall clock at `Instant.zero` as an NTP timestamp: seconds since 1900 and 2⁻³² fractions.
    public var ntpAtZero: UInt64

    /// Creates a configuration.
    public init(
        udpAddresses: [TransportAddress],
        tcpAddresses: [TransportAddress] = [],
        dtls: DTLSContext,
        cname: String,
        streamID: String,
        ntpAtZero: UInt64
    ) {
        self.udpAddresses = udpAddresses
        self.tcpAddresses = tcpAddresses
        self.dtls = dtls
        self.cname = cname
        self.streamID = streamID
        self.ntpAtZero = ntpAtZero
    }

    /// The NTP time of `instant`.
    func ntp(at instant: Instant) -> UInt64 {
        let (seconds, rest) = instant.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        let fraction = (Int64(rest) << 32) / 1_000_000_000
        return ntpAtZero &+ UInt64(bitPattern: seconds &<< 32 &+ fraction)
    }
}
