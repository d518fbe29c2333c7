import SDP

/// The rules that any answer to any offer has to keep (RFC 9429 §5.3.1, RFC 8843, RFC 8285, RFC 8829), and what browsers
/// insist on beyond them. Knows nothing of how the answer was made.
enum AnswerRules {
    /// The rules that `answer` breaks, in words; empty when it keeps them all.
    static func broken(_ answer: String, answering offer: String) -> [String] {
        guard let offered = try? SessionDescription(parsing: offer) else { return ["the offer parses"] }
        guard let given = try? SessionDescription(parsing: answer) else { return ["the answer parses"] }
        var rules = Rules(offered: offered, given: given)
        rules.checkText(answer)
        rules.checkSections()
        rules.checkBundle()
        rules.checkSources()
        return rules.broken
    }
}

private struct Rules {
    let offered: SessionDescription
    let given: SessionDescription
    var broken: [String] = []

    private mutating func expect(_ holds: Bool, _ rule: @autoclosure () -> String) {
        if !holds { broken.append(rule()) }
    }

    private var accepted: [MediaDescription] { given.media.filter { $0.port != 0 } }

    /// RFC 8866 §5 and §9.
    mutating func checkText(_ text: String) {
        let bytes = Array(text.utf8)
        expect(text.hasPrefix("v=0\r\no=- "), "v= and o= come first")
        expect(text.hasSuffix("\r\n"), "the last line ends")
        let lines = bytes.split(separator: 10, omittingEmptySubsequences: false).dropLast()
        expect(lines.allSatisfy { $0.last == 13 && $0.count >= 4 && $0[$0.startIndex + 1] == 61 }, "lines are x=… CRLF")
        expect(lines.allSatisfy { $0.dropLast().allSatisfy { $0 >= 32 && $0 != 127 } }, "no control characters")
        let session = given.origin.split(separator: " ").dropFirst().first.flatMap { UInt64($0) }
        expect(session.map { $0 < 1 << 63 } ?? false, "the session id fits in 63 bits")
    }

    mutating func checkSections() {
        expect(given.media.count == offered.media.count, "as many m-lines as were offered")
        for (index, pair) in zip(offered.media, given.media).enumerated() {
            let (theirs, ours) = pair
            func rule(_ text: String) -> String { "m-line \(index): \(text)" }
            expect(ours.kind == theirs.kind && ours.proto == theirs.proto, rule("kind and transport as offered"))
            expect(!ours.formats.isEmpty, rule("has a format"))
            expect(ours.connection == "IN IP4 0.0.0.0", rule("has a c= line, which Firefox wants"))
            for name in ["mid", "setup", "ice-ufrag", "ice-pwd", "msid", "rtcp-mux", "end-of-candidates"] {
                let count = ours.attributes.count { $0.name == name }
                expect(count <= 1, rule("\(name) once, not \(count) times"))
            }
            if let mid = ours.attribute("mid") { expect(mid == theirs.attribute("mid"), rule("mid as offered")) }
            if ours.port == 0 { continue }
            // RFC 3264 §6; RFC 8843 §6 for bundle-only.
            expect(theirs.port != 0 || theirs.has("bundle-only"), rule("what was offered as rejected stays so"))
            checkAccepted(ours, theirs, rule)
        }
    }

