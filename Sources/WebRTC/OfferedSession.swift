import DTLS
import ICE
import SDP
import Wire

/// A client's offer, reduced to what an answerer that only sends has to know (RFC 9429 §5.3.1, RFC 8843).
public struct OfferedSession: Sendable {
    /// One m-line.
    struct Section: Sendable {
        var media: MediaDescription
        /// `a=mid`; without one the section cannot be bundled.
        var mid: String?
        /// Whether media can be sent to it at all.
        var isUsable: Bool
        /// In the first BUNDLE group.
        var isBundled: Bool
        /// It could be used, were it not on a transport of its own.
        var isApart = false
    }

    /// The m-lines, in order.
    let sections: [Section]
    /// The client's ICE credentials.
    public let credentials: ICECredentials
    /// The client's certificate is one of these.
    public let fingerprints: [Fingerprint]
    /// The values of the offer's `a=candidate` lines.
    public let candidates: [String]
    let offersBundle: Bool

    /// Parses and validates an offer.
    public init(parsing text: String) throws(NegotiationError) {
        let description: SessionDescription
        do {
            description = try SessionDescription(parsing: text)
        } catch {
            throw .malformed(error)
        }
        guard !description.media.isEmpty, description.media.allSatisfy(Self.isComplete) else {
            throw .missing("m-line")
        }
        let group =
            description.attributes(named: "group").lazy.map { $0.blankSeparatedWords }
            .first { $0.first == "BUNDLE" }?.dropFirst() ?? []
        let all = description.media.map { media in
            let mid = media.attribute("mid").flatMap { isToken($0) ? $0 : nil }
            return Section(
                media: media,
                mid: mid,
                isUsable: Self.isUsable(media, in: description),
                isBundled: mid.map { group.contains($0) } ?? false
            )
        }
        let mids = all.compactMap(\.mid)
        guard Set(mids).count == mids.count else { throw .missing("set of mids: one stands twice") }
        sections = Self.onOneTransport(all)
        guard sections.contains(where: \.isUsable) else { throw Self.refusal(of: description) }
        offersBundle = sections.contains(where: \.isBundled)

        // The transport is described in the section whose address the bundle uses, and often in all (RFC 8843 §7.1.2).
        let bundle = sections.filter(\.isBundled)
        let sources = bundle.filter { $0.mid == group.first } + bundle + sections.filter(\.isUsable)
        func transport(_ name: String) -> String? {
            sources.lazy.compactMap { $0.media.attribute(name) }.first ?? description.attribute(name)
        }
        guard let ufrag = transport("ice-ufrag"), let pwd = transport("ice-pwd"),
            let credentials = ICECredentials(ufrag: ufrag, pwd: pwd)
        else { throw .missing("ice-ufrag and ice-pwd") }
        self.credentials = credentials
        let described = sources.lazy.map { $0.media.attributes(named: "fingerprint") }.first { !$0.isEmpty } ?? []
        let texts = described + description.attributes(named: "fingerprint")
        fingerprints = texts.prefix(maximumFingerprints).compactMap { Fingerprint($0) }
        guard !fingerprints.isEmpty else { throw .missing("fingerprint with sha-256, sha-384 or sha-512") }
        // Firefox leaves setup out of later m-lines; no setup at all means active (RFC 4145 §4.1).
        if let setup = transport("setup"), setup != "actpass", setup != "active" {
            throw .unsupported("a passive client (a=setup:\(setup.prefix(16)))")
        }
        candidates = Array(description.media.flatMap { $0.attributes(named: "candidate") }.prefix(maximumCandidates))
    }

    /// An answer repeats what an m-line says, so one that breaks off or holds control characters cannot be answered.
    private static func isComplete(_ media: MediaDescription) -> Bool {
        let words = [media.kind, media.proto] + media.formats
        return words.count > 2 && words.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } }
    }

    /// A peer has one transport: that of the bundle, or without one that of a single m-line, the picture's if there is
    /// one.
    private static func onOneTransport(_ all: [Section]) -> [Section] {
        var sections = all
        if all.contains(where: { $0.isUsable && $0.isBundled }) {
            for index in all.indices where !all[index].isBundled { sections[index].isUsable = false }
        } else {
            let usable = all.indices.filter { all[$0].isUsable }
            let only = usable.first { all[$0].media.kind == "video" } ?? usable.first
            for index in all.indices {
                sections[index].isUsable = index == only
                sections[index].isBundled = false
            }
        }
        for index in all.indices { sections[index].isApart = all[index].isUsable && !sections[index].isUsable }
        return sections
    }

    private static func isUsable(_ media: MediaDescription, in description: SessionDescription) -> Bool {
        let direction = media.statedDirection ?? description.statedDirection ?? .sendrecv
        return (media.kind == "video" || media.kind == "audio") && hasOurTransport(media)
            && (direction == .recvonly || direction == .sendrecv)
    }

    /// Whether an m-line is not rejected and asks for DTLS-SRTP with RTCP on the same port.
    static func hasOurTransport(_ media: MediaDescription) -> Bool {
        // Port 0 with bundle-only shares the address of the bundle (RFC 8843 §6).
        (media.port != 0 || media.has("bundle-only")) && media.proto.hasSuffix("TLS/RTP/SAVPF")
            && media.has("rtcp-mux")
    }

    private static func refusal(of description: SessionDescription) -> NegotiationError {
        let media = description.media.filter { $0.kind == "video" || $0.kind == "audio" }
        guard !media.isEmpty else { return .nothingToReceive }
        guard media.contains(where: { $0.proto.hasSuffix("TLS/RTP/SAVPF") }) else {
            return .unsupported("a transport other than UDP/TLS/RTP/SAVPF")
        }
        guard media.contains(where: { $0.has("rtcp-mux") }) else { return .missing("rtcp-mux") }
        return .nothingToReceive
    }

    /// What the first usable video m-line offers, for messages: `VP8`, `H264 42e01f mode 0` …
    var offeredVideoCodecs: [String] {
        guard let section = sections.first(where: { $0.isUsable && $0.media.kind == "video" }) else { return [] }
        var names: [String] = []
        for format in section.media.payloadFormats() {
            guard let map = format.map else { continue }
            var name = String(map.encodingName.prefix(16))
            let isHelper = ["rtx", "red", "ulpfec", "flexfec-03"].contains { $0.equalsIgnoringASCIICase(name) }
            guard !isHelper, names.count < 16 else { continue }
            if name.equalsIgnoringASCIICase("H264") {
                let parameters = format.parameters
                name = "H264 \((parameters["profile-level-id"] ?? "42e01f").prefix(6))"
                name += " mode \((parameters["packetization-mode"] ?? "0").prefix(1))"
            }
            if !names.contains(name) { names.append(name) }
        }
        return names
    }
}

/// RFC 4566 `token`, without the characters nobody uses.
private func isToken(_ text: String) -> Bool {
    (1...32).contains(text.utf8.count) && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
}

private let maximumFingerprints = 8
private let maximumCandidates = 32
