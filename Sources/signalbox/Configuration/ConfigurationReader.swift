import Foundation
import Networking
import RTSP
import Relay
import Wire
import Yams

/// Reads a configuration file and collects every problem in it, so that one run tells them all.
struct ConfigurationReader {
    private let file: String
    private let directory: URL
    private var problems: [ConfigurationProblem] = []
    private var notices: [String] = []
    private var repeated = RepeatedKeys()

    /// Largest file that is read.
    static let byteLimit = 1 << 20
    /// Largest password file that is read, in bytes.
    static let passwordLimit = 4_096
    /// Most cameras in one file.
    static let cameraLimit = 2_000

    private init(file: String) {
        self.file = file
        directory = URL(fileURLWithPath: file).deletingLastPathComponent()
    }

    /// Reads the file at `path`.
    ///
    /// - Throws: ``ConfigurationError`` with every problem found.
    static func read(path: String) throws(ConfigurationError) -> Configuration {
        var reader = ConfigurationReader(file: path)
        let text: String
        do {
            let data = try contents(of: URL(fileURLWithPath: path), atMost: byteLimit)
            guard data.count <= byteLimit else {
                reader.report(nil, "", "the file is larger than 1 MiB", "Keep one relay's cameras in it")
                throw ConfigurationError(problems: reader.problems)
            }
            guard let decoded = String(data: data, encoding: .utf8) else {
                reader.report(nil, "", "the file is not UTF-8 text", "Save it as UTF-8")
                throw ConfigurationError(problems: reader.problems)
            }
            text = decoded
        } catch let error as ConfigurationError {
            throw error
        } catch {
            reader.report(nil, "", "cannot be read: \(reason(error))", "Check the path and its permissions")
            throw ConfigurationError(problems: reader.problems)
        }
        return try read(text: text, file: path)
    }

    /// Reads configuration text; `file` is used in messages and to find files named in it.
    static func read(text: String, file: String) throws(ConfigurationError) -> Configuration {
        var reader = ConfigurationReader(file: file)
        var configuration = Configuration()
        do {
            defer { reader.reportRepeated() }
            let (parser, root) = try reader.repeated.parse(text)
            // Nodes refer to their anchors weakly; the parser holds them.
            withExtendedLifetime(parser) {
                if let root {
                    reader.refuseAnchors(in: root, "")
                    reader.read(root, into: &configuration)
                } else {
                    reader.report(nil, "", "the file is empty", "Name at least one camera under `cameras:`")
                }
            }
        } catch let error as YamlError {
            reader.report(error)
        } catch {
            reader.report(nil, "", "is not YAML: \(reason(error))", "Correct it")
        }
        guard reader.problems.isEmpty else { throw ConfigurationError(problems: reader.inOrder) }
        configuration.notices = reader.notices
        return configuration
    }

    /// The file's bytes, or so many of them that it is clear that it has more than `limit`.
    private static func contents(of url: URL, atMost limit: Int) throws -> Data {
        let file = try FileHandle(forReadingFrom: url)
        defer { try? file.close() }
        var data = Data()
        while data.count <= limit, let more = try file.read(upToCount: limit + 1 - data.count), !more.isEmpty {
            data += more
        }
        return data
    }

    private static func reason(_ error: any Error) -> String {
        let text = (error as NSError).localizedFailureReason ?? "\(error.localizedDescription)"
        return text.hasSuffix(".") ? String(text.dropLast()) : text
    }

    // MARK: - Reporting

    /// The problems from the top of the file to its end.
    private var inOrder: [ConfigurationProblem] {
        problems.enumerated().sorted { one, other in
            (one.element.line ?? 0, one.element.column ?? 0, one.offset)
                < (other.element.line ?? 0, other.element.column ?? 0, other.offset)
        }.map(\.element)
    }

    mutating func report(_ node: Node?, _ key: String, _ problem: String, _ remedy: String) {
        let place = node?.mark.map { repeated.original($0) }
        problems.append(
            ConfigurationProblem(
                file: file,
                line: place?.line,
                column: place?.column,
                key: key,
                problem: problem,
                remedy: remedy
            )
        )
    }

    private mutating func reportRepeated() {
        for key in repeated.found {
            problems.append(
                ConfigurationProblem(
                    file: file,
                    line: key.line,
                    column: key.column,
                    key: key.name,
                    problem: "is there twice",
                    remedy: "Keep one of them"
                )
            )
        }
    }

