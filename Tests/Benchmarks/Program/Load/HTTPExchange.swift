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

    /// An `http` URL.
    struct Target {
        var host: String
        var address: cbench_address
        var path: String

        init(_ url: String) throws(BenchError) {
            guard url.hasPrefix("http://") else { throw BenchError("\(url) is no http:// URL") }
            let rest = url.dropFirst(7)
            host = String(rest.prefix { $0 != "/" })
            path = String(rest.dropFirst(host.count))
            if path.isEmpty { path = "/" }
            let parts = host.split(separator: ":")
            guard let name = parts.first, let port = parts.count > 1 ? UInt16(parts[1]) : 80 else {
                throw BenchError("\(url) names no host")
            }
            var ip: UInt32 = 0
            try BenchError.check(cbench_resolve(String(name), &ip), "resolving \(name)")
            address = cbench_address(ip: ip, port: port)
        }

        /// Where a `Location` of this server leads.
        func resolving(_ location: String) -> Target {
            var target = self
            if location.hasPrefix("http://") {
                target.path = String(location.dropFirst(7).drop { $0 != "/" })
            } else if location.hasPrefix("/") {
                target.path = location
            } else {
                target.path = String(path.prefix(through: path.lastIndex(of: "/") ?? path.startIndex)) + location
            }
            return target
        }
    }

    private let poller: Poller
    private let fd: Int32
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
        fd = try BenchError.check(cbench_tcp_connect(target.address), "connecting to \(target.host)")
        poller.watch(fd, CBENCH_WRITABLE) { [self] in advance($0) }
    }

    private func advance(_ ready: UInt32) {
        if ready & CBENCH_WRITABLE != 0, !output.isEmpty {
            let sent = cbench_send(fd, output, output.count)
            guard sent >= 0 else { return finish(nil) }
            output.removeFirst(Int(sent))
            if output.isEmpty { poller.watch(fd, CBENCH_READABLE) { [self] in advance($0) } }
        }
        guard ready & CBENCH_READABLE != 0, !isDone else { return }
        var buffer = [UInt8](repeating: 0, count: 16_384)
        let count = cbench_read(fd, &buffer, buffer.count)
        if count > 0 { input += buffer[..<Int(count)] }
        if let response = parse(isEnd: count == 0) { return finish(response) }
        if count <= 0 { finish(nil) }
    }

    private func finish(_ response: Response?) {
        guard !isDone else { return }
        isDone = true
        poller.close(fd)
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
