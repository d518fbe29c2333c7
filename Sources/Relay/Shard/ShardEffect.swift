import RTSP
import Wire

/// What a shard wants done by the shell that drives it. The shell carries the effects out in order.
public enum ShardEffect: Sendable {
    /// Open a TCP connection to a camera (TLS where asked) and report `cameraConnected` or `cameraFailed`.
    ///
    /// `attempt` is new for every connection; inputs that carry an older attempt are ignored by the shard.
    case connect(camera: String, attempt: UInt64, host: String, port: UInt16, tls: Bool)
    /// Write to the camera's TCP connection.
    case write(camera: String, attempt: UInt64, bytes: [UInt8])
    /// Bind an even/odd pair of UDP ports for a track and report `cameraPorts`.
    case openPorts(camera: String, attempt: UInt64, track: Int)
    /// Send from the track's RTP (or RTCP) port to a port of the camera's host.
    case sendDatagram(camera: String, attempt: UInt64, track: Int, isRTCP: Bool, port: UInt16, bytes: [UInt8])
    /// Flush and close the camera's connection and its UDP ports. Nothing of this attempt is reported afterwards.
    case disconnect(camera: String, attempt: UInt64)
    /// Datagrams whose STUN username begins with `ufrag` belong to this shard.
    case claim(ufrag: String)
    /// The ufrag is no longer in use; forget the paths that were learned through it, too.
    case release(ufrag: String)
    /// Datagrams on this path belong to this shard (learned from an authenticated check).
    case claimPath(FiveTuple, ufrag: String)
    /// Something to say to a viewer's page.
    case message(viewer: String, channel: UInt64, ViewerMessage)
    /// The control channel's stream of messages ends.
    case endMessages(viewer: String, channel: UInt64)
    /// Start a codec process for the camera's sound and report `soundReceived` and `soundEnded`. `process` is new for
    /// every one.
    case startSound(camera: String, process: UInt64)
    /// Write to the process's standard input. What it does not read in time is lost.
    case writeSound(camera: String, process: UInt64, bytes: [UInt8])
    /// End the process. Nothing of it is reported afterwards.
    case stopSound(camera: String, process: UInt64)
    /// The answer to an HLS request that had to wait.
    case hlsResponse(ticket: UInt64, HLSResponse)
    /// Give the message to the shard of that number. What is said to one shard arrives in order.
    case post(ShardMessage, to: Int)
}

/// Why a camera's connection could not be opened or ended.
public enum ConnectionFailure: Error, Sendable, Equatable {
    /// The host name does not resolve.
    case unresolvable(host: String)
    /// Nobody listens there.
    case refused
    /// No answer in time.
    case timedOut
    /// No route to the host or network.
    case unreachable
    /// TLS failed; the text says how.
    case tls(String)
    /// Anything else; the text is the system's.
    case other(String)
}