    private mutating func checkAccepted(
        _ ours: MediaDescription,
        _ theirs: MediaDescription,
        _ rule: (String) -> String
    ) {
        let wanted = theirs.statedDirection ?? offered.statedDirection ?? .sendrecv
        let isSending = ours.direction == .sendonly
        expect(isSending || ours.direction == .inactive, rule("sends or is inactive"))
        expect(!isSending || wanted == .recvonly || wanted == .sendrecv, rule("sends only to who receives"))
        expect(ours.has("rtcp-mux") && theirs.has("rtcp-mux"), rule("rtcp-mux, offered"))
        expect(!ours.has("rtcp-rsize") || theirs.has("rtcp-rsize"), rule("rtcp-rsize only if offered"))
        expect(ours.attribute("setup") == "passive", rule("setup:passive"))
        // In a bundle the first section speaks for all (RFC 8843 §7.1.2), so any of them may say it.
        let setups = (offered.media.map { $0.attribute("setup") } + [offered.attribute("setup")]).compactMap { $0 }
        let mayBeActive = setups.isEmpty || setups.contains("actpass") || setups.contains("active")
        expect(mayBeActive, rule("the client may be active"))
        expect((ours.attribute("ice-ufrag") ?? "").utf8.count >= 4, rule("an ice-ufrag"))
        expect((ours.attribute("ice-pwd") ?? "").utf8.count >= 22, rule("an ice-pwd"))
        expect(ours.attribute("fingerprint")?.hasPrefix("sha-256 ") ?? false, rule("a fingerprint"))
        checkFormats(ours, theirs, rule)
        checkExtensions(ours, theirs, rule)
        guard isSending else { return }
        let stream = (ours.attribute("msid") ?? "").split(separator: " ")
        expect(stream.count == 2, rule("msid has both parts, which Firefox wants"))
        expect(!ours.attributes(named: "candidate").isEmpty, rule("has candidates"))
        expect(ours.has("end-of-candidates"), rule("says that there are no more"))
    }

    private mutating func checkFormats(
        _ ours: MediaDescription,
        _ theirs: MediaDescription,
        _ rule: (String) -> String
    ) {
        // By number: an offer may say "08".
        expect(Set(ours.payloadTypes).isSubset(of: theirs.payloadTypes), rule("formats were offered"))
        expect(ours.formats.allSatisfy { ($0.decimal(upTo: 127)) != nil }, rule("payload types are at most 127"))
        expect(Set(ours.formats).count == ours.formats.count, rule("payload types differ"))
        for map in ours.rtpMaps() {
            expect(ours.payloadTypes.contains(map.payloadType), rule("rtpmap \(map.payloadType) is a format"))
            let same = theirs.rtpMaps().filter { $0.payloadType == map.payloadType }
            // Static types need no rtpmap in the offer (RFC 3551 §6).
            expect(
                same.isEmpty && map.payloadType < 35
                    || same.contains {
                        $0.encodingName.equalsIgnoringASCIICase(map.encodingName) && $0.clockRate == map.clockRate
                            && $0.channels == map.channels
                    },
                rule("payload type \(map.payloadType) means what it meant in the offer")
            )
            if map.encodingName.equalsIgnoringASCIICase("rtx") {
                func main(_ media: MediaDescription) -> UInt8? {
                    media.formatParameters(map.payloadType)["apt"]?.decimal(upTo: 127).map { UInt8($0) }
                }
                expect(main(ours).map(ours.payloadTypes.contains) ?? false, rule("rtx belongs to a format"))
                expect(main(ours) == main(theirs), rule("rtx belongs where it was offered"))
            }
        }
        for type in ours.payloadTypes {
            expect(type < 35 || ours.rtpMaps().contains { $0.payloadType == type }, rule("\(type) has an rtpmap"))
            let extra = Set(ours.rtcpFeedback(type)).subtracting(theirs.rtcpFeedback(type))
            expect(extra.isEmpty, rule("feedback \(extra) was offered"))
        }
    }

    private mutating func checkExtensions(
        _ ours: MediaDescription,
        _ theirs: MediaDescription,
        _ rule: (String) -> String
    ) {
        func extensions(_ media: MediaDescription) -> [(id: String, uri: String)] {
            media.attributes(named: "extmap").compactMap { line in
                let words = line.split(separator: " ")
                guard words.count >= 2, let id = words[0].split(separator: "/").first else { return nil }
                return (String(id), String(words[1]))
            }
        }
        let offered = extensions(theirs) + extensions(atSession)
        for (id, uri) in extensions(ours) {
            expect(offered.contains { $0 == (id, uri) }, rule("extension \(uri) under the offered id \(id)"))
            expect(id.decimal(upTo: 14).map { $0 > 0 } ?? false, rule("one-byte headers have ids 1 to 14"))
        }
        expect(Set(extensions(ours).map(\.id)).count == extensions(ours).count, rule("extension ids differ"))
    }

