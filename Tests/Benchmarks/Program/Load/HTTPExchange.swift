import CBench

/// One HTTP/1.1 request on a connection of its own, without blocking.
final class HTTPExchange {
    /// What came back.
    struct Response {
        var status: Int
        /// Names in lower case.
        var headers: [String: String]
        var body: String
    }

    /// An `http` or `https` URL.
    struct Target {
        var isSecure: Bool
        var host: String
        var address: cbench_address
        var path: String

        init(_ url: String) throws(BenchError) {
            isSecure = url.hasPrefix("https://")
            guard isSecure || url.hasPrefix("http://") else { throw BenchError("\(url) is no http or https URL") }
            let rest = url.dropFirst(isSecure ? 8 : 7)
            host = String(rest.prefix { $0 != "/" })
            path = String(rest.dropFirst(host.count))
            if path.isEmpty { path = "/" }
            let parts = host.split(separator: ":")
            guard let name = parts.first, let port = parts.count > 1 ? UInt16(parts[1]) : isSecure ? 443 : 80
            else {
                throw BenchError("\(url) names no host")
            }
            var ip: UInt32 = 0
            try BenchError.check(cbench_resolve(String(name), &ip), "resolving \(name)")
            address = cbench_address(ip: ip, port: port)
        }

        /// Where a `Location` of this server leads.
        func resolving(_ location: String) -> Target {
            var target = self
            if let scheme = location.firstRange(of: "://") {
                target.path = String(location[scheme.upperBound...].drop { $0 != "/" })
            } else if location.hasPrefix("/") {
                target.path = location
            } else {
                target.path = String(path.prefix(through: path.lastIndex(of: "/") ?? path.startIndex)) + location
            }
            return target
        }
    }

    private let poller: Poller
    private let connection: HTTPConnection
    private let completion: (Response?) -> Void
    private var output: [UInt8]
    private var input: [UInt8] = []
    private var isDone = false

    /// Sends a request; `completion` gets the response, or `nil` when the connection broke.
    init(
        _ method: String,
        _ target: Target,
        body: String = "",
        on poller: Poller,
        completion: @escaping (Response?) -> Void
    ) throws(BenchError) {
        self.poller = poller
        self.completion = completion
        var head = ["\(method) \(target.path) HTTP/1.1", "Host: \(target.host)", "Connection: close"]
        if !body.isEmpty { head += ["Content-Type: application/sdp", "Content-Length: \(body.utf8.count)"] }
        output = Array((head.joined(separator: "\r\n") + "\r\n\r\n" + body).utf8)
        connection = try HTTPConnection(to: target)
        watch(CBENCH_WRITABLE)
    }

    private func watch(_ interest: UInt32) { poller.watch(connection.fd, interest) { [self] _ in advance() } }

    private func advance() {
        while !output.isEmpty {
            switch connection.send(output) {
            case .done(let count): output.removeFirst(count)
            case .waits(let interest): return watch(interest)
            case .over: return finish(nil)
            }
        }
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while !isDone {
            switch connection.receive(&buffer) {
            case .done(let count):
                input += buffer[..<count]
                if let response = parse(isEnd: false) { return finish(response) }
            case .waits(let interest): return watch(interest)
            case .over: return finish(parse(isEnd: true))
            }
        }
    }

    private func finish(_ response: Response?) {
        guard !isDone else { return }
        isDone = true
        poller.close(connection.fd)
        completion(response)
    }

    /// The response, once it is complete. Bodies have a length or end with the connection.
    private func parse(isEnd: Bool) -> Response? {
        guard let end = input.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let lines = String(decoding: input[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
        guard let words = lines.first?.split(separator: " "), words.count > 1, let status = Int(words[1]) else {
            return nil
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let name = line.prefix { $0 != ":" }
            headers[name.lowercased()] = String(line.dropFirst(name.count + 1).drop { $0 == " " })
        }
        let body = input[end.upperBound...]
        if let length = headers["content-length"].flatMap({ Int($0) }) {
            guard body.count >= length else { return nil }
        } else if !isEnd, status != 204 {
            return nil
        }
        return Response(status: status, headers: headers, body: String(decoding: body, as: UTF8.self))
    }
}