    private mutating func report(_ error: YamlError) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            problems.append(
                ConfigurationProblem(
                    file: file,
                    line: mark.line,
                    column: mark.column,
                    key: "",
                    problem: "is not valid YAML: \(problem)",
                    remedy: "Correct the indentation or quoting there"
                )
            )
        case .duplicatedKeysInMapping(let duplicates, let context):
            problems.append(
                ConfigurationProblem(
                    file: file,
                    line: context.mark.line,
                    column: context.mark.column,
                    key: duplicates.map { RepeatedKeys.name("\($0)") }.joined(separator: ", "),
                    problem: "is there twice",
                    remedy: "Keep one of them"
                )
            )
        default:
            report(nil, "", "is not valid YAML: \(error)", "Correct it")
        }
    }

    // MARK: - The document

    private mutating func read(_ root: Node, into configuration: inout Configuration) {
        var listen: Node?
        for (key, name, value) in mapping(root, "", known: ["listen", "advertise", "delivery", "cameras", "viewers"]) {
            switch name {
            case "listen":
                listen = value
                readListen(value, into: &configuration.listen)
            case "advertise": configuration.advertise = addresses(value, key: name)
            case "delivery": configuration.delivery = choice(value, key: name) ?? .auto
            case "cameras": configuration.cameras = readCameras(value)
            case "viewers": readViewers(value, into: &configuration)
            default: unknown(key, name, "", ["listen", "advertise", "delivery", "cameras", "viewers"])
            }
        }
        if let listen { checkPorts(configuration, listen) }
    }

    // MARK: - Cameras

    private mutating func readCameras(_ node: Node) -> [CameraConfiguration] {
        guard case .mapping(let cameras) = node else {
            if !isNull(node) {
                report(
                    node,
                    "cameras",
                    "is not a mapping of names to cameras",
                    "Write `NAME:` and below it `source: rtsp://…`"
                )
            }
            return []
        }
        guard cameras.count <= Self.cameraLimit else {
            report(node, "cameras", "has more than \(Self.cameraLimit) cameras", "Spread them over several relays")
            return []
        }
        var result: [CameraConfiguration] = []
        for (key, value) in cameras {
            guard let name = name(key) else {
                report(key, "cameras", "has a name that is no text", "Put it in quotes")
                continue
            }
            if let problem = CameraName.problem(with: name) {
                report(key, "cameras.\(name)", problem, CameraName.remedy(for: name))
            }
            if let camera = readCamera(name, value, at: key) { result.append(camera) }
        }
        return result
    }

    private mutating func readCamera(_ name: String, _ node: Node, at keyNode: Node) -> CameraConfiguration? {
        let known = ["source", "user", "password", "transport", "substream", "delivery", "on-demand", "tags"]
        let path = "cameras.\(name)"
        guard case .mapping = node else {
            report(isNull(node) ? keyNode : node, path, "has no settings", "Write `source: rtsp://…` below it")
            return nil
        }
        var source: RTSPURL?
        var hasSource = false
        var camera: (user: String?, password: Secret?) = (nil, nil)
        var transport = TransportPreference.auto
        var delivery = DeliveryPolicy.auto
        var onDemand = false
        var tags: [String] = []
        for (keyNode, key, value) in mapping(node, path, known: known) {
            let place = "\(path).\(key)"
            switch key {
            case "source":
                hasSource = true
                source = url(value, key: place)
            case "user": camera.user = string(value, key: place)
            case "password": camera.password = password(value, key: place)
            case "transport": transport = choice(value, key: place) ?? .auto
            case "delivery": delivery = choice(value, key: place) ?? .auto
            case "on-demand":
                if let flag = value.bool {
                    onDemand = flag
                } else {
                    report(value, place, "is neither true nor false", "Write `true` or `false`")
                }
            case "tags": tags = words(value, key: place)
            case "substream":
                if url(value, key: place) != nil {
                    notices.append("\(place) is read but not used in this version")
                }
            default: unknown(keyNode, key, path + ".", known)
            }
        }
        guard hasSource else {
            report(keyNode, path, "has no `source`", "Add `source: rtsp://HOST/PATH`")
            return nil
        }
        guard var source else { return nil }
        if camera.user == nil { camera.user = source.user }
        if camera.password == nil { camera.password = source.password }
        if source.password != nil {
            notices.append("\(path).source carries a password; `password: { file: … }` keeps it out of this file")
        }
        source.user = nil
        source.password = nil
        return CameraConfiguration(
            name: name,
            source: source,
            user: camera.user,
            password: camera.password,
            transport: transport,
            delivery: delivery,
            onDemand: onDemand,
            tags: tags
        )
    }

    private mutating func url(_ node: Node, key: String) -> RTSPURL? {
        guard let text = string(node, key: key) else { return nil }
        do {
            return try RTSPURL(parsing: text)
        } catch {
            report(node, key, error.problem, error.remedy)
            return nil
        }
    }

    private mutating func password(_ node: Node, key: String) -> Secret? {
        guard case .mapping = node else { return string(node, key: key).map { Secret($0) } }
        var secret: Secret?
        for (keyNode, name, value) in mapping(node, key, known: ["file"]) {
            guard name == "file" else {
                unknown(keyNode, name, key + ".", ["file"])
                continue
            }
            guard let path = string(value, key: "\(key).file") else { continue }
            let url = URL(fileURLWithPath: path, relativeTo: directory)
            guard let data = try? Self.contents(of: url, atMost: Self.passwordLimit), data.count <= Self.passwordLimit,
                let text = String(data: data, encoding: .utf8)
            else {
                report(
                    value,
                    "\(key).file",
                    "`\(path)` cannot be read",
                    "Check the path (relative to this file) and its permissions"
                )
                continue
            }
            secret = Secret(text.trimmingCharacters(in: .newlines))
        }
        return secret
    }

    // MARK: - Values

    /// The pairs of a mapping; anything else is reported once.
    mutating func mapping(_ node: Node, _ path: String, known: [String]) -> [(Node, String, Node)] {
        guard case .mapping(let pairs) = node else {
            let place = path.isEmpty ? "the file" : "`\(path)`"
            report(
                node,
                path,
                "\(place) is not a mapping of keys to values",
                "Write `key: value`, with one of: \(known.joined(separator: ", "))"
            )
            return []
        }
        return pairs.compactMap { key, value in
            guard let name = name(key) else {
                report(key, path, "a key is no text", "Put it in quotes")
                return nil
            }
            return (key, name, value)
        }
    }

    /// Reports every anchored node. What an alias stands for is the anchored node again, which is not entered: files
    /// that double themselves by aliases cost nothing.
    private mutating func refuseAnchors(in node: Node, _ path: String) {
        guard node.anchor == nil, node.alias == nil else {
            report(node, path, "anchors and aliases are not allowed", "Write the value out")
            return
        }
        switch node {
        case .mapping(let pairs):
            for (key, value) in pairs {
                let name = name(key) ?? ""
                let place = path.isEmpty ? name : "\(path).\(name)"
                refuseAnchors(in: key, place)
                refuseAnchors(in: value, place)
            }
        case .sequence(let items):
            for item in items { refuseAnchors(in: item, path) }
        case .scalar, .alias:
            break
        }
    }

    private func name(_ key: Node) -> String? { key.string.map(RepeatedKeys.name) }

    private func isNull(_ node: Node) -> Bool { node.null != nil }

    mutating func unknown(_ node: Node, _ name: String, _ prefix: String, _ known: [String]) {
        let nearest = known.min { distance($0, name) < distance($1, name) }
        if let nearest, distance(nearest, name) <= 2 {
            report(node, prefix + name, "is no key of this file", "Did you mean `\(nearest)`?")
        } else {
            let all = known.joined(separator: ", ")
            report(node, prefix + name, "is no key of this file", "Remove it, or use one of: \(all)")
        }
    }

    mutating func string(_ node: Node, key: String) -> String? {
        guard let text = node.string, !isNull(node), !text.isEmpty else {
            report(node, key, "has no text value", "Write one after the colon")
            return nil
        }
        return text
    }

    private mutating func choice<Choice: RawRepresentable & CaseIterable>(_ node: Node, key: String) -> Choice?
    where Choice.RawValue == String {
        guard let text = string(node, key: key) else { return nil }
        if let choice = Choice(rawValue: text) { return choice }
        let all = Choice.allCases.map { "`\($0.rawValue)`" }.joined(separator: ", ")
        report(node, key, "`\(text)` is not one of its values", "Write one of \(all)")
        return nil
    }

    mutating func words(_ node: Node, key: String) -> [String] {
        guard case .sequence(let items) = node else {
            report(node, key, "is not a list", "Write `[one, two]`")
            return []
        }
        return items.compactMap { string($0, key: key) }
    }

    private mutating func addresses(_ node: Node, key: String) -> [IPAddress] {
        words(node, key: key).compactMap { text in
            if let address = IPAddress(text), !address.isUnspecified { return address }
            report(node, key, "`\(text)` is no IP address", "Write addresses such as 203.0.113.10 or 2001:db8::10")
            return nil
        }
    }

    /// Levenshtein distance, for guesses at misspelt keys.
    private func distance(_ lhs: String, _ rhs: String) -> Int {
        let (a, b) = (Array(lhs.utf8.prefix(64)), Array(rhs.utf8.prefix(64)))
        var row = Array(0...b.count)
        for i in 0..<a.count {
            var diagonal = row[0]
            row[0] = i + 1
            for j in 0..<b.count {
                let cost = diagonal + (a[i] == b[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(cost, row[j] + 1, diagonal + 1)
            }
        }
        return row[b.count]
    }
}
