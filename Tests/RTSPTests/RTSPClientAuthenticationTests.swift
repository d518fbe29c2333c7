import RTSP
import Testing
import Wire

@Suite struct RTSPClientAuthenticationTests {
    /// A camera that answers only requests its verifier accepts.
    private func guarded(
        _ verifier: DigestVerifier,
        extra: [String] = [],
        user: String? = "relay",
        password: String = "wörd",
        url: String = "rtsp://cam/stream",
        chunk: Int = .max
    ) throws -> ScriptedCamera {
        var verifier = verifier
        return try ScriptedCamera(url, user: user, password: password, chunk: chunk) { request in
            let authorization = request.headers["Authorization"]
            let verdict = verifier.verify(authorization: authorization, method: request.method, uri: request.uri)
            if verdict == .accepted || request.method == .options { return goodAnswer(request) }
            var headers: RTSPHeaders = [:]
            for value in extra + [verifier.challenge(isStale: verdict == .stale)] {
                headers.append("WWW-Authenticate", value)
            }
            return reply(request, 401, headers)
        }
    }

    private func verifier(_ algorithm: DigestAlgorithm, offersAuth: Bool) -> DigestVerifier {
        DigestVerifier(
            algorithm,
            realm: "cam, \\\"1\\\"",
            user: "relay",
            password: Secret("wörd"),
            nonce: "n=1,2",
            offersAuth: offersAuth
        )
    }

    @Test(arguments: [DigestAlgorithm.md5, .sha256], [true, false])
    func `Digest is answered with and without qop, whole and byte by byte`(
        algorithm: DigestAlgorithm,
        offersAuth: Bool
    ) throws {
        for chunk in [1, Int.max] {
            var camera = try guarded(verifier(algorithm, offersAuth: offersAuth), chunk: chunk)
            try camera.connect()
            #expect(camera.methods == ["OPTIONS", "DESCRIBE", "DESCRIBE", "SETUP", "SETUP", "PLAY"])
            #expect(camera.isPlaying)
            #expect(camera.notices == [.authenticated(scheme: "Digest \(algorithm.rawValue)", inClear: false)])
            let answers = camera.requests.compactMap { $0.headers["Authorization"] }
            #expect(answers.count == 4)
            #expect(answers.last?.contains("nc=00000004") == offersAuth)
        }
    }

    @Test func `SHA-256 is taken before MD5 and both before Basic`() throws {
        let offers = ["Basic realm=\"x\"", "Digest realm=\"x\", nonce=\"m\""]
        var camera = try guarded(verifier(.sha256, offersAuth: true), extra: offers)
        try camera.connect()
        #expect(camera.notices == [.authenticated(scheme: "Digest SHA-256", inClear: false)])
        var other = try guarded(verifier(.md5, offersAuth: false), extra: ["Basic realm=\"x\""])
        try other.connect()
        #expect(other.notices == [.authenticated(scheme: "Digest MD5", inClear: false)])
    }

    @Test func `credentials in the URL are used and never sent in it`() throws {
        let url = "rtsp://relay:w%C3%B6rd@cam/stream"
        var camera = try guarded(verifier(.md5, offersAuth: false), user: nil, url: url)
        camera = try ScriptedCamera(url) { request in
            var verifier = self.verifier(.md5, offersAuth: false)
            let authorization = request.headers["Authorization"]
            return verifier.verify(authorization: authorization, method: request.method, uri: request.uri) == .accepted
                ? goodAnswer(request) : reply(request, 401, ["WWW-Authenticate": verifier.challenge()])
        }
        try camera.connect()
        #expect(camera.methods.prefix(3) == ["OPTIONS", "OPTIONS", "DESCRIBE"])
        #expect(camera.isPlaying)
    }

    @Test(arguments: ["rtsp://cam/stream", "rtsps://cam/stream"])
    func `Basic is used when nothing else was ever offered`(url: String) throws {
        var camera = try ScriptedCamera(url, user: "relay", password: "word") { request in
            request.headers["Authorization"] == "Basic cmVsYXk6d29yZA=="
                ? goodAnswer(request) : reply(request, 401, ["WWW-Authenticate": "Basic realm=\"cam\""])
        }
        try camera.connect()
        #expect(camera.isPlaying)
        #expect(camera.notices == [.authenticated(scheme: "Basic", inClear: url.hasPrefix("rtsp:"))])
    }

