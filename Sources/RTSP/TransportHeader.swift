import SDP

/// Two neighbouring numbers for RTP and RTCP: ports or interleaved channels.
public struct NumberPair<Number: FixedWidthInteger & Sendable>: Equatable, Sendable {
    /// For RTP.
    public var rtp: Number
    /// For RTCP.
    public var rtcp: Number

    /// Creates a pair.
    public init(_ rtp: Number, _ rtcp: Number) {
        self.rtp = rtp
        self.rtcp = rtcp
    }

    /// Parses `10-11` or `10`, whose partner is the next number. `nil` when a number does not fit.
    init?(parsing text: String) {
        let limit = Int(Number.max)
        if let (first, second) = text.splitOnce(at: 0x2D) {
            guard let rtp = first.trimmingBlanks.decimal(upTo: limit),
                let rtcp = second.trimmingBlanks.decimal(upTo: limit)
            else { return nil }
            self.init(Number(truncatingIfNeeded: rtp), Number(truncatingIfNeeded: rtcp))
        } else {
            guard let rtp = text.decimal(upTo: limit - 1) else { return nil }
            self.init(Number(truncatingIfNeeded: rtp), Number(truncatingIfNeeded: rtp + 1))
        }
    }

    var text: String { "\(rtp)-\(rtcp)" }
}

/// One transport of a `Transport` header (RFC 2326 §12.39). Parameters that cannot be read count as absent.
public struct TransportHeader: Equatable, Sendable {
    /// What carries the packets.
    public enum LowerTransport: String, Sendable {
        /// Datagrams.
        case udp = "UDP"
        /// The RTSP connection itself.
        case tcp = "TCP"
    }

    /// The RTP profile, such as `RTP/AVP`.
    public var profile: String
    /// UDP unless `TCP` was written.
    public var lowerTransport: LowerTransport
    /// Whether the packets go to a group.
    public var isMulticast: Bool
    /// The channels of the interleaved packets.
    public var interleaved: NumberPair<UInt8>?
    /// The client's ports.
    public var clientPort: NumberPair<UInt16>?
    /// The server's ports; 0 counts as absent.
    public var serverPort: NumberPair<UInt16>?
    /// The synchronisation source the server will use; often wrong.
    public var ssrc: UInt32?

    /// Creates a transport.
    public init(
        _ lowerTransport: LowerTransport,
        isMulticast: Bool = false,
        interleaved: NumberPair<UInt8>? = nil,
        clientPort: NumberPair<UInt16>? = nil,
        serverPort: NumberPair<UInt16>? = nil,
        ssrc: UInt32? = nil
    ) {
        profile = "RTP/AVP"
        self.lowerTransport = lowerTransport
        self.isMulticast = isMulticast
        self.interleaved = interleaved
        self.clientPort = clientPort
        self.serverPort = serverPort
        self.ssrc = ssrc
    }

    /// All transports in a header value, in order of preference; those that are not RTP are left out. At most 16.
    public static func parse(_ value: String) -> [TransportHeader] {
        value.utf8.split(separator: 0x2C).prefix(16).compactMap {
            TransportHeader(parsing: String(decoding: $0, as: UTF8.self))
        }
    }

    /// Parses one transport; `nil` when it is not RTP.
    public init?(parsing text: String) {
        let fields = text.utf8.split(separator: 0x3B).map { String(decoding: $0, as: UTF8.self).trimmingBlanks }
        guard let specification = fields.first else { return nil }
        let parts = specification.utf8.split(separator: 0x2F).map { String(decoding: $0, as: UTF8.self).uppercased() }
        guard parts.count >= 2, parts[0] == "RTP" else { return nil }
        self.init(parts.dropFirst(2).first == "TCP" ? .tcp : .udp)
        profile = "RTP/\(parts[1])"
        for field in fields.dropFirst() {
            let (name, value) = field.splitOnce(at: 0x3D) ?? (field, "")
            let text = value.trimmingBlanks
            switch name.trimmingBlanks.lowercased() {
            case "multicast": isMulticast = true
            case "interleaved": interleaved = NumberPair(parsing: text)
            case "client_port": clientPort = NumberPair(parsing: text)
            case "server_port": serverPort = NumberPair(parsing: text).flatMap { $0.rtp == 0 ? nil : $0 }
            case "ssrc": ssrc = text.utf8.count <= 8 && text.utf8.first != 0x2B ? UInt32(text, radix: 16) : nil
            default: continue
            }
        }
    }

    /// The transport as header value. `mode` is left out: it is PLAY by default, and some cameras refuse it.
    public var text: String {
        var fields = [profile + (lowerTransport == .tcp ? "/TCP" : ""), isMulticast ? "multicast" : "unicast"]
        if let interleaved { fields.append("interleaved=\(interleaved.text)") }
        if let clientPort { fields.append("client_port=\(clientPort.text)") }
        if let serverPort { fields.append("server_port=\(serverPort.text)") }
        if let ssrc {
            let digits = String(ssrc, radix: 16, uppercase: true)
            fields.append("ssrc=" + String(repeating: "0", count: 8 - digits.utf8.count) + digits)
        }
        return fields.joined(separator: ";")
    }
}

/// The value of a `Session` header (RFC 2326 §12.37).
public struct SessionHeader: Equatable, Sendable {
    /// Longest identifier that is accepted, in bytes.
    public static let maximumIdentifierBytes = 512

    /// The identifier.
    public var identifier: String
    /// After how many seconds without a request the server ends the session: 10…600, 60 when not given.
    public var timeoutSeconds: Int

    /// Creates a header.
    public init(identifier: String, timeoutSeconds: Int = 60) {
        self.identifier = identifier
        self.timeoutSeconds = timeoutSeconds
    }

    /// Parses a header; `nil` when the identifier is empty, too long or not printable.
    public init?(parsing value: String) {
        let fields = value.utf8.split(separator: 0x3B, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self).trimmingBlanks }
        guard let identifier = fields.first, !identifier.isEmpty,
            identifier.utf8.count <= Self.maximumIdentifierBytes,
            identifier.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return nil }
        self.init(identifier: identifier)
        for field in fields.dropFirst() {
            guard let (name, text) = field.splitOnce(at: 0x3D), name.trimmingBlanks.equalsIgnoringASCIICase("timeout"),
                let seconds = text.trimmingBlanks.decimal(upTo: .max)
            else { continue }
            timeoutSeconds = min(max(seconds, 10), 600)
        }
    }

    /// The header's value.
    public var text: String { "\(identifier);timeout=\(timeoutSeconds)" }
}