    private var atSession: MediaDescription {
        MediaDescription(kind: "", proto: "", formats: [], attributes: offered.attributes)
    }

    /// RFC 8843 §7.3.
    mutating func checkBundle() {
        func group(_ description: SessionDescription) -> [String]? {
            description.attributes(named: "group").map { $0.split(separator: " ").map(String.init) }
                .first { $0.first == "BUNDLE" }.map { Array($0.dropFirst()) }
        }
        let bundled = accepted.compactMap { $0.attribute("mid") }
        expect(given.attributes(named: "group").count <= 1, "one BUNDLE group")
        guard let ours = group(given) else { return expect(accepted.count <= 1, "one m-line without BUNDLE") }
        let theirs = group(offered) ?? []
        expect(Set(ours).isSubset(of: theirs), "bundled m-lines were offered so")
        expect(Set(ours).count == ours.count, "an m-line is bundled once")
        expect(Set(ours) == Set(bundled), "all accepted m-lines are bundled, and no others")
        expect(Set(bundled).count == bundled.count, "mids differ")
        for name in ["ice-ufrag", "ice-pwd", "fingerprint"] {
            expect(Set(accepted.map { $0.attribute(name) }).count <= 1, "one \(name) for the bundle")
        }
        let lines: [String] = accepted.flatMap { $0.attributes(named: "extmap") }
        let extensions: [[Substring]] = lines.map { Array($0.split(separator: " ").prefix(2)) }
        let ids = Dictionary(grouping: extensions) { $0.first ?? "" }.mapValues { Set($0.map { $0.last ?? "" }) }
        expect(ids.values.allSatisfy { $0.count == 1 }, "an extension id means one thing in the bundle")
        let types = accepted.flatMap(\.payloadTypes)
        let isSame = Dictionary(grouping: accepted.flatMap { $0.rtpMaps() }, by: \.payloadType).values.allSatisfy {
            Set($0.map { "\($0.encodingName)/\($0.clockRate)" }).count == 1
        }
        expect(Set(types).count == types.count || isSame, "a payload type means one thing in the bundle")
    }

    mutating func checkSources() {
        let sending = accepted.filter { $0.direction == .sendonly }
        expect(!sending.isEmpty, "something is sent")
        let streams = Set(sending.map { ($0.attribute("msid") ?? "").split(separator: " ").first ?? "" })
        expect(streams.count <= 1, "one stream for sound and picture, which keeps them in step")
        expect(
            Set(sending.compactMap { $0.attribute("msid") }).count == sending.count,
            "tracks have names of their own"
        )
        var all: [String] = []
        for media in sending {
            let lines = media.attributes(named: "ssrc").map { $0.split(separator: " ").map(String.init) }
            let sources = lines.compactMap(\.first)
            all += Set(sources)
            expect(!sources.isEmpty && sources.allSatisfy { UInt32($0) != nil }, "sources are announced")
            for group in media.attributes(named: "ssrc-group").map({ $0.split(separator: " ").map(String.init) }) {
                expect(group.count == 3 && group[0] == "FID", "a group is a source and its retransmissions")
                expect(group.dropFirst().allSatisfy(sources.contains), "grouped sources are announced")
            }
        }
        expect(Set(all).count == all.count, "sources differ")
        let announced: [String] = sending.flatMap { $0.attributes(named: "ssrc") }
        let names = Set(announced.compactMap { $0.split(separator: " ").last })
        expect(names.count <= 1, "one CNAME")
    }
}