    @Test func `after a digest Basic is refused as a downgrade`() throws {
        var camera = try ScriptedCamera(user: "relay", password: "word") { request in
            switch request.method {
            case .options: reply(request, 401, ["WWW-Authenticate": "Digest realm=\"x\", nonce=\"n\""])
            default: reply(request, 401, ["WWW-Authenticate": "Basic realm=\"x\""])
            }
        }
        try camera.connect()
        #expect(camera.failure == .badCredentials(scheme: "Digest MD5"))
        var other = try ScriptedCamera(user: "relay", password: "word") { request in
            switch (request.method, request.headers["Authorization"]) {
            case (.options, nil): reply(request, 401, ["WWW-Authenticate": "Digest realm=\"x\", nonce=\"n\""])
            case (.options, _): goodAnswer(request)
            default: reply(request, 401, ["WWW-Authenticate": "Basic realm=\"x\""])
            }
        }
        try other.connect()
        #expect(other.failure == .unsupportedAuthentication(offered: "Basic"))
        #expect(other.requests.allSatisfy { $0.headers["Authorization"]?.hasPrefix("Basic") != true })
    }

    @Test func `Basic in the clear can be forbidden`() throws {
        var configuration = RTSPClientConfiguration(
            url: try RTSPURL(parsing: "rtsp://cam/x"),
            user: "relay",
            password: Secret("word")
        )
        configuration.allowsBasicInClear = false
        var camera = try ScriptedCamera { reply($0, 401, ["WWW-Authenticate": "Basic realm=\"x\""]) }
        var random = SystemRandomNumberGenerator()
        camera.client = RTSPClient(configuration: configuration, using: &random)
        try camera.connect()
        #expect(camera.failure == .unsupportedAuthentication(offered: "Basic"))
    }

    @Test func `a second 401 means bad credentials, fresh nonce or not`() throws {
        var count = 0
        var camera = try ScriptedCamera(user: "relay", password: "wrong") { request in
            count += 1
            return request.method == .options
                ? goodAnswer(request)
                : reply(request, 401, ["WWW-Authenticate": "Digest realm=\"x\", nonce=\"n\(count)\""])
        }
        try camera.connect()
        #expect(camera.methods == ["OPTIONS", "DESCRIBE", "DESCRIBE"])
        #expect(camera.failure == .badCredentials(scheme: "Digest MD5"))
        #expect(camera.failure?.canRetryAtOnce == false)
    }

    @Test func `stale nonces for ever stop after one more attempt`() throws {
        var count = 0
        var camera = try ScriptedCamera(user: "relay", password: "word") { request in
            count += 1
            let challenge = "Digest realm=\"x\", nonce=\"n\(count)\", stale=true"
            return reply(request, 401, ["WWW-Authenticate": challenge])
        }
        try camera.connect()
        #expect(camera.methods == ["OPTIONS", "OPTIONS", "OPTIONS"])
        #expect(camera.failure == .badCredentials(scheme: "Digest MD5"))
    }

    @Test func `a nonce that expires between requests is replaced once per request`() throws {
        var nonces = 0
        var camera = try ScriptedCamera(user: "relay", password: "word") { request in
            // A new nonce for every request, valid for one answer.
            let verifier = DigestVerifier(
                .md5,
                realm: "x",
                user: "relay",
                password: Secret("word"),
                nonce: "n\(nonces)"
            )
            var once = verifier
            let authorization = request.headers["Authorization"]
            if once.verify(authorization: authorization, method: request.method, uri: request.uri) == .accepted {
                nonces += 1
                return goodAnswer(request)
            }
            return reply(request, 401, ["WWW-Authenticate": verifier.challenge()])
        }
        try camera.connect()
        #expect(camera.isPlaying)
        // Keep-alives are repeated in the same way.
        for _ in 0..<4 {
            try camera.send(interleavedFrame(channel: 0, payload: rtpPacket()))
            try camera.send(interleavedFrame(channel: 2, payload: rtpPacket(8)))
            try camera.advance(.seconds(9))
        }
        #expect(camera.methods.suffix(2) == ["GET_PARAMETER", "GET_PARAMETER"])
        #expect(!camera.client.isClosed)
        #expect(camera.notices == [.authenticated(scheme: "Digest MD5", inClear: false)])
    }

    @Test func `without credentials the operator is told what the camera calls itself`() throws {
        var camera = try ScriptedCamera {
            reply($0, 401, ["WWW-Authenticate": "Digest realm=\"IPC\u{1B}\", nonce=\"n\""])
        }
        try camera.connect()
        #expect(camera.failure == .authenticationRequired(realm: "IPC"))
        var bare = try ScriptedCamera { reply($0, 401) }
        try bare.connect()
        #expect(bare.failure == .authenticationRequired(realm: ""))
    }

    @Test func `an unknown scheme is named`() throws {
        var camera = try ScriptedCamera(user: "u", password: "p") {
            reply($0, 401, ["WWW-Authenticate": "Negotiate abc"])
        }
        try camera.connect()
        #expect(camera.failure == .unsupportedAuthentication(offered: "Negotiate"))
    }

    @Test func `the password appears in no effect, notice or message`() throws {
        var camera = try guarded(verifier(.md5, offersAuth: true), password: "canary")
        try camera.connect()
        let text = "\(camera.effects) \(camera.requests) \(camera.client) \(camera.failure?.problem ?? "")"
        #expect(!text.contains("canary"))
    }
}
