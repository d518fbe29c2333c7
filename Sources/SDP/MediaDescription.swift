/// One m-section of a session description (RFC 8866 §5.14).
public struct MediaDescription: Equatable, Sendable, SDPAttributed {
    /// `video`, `audio`, `application` or whatever the writer put there, lower-cased.
    public var kind: String
    /// The port; 0 rejects or disables the section. Unreadable ports read as 0.
    public var port: Int
    /// The transport, such as `RTP/AVP` or `UDP/TLS/RTP/SAVPF`.
    public var proto: String
    /// The formats: payload types for RTP, in order of preference. Of a parsed section each once, and at most
    /// ``maximumFormats``, so that nothing that is done per format can be made to cost much.
    public var formats: [String]
    /// The text of the section's `c=` line.
    public var connection: String?
    /// The section's `a=` lines, in order.
    public var attributes: [SDPAttribute]

    /// Creates a section.
    public init(
        kind: String,
        port: Int = 9,
        proto: String,
        formats: [String],
        connection: String? = nil,
        attributes: [SDPAttribute] = []
    ) {
        self.kind = kind
        self.port = port
        self.proto = proto
        self.formats = formats
        self.connection = connection
        self.attributes = attributes
    }

    /// Most formats of a section that are read: as many as there are payload types.
    public static let maximumFormats = 128

    /// Parses what follows `m=`. Cameras leave fields out, so nothing here is an error.
    init(parsing text: some StringProtocol) {
        let words = text.blankSeparatedWords
        // "49170/2" asks for two port pairs; the first is enough for us.
        let port = words.dropFirst().first.flatMap { word in
            (word.splitOnce(at: 0x2F)?.head ?? word).decimal(upTo: 65_535)
        }
        self.init(
            kind: words.first?.lowercased() ?? "",
            port: port ?? 0,
            proto: words.dropFirst(2).first ?? "",
            formats: Self.distinct(words.dropFirst(3))
        )
    }

    private static func distinct(_ words: some Sequence<String>) -> [String] {
        var formats: [String] = []
        var seen: Set<String> = []
        for word in words where formats.count < maximumFormats && seen.insert(word).inserted { formats.append(word) }
        return formats
    }

    /// The formats that are RTP payload types (0–127).
    public var payloadTypes: [UInt8] {
        formats.compactMap { $0.decimal(upTo: 127).map(UInt8.init(truncatingIfNeeded:)) }
    }

    /// The section's direction; without one it is `sendrecv` (RFC 8866 §6.7). A session-level direction is not seen here.
    public var direction: MediaDirection { statedDirection ?? .sendrecv }

    /// The `rtpmap` lines whose payload type is one, in order.
    public func rtpMaps() -> [RTPMap] { attributes(named: "rtpmap").compactMap { RTPMap(parsing: $0) } }

    /// The payload types of the `m=` line in order, each with what the section says of it. Made in one pass over the
    /// lines, however many there are: ask once per section.
    public func payloadFormats() -> [PayloadFormat] {
        var maps: [UInt8: RTPMap] = [:]
        for map in rtpMaps() where maps[map.payloadType] == nil { maps[map.payloadType] = map }
        let parameters = formatParameters()
        return payloadTypes.map {
            PayloadFormat(payloadType: $0, map: maps[$0], parameters: parameters[$0] ?? [:])
        }
    }

    /// The format parameters (`a=fmtp`) of all payload types, keys lower-cased. Several lines of one payload type are
    /// merged; the first value of a key wins. A parameter without `=` has the empty value.
    public func formatParameters() -> [UInt8: [String: String]] {
        var parameters: [UInt8: [String: String]] = [:]
        for line in attributes(named: "fmtp") {
            guard let (type, text) = payloadTypeAndRest(line) else { continue }
            for field in text.utf8.split(separator: 0x3B) {
                let field = String(decoding: field, as: UTF8.self)
                // Base64 values end in "=", so only the first one separates.
                let (key, value) = field.splitOnce(at: 0x3D) ?? (field, "")
                let name = key.trimmingBlanks.lowercased()
                if !name.isEmpty, parameters[type]?[name] == nil {
                    parameters[type, default: [:]][name] = value.trimmingBlanks
                }
            }
        }
        return parameters
    }

    /// The format parameters of one payload type; where several are looked at, ask ``payloadFormats()`` once instead.
    public func formatParameters(_ payloadType: UInt8) -> [String: String] { formatParameters()[payloadType] ?? [:] }

    /// The RTCP feedback offered for `payloadType` (`a=rtcp-fb`, RFC 4585 §4.2), wildcard lines included: `nack pli`.
    public func rtcpFeedback(_ payloadType: UInt8) -> [String] {
        attributes(named: "rtcp-fb").compactMap { line in
            guard let (type, rest) = line.splitOnce(at: 0x20) else { return nil }
            return type == "*" || type.decimal(upTo: 127) == Int(payloadType) ? rest.trimmingBlanks : nil
        }
    }
}

/// What a section says of one of its payload types.
public struct PayloadFormat: Equatable, Sendable {
    /// 0–127.
    public var payloadType: UInt8
    /// Its first `rtpmap` line.
    public var map: RTPMap?
    /// Its format parameters, see ``MediaDescription/formatParameters()``.
    public var parameters: [String: String]

    /// Creates what is known of a payload type.
    public init(payloadType: UInt8, map: RTPMap? = nil, parameters: [String: String] = [:]) {
        self.payloadType = payloadType
        self.map = map
        self.parameters = parameters
    }
}

/// One `a=rtpmap` line (RFC 8866 §6.6).
public struct RTPMap: Equatable, Sendable {
    /// 0–127.
    public var payloadType: UInt8
    /// The encoding name as written; compare without case.
    public var encodingName: String
    /// RTP clock in Hz; 0 when the line has none that is a number in 1…2³¹−1.
    public var clockRate: Int
    /// Audio channels; 1 when not given.
    public var channels: Int

    /// Creates a map.
    public init(payloadType: UInt8, encodingName: String, clockRate: Int, channels: Int = 1) {
        self.payloadType = payloadType
        self.encodingName = encodingName
        self.clockRate = clockRate
        self.channels = channels
    }

    /// Parses `96 H264/90000` or `97 opus/48000/2`; `nil` when there is no payload type or no name.
    init?(parsing text: String) {
        guard let (payloadType, encoding) = payloadTypeAndRest(text) else { return nil }
        let fields = encoding.utf8.split(separator: 0x2F, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self).trimmingBlanks }
        guard let name = fields.first, !name.isEmpty else { return nil }
        self.init(
            payloadType: payloadType,
            encodingName: name,
            clockRate: fields.dropFirst().first?.decimal() ?? 0,
            channels: max(1, fields.dropFirst(2).first?.decimal(upTo: 255) ?? 1)
        )
    }
}

/// Splits `96 rest` into payload type and rest; `nil` when the first word is none. The rest may be empty.
private func payloadTypeAndRest(_ text: String) -> (UInt8, String)? {
    let words = text.utf8.split(maxSplits: 1) { $0 == 0x20 || $0 == 0x09 }
    guard let first = words.first, let type = String(decoding: first, as: UTF8.self).decimal(upTo: 127) else {
        return nil
    }
    let rest = words.dropFirst().first.map { String(decoding: $0, as: UTF8.self) } ?? ""
    return (UInt8(truncatingIfNeeded: type), rest.trimmingBlanks)
}
