import Wire

/// How media travels from the camera.
public enum RTSPTransport: String, Sendable, Codable {
    /// Inside the RTSP connection.
    case tcp
    /// As datagrams.
    case udp
}

/// Which transport to ask for.
public enum TransportPreference: String, Sendable, Codable, CaseIterable {
    /// TCP, and UDP when the camera refuses that.
    case auto
    /// TCP only.
    case tcp
    /// UDP only.
    case udp
}

/// How long to wait for what.
public struct RTSPTimeouts: Equatable, Sendable {
    /// For the answer to a request.
    public var request: Duration = .seconds(10)
    /// For the first UDP packet after PLAY.
    public var firstDatagram: Duration = .seconds(3)
    /// For the next packet of the main track: video, or audio where there is no video.
    public var stall: Duration = .seconds(10)
    /// For the answer to TEARDOWN.
    public var teardown: Duration = .seconds(1)

    /// Creates the defaults.
    public init() {}
}

/// What a session needs to know.
public struct RTSPClientConfiguration: Sendable {
    /// The camera's stream.
    public var url: RTSPURL
    /// The user; the URL's when `nil`.
    public var user: String?
    /// The password; the URL's when `nil`.
    public var password: Secret?
    /// The transport to ask for.
    public var transport: TransportPreference
    /// Sent with every request: some cameras answer only then.
    public var userAgent: String
    /// Waiting times.
    public var timeouts = RTSPTimeouts()
    /// The method that keeps the session alive; `nil` chooses by what the camera lists. Set it for a camera that closes
    /// the connection on the method chosen.
    public var keepAlive: RTSPMethod?
    /// Whether the password may go in the clear over rtsp when the camera has never offered anything else.
    public var allowsBasicInClear = true

    /// Creates a configuration.
    public init(
        url: RTSPURL,
        user: String? = nil,
        password: Secret? = nil,
        transport: TransportPreference = .auto,
        userAgent: String = "Signalbox"
    ) {
        self.url = url
        self.user = user
        self.password = password
        self.transport = transport
        self.userAgent = userAgent
    }
}

/// Something the operator may want to know that does not end the session.
public enum RTSPNotice: Equatable, Sendable {
    /// The scheme credentials are sent with. `Basic` over rtsp means that the password travels readable.
    case authenticated(scheme: String, inClear: Bool)
    /// The camera refused TCP and is asked for UDP now.
    case fallingBackToUDP
    /// The camera refused this track; the session goes on without it.
    case trackRefused(track: Int, status: Int)
    /// Packets come on a channel nobody asked for. Reported once per channel.
    case unknownChannel(UInt8)
    /// Bytes that were neither messages nor packets were skipped, in all since the connection began.
    case discarded(bytes: Int)
    /// The camera sends from another port than it announced.
    case unexpectedSourcePort(track: Int, port: UInt16)
    /// The camera answered a keep-alive with an error. Harmless while media flows.
    case keepAliveRefused(method: RTSPMethod, status: Int)
    /// The camera sent a request of its own.
    case requestFromCamera(RTSPMethod)
    /// The audio track has been silent for the stall time while video flows.
    case audioSilent(track: Int)
    /// The connection ended within 2 s of a keep-alive: this camera may not like the method.
    case closedAfterKeepAlive(RTSPMethod)
}

/// What the owner of a session must do or know, in order.
public enum RTSPEffect: Equatable, Sendable {
    /// Write to the connection.
    case write([UInt8])
    /// Bind two UDP ports, RTP on an even one and RTCP on the next; answer with `datagramPortsOpened` or
    /// `datagramPortsFailed`. Datagrams from other hosts than the camera must not be handed in.
    case openDatagramPorts(track: Int)
    /// Send a datagram from the track's RTP or RTCP port to `port` of the camera's host.
    case sendDatagram(track: Int, isRTCP: Bool, port: UInt16, bytes: [UInt8])
    /// The camera's tracks are known. Comes again only if they change.
    case described([RTSPTrack])
    /// The camera has agreed to send the tracks given.
    case playing(transport: RTSPTransport, tracks: [RTSPTrack])
    /// An RTP packet of a track; may come before `playing`. Over TCP it is still in the decoder's buffer: let go of it
    /// before handing in more bytes, or the buffer is copied.
    case rtp(track: Int, ArraySlice<UInt8>)
    /// An RTCP packet of a track, as above.
    case rtcp(track: Int, ArraySlice<UInt8>)
    /// Something to tell the operator.
    case report(RTSPNotice)
    /// The session is over: close the connection and the ports after writing what was asked before. Comes exactly once
    /// and last. `nil` when `teardown` was called.
    case closed(RTSPFailure?)
}
